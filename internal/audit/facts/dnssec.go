package facts

import (
	"context"
	"errors"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/senders"
)

// DNSSECFacts are what is known of whether answers about a domain can be trusted (RFC 4035).
type DNSSECFacts struct {
	Validating bool  // our resolver validates: without that, nothing is called unsigned
	Probe      Asked // by which that was found out; not asked where an answer about the domain told it
	Judged     Asked // the answer by which the domain is called signed or unsigned; none where there was no answer to go by
	Bogus      Asked // an answer about the domain that fails validation
}

// signedInTheWorld is a name whose answers every resolver that validates calls authentic.
const signedInTheWorld = "org"

// dnssec finds out whether the domain is signed.
func (g *gatherer) dnssec(ctx context.Context) {
	d := &g.f.DNSSEC
	asked := []*Asked{&g.f.TXT, &g.f.MX.Asked, &g.f.MX.A, &g.f.MX.AAAA}
	for _, a := range asked {
		if d.Bogus.Name == "" && g.bogus(ctx, a) {
			d.Bogus = *a
		}
		if d.Judged.Name == "" && a.Found() && a.Answer.Name == g.f.Domain {
			d.Judged = *a
		}
	}
	if d.Judged.Name == "" {
		d.Judged = g.apex(ctx)
	}
	if d.Validating = d.Judged.Authentic; d.Validating || g.f.Options.Offline {
		return
	}
	d.Probe = g.ask(ctx, DNSSEC, signedInTheWorld, dns.TypeSOA)
	d.Validating = d.Probe.Found() && d.Probe.Authentic
}

// apex is the start of authority that the domain is under: it stands at the domain or above, up to the Organizational Domain.
func (g *gatherer) apex(ctx context.Context) Asked {
	for name := g.f.Domain; ; {
		a := g.ask(ctx, DNSSEC, name, dns.TypeSOA)
		if a.Found() && a.Answer.Name == name {
			return a
		}
		_, above, ok := strings.Cut(name, ".")
		if a.Unknown() || errors.Is(a.Err, dns.ErrNXDomain) || name == g.f.Organizational || !ok {
			return Asked{}
		}
		name = above
	}
}

// bogus tells whether a question failed because the answer does not pass validation: without validation there is an answer, and somebody
// above the name says that it is signed. It tells nothing where the resolver does not validate.
func (g *gatherer) bogus(ctx context.Context, a *Asked) bool {
	if g.unchecked == nil || !errors.Is(a.Err, dns.ErrServFail) {
		return false
	}
	if _, err := g.unchecked.Lookup(ctx, a.Name, a.Type); err != nil && !dns.IsVoid(err) {
		return false
	}
	const most = 8 // labels that are climbed
	org := senders.OrganizationalDomain(a.Name)
	name := a.Name
	for range most {
		if _, err := g.unchecked.Lookup(ctx, name, dns.TypeDS); err == nil {
			return true
		}
		_, above, ok := strings.Cut(name, ".")
		if name == org || !ok {
			return false
		}
		name = above
	}
	return false
}
