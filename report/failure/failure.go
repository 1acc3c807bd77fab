// Package failure reads and writes failure reports: a mail about one message, sent to the owner of a domain that the message bore
// (RFC 9991 for DMARC, RFC 6591 for DKIM and SPF, and RFC 5965, the Abuse Reporting Format under both).
//
// Such a mail is a multipart/report of three parts: a text for people, fields for programs (message/feedback-report), and the header or
// the whole of the message that failed.
//
//	r, err := failure.Read(mail, failure.Options{})
//	if err != nil { … } // there is no report in it
//	fmt.Println(r.SourceIP, "sent mail as", r.AuthorDomain, "and", r.IdentityAlignment, "failed")
//
// Reporters take liberties, and so does Read: what can be made out is given, each liberty is a warning, and a word that no standard
// knows is kept as it came. Absent is not the same as none: an empty IdentityAlignment says nothing at all.
//
// A report quotes somebody's mail. [Report.Redact] takes from it what is personal (RFC 6590), before it is stored for long or sent.
// [Report.Write] writes a report as RFC 9991 wants it.
package failure

import (
	"errors"
	"net/netip"
	"time"
)

// A Report is one failure report. Text in it is valid UTF-8 without control characters, of bounded length, and a stranger's.
type Report struct {
	Reporter      string    // what the reporter calls itself in the report's own From field; empty if it does not
	ReporterEmail string    // the address there
	ReportID      string    // of the report's own Message-ID, without angle brackets
	Date          time.Time // of the report's own Date field

	FeedbackType       string    // "auth-failure"; of RFC 5965 also "abuse", "fraud", "not-spam", "virus", "other"
	Version            string    // of the format, "1"
	UserAgent          string    // the program that wrote it
	ReportingMTA       string    // "dns; mx.example.net"
	ArrivalDate        time.Time // when the message came
	SourceIP           netip.Addr
	SourcePort         uint16   // RFC 6692; 0 if not said
	Incidents          uint32   // how many messages it stands for; 0 if not said, which means one
	OriginalEnvelopeID string   // RFC 3461 4.4, or the queue's name for the message
	OriginalMailFrom   string   // without angle brackets, but "<>" for the null reverse-path
	OriginalRcptTo     []string // without angle brackets
	ReportedDomains    []string // whose owner the report is for; RFC 6591 3.1 wants exactly one
	ReportedURIs       []string

	AuthFailure           string   // "dmarc", "adsp", "bodyhash", "revoked", "signature", "spf" (RFC 6591 3.3, RFC 9991 4)
	IdentityAlignment     []string // the methods that did not authenticate an aligned identity: "dkim", "spf", both, or "none"; empty if not said
	DeliveryResult        string   // "delivered", "spam", "policy", "reject", "other" (RFC 6591 3.2.2)
	AuthenticationResults []string // values of such fields (RFC 8601)
	DKIM                  DKIM
	SPF                   SPF

	Extra []Field // fields that are none of these, in order

	OriginalHeader string // the message's header, byte for byte, with CRLF line ends and no empty line after it
	OriginalBody   []byte // as much as [Options] lets; nil if the report had none

	// These three are what OriginalHeader says.
	AuthorDomain string // empty unless there is exactly one
	Subject      string
	MessageID    string // without angle brackets

	Warnings []string // the liberties taken, with their place
}

// DKIM is what a report says of a signature that failed (RFC 6591 3.2.3, 3.2.4).
type DKIM struct {
	Domain              string // d=
	Identity            string // i=
	Selector            string // s=
	CanonicalizedHeader []byte // decoded
	CanonicalizedBody   []byte // decoded
	SelectorDNS         string // the key record
	ADSPDNS             string // the policy record of RFC 5617
}

// SPF is what a report says of SPF (RFC 6591 3.2.5).
type SPF struct {
	DNS []SPFRecord
}

// An SPFRecord is a record that took part in an SPF result.
type SPFRecord struct {
	Type   string // of the DNS record: "txt" or "spf"; empty if not said
	Domain string // where it stands; empty if not said
	Record string
}

// A Field is one that no standard knows.
type Field struct{ Name, Value string }

// ReportedDomain is the domain whose owner the report is for: the first, if several are named.
func (r *Report) ReportedDomain() string {
	if len(r.ReportedDomains) == 0 {
		return ""
	}
	return r.ReportedDomains[0]
}

// Options bound what is read and kept. The zero value fits a report that comes by mail.
type Options struct {
	Bytes       int // of the mail that are looked at: 16 MiB if zero
	HeaderBytes int // of the original header, and of each part's: 256 KiB if zero
	BodyBytes   int // of the original body that are kept: 64 KiB if zero, none if negative
	TextBytes   int // of one value: 8 KiB if zero
	Values      int // of one field that may come several times: 100 if zero
	Warnings    int // 100 if zero
	Parts       int // MIME parts, at any depth: 200 if zero
	Depth       int // of parts within parts: 10 if zero
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		n   *int
		def int
	}{{&o.Bytes, 16 << 20}, {&o.HeaderBytes, 256 << 10}, {&o.BodyBytes, 64 << 10}, {&o.TextBytes, 8 << 10}, {&o.Values, 100},
		{&o.Warnings, 100}, {&o.Parts, 200}, {&o.Depth, 10}} {
		if *d.n == 0 || *d.n < 0 && d.n != &o.BodyBytes {
			*d.n = d.def
		}
	}
	o.BodyBytes = max(o.BodyBytes, 0)
	return o
}

// ErrNoReport means that a mail is no failure report.
var ErrNoReport = errors.New("not a failure report: no message/feedback-report part, and no text that says what failed")
