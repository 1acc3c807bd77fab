// Package spf evaluates Sender Policy Framework records (RFC 7208).
//
// A receiving server calls [Check] once a message, as soon as it knows the client's address, the HELO name and the MAIL FROM
// address:
//
//	res := spf.Check(ctx, resolver, spf.Query{IP: ip, Helo: helo, MailFrom: from})
//	if res.Code == spf.SoftFail { … }
//
// Check never fails: whatever goes wrong, in the network or in the record, is a result that the standard names.
package spf

import (
	"net/netip"
	"time"
)

// A Code is an SPF result, in the words of RFC 7208 2.6 and RFC 8601 2.7.2.
type Code string

// The results.
const (
	None      Code = "none"
	Neutral   Code = "neutral"
	Pass      Code = "pass"
	Fail      Code = "fail"
	SoftFail  Code = "softfail"
	TempError Code = "temperror"
	PermError Code = "permerror"
)

// A Query is one question to an SPF policy: may IP send for MailFrom?
type Query struct {
	IP       netip.Addr
	Helo     string // the HELO or EHLO name; stands in for an empty MailFrom (RFC 7208 2.4)
	MailFrom string // without angle brackets; empty for the null reverse-path, and to check the HELO identity (2.3)

	Receiver string    // our own host name, for the macro %{r}; "unknown" if empty
	Now      time.Time // for the macro %{t}; the present if zero
	Trace    bool      // record in Result.Trace how the result came about

	MaxLookups     int // terms that ask the DNS (RFC 7208 4.6.4); 10 if zero
	MaxVoidLookups int // terms whose look-ups find nothing; 2 if zero
}

// A Result is what a policy answered, and enough of how to explain it to the sender.
type Result struct {
	Code        Code
	Domain      string   // whose policy was asked: of MailFrom, or Helo where that was empty; A-labels, lower case
	Term        string   // the term that matched, as written: "ip4:192.0.2.0/24", "~all"; empty if none did
	Record      string   // the record of Domain, empty if it has none
	Explanation string   // the sender's own, for Fail only; printable ASCII, fit for an SMTP reply
	Lookups     int      // DNS-querying terms evaluated, of 10 (RFC 7208 4.6.4)
	VoidLookups int      // of 2
	Err         error    // why, for PermError, TempError and some kinds of None
	Trace       []string // one line a step, where Query.Trace asks for it
}
