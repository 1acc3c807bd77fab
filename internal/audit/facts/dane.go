package facts

import (
	"context"
	"slices"
	"sync"

	"github.com/gatepost-mail/gatepost/dane"
	"github.com/gatepost-mail/gatepost/dns"
)

// DANEFacts are what is known of the TLSA records of a domain's mail servers (RFC 7672).
type DANEFacts struct {
	Servers []TLSA // one for each mail server that has an address
}

// A TLSA is what a mail server says of its certificate.
type TLSA struct {
	Host    string
	Asked   Asked
	Records []dane.Record // those that could be read
	Bad     []BadTLSA     // those that cannot match anything
	Bogus   bool          // the answer fails DNSSEC, as far as that could be told
}

// A BadTLSA is a record that is wrong in itself.
type BadTLSA struct {
	Text string
	Err  error
}

// maxTLSA bounds the records of a mail server that are read.
const maxTLSA = 50

// dane asks for the TLSA records of the mail servers.
func (g *gatherer) dane(ctx context.Context) {
	hosts := g.f.MX.Distinct()
	all := make([]TLSA, len(hosts))
	var wg sync.WaitGroup
	for i, h := range hosts {
		if len(h.Addrs) > 0 {
			wg.Go(func() { all[i] = g.tlsa(ctx, h) })
		}
	}
	wg.Wait()
	for _, t := range all {
		if t.Host != "" {
			g.f.DANE.Servers = append(g.f.DANE.Servers, t)
		}
	}
}

// tlsa asks at the name itself, and, where that is an alias, first at what it stands for (RFC 7672 2.2.3).
func (g *gatherer) tlsa(ctx context.Context, h *Host) TLSA {
	t := TLSA{Host: h.Name}
	if h.CNAME != "" {
		t.Asked = g.ask(ctx, DANE, dane.Name(h.CNAME), dns.TypeTLSA)
	}
	if !t.Asked.Found() {
		t.Asked = g.ask(ctx, DANE, dane.Name(h.Name), dns.TypeTLSA)
	}
	t.Bogus = g.bogus(ctx, &t.Asked)
	for _, text := range t.Asked.Answer.Records[:min(len(t.Asked.Answer.Records), maxTLSA)] {
		r, err := dane.Parse(text)
		if err == nil {
			t.Records = append(t.Records, r)
			err = r.Check()
		}
		if err != nil {
			t.Bad = append(t.Bad, BadTLSA{text, err})
		}
	}
	return t
}

// Signed tells whether DNSSEC vouches for the records.
func (t *TLSA) Signed() bool { return t.Asked.Found() && t.Asked.Authentic }

// Usable are the records that senders of mail look at.
func (t *TLSA) Usable() []dane.Record {
	var all []dane.Record
	for _, r := range t.Records {
		if r.Usable() == nil {
			all = append(all, r)
		}
	}
	return all
}

// Of finds the records of a mail server; nil where there was nothing to ask about.
func (d *DANEFacts) Of(host string) *TLSA {
	for i := range d.Servers {
		if d.Servers[i].Host == host {
			return &d.Servers[i]
		}
	}
	return nil
}

// Secured tells whether senders of mail find records at one of the servers that they go by.
func (d *DANEFacts) Secured() bool {
	return slices.ContainsFunc(d.Servers, func(t TLSA) bool { return t.Signed() && len(t.Usable()) > 0 })
}
