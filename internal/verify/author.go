package verify

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/dmarc"
)

// maxAuthorDomains bounds the policies asked for where a From field names many domains (RFC 9989 11.5).
const maxAuthorDomains = 8

// judgeAuthor holds what SPF and DKIM found against the policy of the Author Domain.
//
// A message whose From has several domains must not get around the policy of any (RFC 9989 11.5): each is evaluated, and the
// strictest that fails is the answer. Where none fails, there is still no single Author Domain that could pass.
func (s *Session) judgeAuthor(e *Evaluation) {
	e.Author = Author{Domains: notNil(s.author.Domains), Reason: s.reason(s.author.Err)}
	switch {
	case s.noHeader != nil:
		e.Author.Reason = s.reason(s.noHeader)
	case len(s.policies) == 0 && e.Author.Reason == "":
		e.Author.Reason = s.reason(errNoAuthor)
	case len(s.policies) == 1 && s.author.Domain != "":
		e.DMARC = s.dmarcResult(s.evaluate(0, e))
		return
	}
	e.DMARC = DMARC{Result: string(dmarc.PermError), Disposition: string(dmarc.DispositionNone)}
	for i := range s.policies {
		r := s.dmarcResult(s.evaluate(i, e))
		if worse(r, e.DMARC) {
			e.DMARC = r
		}
	}
	if n := len(s.author.Domains); n > 1 && e.Author.Reason == "" {
		e.Author.Reason = fmt.Sprintf("the From field has %d domains: %s", n, strings.Join(s.author.Domains[:min(n, maxAuthorDomains)], ", "))
	}
	e.DMARC.Reason = joinReasons(e.Author.Reason, e.DMARC.Reason)
}

func (s *Session) evaluate(i int, e *Evaluation) dmarc.Result {
	var ids dmarc.Identifiers
	if len(e.SPF) > 0 {
		ids.SPF = dmarc.Identifier{Domain: e.SPF[0].Domain, Code: e.SPF[0].Result}
	}
	for _, d := range e.DKIM {
		if d.Testing {
			continue // RFC 6376 3.6.1: the message is not to be treated differently from an unsigned one
		}
		ids.DKIM = append(ids.DKIM, dmarc.Identifier{Domain: d.SDID, Code: d.Result})
	}
	return s.policies[i].Evaluate(s.ctx, ids)
}

func (s *Session) dmarcResult(r dmarc.Result) DMARC {
	return DMARC{
		Result: string(r.Code), AuthorDomain: r.AuthorDomain, OrganizationalDomain: r.OrganizationalDomain,
		PolicyDomain: r.PolicyDomain, Policy: string(r.Policy), Disposition: cmp.Or(string(r.Disposition), string(dmarc.DispositionNone)),
		Testing: r.Testing, Aligned: Aligned{SPF: r.Aligned.SPF, DKIM: r.Aligned.DKIM}, Record: r.Record, Reason: s.reason(r.Err),
	}
}

// worse tells whether a is a stronger reason than b to keep a message out, where several domains are judged. A pass or none of
// one of them says nothing.
func worse(a, b DMARC) bool {
	rank := func(d DMARC) int {
		switch {
		case d.Result == string(dmarc.Fail) && d.Disposition == string(dmarc.DispositionReject):
			return 5
		case d.Result == string(dmarc.Fail) && d.Disposition == string(dmarc.DispositionQuarantine):
			return 4
		case d.Result == string(dmarc.TempError):
			return 3
		case d.Result == string(dmarc.PermError):
			return 2
		case d.Result == string(dmarc.Fail):
			return 1
		}
		return 0
	}
	return rank(a) > rank(b)
}

func joinReasons(reasons ...string) string {
	var kept []string
	for _, r := range reasons {
		if r != "" {
			kept = append(kept, r)
		}
	}
	return strings.Join(kept, "; ")
}
