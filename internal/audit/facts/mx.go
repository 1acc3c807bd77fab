package facts

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/global"
	"github.com/gatepost-mail/gatepost/internal/iprev"
	"github.com/gatepost-mail/gatepost/internal/senders"
)

// MXFacts are what is known of where a domain's mail goes (RFC 5321 5.1, RFC 7505).
type MXFacts struct {
	Asked Asked
	Null  bool // one MX, and it is the null MX
	Hosts []Host
	A     Asked // of the domain itself, which stands in where there is no MX
	AAAA  Asked
}

// A Host is a mail server.
type Host struct {
	Name       string
	Preference uint16
	Literal    bool   // the record has an address where there is to be a name
	CNAME      string // where the name is an alias for another, which it must not be
	A, AAAA    Asked
	Addrs      []netip.Addr
	Reverse    []Reverse // of some of the addresses
	Free       bool      // the domain that the name is in is not registered
	Bogus      bool      // the addresses fail DNSSEC, as far as that could be told
}

// A Reverse is what DNS says of an address.
type Reverse struct {
	IP netip.Addr
	iprev.Result
}

const (
	maxHosts    = 20 // mail servers that are looked at
	maxReverse  = 2  // addresses of each whose names are
	maxReversed = 10 // mail servers of which that is done: one address can have many names
)

// mx asks where mail goes.
func (g *gatherer) mx(ctx context.Context) {
	m := &g.f.MX
	m.Asked = g.ask(ctx, MX, g.f.Domain, dns.TypeMX)
	m.A = g.ask(ctx, MX, g.f.Domain, dns.TypeA)
	m.AAAA = g.ask(ctx, MX, g.f.Domain, dns.TypeAAAA)
	m.Asked.MX = slices.SortedFunc(slices.Values(m.Asked.MX), func(a, b dns.MX) int { // servers give them in any order
		return cmp.Or(cmp.Compare(a.Preference, b.Preference), strings.Compare(a.Host, b.Host))
	})
	m.Null = len(m.Asked.MX) == 1 && m.Asked.MX[0].Host == ""
	for _, mx := range m.Asked.MX {
		if mx.Host != "" && len(m.Hosts) < maxHosts {
			_, err := netip.ParseAddr(strings.Trim(mx.Host, "[]"))
			m.Hosts = append(m.Hosts, Host{Name: mx.Host, Preference: mx.Preference, Literal: err == nil})
		}
	}
}

// hosts asks for the addresses of the mail servers.
func (g *gatherer) hosts(ctx context.Context) {
	var wg sync.WaitGroup
	for i := range g.f.MX.Hosts {
		h := &g.f.MX.Hosts[i]
		if h.Literal {
			continue
		}
		wg.Go(func() {
			g.host(ctx, h)
			if i < maxReversed {
				g.reverse(ctx, h)
			}
		})
	}
	wg.Wait()
}

func (g *gatherer) host(ctx context.Context, h *Host) {
	h.A = g.ask(ctx, MX, h.Name, dns.TypeA)
	h.AAAA = g.ask(ctx, MX, h.Name, dns.TypeAAAA)
	h.Addrs = append(append(h.Addrs, h.A.Addrs...), h.AAAA.Addrs...)
	switch {
	case h.A.Found() && h.A.Answer.Name != h.Name:
		h.CNAME = h.A.Answer.Name
	case h.AAAA.Found() && h.AAAA.Answer.Name != h.Name:
		h.CNAME = h.AAAA.Answer.Name
	case errors.Is(h.A.Err, dns.ErrNXDomain):
		h.Free = g.free(ctx, MX, h.Name)
	}
	h.Bogus = g.bogus(ctx, &h.A) || g.bogus(ctx, &h.AAAA)
}

// free tells whether a name is in a domain that nobody has registered. Where the suffix does not exist either, nobody can.
func (g *gatherer) free(ctx context.Context, area Area, name string) bool {
	org := senders.OrganizationalDomain(name)
	_, suffix, ok := strings.Cut(org, ".")
	if !ok {
		return false
	}
	asked, above := g.ask(ctx, area, org, dns.TypeSOA), g.ask(ctx, area, suffix, dns.TypeSOA)
	return errors.Is(asked.Err, dns.ErrNXDomain) && !above.Unknown() && !errors.Is(above.Err, dns.ErrNXDomain)
}

// reverse looks up names of a mail server's addresses.
func (g *gatherer) reverse(ctx context.Context, h *Host) {
	for _, ip := range h.Addrs {
		if len(h.Reverse) == maxReverse {
			return
		}
		if !global.Is(ip) {
			continue
		}
		r := Reverse{ip, iprev.Look(ctx, g.r, ip)}
		if r.Code == "temperror" {
			name := dns.ReverseName(ip)
			g.fail(MX, name, dns.TypePTR.String(), &dns.Error{Name: name, Type: dns.TypePTR, Kind: dns.ErrServFail})
		}
		h.Reverse = append(h.Reverse, r)
	}
}

// Distinct are the mail servers, each once, however often the records name it.
func (m *MXFacts) Distinct() []*Host {
	all := make([]*Host, 0, len(m.Hosts))
next:
	for i := range m.Hosts {
		for _, known := range all {
			if known.Name == m.Hosts[i].Name {
				continue next
			}
		}
		all = append(all, &m.Hosts[i])
	}
	return all
}

// Nowhere tells whether the name has certainly no address.
func (h *Host) Nowhere() bool { return h.A.Absent() && h.AAAA.Absent() }

// Global are the addresses that the internet can reach.
func (h *Host) Global() []netip.Addr {
	var all []netip.Addr
	for _, ip := range h.Addrs {
		if global.Is(ip) {
			all = append(all, ip)
		}
	}
	return all
}

// Signed tells whether DNSSEC vouches for the addresses.
func (h *Host) Signed() bool {
	return len(h.Addrs) > 0 && (!h.A.Found() || h.A.Authentic) && (!h.AAAA.Found() || h.AAAA.Authentic)
}
