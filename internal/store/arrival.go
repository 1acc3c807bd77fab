package store

import (
	"encoding/json"
	"io"
	"iter"
	"net/netip"
	"time"
)

// An Arrival is one thing that came in, and what was read from it. It is written whole or not at all.
type Arrival struct {
	Raw      Raw
	Reports  []Report
	Refusals []string // the parts that could not be read, and why; with no Reports, the whole is set aside
}

// A Hash is a SHA-256.
type Hash [32]byte

// Raw is what arrived, byte for byte.
type Raw struct {
	Hash         Hash // of the bytes
	Size         int64
	Open         func() (io.ReadCloser, error)
	Name         string    // of a file, or what else people call it
	Input        string    // by which way it came
	At           time.Time // when
	ClientIP     string    // of who sent it to our own receiver, with what our own core said
	MailFrom     string
	AuthorDomain string
	DMARC        string // pass, fail, none, temperror, permerror; empty where nobody verified it
	TokenDomain  string // the domain whose secret address it was sent to
}

// The kinds of reports.
const (
	Aggregate = "aggregate"
	Failure   = "failure"
	TLS       = "tls"
)

// A Report is one report. It is the same as another if all of Kind, Reporter, ReportID, Domain, Begin, End and Content are.
type Report struct {
	Kind       string
	Reporter   string // its organization's name, as it calls itself
	Email      string
	ReportID   string
	Domain     string // the Policy Domain; of a failure report, the reported domain
	Begin, End time.Time
	Content    Hash   // of the report, unwrapped
	Part       string // where in the raw it was: "2.1/report.xml.gz/report.xml"
	Warnings   []string
	Document   json.RawMessage // the report as gatepost reports parse prints it, without the records of an aggregate report

	Rows    iter.Seq2[Row, error] // of an aggregate report; may be gone through several times
	TLS     []TLSPolicy           // of a TLS report
	Failure *FailedMessage        // of a failure report
}

// A TLSPolicy is what a TLS report tells of one policy (RFC 8460 4.4).
type TLSPolicy struct {
	Domain     string // the policy domain
	Type       string // sts, tlsa, no-policy-found
	Successful int64  // sessions
	Failed     int64
	Failures   []TLSFailure
}

// A TLSFailure is one of a policy's failure details.
type TLSFailure struct {
	Result      string // RFC 8460 4.3
	SendingIP   string
	ReceivingIP string
	ReceivingMX string
	Helo        string
	Sessions    int64
	Reason      string // the failure reason code
	Information string
}

// A FailedMessage is what a failure report tells of the message (RFC 9991, 6591 3).
type FailedMessage struct {
	Arrived        time.Time
	SourceIP       netip.Addr
	AuthorDomain   string
	AuthFailure    string
	Alignment      string
	DeliveryResult string
}

// A Row is a record of an aggregate report. Results are in lower case; one that no standard knows is as it came.
type Row struct {
	SourceIP     netip.Addr
	Count        int64 // of messages
	Disposition  string
	DKIM, SPF    string // as evaluated for DMARC, that is, aligned
	Reasons      []Reason
	HeaderFrom   string
	EnvelopeFrom string
	EnvelopeTo   string
	AuthDKIM     []AuthDKIM
	AuthSPF      []AuthSPF
}

// Passes tells whether DMARC passed. Only the word pass counts.
func (r *Row) Passes() bool { return r.DKIM == "pass" || r.SPF == "pass" }

// A Reason is why a reporter did other than the policy asks.
type Reason struct {
	Type    string `json:"type"`
	Comment string `json:"comment"`
}

// AuthDKIM is what a reporter found of one signature.
type AuthDKIM struct {
	Domain      string `json:"domain"`
	Selector    string `json:"selector"`
	Result      string `json:"result"`
	HumanResult string `json:"human_result"`
}

// AuthSPF is what a reporter found of SPF.
type AuthSPF struct {
	Domain      string `json:"domain"`
	Scope       string `json:"scope"`
	Result      string `json:"result"`
	HumanResult string `json:"human_result"`
}

// What became of a report that was to be added.
const (
	ReportNew         = "new"
	ReportKnown       = "known"
	ReportConflicting = "conflicting" // new, but the same reporter, id, domain and period were there with another content
	ReportChanged     = "changed"     // read again, and not as before
)

// An Added is what became of an Arrival.
type Added struct {
	Known   bool     // the very bytes had been there before
	Reports []string // of each of its reports: new, known or conflicting; of what was read again, changed as well
	Removed int      // reports that are there no longer once it was read again
}
