package facts

import (
	"context"
	"errors"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/dns"
)

// DMARCFacts are what is known of a domain's DMARC policy (RFC 9989).
type DMARCFacts struct {
	Asked  Asked         // the texts at _dmarc
	Texts  []string      // those that claim to be a policy; one is right
	Near   []string      // those that were meant to be one, and are none
	Others []string      // those that are about something else
	Record *dmarc.Record // of the one policy at _dmarc, also where it is of no use (Err says why); nil without one, or with several
	Err    error

	Policy         *dmarc.Policy // what a receiver finds for the domain, here or above; never nil
	Walk           []DMARCStep   // the names that a receiver's walk asks, the domain itself first
	Skipped        []DMARCStep   // names between the first and the second step, where the domain has more than eight labels
	Suffix         bool          // the domain is a public suffix, by the list
	Organizational string        // the Organizational Domain by the walk; empty where it could not be found out

	Alias    Asked           // the CNAME at _dmarc, asked where there are no texts
	Loop     bool            // the CNAMEs there lead in a circle
	Target   Asked           // what stands where the CNAME leads
	Free     bool            // the domain that the CNAME leads to is not registered
	Wildcard bool            // the same texts answer for any name below the domain
	Strays   []Asked         // other names that a policy was put at by mistake
	Reports  []ReportAddress // the addresses of rua and ruf
	Keyless  bool            // no DKIM key that could align exists; found out under p=reject only
}

// A DMARCStep is one name that was looked at for a policy.
type DMARCStep struct {
	Domain string
	Asked  Asked
	Texts  []string      // those that claim to be a policy
	Record *dmarc.Record // the one that counts; nil if none does
}

// Applies tells whether a policy applies to the domain; known is false where that could not be found out.
func (d *DMARCFacts) Applies() (applies, known bool) {
	if d.Policy.Record != nil {
		return true, true
	}
	for i := range d.Walk {
		if d.Walk[i].Asked.Unknown() {
			return false, false
		}
	}
	return false, len(d.Walk) > 0
}

// Holder is who owns the texts at _dmarc: the name itself, or where its CNAME leads.
func (d *DMARCFacts) Holder() string {
	if d.Asked.Found() && d.Asked.Answer.Name != "" {
		return d.Asked.Answer.Name
	}
	return d.Asked.Name
}

// dmarc finds the policy as a receiver does.
func (g *gatherer) dmarc(ctx context.Context) {
	d := &g.f.DMARC
	d.Asked = g.ask(ctx, DMARC, "_dmarc."+g.f.Domain, dns.TypeTXT)
	for _, text := range d.Asked.TXT {
		switch {
		case dmarc.IsRecord(text):
			d.Texts = append(d.Texts, text)
		case meantAsPolicy(text):
			d.Near = append(d.Near, text)
		default:
			d.Others = append(d.Others, text)
		}
	}
	if len(d.Texts) == 1 {
		d.Record, d.Err = dmarc.Inspect(d.Texts[0])
	}
	d.Suffix = IsPublicSuffix(g.f.Domain)
	g.dmarcWalk(ctx)
	d.Policy = dmarc.Discover(ctx, g.r, g.f.Domain, dmarc.Options{})
	if org, err := dmarc.OrganizationalDomain(ctx, g.r, g.f.Domain, dmarc.Options{}); err == nil {
		d.Organizational = org
	}
	switch {
	case !d.Asked.Found():
		g.dmarcAlias(ctx)
	case len(d.Texts) == 0:
		g.dmarcWildcard(ctx)
	}
	if d.Policy.Record == nil && d.Asked.Absent() && !g.f.Options.Few {
		g.dmarcStrays(ctx)
	}
	if d.Policy.Record != nil && d.Policy.Applicable == dmarc.DispositionReject {
		d.Keyless = g.keyless(ctx, g.f.Domain) &&
			(d.Organizational == g.f.Domain || d.Policy.Record.StrictDKIM || d.Organizational != "" && g.keyless(ctx, d.Organizational))
	}
}

// keyless tells whether no DKIM key of a domain exists: where there is nothing at _domainkey, there is nothing below it (RFC 8020).
func (g *gatherer) keyless(ctx context.Context, domain string) bool {
	below := g.ask(ctx, DMARC, "_domainkey."+domain, dns.TypeTXT)
	return errors.Is(below.Err, dns.ErrNXDomain)
}

// IsPublicSuffix tells whether anybody can have a name below a domain, by the public suffix list.
func IsPublicSuffix(domain string) bool {
	suffix, _ := publicsuffix.PublicSuffix(domain)
	return suffix == domain
}

// maxWalk is the most names that a walk asks (RFC 9989 4.10), and the most that we look at of those that it leaves out.
const maxWalk = 8

// dmarcWalk asks at the names that a receiver asks at, until one says whether it is a public suffix, and at those that it leaves out.
func (g *gatherer) dmarcWalk(ctx context.Context) {
	d := &g.f.DMARC
	for name := g.f.Domain; name != "" && len(d.Walk) < maxWalk; {
		step := g.dmarcStep(ctx, name)
		d.Walk = append(d.Walk, step)
		if step.Record != nil && step.Record.PublicSuffixDomain != 'u' {
			break
		}
		labels := strings.Count(name, ".") + 1
		_, name, _ = strings.Cut(name, ".")
		for ; labels > maxWalk; labels-- {
			if len(d.Skipped) < maxWalk {
				d.Skipped = append(d.Skipped, g.dmarcStep(ctx, name))
			}
			_, name, _ = strings.Cut(name, ".")
		}
	}
}

func (g *gatherer) dmarcStep(ctx context.Context, domain string) DMARCStep {
	s := DMARCStep{Domain: domain, Asked: g.ask(ctx, DMARC, "_dmarc."+domain, dns.TypeTXT)}
	for _, text := range s.Asked.TXT {
		if dmarc.IsRecord(text) {
			s.Texts = append(s.Texts, text)
		}
	}
	if len(s.Texts) == 1 {
		s.Record, _ = dmarc.Parse(s.Texts[0])
	}
	return s
}

// dmarcAlias finds out whether the texts are missing because a CNAME leads nowhere. Where it leads in a circle, a resolver has no
// answer to give, but we know why.
func (g *gatherer) dmarcAlias(ctx context.Context) {
	d := &g.f.DMARC
	d.Alias = g.ask(ctx, DMARC, d.Asked.Name, dns.TypeCNAME)
	if !d.Alias.Found() || len(d.Alias.Names) == 0 {
		return
	}
	target := d.Alias.Names[0]
	if every, err := g.r.Lookup(ctx, nobodysName+g.f.Domain, dns.TypeCNAME); err == nil && slices.Equal(every.Names, d.Alias.Names) {
		d.Alias, d.Wildcard = Asked{}, true // it is every name's, and nobody put it at _dmarc
		return
	}
	d.Target = g.ask(ctx, DMARC, target, dns.TypeTXT)
	switch {
	case d.Target.Unknown():
		seen := map[string]bool{d.Asked.Name: true}
		for range maxWalk {
			if d.Loop = seen[target]; d.Loop {
				return
			}
			seen[target] = true
			next := g.ask(ctx, DMARC, target, dns.TypeCNAME)
			if !next.Found() || len(next.Names) == 0 {
				return
			}
			target = next.Names[0]
		}
	case errors.Is(d.Target.Err, dns.ErrNXDomain):
		d.Free = g.free(ctx, DMARC, target)
	}
}

// nobodysName is put before a domain to find out whether any name below it answers.
const nobodysName = "_gatepost-asks-if-any-name-answers."

// dmarcWildcard finds out whether what stands at _dmarc stands at any name. That there is no answer to this is no failure: it only adds to
// what is said.
func (g *gatherer) dmarcWildcard(ctx context.Context) {
	every, err := g.r.Lookup(ctx, nobodysName+g.f.Domain, dns.TypeTXT)
	g.f.DMARC.Wildcard = err == nil && slices.Equal(every.TXT, g.f.DMARC.Asked.TXT)
}

// dmarcStrays looks where a policy lands that was put in by a slip: with the domain appended twice, and without the underscore. A
// failure is none of the policy's, and is not kept.
func (g *gatherer) dmarcStrays(ctx context.Context) {
	for _, name := range []string{"_dmarc." + g.f.Domain + "." + g.f.Domain, "dmarc." + g.f.Domain} {
		answer, err := g.r.Lookup(ctx, name, dns.TypeTXT)
		stray := Asked{Name: name, Type: dns.TypeTXT, Answer: answer, Err: err}
		for _, text := range stray.TXT {
			if dmarc.IsRecord(text) {
				g.f.DMARC.Strays = append(g.f.DMARC.Strays, stray)
				break
			}
		}
	}
}

// maxMeant bounds how far a text is read that is no policy.
const maxMeant = 4096

// meantAsPolicy tells whether a text that is no policy was meant to be one: it names DMARC, or holds a tag that asks for a disposition.
func meantAsPolicy(text string) bool {
	text = strings.ToLower(text[:min(len(text), maxMeant)])
	if strings.Contains(text, "dmarc") {
		return true
	}
	for part := range strings.SplitSeq(text, ";") {
		if name, value, ok := strings.Cut(part, "="); ok && strings.TrimSpace(name) == "p" {
			switch dmarc.Disposition(strings.TrimSpace(value)) {
			case dmarc.DispositionNone, dmarc.DispositionQuarantine, dmarc.DispositionReject:
				return true
			}
		}
	}
	return false
}
