package spf

import (
	"net/netip"

	"github.com/gatepost-mail/gatepost/dns"
)

// match tells whether a directive matches the client (RFC 7208 5). Where the error names no domain it is this term's.
func (e *evaluation) match(t *Term, domain string, depth int) (bool, *Error) {
	switch t.Kind {
	case KindAll:
		return true, nil
	case KindIP4, KindIP6:
		return t.Prefix.Contains(e.ip), nil // never across families (RFC 7208 5)
	case KindInclude:
		return e.include(t, domain, depth)
	}
	if err := e.count(); err != nil {
		return false, err
	}
	name, ok, err := e.target(t.DomainSpec, domain)
	if err != nil || !ok {
		return false, err
	}
	switch t.Kind {
	case KindA:
		return e.matchA(name, t)
	case KindMX:
		return e.matchMX(name, t)
	case KindPTR:
		return e.matchPTR(name)
	}
	return e.matchExists(name)
}

// include evaluates another domain's policy (RFC 7208 5.2).
func (e *evaluation) include(t *Term, domain string, depth int) (bool, *Error) {
	name, err := e.policyName(t.DomainSpec, domain)
	if err != nil {
		return false, err
	}
	o := e.check(name, depth+1)
	return o.code == Pass, o.fault()
}

// policyName is the domain whose policy an include or redirect asks for. One that is no full domain name cannot have a record
// (RFC 7208 4.3), which is an error for both (5.2, 6.1).
func (e *evaluation) policyName(spec, domain string) (string, *Error) {
	if err := e.count(); err != nil {
		return "", err
	}
	name, ok, err := e.target(spec, domain)
	if err != nil {
		return "", err
	}
	if !ok || !isFull(name) {
		return "", &Error{Err: ErrTarget, code: PermError}
	}
	return name, nil
}

// addressType is what to ask for to compare with the client (RFC 7208 5).
func (e *evaluation) addressType() dns.Type {
	if e.ip.Is4() {
		return dns.TypeA
	}
	return dns.TypeAAAA
}

// matchA implements RFC 7208 5.3.
func (e *evaluation) matchA(name string, t *Term) (bool, *Error) {
	answer, found, void, err := e.ask(name, e.addressType())
	if err != nil || !found {
		return false, e.nothing(void, err)
	}
	return e.among(answer.Addrs, t), nil
}

// matchMX implements RFC 7208 5.4. A domain without MX records has no implicit one.
func (e *evaluation) matchMX(name string, t *Term) (bool, *Error) {
	answer, found, void, err := e.ask(name, dns.TypeMX)
	if err != nil || !found {
		return false, e.nothing(void, err)
	}
	// Of which ten are looked at would depend on the order of the answer, so an eleventh is an error even where one of the ten
	// matches (RFC 7208 4.6.4).
	if len(answer.MX) > maxMX {
		return false, &Error{Err: ErrMXLimit, code: PermError}
	}
	// The limit of void look-ups counts terms, not queries: the term is void where no host has an address.
	someFound, someVoid := false, false
	for _, mx := range answer.MX {
		host, ok := queryName(mx.Host)
		if !ok { // a null MX (RFC 7505) among others
			continue
		}
		addrs, found, void, err := e.ask(host, e.addressType())
		if err != nil {
			return false, err
		}
		if found && e.among(addrs.Addrs, t) {
			return true, nil
		}
		someFound = someFound || found
		someVoid = someVoid || void
	}
	return false, e.nothing(someVoid && !someFound, nil)
}

// matchExists implements RFC 7208 5.7: an A record, whatever the client.
func (e *evaluation) matchExists(name string) (bool, *Error) {
	answer, found, void, err := e.ask(name, dns.TypeA)
	if err != nil || !found {
		return false, e.nothing(void, err)
	}
	return len(answer.Addrs) > 0, nil
}

// nothing is the end of a term that found nothing.
func (e *evaluation) nothing(void bool, err *Error) *Error {
	if err == nil && void {
		return e.countVoid()
	}
	return err
}

// among compares the client with the addresses found, as far as the prefix length of the term goes (RFC 7208 5).
func (e *evaluation) among(addrs []netip.Addr, t *Term) bool {
	bits := int(t.Bits4)
	if e.ip.Is6() {
		bits = int(t.Bits6)
	}
	for _, a := range addrs {
		if a == e.ip || netip.PrefixFrom(a, bits).Contains(e.ip) {
			return true
		}
	}
	return false
}
