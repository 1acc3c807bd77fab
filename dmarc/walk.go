package dmarc

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/gatepost-mail/gatepost/dns"
)

// maxWalk is the most queries that a walk may take (RFC 9989 4.10).
const maxWalk = 8

// A finder asks for DMARC records, each name once.
type finder struct {
	resolver dns.Resolver
	method   Method
	seen     []answer
}

// An answer is what one name publishes: a record, none, or what kept us from knowing.
type answer struct {
	name   string
	record *Record // nil if there is none that is usable
	odd    error   // why what is there is not used
	broken bool    // that is one record, which counts for nothing (4.10.1)
	err    error   // a DNS failure
}

// at asks for the record at one name. Several DMARC records there count as none (4.10).
func (f *finder) at(ctx context.Context, name string) answer {
	for _, a := range f.seen {
		if a.name == name {
			return a
		}
	}
	a := answer{name: name}
	txt, err := f.resolver.Lookup(ctx, "_dmarc."+name, dns.TypeTXT)
	if err != nil && !dns.IsVoid(err) {
		a.err = err
	}
	var records []string
	for _, t := range txt.TXT {
		if IsRecord(t) {
			records = append(records, t)
		}
	}
	switch len(records) {
	case 0:
	case 1:
		a.record, a.odd = Parse(records[0])
		a.broken = a.record == nil
		if a.odd != nil {
			a.odd = errors.New("_dmarc." + name + ": " + a.odd.Error())
		}
	default:
		a.odd = errors.New("_dmarc." + name + " holds several DMARC records, so none counts (RFC 9989 4.10)")
	}
	f.seen = append(f.seen, a)
	return a
}

// walk climbs the tree from a name and gives the names that have a record, the longest first (4.10). The error is a DNS failure on
// the way; what was found before it is given too.
func (f *finder) walk(ctx context.Context, start string) (found []answer, odd, err error) {
	name := start
	for range maxWalk {
		a := f.at(ctx, name)
		if a.err != nil {
			return found, odd, a.err
		}
		if odd == nil {
			odd = a.odd
		}
		if a.record != nil {
			found = append(found, a)
			if a.record.PublicSuffixDomain != 'u' {
				return found, odd, nil
			}
		}
		if name = above(name); name == "" {
			break
		}
	}
	return found, odd, nil
}

// above is the next name of a walk: from eight labels or more, the last seven; otherwise one label less; empty at the top.
func above(name string) string {
	if labels := strings.Count(name, ".") + 1; labels >= 8 {
		for range labels - 7 {
			_, name, _ = strings.Cut(name, ".")
		}
		return name
	}
	_, name, _ = strings.Cut(name, ".")
	return name
}

// organizational picks the Organizational Domain from what a walk found (4.10.2).
func organizational(start string, found []answer) string {
	org := start
	for _, a := range found {
		switch {
		case a.record.PublicSuffixDomain == 'n':
			return a.name
		case a.record.PublicSuffixDomain == 'y' && a.name != start:
			return oneBelow(start, a.name)
		}
		org = a.name // the fewest labels so far
	}
	return org
}

// oneBelow is the name one label below suffix on the way to name.
func oneBelow(name, suffix string) string {
	rest := strings.TrimSuffix(name, "."+suffix)
	return rest[strings.LastIndexByte(rest, '.')+1:] + "." + suffix
}

// organizationalDomain finds the Organizational Domain of any name.
func (f *finder) organizationalDomain(ctx context.Context, domain string) (string, error) {
	if f.method == PublicSuffixList {
		return registered(domain), nil
	}
	found, _, err := f.walk(ctx, domain)
	if err != nil {
		return "", err
	}
	return organizational(domain, found), nil
}

// registered is the public suffix and one label more (RFC 7489 3.2), or the domain itself where it is a public suffix.
func registered(domain string) string {
	org, err := publicsuffix.EffectiveTLDPlusOne(domain)
	if err != nil {
		return domain
	}
	return org
}

// OrganizationalDomain finds the Organizational Domain of a domain. The error is a DNS failure.
func OrganizationalDomain(ctx context.Context, r dns.Resolver, domain string, o Options) (string, error) {
	f := finder{resolver: r, method: o.Method}
	return f.organizationalDomain(ctx, domain)
}
