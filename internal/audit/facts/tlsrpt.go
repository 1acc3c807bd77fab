package facts

import (
	"context"
	"errors"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/tlsrpt"
)

// TLSRPTFacts are what is known of where a domain wants reports of failed TLS (RFC 8460).
type TLSRPTFacts struct {
	TXT    Asked          // the texts at _smtp._tls
	Texts  []string       // those that claim to be a record; one is right
	Record *tlsrpt.Record // nil unless it is one, and good
	Err    error          // why the one text is no record
	Dead   []string       // the domains of its addresses that certainly take no mail
}

// tlsrpt asks for the record, and whether the addresses that it names can have mail.
func (g *gatherer) tlsrpt(ctx context.Context) {
	t := &g.f.TLSRPT
	t.TXT = g.ask(ctx, TLSRPT, tlsrpt.Prefix+"."+g.f.Domain, dns.TypeTXT)
	for _, text := range t.TXT.TXT {
		if tlsrpt.IsRecord(text) {
			t.Texts = append(t.Texts, text)
		}
	}
	if len(t.Texts) != 1 {
		return
	}
	if t.Record, t.Err = tlsrpt.Parse(t.Texts[0]); t.Err != nil {
		return
	}
	asked := map[string]bool{}
	for _, uri := range t.Record.RUA {
		address, ok := tlsrpt.Address(uri)
		domain, err := dns.ToASCII(address[strings.LastIndexByte(address, '@')+1:])
		if !ok || err != nil || asked[domain] {
			continue
		}
		asked[domain] = true
		if g.takesNoMail(ctx, TLSRPT, domain) {
			t.Dead = append(t.Dead, domain)
		}
	}
}

// takesNoMail tells whether a domain certainly has no mail server: a null MX (RFC 7505), or neither an MX nor an address.
func (g *gatherer) takesNoMail(ctx context.Context, area Area, domain string) bool {
	mx := g.ask(ctx, area, domain, dns.TypeMX)
	switch {
	case mx.Unknown():
		return false
	case mx.Found():
		return len(mx.MX) == 1 && mx.MX[0].Host == ""
	case errors.Is(mx.Err, dns.ErrNXDomain):
		return true
	}
	a, aaaa := g.ask(ctx, area, domain, dns.TypeA), g.ask(ctx, area, domain, dns.TypeAAAA)
	return a.Absent() && aaaa.Absent()
}

// SecuresTransport tells whether the domain asks of senders that they use TLS, so that mail may be stopped where that fails.
func (f *Facts) SecuresTransport() bool {
	return f.STS.Record != nil || f.DANE.Secured()
}
