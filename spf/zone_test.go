package spf

import (
	"context"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/gatepost-mail/gatepost/dns"
)

// A zone answers from memory. The keys are "name TYPE"; a name with any type exists.
type zone struct {
	answers map[string]dns.Answer
	names   map[string]bool
	errs    map[string]error // by "name TYPE", or by name for every type
	queries atomic.Int64
	asked   []string // if log
	log     bool
}

func (z *zone) Lookup(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
	z.queries.Add(1)
	key := name + " " + typ.String()
	if z.log {
		z.asked = append(z.asked, key)
	}
	if a, ok := z.answers[key]; ok {
		return a, nil
	}
	kind := z.errs[key]
	if kind == nil {
		kind = z.errs[name]
	}
	if kind == nil {
		kind = dns.ErrNXDomain
		if z.names[name] {
			kind = dns.ErrNoData
		}
	}
	return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: kind}
}

// newZone reads lines "name TYPE value": TXT with its value to the end of the line, MX with hosts, A, AAAA and PTR with values
// separated by spaces. TYPE may also be SERVFAIL, TIMEOUT and LIMIT.
func newZone(lines ...string) *zone {
	z := &zone{answers: map[string]dns.Answer{}, names: map[string]bool{}, errs: map[string]error{}}
	for _, line := range lines {
		name, rest, _ := strings.Cut(line, " ")
		typ, value, _ := strings.Cut(rest, " ")
		z.add(strings.ToLower(name), typ, value)
	}
	return z
}

func (z *zone) add(name, typ, value string) {
	z.names[name] = true
	key := name + " " + typ
	a := z.answers[key]
	a.Name = name
	switch typ {
	case "TXT":
		a.TXT = append(a.TXT, value)
	case "A", "AAAA":
		for _, v := range strings.Fields(value) {
			a.Addrs = append(a.Addrs, netip.MustParseAddr(v))
		}
	case "MX":
		for _, v := range strings.Fields(value) {
			a.MX = append(a.MX, dns.MX{Preference: uint16(len(a.MX)), Host: strings.TrimSuffix(v, ".")})
		}
	case "PTR":
		a.Names = append(a.Names, strings.Fields(value)...)
	case "SERVFAIL", "TIMEOUT", "LIMIT":
		if value != "" {
			name += " " + value
		}
		z.errs[name] = map[string]error{"SERVFAIL": dns.ErrServFail, "TIMEOUT": dns.ErrTimeout, "LIMIT": dns.ErrLimit}[typ]
		return
	default:
		panic("no such type in a test zone: " + typ)
	}
	z.answers[key] = a
}
