package facts

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/senders"
)

// maxQueries bounds what one domain can make us ask.
const maxQueries = 500

// maxUnchecked bounds what is asked again without DNSSEC, where answers fail.
const maxUnchecked = 100

// Bound is o with what a domain can make us do bounded, over all gatherings together: each question is asked once and each file fetched
// once, and changes that are tried lead to no more questions than the domain itself.
func Bound(o Options) Options {
	o.Resolver = Remember(dns.Limit(o.Resolver, 2*cmp.Or(o.Queries, maxQueries)))
	if o.Unchecked != nil {
		o.Unchecked = Remember(dns.Limit(o.Unchecked, 2*maxUnchecked))
	}
	o.Web = RememberFiles(o.Web)
	return o
}

// atOnce is how many questions of one kind are under way at a time for a domain.
const atOnce = 8

// Gather finds out what a domain, in A-labels, publishes. It always answers: what it could not have is among the Failures.
func Gather(ctx context.Context, domain string, o Options) *Facts {
	o.Queries = cmp.Or(o.Queries, maxQueries)
	if o.Table == nil {
		o.Table = senders.Known()
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	f := &Facts{Domain: domain, Organizational: senders.OrganizationalDomain(domain), At: o.Now.UTC(), Options: &o}
	g := &gatherer{f: f, r: Remember(dns.Limit(o.Resolver, o.Queries))}
	if o.Unchecked != nil {
		g.unchecked = Remember(dns.Limit(o.Unchecked, maxUnchecked))
	}

	// What stands by itself; what needs that; what needs both.
	g.all(ctx, g.texts, g.mx, g.dmarc, g.sts, g.tlsrpt, g.bimi)
	g.all(ctx, g.spf, g.hosts, g.dnssec)
	g.all(ctx, g.dkim, g.dane, g.stsPolicy, g.bimiFiles, g.reporters, g.connect)
	return f
}

// A gatherer asks on behalf of one domain.
type gatherer struct {
	f  *Facts
	r  dns.Resolver
	mu sync.Mutex // for Failures

	unchecked dns.Resolver // nil where there is none
}

// all does several things at once.
func (g *gatherer) all(ctx context.Context, steps ...func(context.Context)) {
	var wg sync.WaitGroup
	for _, step := range steps {
		wg.Go(func() { step(ctx) })
	}
	wg.Wait()
}

// ask puts one question to DNS. A failure is kept as one of the area.
func (g *gatherer) ask(ctx context.Context, area Area, name string, typ dns.Type) Asked {
	answer, err := g.r.Lookup(ctx, name, typ)
	a := Asked{Name: name, Type: typ, Answer: answer, Err: err}
	if a.Unknown() && !errors.Is(err, dns.ErrBadName) {
		g.fail(area, name, typ.String(), err)
	}
	return a
}

// fail keeps that something could not be had.
func (g *gatherer) fail(area Area, name, what string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, known := range g.f.Failures {
		if known.Area == area && known.Name == name && known.What == what {
			return
		}
	}
	g.f.Failures = append(g.f.Failures, Failure{area, name, what, err})
}

// texts asks for all texts of the domain itself, among them the SPF record.
func (g *gatherer) texts(ctx context.Context) {
	g.f.TXT = g.ask(ctx, SPF, g.f.Domain, dns.TypeTXT)
}
