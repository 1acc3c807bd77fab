package setup

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/senders"
)

// Audit audits the domain as it will be once the plan is done: with all records that have no blanks, and with the last step of the way
// where end is set.
func (p *Plan) Audit(ctx context.Context, r dns.Resolver, table *senders.Table, end bool) *audit.Report {
	changes := p.everything()
	if end {
		for _, l := range p.After {
			changes = replace(changes, l.Do)
		}
		if len(p.Way) > 0 {
			last := p.Way[len(p.Way)-1].Change
			last.Old = p.Way[0].Change.New
			changes = replace(changes, []publish.Change{last})
		}
	}
	return try(ctx, r, p.Domain, changes, table)
}

// Try audits a domain as it will be once some changes are made. Without a resolver there is nothing but the changes.
func Try(ctx context.Context, r dns.Resolver, domain string, changes []publish.Change) *audit.Report {
	if r == nil {
		r = nowhere(changes)
	}
	return try(ctx, r, domain, changes, nil)
}

func try(ctx context.Context, r dns.Resolver, domain string, changes []publish.Change, table *senders.Table) *audit.Report {
	o := facts.Options{Resolver: publish.Overlay(r, changes), Table: table, Few: true, Web: publish.Files(noWeb{}, changes)}
	for _, c := range changes {
		if selector, ok := selectorOf(c.Name, domain); ok {
			o.Selectors = append(o.Selectors, selector)
		}
	}
	return audit.Run(ctx, domain, o)
}

// nowhere knows that there is nothing where something is changed, and nothing else.
type nowhere []publish.Change

// Lookup implements [dns.Resolver].
func (n nowhere) Lookup(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
	for _, c := range n {
		if c.Name == name {
			return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrNoData}
		}
	}
	return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrTimeout, Err: errors.New("nobody is asked")}
}

// replace makes later changes of earlier ones.
func replace(all, later []publish.Change) []publish.Change {
	out := append([]publish.Change(nil), all...)
	for _, c := range later {
		for i := range out {
			if out[i].Name == c.Name && out[i].Type == c.Type && out[i].New == c.Old {
				out[i].New = c.New
			}
		}
	}
	return out
}

func selectorOf(name, domain string) (string, bool) {
	suffix := "._domainkey." + domain
	if len(name) <= len(suffix) || name[len(name)-len(suffix):] != suffix {
		return "", false
	}
	return name[:len(name)-len(suffix)], true
}

// noWeb reaches no web server: what the plan does not hold is not known.
type noWeb struct{}

// RoundTrip implements [http.RoundTripper].
func (noWeb) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no web server is asked while a plan is made")
}
