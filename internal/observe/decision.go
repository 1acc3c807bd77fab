package observe

import (
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

// Decision is the part of a store.Decision that the Evaluation and the Verdict tell. Who calls it adds when and by which names the
// message goes, its recipients, the mode, and what was really done.
func Decision(e *verify.Evaluation, v policy.Verdict) *store.Decision {
	d := &store.Decision{
		ClientIP: e.Client.IP, Helo: e.Client.Helo, MailFrom: e.Client.MailFrom, EnvelopeDomain: envelopeDomain(e),
		AuthorDomain: authorDomain(e), ARC: e.ARC.Result, DMARC: e.DMARC.Result, PolicyDomain: e.DMARC.PolicyDomain,
		Policy: e.DMARC.Policy, Disposition: e.DMARC.Disposition, Record: e.DMARC.Record,
		AlignedSPF: e.DMARC.Aligned.SPF, AlignedDKIM: e.DMARC.Aligned.DKIM,
		Verdict: string(v.Action), Rule: v.Rule, Reason: v.Reason,
	}
	d.SPF = slices.Grow(d.SPF, len(e.SPF))
	for i := range e.SPF {
		d.SPF = append(d.SPF, store.SPF{Identity: e.SPF[i].Identity, Domain: e.SPF[i].Domain, Result: e.SPF[i].Result})
	}
	d.DKIM = slices.Grow(d.DKIM, len(e.DKIM))
	for i := range e.DKIM {
		d.DKIM = append(d.DKIM, store.Signature{Result: e.DKIM[i].Result, SDID: e.DKIM[i].SDID, Selector: e.DKIM[i].Selector})
	}
	return d
}

// envelopeDomain is empty for the null reverse-path, although SPF then answers for HELO's domain (RFC 7208 2.4).
func envelopeDomain(e *verify.Evaluation) string {
	if e.Client.MailFrom == "" {
		return ""
	}
	for i := range e.SPF {
		if e.SPF[i].Identity == verify.IdentityMailFrom {
			return e.SPF[i].Domain
		}
	}
	return strings.ToLower(e.Client.MailFrom[strings.LastIndexByte(e.Client.MailFrom, '@')+1:])
}

// authorDomain is the one whose policy decided, where a From field names several.
func authorDomain(e *verify.Evaluation) string {
	if e.DMARC.AuthorDomain == "" && len(e.Author.Domains) == 1 {
		return e.Author.Domains[0]
	}
	return e.DMARC.AuthorDomain
}
