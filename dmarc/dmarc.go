// Package dmarc finds a domain's DMARC policy and tells whether a message meets it (RFC 9989).
//
// The policy is asked for when the Author Domain is known, and held against what SPF and DKIM found when the message has ended:
//
//	policy := dmarc.Discover(ctx, resolver, "example.com", dmarc.Options{})
//	result := policy.Evaluate(ctx, dmarc.Identifiers{
//		SPF:  dmarc.Identifier{Domain: "bounce.example.com", Code: "pass"},
//		DKIM: []dmarc.Identifier{{Domain: "example.com", Code: "pass"}},
//	})
//	fmt.Println(result.Code, result.Disposition)
//
// The public suffix list of RFC 7489, which RFC 9989's tree walk replaced, is there as [PublicSuffixList].
package dmarc

// A Code is a DMARC result, in the words of RFC 8601 and RFC 9989.
type Code string

// The results. None means that no policy is published.
const (
	None      Code = "none"
	Pass      Code = "pass"
	Fail      Code = "fail"
	TempError Code = "temperror"
	PermError Code = "permerror"
)

// A Disposition is what a policy asks for.
type Disposition string

// The dispositions.
const (
	DispositionNone       Disposition = "none"
	DispositionQuarantine Disposition = "quarantine"
	DispositionReject     Disposition = "reject"
)

// A Method finds Organizational Domains.
type Method string

// The methods, in the words of RFC 9990's discovery_method.
const (
	TreeWalk         Method = "treewalk" // RFC 9989 4.10, the default
	PublicSuffixList Method = "psl"      // RFC 7489 3.2
)

// Options tune discovery. The zero value is RFC 9989.
type Options struct {
	Method Method
}

// An Identifier is a domain that SPF or DKIM answered for, with its result word.
type Identifier struct {
	Domain string // A-labels, lower case
	Code   string // "pass", "fail", "temperror", …
}

// Identifiers are what alignment is judged by: MAIL FROM's domain, or HELO's where that was null, and each signature's SDID.
type Identifiers struct {
	SPF  Identifier
	DKIM []Identifier
}

// Alignment says by which means an identifier that passed is aligned with the Author Domain.
type Alignment struct {
	SPF  bool `json:"spf"`
	DKIM bool `json:"dkim"`
}

// A Result is the answer for one message.
type Result struct {
	Code                 Code
	AuthorDomain         string
	OrganizationalDomain string
	PolicyDomain         string      // where the policy was found; empty if nowhere
	Policy               Disposition // what applies to the Author Domain: p, sp or np; not yet softened by t=y
	Disposition          Disposition // what is asked for this message: none unless Code is Fail, and after t=y
	Testing              bool        // t=y
	Aligned              Alignment
	Record               string // of PolicyDomain, as published
	Err                  error  // why, for TempError and PermError; what was odd, otherwise
}
