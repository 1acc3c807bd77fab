// Package dkim verifies and makes DomainKeys Identified Mail signatures (RFC 6376, updated by RFC 8301, 8463 and 8616).
//
// A whole message in one call:
//
//	results, err := dkim.Verify(ctx, resolver, file, dkim.Options{})
//	for _, r := range results {
//		fmt.Println(r.Code, r.SDID, r.Err)
//	}
//
// A server that sees the message as it streams in makes a [Verifier] when the header has ended: the keys are asked for from then
// on, the body is hashed as it is written, and memory does not grow with it.
//
//	v := dkim.NewVerifier(ctx, resolver, header, dkim.Options{})
//	io.Copy(v, body)
//	results := v.Results()
//
// To sign, see [Sign] and [Signer].
package dkim

import (
	"time"

	"github.com/gatepost-mail/gatepost/message"
)

// A Code is the result of one signature, in the words of RFC 8601 2.7.1.
type Code string

// The results.
const (
	None      Code = "none" // no signature at all
	Pass      Code = "pass"
	Fail      Code = "fail"      // the message or the signature was changed
	Policy    Code = "policy"    // not acceptable here: made in the future, a key below MinRSABits, beyond MaxSignatures
	Neutral   Code = "neutral"   // never given: RFC 6376 6.1.1 asks for permerror where the syntax is bad
	TempError Code = "temperror" // the key could not be fetched now
	PermError Code = "permerror" // no usable key, or against the standard: rsa-sha1 and weak keys too (RFC 8301)
)

// Options tune a verification. The zero value is the standard's behaviour with sensible bounds.
type Options struct {
	MaxSignatures int       // signatures looked at, the topmost first; 10 if zero
	MinRSABits    int       // 1024 if zero; never less (RFC 8301 3.2)
	Now           time.Time // for x= and t=; the present if zero
	Diagnose      bool      // find out why a signature failed; keeps up to DiagnoseBytes of the body
	DiagnoseBytes int       // 1 MiB if zero
	Body          *Body     // hash the body here, together with others (arc), who then write to it; nil for one's own

	Limits message.Limits // of the header, where [Verify] reads it
}

// A Result is what became of one signature.
type Result struct {
	Code             Code
	SDID             string   // d=, A-labels, lower case
	AUID             string   // i=, or "@" and d= if absent
	Selector         string   // s=
	Algorithm        string   // a=, as written
	KeyBits          int      // of the public key; 0 if there was none
	Canonicalization string   // c=, both parts: "relaxed/simple"
	SignedHeaders    []string // h=, lower case
	BodyLength       int64    // l=, or -1 if absent
	Unsigned         int64    // octets of the body beyond l=, which nobody vouches for
	Testing          bool     // the key says t=y
	SignatureTail    string   // the first 8 characters of b=, which tell signatures apart (RFC 6008 header.b)
	Err              error    // why, unless Pass
	Diagnosis        string   // what likely happened in transit, where Options.Diagnose asks for it
}
