package setup

import (
	"context"
	"errors"
	"net/netip"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/spf"
)

// MostLookups is how many look-ups an SPF record may take (RFC 7208 4.6.4).
const MostLookups = 10

// A Cost is what one term of an SPF record takes.
type Cost struct {
	Term    string
	Lookups int
	Err     error // it could not be counted: DNS did not answer, or what is included is no good
}

// CountSPF counts the look-ups that the record of the plan will take, a term at a time. Those that could not be counted are told; the sum
// is then the least that it can be.
func (p *Plan) CountSPF(ctx context.Context, r dns.Resolver) (costs []Cost, sum int) {
	text := ""
	for i := range p.Records {
		if p.Records[i].For == ForSPF && p.Records[i].New != "" {
			text = p.Records[i].New
			break
		}
	}
	record, err := spf.Parse(text)
	if err != nil {
		return nil, 0
	}
	for i := range record.Terms {
		t := &record.Terms[i]
		if !t.Kind.AsksDNS() && t.Kind != spf.KindRedirect {
			continue
		}
		c := Cost{Term: t.Text}
		c.Lookups, c.Err = count(ctx, r, p.Domain, t.Text)
		costs = append(costs, c)
		sum += c.Lookups
	}
	return costs, sum
}

// nobody is an address that no record lets in by itself, so that every term is looked at.
var nobody = netip.MustParseAddr("240.0.0.1")

// count tries a record of this one term. What takes more than is allowed is not followed to its end.
func count(ctx context.Context, r dns.Resolver, domain, term string) (int, error) {
	alone := publish.Overlay(only{r, domain}, []publish.Change{{Name: domain, Type: "TXT", New: "v=spf1 " + term}})
	result := spf.Check(ctx, alone, spf.Query{IP: nobody, Helo: domain, MailFrom: "postmaster@" + domain})
	switch {
	case errors.Is(result.Err, spf.ErrLookupLimit):
		return MostLookups + 1, nil
	case result.Code == spf.TempError || result.Code == spf.PermError:
		return max(result.Lookups, 1), result.Err
	}
	return result.Lookups, nil
}

// only hides the texts that a domain has.
type only struct {
	dns.Resolver
	domain string
}

// Lookup implements [dns.Resolver].
func (o only) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	if name == o.domain && typ == dns.TypeTXT {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrNoData}
	}
	return o.Resolver.Lookup(ctx, name, typ)
}
