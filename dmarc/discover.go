package dmarc

import (
	"context"
	"errors"

	"github.com/gatepost-mail/gatepost/dns"
)

// A Policy is what is published for an Author Domain, ready to be held against the identifiers of a message. It is used by one
// goroutine at a time.
type Policy struct {
	AuthorDomain         string
	OrganizationalDomain string      // empty where the Author Domain's own record made it needless to ask, or a DNS failure kept us from it
	PolicyDomain         string      // empty without a record
	Record               *Record     // nil without one
	Applicable           Disposition // p, sp or np, as the Author Domain stands to the Policy Domain
	Err                  error       // a DNS failure; or why a record that is there was not used

	finder finder
	failed bool // Err is a DNS failure
}

// Discover finds the policy of an Author Domain, given in A-labels and lower case (RFC 9989 4.10.1). It asks at most eight names
// for a policy, and the Author Domain for its existence where that matters.
func Discover(ctx context.Context, r dns.Resolver, authorDomain string, o Options) *Policy {
	p := &Policy{AuthorDomain: authorDomain, finder: finder{resolver: r, method: o.Method}}
	if o.Method == PublicSuffixList {
		p.byPublicSuffixList(ctx)
	} else {
		p.byTreeWalk(ctx)
	}
	return p
}

// byTreeWalk follows RFC 9989 4.10.1: a record of the Author Domain's own ends the search, though it be of no use. What is above it
// matters to alignment alone, and not to every message: see organization.
func (p *Policy) byTreeWalk(ctx context.Context) {
	own := p.finder.at(ctx, p.AuthorDomain)
	switch {
	case own.err != nil:
		p.fail(own.err)
		return
	case own.record != nil:
		p.use(ctx, own)
		return
	case own.broken:
		p.Err = own.odd
		return
	}
	found, odd, err := p.finder.walk(ctx, p.AuthorDomain)
	if err != nil {
		p.fail(err)
		return
	}
	p.OrganizationalDomain = organizational(p.AuthorDomain, found)
	for _, a := range found {
		if a.name == p.OrganizationalDomain {
			p.use(ctx, a)
			return
		}
	}
	if n := len(found); n > 0 && found[n-1].record.PublicSuffixDomain == 'y' {
		p.use(ctx, found[n-1])
		return
	}
	p.Err = odd
}

// byPublicSuffixList follows RFC 7489 6.6.3.
func (p *Policy) byPublicSuffixList(ctx context.Context) {
	p.OrganizationalDomain = registered(p.AuthorDomain)
	for i, name := range []string{p.AuthorDomain, p.OrganizationalDomain} {
		if i == 1 && name == p.AuthorDomain {
			break
		}
		a := p.finder.at(ctx, name)
		switch {
		case a.err != nil:
			p.fail(a.err)
			return
		case a.record != nil:
			p.use(ctx, a)
			return
		case p.Err == nil:
			p.Err = a.odd
		}
		if a.broken { // RFC 7489 6.6.3, step 6
			return
		}
	}
}

// organization is the Author Domain's Organizational Domain. Where Discover had no need of it, it is asked for now, and remembered.
func (p *Policy) organization(ctx context.Context) (string, error) {
	if p.OrganizationalDomain != "" {
		return p.OrganizationalDomain, nil
	}
	org, err := p.finder.organizationalDomain(ctx, p.AuthorDomain)
	if err == nil {
		p.OrganizationalDomain = org
	}
	return org, err
}

func (p *Policy) fail(err error) {
	p.Err, p.failed = err, true
}

// use applies the record found at a name: with p at the Author Domain itself, otherwise with sp, or with np where the Author Domain
// does not exist, which is NXDOMAIN and nothing else (3.2.13).
func (p *Policy) use(ctx context.Context, a answer) {
	p.PolicyDomain, p.Record = a.name, a.record
	if a.name == p.AuthorDomain {
		p.Applicable = a.record.Policy
		return
	}
	p.Applicable = a.record.SubdomainPolicy
	if p.finder.method == PublicSuffixList || a.record.NonExistentPolicy == a.record.SubdomainPolicy {
		return
	}
	_, err := p.finder.resolver.Lookup(ctx, p.AuthorDomain, dns.TypeA)
	switch {
	case errors.Is(err, dns.ErrNXDomain):
		p.Applicable = a.record.NonExistentPolicy
	case err != nil && !dns.IsVoid(err):
		p.fail(err)
	}
}
