package facts

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/ipset"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/spf"
)

// SPFFacts are what is known of a domain's SPF (RFC 7208).
type SPFFacts struct {
	Texts  []string    // the SPF records of the domain; one is right
	Record *spf.Record // of the first; nil without one
	Tree   *Policy     // what the first comes to; nil without one

	Orphans []Orphan // names that records lead to and that do not exist
	Exp     Asked    // the text of exp=
	Type99  Asked    // what is left of the record type that SPF had once (RFC 7208 3.1)
	Star    Asked    // the texts of all names that have no records of their own; asked only where the domain sends no mail
	Servers []Asked  // the texts of the mail servers' own names, as far as they are the domain's

	Answers []SourceAnswer // what the record says of the sources that were seen, in their order; only where its end could be made stricter
}

// An Orphan is a name that a record leads to and that does not exist.
type Orphan struct {
	Policy *Policy // whose record it is
	Step   *Step   // the term that leads to it
	Name   string
	Free   string // its registered domain, where not even that exists; empty otherwise
}

// maxServers and maxOrphans bound what is asked beside the tree.
const (
	maxServers = 4
	maxOrphans = 10
)

// type99 is the type of record that SPF had for itself.
const type99 = dns.Type(99)

// SPFTree follows the record of a domain and all that it includes, and asks nothing else; nil where there is none, or it could not be had.
func SPFTree(ctx context.Context, r dns.Resolver, domain string) *Policy {
	g := &gatherer{f: &Facts{Domain: domain, Organizational: senders.OrganizationalDomain(domain), Options: &Options{Table: senders.Known()}},
		r: Remember(dns.Limit(r, maxQueries))}
	g.texts(ctx)
	for _, text := range g.f.TXT.TXT {
		if spf.IsRecord(text) {
			g.f.SPF.Texts = append(g.f.SPF.Texts, text)
		}
	}
	if len(g.f.SPF.Texts) == 0 {
		return nil
	}
	record, _ := spf.Parse(g.f.SPF.Texts[0])
	return g.walk(ctx, record)
}

// spf follows the record and all that it includes.
func (g *gatherer) spf(ctx context.Context) {
	s := &g.f.SPF
	for _, text := range g.f.TXT.TXT {
		if spf.IsRecord(text) {
			s.Texts = append(s.Texts, text)
		}
	}
	if len(s.Texts) > 0 {
		s.Record, _ = spf.Parse(s.Texts[0])
		s.Tree = g.walk(ctx, s.Record)
	}
	g.orphans(ctx)
	g.explanation(ctx)
	g.sources(ctx)
	if g.f.TXT.Unknown() {
		return
	}
	s.Type99 = g.try(ctx, g.f.Domain, type99)
	if s.Nobody() || g.f.MX.Null {
		s.Star = g.ask(ctx, SPF, "*."+g.f.Domain, dns.TypeTXT)
	}
	for i := range g.f.MX.Hosts {
		if host := g.f.MX.Hosts[i].Name; len(s.Servers) < maxServers && isBelow(host, g.f.Organizational) && host != g.f.Domain {
			s.Servers = append(s.Servers, g.ask(ctx, SPF, host, dns.TypeTXT))
		}
	}
}

// try asks what may well go without an answer: name servers and firewalls refuse types of record that they do not know.
func (g *gatherer) try(ctx context.Context, name string, typ dns.Type) Asked {
	answer, err := g.r.Lookup(ctx, name, typ)
	return Asked{Name: name, Type: typ, Answer: answer, Err: err}
}

// explanation asks for the text of exp= (RFC 7208 6.2).
func (g *gatherer) explanation(ctx context.Context) {
	s := &g.f.SPF
	if s.Record == nil {
		return
	}
	for i := range s.Record.Terms {
		t := &s.Record.Terms[i]
		if t.Kind != spf.KindExp || t.Err != nil {
			continue
		}
		if name, err := t.Target(g.f.Domain, g.f.Domain); err == nil {
			s.Exp = g.ask(ctx, SPF, name, dns.TypeTXT)
		}
		return
	}
}

// orphans looks whether what records lead to in vain can be registered by anybody.
func (g *gatherer) orphans(ctx context.Context) {
	s := &g.f.SPF
	s.Tree.Each(func(p *Policy) {
		for i := range p.Steps {
			step := &p.Steps[i]
			if len(s.Orphans) == maxOrphans || step.Name == "" || step.Problem != NoDomain {
				continue
			}
			if slices.ContainsFunc(s.Orphans, func(o Orphan) bool { return o.Name == step.Name }) {
				continue
			}
			o := Orphan{Policy: p, Step: step, Name: step.Name}
			if !isBelow(step.Name, g.f.Organizational) && g.free(ctx, SPF, step.Name) {
				o.Free = organizational(step.Name)
			}
			s.Orphans = append(s.Orphans, o)
		}
	})
}

// isBelow tells whether a name is a domain or lies beneath it.
func isBelow(name, domain string) bool {
	return strings.HasSuffix(name, domain) && (len(name) == len(domain) || name[len(name)-len(domain)-1] == '.')
}

// Unroutable are networks that no mail comes from. Those for documentation are not among them: they hurt nobody.
var Unroutable = ipset.Of(
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("224.0.0.0/3"), netip.MustParsePrefix("::/127"), netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("ff00::/8"),
)

// Covers tells whether every address that another record lets in is let in by this one too, as far as addresses can be counted; what
// can't be counted is compared term by term. Of a record that cannot be read, those count whom its good terms are meant to let in, unless
// that is everybody: nobody passes by it in truth. Addresses that no mail comes from are of no account.
func (s *SPFFacts) Covers(other *SPFFacts) bool {
	if other.Tree == nil || other.Tree.Problem != "" && other.Tree.Everyone() {
		return true
	}
	if s.Tree == nil {
		return Unroutable.Covers(other.Tree.Pass) && len(other.Tree.Opaque) == 0
	}
	if !s.Tree.Pass.Covers(other.Tree.Pass) && !s.Tree.Pass.Union(Unroutable).Covers(other.Tree.Pass) {
		return false
	}
	if s.Tree.Everyone() {
		return true
	}
	for _, term := range other.Tree.Opaque {
		if !slices.Contains(s.Tree.Opaque, term) {
			return false
		}
	}
	return true
}

// Targets are all domains that the record includes or redirects to, by way of others too.
func (s *SPFFacts) Targets() []string {
	var all []string
	s.Tree.Each(func(p *Policy) {
		if p != s.Tree {
			all = append(all, p.Domain)
		}
	})
	return all
}
