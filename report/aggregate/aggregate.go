// Package aggregate reads and writes DMARC aggregate reports (RFC 9990, and RFC 7489 appendix C before it).
//
// A report is XML, and says for one domain and mostly one day how many messages came from which address, and what became of them. A
// [Reader] hands out its records one at a time, so that a report of a million records takes no more memory than one of ten:
//
//	r := aggregate.NewReader(xml, aggregate.Options{})
//	var rec aggregate.Record
//	for {
//		err := r.Next(&rec)
//		if err == io.EOF {
//			break
//		}
//		if err != nil {
//			return err // no report, or one that is cut off: believe none of it
//		}
//		fmt.Println(rec.SourceIP, rec.Count, rec.Passes())
//	}
//	fmt.Println(r.Feedback().OrgName, r.Warnings())
//
// [Read] does the same at once for a report that is known to be small.
//
// # What is read
//
// Reporters follow the standards loosely, and what can be read is read: in any encoding, in any namespace or none, with elements in
// any order, with markup that no XML parser takes. Every liberty that this needs is a [Warning] with its place. What cannot be read as
// XML by any stretch, or breaks off, is an error. No entity but XML's own five is ever expanded, and a document type is skipped.
//
// Results are words, in lower case, if a standard knows them (Pass is read as pass); any other value is kept as it came. Only the
// word pass is a pass: hardfail, unknown and nothing at all are not, and [Record.Passes] is the one place that decides.
//
// Domains are in A-labels and lower case, without a final dot; one that is no domain name is kept as it came. Space around a value
// is removed. The lang attribute of texts meant for people is not kept.
//
// # What is written
//
// A [Writer] writes what the standard that it is given allows and nothing else, and refuses a record that says something that the
// standard has no word for. What it has written reads back equal.
package aggregate

import (
	"net/netip"
	"strconv"
	"time"
)

// The namespaces of the standards. Most reporters of RFC 7489 use none.
const (
	Namespace9990 = "urn:ietf:params:xml:ns:dmarc-2.0"
	Namespace7489 = "http://dmarc.org/dmarc-xml/0.1"
)

// MaxCount is the most messages that a record is believed to count. What claims more is read as 0 with a warning, so that no sum over
// reports can be made to overflow by one of them.
const MaxCount = 1 << 40

// A Feedback is all of a report but its records (RFC 9990 3.1.1.2). What the report did not say is empty.
type Feedback struct {
	Namespace    string // of the feedback element
	Version      string // of the format: "1.0"
	OrgName      string // of the reporter
	Email        string // of the reporter, for questions
	ExtraContact string
	ReportID     string
	Begin, End   time.Time // the period; zero if the report names none
	Errors       []string  // what the reporter found wrong with the policy; RFC 9990 has at most one
	Generator    string    // the reporter's program (RFC 9990)
	Policy       Policy
	Extensions   []Extension // RFC 9990 3.1.1.6
}

// A Policy is the DMARC policy that the reporter found (RFC 9990 3.1.1.5). Values are as in the DMARC record, and empty where the
// report did not say: an absent sp is not known to be p's value.
type Policy struct {
	Domain          string // the Policy Domain: where the record is
	P, SP, NP       string // none, quarantine, reject
	ADKIM, ASPF     string // r, s
	Pct             string // RFC 7489: 0 to 100
	FO              string
	Testing         string // RFC 9990: y, n
	DiscoveryMethod string // RFC 9990: psl, treewalk
}

// A Record counts the messages of one source that fared alike (RFC 9990 3.1.1.7).
type Record struct {
	SourceIP     netip.Addr // always valid; an IPv4 address in IPv6 form is unmapped
	Count        int64      // of messages: 0 to MaxCount
	Disposition  string     // what was done by DMARC: none, pass (RFC 9990), quarantine, reject
	DKIM, SPF    string     // as evaluated for DMARC, that is, passed and aligned: pass, fail
	Reasons      []Reason   // why the disposition is not what the policy asks for
	HeaderFrom   string     // the Author Domain
	EnvelopeFrom string     // the domain of MAIL FROM; empty for the null reverse-path, and where the report did not say
	EnvelopeTo   string     // the domain of RCPT TO
	Auth         Auth
	Extensions   []Extension
}

// Passes tells whether the messages passed DMARC: an aligned identifier did. Only the word pass counts.
func (r *Record) Passes() bool { return r.DKIM == "pass" || r.SPF == "pass" }

// A Reason is why a reporter did other than the policy asks (RFC 9990 3.1.6).
type Reason struct {
	Type    string // local_policy, mailing_list, other, policy_test_mode, trusted_forwarder; RFC 7489: forwarded, sampled_out
	Comment string
}

// Auth are the results of authentication, with no regard to alignment (RFC 9990 3.1.1.11).
type Auth struct {
	DKIM []AuthDKIM
	SPF  []AuthSPF // RFC 9990 has at most one
}

// AuthDKIM is what became of one signature.
type AuthDKIM struct {
	Domain      string // d=
	Selector    string // s=
	Result      string // none, pass, fail, policy, neutral, temperror, permerror
	HumanResult string
}

// AuthSPF is what SPF said of one identity.
type AuthSPF struct {
	Domain      string
	Scope       string // mfrom; RFC 7489: helo
	Result      string // none, pass, fail, softfail, policy, neutral, temperror, permerror
	HumanResult string
}

// An Extension is an element of another namespace (RFC 9990 5).
type Extension struct {
	Namespace string // empty in a report that does not say; such an extension is not written
	Name      string // without prefix
	XML       string // the element, well-formed, with the declaration of every prefix that it uses (of PREFIX that has none: urn:undeclared:PREFIX)
}

// A Warning is a liberty taken in reading, with the place where it was taken first.
type Warning struct {
	Record int    // the record, counted from 1; 0 outside of records
	Line   int    // of the report
	Text   string // "no source_ip: left out"
	Times  int    // how often it was taken in all of the report, the same way with the same value
}

// String gives a warning as people read it: "record 3: no source_ip: left out (4 times in all)".
func (w Warning) String() string {
	s := w.Text
	if w.Record > 0 {
		s = "record " + strconv.Itoa(w.Record) + ": " + s
	}
	if w.Times > 1 {
		s += " (" + strconv.Itoa(w.Times) + " times in all)"
	}
	return s
}

// A Report is one that was read at once.
type Report struct {
	Feedback
	Records  []Record
	Warnings []Warning
}
