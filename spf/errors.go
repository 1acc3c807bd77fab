package spf

import (
	"errors"
	"strconv"
)

// Why a policy gives no answer, told apart with [errors.Is] on Result.Err. Faults of the record are a [*SyntaxError], and those of
// the DNS wrap what the resolver said.
var (
	ErrNoDomain    = errors.New("not a full domain name")                       // RFC 7208 4.3
	ErrNoRecord    = errors.New("no SPF record")                                // 4.5, 5.2, 6.1
	ErrManyRecords = errors.New("more than one SPF record")                     // 4.5
	ErrLookupLimit = errors.New("too many terms ask the DNS")                   // 4.6.4
	ErrVoidLimit   = errors.New("too many terms look for what does not exist")  // 4.6.4
	ErrMXLimit     = errors.New("more mail exchangers than the ten looked at")  // 4.6.4
	ErrTarget      = errors.New("expands to what cannot be a full domain name") // 4.8
)

// An Error says at which term of whose record an evaluation ended.
type Error struct {
	Domain string // whose record it is
	Term   string // as written; empty where it is about the record as a whole
	Err    error

	code Code // the result it makes
}

func (e *Error) Error() string {
	if e.Term == "" {
		return printable(e.Domain) + ": " + e.reason()
	}
	return "the record of " + printable(e.Domain) + ", at " + quote(e.Term) + ": " + e.reason()
}

func (e *Error) reason() string {
	if err, ok := e.Err.(*SyntaxError); ok { // the term is named already
		return err.Reason
	}
	return printable(e.Err.Error())
}

// at names the term, unless the error is that of a term beneath it.
func (e *Error) at(domain, term string) {
	if e.Domain == "" {
		e.Domain, e.Term = domain, term
	}
}

// Unwrap gives the reason alone.
func (e *Error) Unwrap() error { return e.Err }

// maxQuoted is how much of a term or name is shown. A record may be as long as 65,535 bytes.
const maxQuoted = 100

// quote puts a text of the network's into quotes, escaped and cut to a length that people can read.
func quote(s string) string {
	if len(s) > maxQuoted {
		return strconv.QuoteToASCII(s[:maxQuoted] + "...")
	}
	return strconv.QuoteToASCII(s)
}

// printable escapes what is not printable ASCII.
func printable(s string) string {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			q := strconv.QuoteToASCII(s)
			return q[1 : len(q)-1]
		}
	}
	return s
}
