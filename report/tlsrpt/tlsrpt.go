// Package tlsrpt reads and writes TLS reports: what a sender of mail says, once a day, of how its connections to a domain's mail servers
// were secured, and why some were not (RFC 8460).
//
//	r, err := tlsrpt.Read(file, tlsrpt.Options{})
//	if err != nil { … } // not a report, or cut off
//	for _, p := range r.Policies {
//		fmt.Println(p.Domain, p.Type, p.Successful, p.Failed)
//	}
//
// Read takes the JSON itself; whatever it was packed in is the caller's. Reporters take liberties, and so does Read: each is a warning
// with its place, and a word that no standard knows is kept as it came. [Report.Write] writes the JSON, and [Report.WriteMail] the mail
// that brings it.
//
// The record by which a domain asks for such reports, _smtp._tls, is another matter.
package tlsrpt

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// A Report is one report (RFC 8460 4.4). Text in it is valid UTF-8 without control characters, of bounded length, and a stranger's.
type Report struct {
	OrganizationName string
	ContactInfo      string
	ReportID         string
	Begin, End       time.Time // zero if not said
	Policies         []Policy
	Warnings         []string // the liberties taken, with their place
}

// A Policy is what was found for one policy of a domain.
type Policy struct {
	Type       string   // "tlsa", "sts" or "no-policy-found"
	Strings    []string // the policy, line by line, or its TLSA records
	Domain     string
	MXHosts    []string // patterns, of an MTA-STS policy
	Successful int64    // sessions
	Failed     int64    // sessions, as the summary says; the Failures may add up to something else
	Failures   []Failure
}

// A Failure is a number of sessions that failed alike.
type Failure struct {
	ResultType            string     // "certificate-expired" … (RFC 8460 4.3)
	SendingMTAIP          netip.Addr // zero if not said, as is ReceivingIP
	ReceivingMXHostname   string
	ReceivingMXHelo       string
	ReceivingIP           netip.Addr
	Sessions              int64
	AdditionalInformation string // a URI
	ReasonCode            string
}

// Options bound what is read and kept. The zero value fits a report that comes by mail.
type Options struct {
	Bytes     int64 // of JSON: 64 MiB if zero
	TextBytes int   // of one string: 4 KiB if zero
	Kept      int   // bytes of all strings that are kept: 2 MiB if zero; long ones beyond are left out
	Values    int   // of one list of strings: 100 if zero
	Policies  int   // 1,000 if zero
	Failures  int   // in all: 10,000 if zero; the rest is counted, not kept
	Warnings  int   // 100 if zero
	Depth     int   // of values within values: 20 if zero
}

func (o Options) withDefaults() Options {
	if o.Bytes <= 0 {
		o.Bytes = 64 << 20
	}
	for _, d := range []struct {
		n   *int
		def int
	}{{&o.TextBytes, 4 << 10}, {&o.Kept, 2 << 20}, {&o.Values, 100}, {&o.Policies, 1000}, {&o.Failures, 10000}, {&o.Warnings, 100}, {&o.Depth, 20}} {
		if *d.n <= 0 {
			*d.n = d.def
		}
	}
	return o
}

// ErrNoReport means that the input is no TLS report at all.
var ErrNoReport = errors.New("not a TLS report: no JSON object with the members of RFC 8460 4.4")

// A SyntaxError says where the JSON of a report breaks off or cannot be followed.
type SyntaxError struct {
	Offset int64
	What   string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("TLS report: byte %d: %s", e.Offset, e.What) }

// The words that RFC 8460 knows (4.3, 4.4).
var (
	policyTypes = []string{"tlsa", "sts", "no-policy-found"}
	resultTypes = []string{"starttls-not-supported", "certificate-host-mismatch", "certificate-expired", "certificate-not-trusted",
		"validation-failure", "tlsa-invalid", "dnssec-invalid", "dane-required", "sts-policy-fetch-error", "sts-policy-invalid", "sts-webpki-invalid"}
)
