package senders

import (
	"net/netip"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
)

// Evidence is what is known of a source. What a member may hold is strict, for a Match trusts it.
type Evidence struct {
	IP       netip.Addr
	PTR      []string // names of the address that lead back to it, and no others
	DKIM     []string // the domains of signatures whose result is pass, and no others
	SPF      string   // the domain for which SPF's result is pass, or empty
	Envelope string   // the domain of MAIL FROM, as claimed
	HELO     string   // as claimed
}

// A Match says which service a source is, and how we know.
type Match struct {
	Service *Service // nil where none was recognised
	By      string   // network, ptr, dkim, spf; envelope, helo
	Name    string   // the name that told
	Proof   bool     // a stranger can't pretend it
	Through *Service // what carried the mail, where a signature names the one that sent through it
}

// Recognise finds the service of a source. An address that proves to be a service's is that service's, whoever signed: a signature
// stays good when mail is passed on. A carrier's is the one exception, for there a signature names whose customer sent.
func (t *Table) Recognise(e Evidence) Match {
	host := t.host(e)
	signer := t.signer(e.DKIM)
	switch {
	case host.Service == nil && signer.Service == nil:
		return t.hint(e)
	case host.Service == nil:
		return signer
	case sendsThrough(signer.Service, host.Service):
		signer.Through = host.Service
		return signer
	}
	return host
}

// host is the service that an address proves to belong to.
func (t *Table) host(e Evidence) Match {
	if s := t.network(e.IP); s != nil {
		return Match{Service: s, By: byNetwork, Name: e.IP.String(), Proof: true}
	}
	for _, name := range e.PTR {
		if s := t.suffix(byPTR, name); s != nil {
			return Match{Service: s, By: byPTR, Name: name, Proof: true}
		}
	}
	if s := t.suffix(byEnvelope, e.SPF); s != nil {
		return Match{Service: s, By: bySPF, Name: e.SPF, Proof: true}
	}
	return Match{}
}

// signer is the service whose signature passed: one that carries none of others' mail, if there is one.
func (t *Table) signer(domains []string) Match {
	var m Match
	for _, domain := range domains {
		s := t.suffix(byDKIM, domain)
		if s != nil && (m.Service == nil || m.Service.Carrier && !s.Carrier) {
			m = Match{Service: s, By: byDKIM, Name: domain, Proof: true}
		}
	}
	return m
}

// sendsThrough tells whether mail that a carrier handed in is that of the service that signed it. A mailbox provider that has
// addresses of its own would have used them: its mail was passed on.
func sendsThrough(signer, host *Service) bool {
	if signer == nil || signer == host || signer.Carrier || !host.Carrier || signer.Role != host.Role {
		return false
	}
	return signer.Role == Sender || len(signer.PTR) == 0
}

// hint is what the client claims.
func (t *Table) hint(e Evidence) Match {
	if s := t.suffix(byEnvelope, e.Envelope); s != nil {
		return Match{Service: s, By: byEnvelope, Name: e.Envelope}
	}
	if s := t.suffix(byHELO, e.HELO); s != nil {
		return Match{Service: s, By: byHELO, Name: e.HELO}
	}
	return Match{}
}

// Include finds the service that a domain includes in its SPF record.
func (t *Table) Include(domain string) *Service { return t.suffix(byInclude, domain) }

// Signs finds the service that signs with a domain by default.
func (t *Table) Signs(domain string) *Service { return t.suffix(byDKIM, domain) }

// Named finds the service that a name belongs to, and in which way, in the order of how much each tells. It is for people who ask, and
// is no evidence of anything.
func (t *Table) Named(domain string) Match {
	for _, kind := range []string{byPTR, byDKIM, byInclude, byEnvelope, byHELO} {
		if s := t.suffix(kind, domain); s != nil {
			return Match{Service: s, By: kind, Name: domain}
		}
	}
	return Match{}
}

// suffix looks for a name and all above it, the longest first.
func (t *Table) suffix(kind, name string) *Service {
	if name == "" {
		return nil
	}
	name, err := dns.ToASCII(name)
	if err != nil {
		return nil
	}
	index := t.by[kind]
	for {
		if s := index[name]; s != nil {
			return s
		}
		dot := strings.IndexByte(name, '.')
		if dot < 0 {
			return nil
		}
		name = name[dot+1:]
	}
}

// network looks for the smallest network around an address.
func (t *Table) network(ip netip.Addr) *Service {
	if len(t.networks) == 0 || !ip.IsValid() {
		return nil
	}
	ip = ip.Unmap().WithZone("")
	family := 0
	if ip.Is4() {
		family = 1000
	}
	for bits := ip.BitLen(); bits >= 0; bits-- {
		all := t.networks[bits+family]
		if all == nil {
			continue
		}
		p, err := ip.Prefix(bits)
		if err != nil {
			continue
		}
		if s := all[p]; s != nil {
			return s
		}
	}
	return nil
}
