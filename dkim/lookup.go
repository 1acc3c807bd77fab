package dkim

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatepost-mail/gatepost/dns"
)

// A KeyError says why there is no usable key at a name.
type KeyError struct {
	Code Code   // TempError if asking again later may help, else PermError
	Name string // the name asked for
	Err  error  // the cause: an error of package dns, ErrRevoked, or what is wrong with the record
}

func (e *KeyError) Error() string {
	switch {
	case e.Code == TempError:
		return fmt.Sprintf("the key at %s could not be fetched: %v", quoteName(e.Name), kindOf(e.Err))
	case dns.IsVoid(e.Err) || errors.Is(e.Err, dns.ErrLimit):
		return fmt.Sprintf("no key at %s: %v", quoteName(e.Name), kindOf(e.Err))
	case errors.Is(e.Err, ErrRevoked):
		return fmt.Sprintf("the key at %s was revoked (its p= is empty)", quoteName(e.Name))
	}
	return fmt.Sprintf("the record at %s is not a key: %v", quoteName(e.Name), e.Err)
}

func (e *KeyError) Unwrap() error { return e.Err }

// kindOf leaves out the name that a resolver's error repeats.
func kindOf(err error) error {
	if e := (*dns.Error)(nil); errors.As(err, &e) {
		return e.Kind
	}
	return err
}

// quoteName leaves a name bare where it is fit to be read.
func quoteName(s string) string {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == '"' {
			return quote(s)
		}
	}
	return s
}

// maxKeyRecords bounds the records at one name that are tried.
const maxKeyRecords = 8

// LookupKey asks for the key of a selector and a domain, both with A-labels or U-labels (RFC 6376 3.6.2, RFC 8616 4). The error is
// a [*KeyError].
//
// What several TXT records at one name mean is undefined (RFC 6376 3.6.2.2): the first that is a key is the key, so that a stray
// verification token beside it does no harm. If none is, the first that is at least a revoked key is, and else the error is that
// of the first record.
func LookupKey(ctx context.Context, r dns.Resolver, selector, sdid string) (*Key, error) {
	name, err := keyName(selector, sdid)
	if err != nil {
		return readKey(name, dns.Answer{}, err)
	}
	answer, err := r.Lookup(ctx, name, dns.TypeTXT)
	return readKey(name, answer, err)
}

// keyName is where a key is published (RFC 6376 3.6.2.1). Beside an error it is not fit to be asked for.
func keyName(selector, sdid string) (string, error) {
	name := selector + "._domainkey." + sdid
	ascii, err := dns.ToASCII(name)
	if err != nil {
		return name, dns.ErrBadName
	}
	return ascii, nil
}

// readKey finds the key in an answer (RFC 6376 6.1.2).
func readKey(name string, answer dns.Answer, err error) (*Key, error) {
	switch {
	case dns.IsTemporary(err):
		return nil, &KeyError{Code: TempError, Name: name, Err: err} // step 2
	case err != nil:
		return nil, &KeyError{Code: PermError, Name: name, Err: err} // step 3
	case len(answer.TXT) == 0:
		return nil, &KeyError{Code: PermError, Name: name, Err: dns.ErrNoData}
	}
	var first error
	for _, txt := range answer.TXT[:min(len(answer.TXT), maxKeyRecords)] {
		key, err := ParseKey(txt)
		if err == nil {
			return key, nil
		}
		if first == nil || errors.Is(err, ErrRevoked) && !errors.Is(first, ErrRevoked) {
			first = err
		}
	}
	return nil, &KeyError{Code: PermError, Name: name, Err: first} // steps 5 and 7
}
