// Package dns asks the Domain Name System the questions that mail authentication has.
//
// Every protocol package of Gatepost takes a [Resolver], an interface of one method, so that a program can answer from the
// network ([Client]), from a master file ([Zone]), from one in front of the other ([Overlay]), or from a map in a test.
//
//	client := dns.NewClient(dns.ClientOptions{})
//	answer, err := client.Lookup(ctx, "example.com", dns.TypeTXT)
//	switch {
//	case errors.Is(err, dns.ErrNXDomain): // the name does not exist
//	case errors.Is(err, dns.ErrNoData):   // it does, without a TXT record
//	case err != nil:                      // we do not know: ask again later
//	}
//
// Names are written as A-labels in lower case without a final dot; [ToASCII] makes them so.
package dns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// A Resolver looks up the records of one type at one name.
//
// The error is nil only where the answer holds at least one record of that type. Otherwise it wraps one of [ErrNXDomain],
// [ErrNoData], [ErrServFail], [ErrTimeout], [ErrBadName] and [ErrLimit]. Implementations are safe for concurrent use, follow
// CNAME and DNAME, and return when ctx is done. Callers do not change the slices of an Answer: they are shared.
type Resolver interface {
	Lookup(ctx context.Context, name string, typ Type) (Answer, error)
}

// An Answer holds the records found. Only the member that the type asked for names is set.
type Answer struct {
	Name      string       // who owns the records: the name asked for, or where its CNAMEs led
	TXT       []string     // TypeTXT: the strings of each record, joined without a space
	Addrs     []netip.Addr // TypeA, TypeAAAA
	MX        []MX         // TypeMX, in the order of the answer
	Names     []string     // TypePTR, TypeNS, TypeCNAME
	Records   []string     // every other type: the RDATA as in a master file
	Authentic bool         // the resolver vouches for DNSSEC validation (the AD bit)
	TTL       time.Duration
}

// An MX is one mail exchanger (RFC 1035 3.3.9). The Host of a null MX (RFC 7505) is empty.
type MX struct {
	Preference uint16
	Host       string
}

// A Type is a DNS record type with its number on the wire.
type Type uint16

// The types that mail authentication asks for.
const (
	TypeA      Type = 1
	TypeNS     Type = 2
	TypeCNAME  Type = 5
	TypeSOA    Type = 6
	TypePTR    Type = 12
	TypeMX     Type = 15
	TypeTXT    Type = 16
	TypeAAAA   Type = 28
	TypeDS     Type = 43
	TypeDNSKEY Type = 48
	TypeTLSA   Type = 52
	TypeCAA    Type = 257
)

// The kinds of failure, told apart with [errors.Is].
var (
	ErrNXDomain = errors.New("no such domain")                       // RFC 2308 2.1
	ErrNoData   = errors.New("no record of this type")               // RFC 2308 2.2
	ErrServFail = errors.New("the name servers failed")              // SERVFAIL, REFUSED, an answer that makes no sense
	ErrTimeout  = errors.New("no answer in time")                    // nothing came back, or ctx ended
	ErrBadName  = errors.New("not a domain name")                    // nothing was asked: a label or the name is too long, or empty
	ErrLimit    = errors.New("too many DNS queries for one message") // see Limit
)

// An Error says which question failed and how. Its text leaves out the cause, which names servers of ours: what is said of a failure
// goes to strangers too. See [Detail].
type Error struct {
	Name string
	Type Type
	Kind error // one of the Err… values
	Err  error // the cause beneath, if there is one

	// Alias is the name that the one asked for stands for, where it is an alias: there the records were looked for.
	Alias string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s %s: %v", e.Name, e.Type, e.Kind)
}

// Detail is the text of an error with the cause of the [Error] in it, for ourselves: "…: no answer in time: 192.0.2.53:53 does not
// answer".
func Detail(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Err != nil {
		return err.Error() + ": " + e.Err.Error()
	}
	return err.Error()
}

// Unwrap makes [errors.Is] find both the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// IsVoid tells whether err is a definite "there is no such record" (RFC 7208 4.6.4, void lookups).
func IsVoid(err error) bool {
	return errors.Is(err, ErrNXDomain) || errors.Is(err, ErrNoData) || errors.Is(err, ErrBadName)
}

// IsTemporary tells whether asking again later may give another answer.
func IsTemporary(err error) bool {
	return err != nil && !IsVoid(err) && !errors.Is(err, ErrLimit)
}
