package spf

import (
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
)

// reverse holds the names that the client's address claims, each validated when it is first needed (RFC 7208 5.5).
type reverse struct {
	asked bool
	names []claimedName
}

type claimedName struct {
	name             string
	validated, valid bool
}

// matchPTR implements RFC 7208 5.5. Only names within the target are validated: the others could not match.
func (e *evaluation) matchPTR(target string) (bool, *Error) {
	void, err := e.askPTR()
	if err != nil {
		return false, err
	}
	if void {
		return false, e.countVoid()
	}
	for i := range e.ptr.names {
		if !within(e.ptr.names[i].name, target) {
			continue
		}
		if valid, err := e.validate(&e.ptr.names[i]); err != nil || valid {
			return valid, err
		}
	}
	return false, nil
}

// validatedName is the value of %{p}: the domain itself, else a name beneath it, else any (RFC 7208 7.3). The look-up counts toward
// the ten where it is the first (4.6.4).
func (e *evaluation) validatedName(domain string) (string, *Error) {
	if !e.ptr.asked && !e.explaining {
		if err := e.count(); err != nil {
			return "", err
		}
	}
	if _, err := e.askPTR(); err != nil {
		return "", err
	}
	for _, fits := range []func(string) bool{
		func(name string) bool { return name == domain },
		func(name string) bool { return within(name, domain) },
		func(string) bool { return true },
	} {
		for i := range e.ptr.names {
			if !fits(e.ptr.names[i].name) {
				continue
			}
			if valid, err := e.validate(&e.ptr.names[i]); err != nil || valid {
				return e.ptr.names[i].name, err
			}
		}
	}
	return "unknown", nil
}

// askPTR looks the client's names up, once. Names beyond the tenth are ignored (RFC 7208 4.6.4); that there are none, or that the
// look-up failed, means that no name is validated (5.5).
func (e *evaluation) askPTR() (void bool, _ *Error) {
	if e.ptr.asked {
		return false, nil
	}
	e.ptr.asked = true
	answer, _, void, err := e.ask(dns.ReverseName(e.ip), dns.TypePTR)
	if err != nil {
		return false, e.unlessOver(err)
	}
	for _, n := range answer.Names[:min(len(answer.Names), maxPTR)] {
		name, ok := queryName(n)
		if ok && !slices.ContainsFunc(e.ptr.names, func(c claimedName) bool { return c.name == name }) {
			e.ptr.names = append(e.ptr.names, claimedName{name: name})
		}
	}
	return void, nil
}

// validate looks whether a name has the client's address. One whose look-up fails is skipped (RFC 7208 5.5).
func (e *evaluation) validate(c *claimedName) (bool, *Error) {
	if c.validated {
		return c.valid, nil
	}
	c.validated = true
	answer, _, _, err := e.ask(c.name, e.addressType())
	if err != nil {
		return false, e.unlessOver(err)
	}
	c.valid = slices.Contains(answer.Addrs, e.ip)
	return c.valid, nil
}

// unlessOver forgives a failure in the reverse DNS, which is the client's and not the domain's. That the time or the queries of the
// message are used up is no such failure.
func (e *evaluation) unlessOver(err *Error) *Error {
	if err.code == TempError && e.ctx.Err() == nil {
		return nil
	}
	return err
}

// within tells whether a name is a domain or lies beneath it.
func within(name, domain string) bool {
	return strings.HasSuffix(name, domain) &&
		(len(name) == len(domain) || name[len(name)-len(domain)-1] == '.')
}
