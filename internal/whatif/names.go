package whatif

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// The bounds of what DNS is asked.
const (
	maxNames = 200 // Author Domains, whose policies are asked for
	maxPairs = 500 // domains that may be aligned with one
	dnsTime  = 20 * time.Second
)

// names knows what DNS says of the domains that messages name. Strangers make these up: so many are asked about, and what lies below the
// domain beyond that is judged as those that are.
type names struct {
	dns     dns.Resolver
	method  dmarc.Method
	domain  string
	until   time.Time
	policy  map[string]*dmarc.Policy
	org     map[string]string
	failed  bool
	crowded bool
}

func newNames(r dns.Resolver, method dmarc.Method, domain string) *names {
	return &names{dns: r, method: method, domain: domain, until: time.Now().Add(dnsTime), policy: map[string]*dmarc.Policy{}, org: map[string]string{}}
}

// of is the policy for an Author Domain; nil where nobody could be asked.
func (n *names) of(ctx context.Context, author string) *dmarc.Policy {
	if p, ok := n.policy[author]; ok {
		return p
	}
	if len(n.policy) >= maxNames || time.Now().After(n.until) {
		return nil
	}
	ctx, cancel := context.WithDeadline(ctx, n.until)
	defer cancel()
	p := dmarc.Discover(ctx, n.dns, author, dmarc.Options{Method: n.method})
	n.policy[author] = p
	return p
}

// does is what the policy asks for a message of an Author Domain that fails.
func (n *names) does(ctx context.Context, author string) (does dmarc.Disposition, sure bool) {
	p := n.of(ctx, author)
	if p == nil {
		if p = n.of(ctx, n.domain); p == nil || p.Record == nil {
			return "", false
		}
		if author == n.domain {
			return softened(p.Applicable, p.Record.Testing), true
		}
		n.crowded = true
		return softened(p.Record.SubdomainPolicy, p.Record.Testing), true
	}
	switch r := p.Evaluate(ctx, dmarc.Identifiers{}); r.Code {
	case dmarc.Fail:
		return r.Disposition, true
	case dmarc.None:
		return dmarc.DispositionNone, true
	}
	n.failed = true
	return "", false
}

// softened applies t=y: the policy one level lower (RFC 9989 4.7).
func softened(d dmarc.Disposition, testing bool) dmarc.Disposition {
	switch {
	case testing && d == dmarc.DispositionReject:
		return dmarc.DispositionQuarantine
	case testing:
		return dmarc.DispositionNone
	}
	return d
}

// strict tells by which means the domain's policy asks for the very domain.
func (n *names) strict(ctx context.Context) (dkim, spf bool) {
	if p := n.of(ctx, n.domain); p != nil && p.Record != nil {
		return p.Record.StrictDKIM, p.Record.StrictSPF
	}
	return false, false
}

// aligned tells whether a domain has the Author Domain's Organizational Domain (RFC 9989 4.4).
func (n *names) aligned(ctx context.Context, author, domain string) (aligned, sure bool) {
	switch {
	case author == "" || domain == "":
		return false, true
	case author == domain:
		return true, true
	case common(author, domain) < 2: // nobody's organization is a top-level domain
		return false, true
	}
	a, okA := n.organization(ctx, author)
	b, okB := n.organization(ctx, domain)
	if !okA || !okB {
		return false, false
	}
	return a == b, true
}

func (n *names) organization(ctx context.Context, domain string) (string, bool) {
	if org, ok := n.org[domain]; ok {
		return org, org != ""
	}
	if len(n.org) >= maxPairs || time.Now().After(n.until) {
		n.failed = true
		return "", false
	}
	ctx, cancel := context.WithDeadline(ctx, n.until)
	defer cancel()
	org, err := dmarc.OrganizationalDomain(ctx, n.dns, domain, dmarc.Options{Method: n.method})
	if err != nil {
		n.failed, org = true, ""
	}
	n.org[domain] = org
	return org, org != ""
}

// common is how many labels two domains have in common at their ends.
func common(a, b string) int {
	for n := 0; ; n++ {
		i, j := strings.LastIndexByte(a, '.'), strings.LastIndexByte(b, '.')
		if a[i+1:] != b[j+1:] {
			return n
		}
		if i < 0 || j < 0 {
			return n + 1
		}
		a, b = a[:i], b[:j]
	}
}

// cause says in a clause or two why messages fail, from what the reporter evaluated.
func (n *names) cause(ctx context.Context, m *store.Alike) string {
	strictDKIM, strictSPF := n.strict(ctx)
	said := func(what, domain, result, selector string, strict bool) (text string, own bool) {
		aligned, _ := n.aligned(ctx, m.HeaderFrom, domain)
		if result == "pass" {
			switch {
			case !aligned:
				return fmt.Sprintf("%s passes for %s, which is not aligned", what, short(domain)), false
			case strict && domain != m.HeaderFrom:
				return fmt.Sprintf("%s passes for %s, and the policy asks for %s itself", what, short(domain), short(m.HeaderFrom)), true
			}
			return fmt.Sprintf("%s passes for %s, which the reporter did not count", what, short(domain)), true
		}
		return fmt.Sprintf("%s %s for %s%s", what, short(result), short(domain), selector), aligned
	}
	choose := func(best, text string, own, first bool) string {
		if first || own {
			return text
		}
		return best
	}
	dkim, spf := "no DKIM signature", "SPF was not told"
	for i, d := range m.AuthDKIM {
		selector := ""
		if d.Selector != "" {
			selector = " (" + short(d.Selector) + ")"
		}
		text, own := said("DKIM", d.Domain, d.Result, selector, strictDKIM)
		dkim = choose(dkim, text, own, i == 0)
	}
	for i, s := range m.AuthSPF {
		text, own := said("SPF", s.Domain, s.Result, "", strictSPF)
		spf = choose(spf, text, own, i == 0)
	}
	return dkim + "; " + spf
}

// short bounds what others wrote.
func short(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// only answers as DNS would if a name had one text, and no other.
type only struct {
	next   dns.Resolver
	change publish.Change
}

// Lookup implements [dns.Resolver].
func (o only) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	if typ == dns.TypeTXT && strings.EqualFold(strings.TrimSuffix(name, "."), o.change.Name) {
		return dns.Answer{Name: o.change.Name, TXT: []string{o.change.New}, TTL: publish.TTL * time.Second}, nil
	}
	return o.next.Lookup(ctx, name, typ)
}
