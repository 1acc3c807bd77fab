package spf

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
)

// initialDomain makes the domain of an identity as the resolver takes it. It is not ok for what is malformed, an address literal, or
// a single label (RFC 7208 4.3): such a name is not looked up.
func initialDomain(s string) (string, bool) {
	name, err := dns.ToASCII(s)
	return name, err == nil && isFull(name)
}

// isFull tells whether a name has several labels, and is neither an address literal nor a bare IPv4 address.
func isFull(name string) bool {
	dot := strings.LastIndexByte(name, '.')
	return dot >= 0 && name[0] != '[' && !isDigits(name[dot+1:])
}

// lookup asks the resolver, unless the time is up.
func (e *evaluation) lookup(name string, typ dns.Type) (dns.Answer, error) {
	if err := e.ctx.Err(); err != nil {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrTimeout, Err: err}
	}
	return e.resolver.Lookup(e.ctx, name, typ)
}

// fetch finds the record of a domain (RFC 7208 4.4, 4.5). Without one the error's code is None.
func (e *evaluation) fetch(domain string) (string, *Error) {
	answer, err := e.lookup(domain, dns.TypeTXT)
	switch {
	case err == nil:
	case dns.IsVoid(err):
		return "", &Error{Domain: domain, Err: fmt.Errorf("%w: %w", ErrNoRecord, err), code: None}
	default:
		f := failure(err)
		f.Domain = domain
		return "", f
	}
	record, found := "", false
	for _, txt := range answer.TXT {
		if !IsRecord(txt) {
			continue
		}
		if found {
			return "", &Error{Domain: domain, Err: ErrManyRecords, code: PermError}
		}
		record, found = txt, true
	}
	if !found {
		return "", &Error{Domain: domain, Err: ErrNoRecord, code: None}
	}
	return record, nil
}

// failure sorts an error of the resolver that is no definite "there is none": the caller's limit is the record's fault, as it has
// too many terms for it; all else may pass (RFC 7208 5).
func failure(err error) *Error {
	if dns.IsTemporary(err) {
		return &Error{Err: err, code: TempError}
	}
	return &Error{Err: err, code: PermError}
}

func (e *evaluation) maxLookups() int {
	if e.q.MaxLookups > 0 {
		return e.q.MaxLookups
	}
	return defaultLookups
}

// count counts a term that asks the DNS (RFC 7208 4.6.4).
func (e *evaluation) count() *Error {
	most := e.maxLookups()
	if e.lookups >= most {
		return &Error{Err: fmt.Errorf("%w: more than %d", ErrLookupLimit, most), code: PermError}
	}
	e.lookups++
	return nil
}

// countVoid counts a term whose look-ups found nothing (RFC 7208 4.6.4).
func (e *evaluation) countVoid() *Error {
	most := e.q.MaxVoidLookups
	if most <= 0 {
		most = defaultVoidLookups
	}
	e.voids++
	if e.voids > most {
		return &Error{Err: fmt.Errorf("%w: more than %d", ErrVoidLimit, most), code: PermError}
	}
	return nil
}

// ask looks up what a term needs. found is false where there is none, and void where that is for the term to count: a name that
// cannot be asked for costs no one a look-up.
func (e *evaluation) ask(name string, typ dns.Type) (answer dns.Answer, found, void bool, _ *Error) {
	answer, err := e.lookup(name, typ)
	switch {
	case err == nil:
		return answer, true, false, nil
	case dns.IsVoid(err):
		return answer, false, !errors.Is(err, dns.ErrBadName), nil
	}
	return answer, false, false, failure(err)
}
