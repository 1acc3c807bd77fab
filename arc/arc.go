// Package arc verifies and seals the Authenticated Received Chain (RFC 8617).
//
//	v := arc.NewVerifier(ctx, resolver, header, arc.Options{})
//	io.Copy(v, body)
//	chain := v.Result()
//
// To add a set of our own on top, see [Seal].
package arc

import (
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
)

// A Code is the state of a chain (RFC 8617 4.4).
type Code string

// The states. TempError is ours: a key could not be fetched, so nothing is known.
const (
	None      Code = "none"
	Pass      Code = "pass"
	Fail      Code = "fail"
	TempError Code = "temperror"
)

// Options tune a verification.
type Options struct {
	Now        time.Time
	MinRSABits int        // 1024 if zero
	Body       *dkim.Body // hash the body here, together with dkim's signatures; nil for one's own
}

// A Result is what is known of a message's chain.
type Result struct {
	Code        Code
	Instances   int      // sets found
	Sealers     []string // d= of each ARC-Seal, instance 1 first
	OldestPass  int      // the lowest instance whose message signature still verifies; 0 if all do (RFC 8617 5.2)
	AuthResults []string // the payload of each ARC-Authentication-Results after "i=N;", instance 1 first
	Unsigned    int64    // octets at the end of the body that the newest message signature leaves to anybody (l=)
	Ended       bool     // the newest seal says cv=fail: nothing may be added
	Err         error    // why, unless Pass or None
}
