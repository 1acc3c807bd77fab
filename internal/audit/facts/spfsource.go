package facts

import (
	"context"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/spf"
)

// A SourceAnswer is what the record says of a source that was seen.
type SourceAnswer struct {
	Source *Source
	Code   spf.Code
	Term   string // that decided
}

// AtEnd tells whether no term matched but the last, for all others: what that says is what becomes of the source's mail.
func (a *SourceAnswer) AtEnd() bool {
	return strings.EqualFold(strings.TrimLeft(a.Term, "+-~?"), "all") || a.Code == spf.Neutral && a.Term == ""
}

// The sources that are asked of, and what that may cost: terms such as exists ask another name for each address.
const (
	maxSources       = 200
	maxSourceQueries = 100
)

// sources evaluates the record for who was seen to send. The tree says whom it lets in as far as that can be counted; this says it of
// those, whatever the terms.
func (g *gatherer) sources(ctx context.Context) {
	s, seen := &g.f.SPF, g.f.Options.Seen.Sources
	if s.Tree == nil || len(s.Texts) != 1 || s.Tree.Ends == spf.Fail {
		return
	}
	r := Remember(dns.Limit(g.r, maxSourceQueries))
	for i := range seen[:min(len(seen), maxSources)] {
		if !seen[i].IP.IsValid() || seen[i].Asked == 0 {
			continue
		}
		res := spf.Check(ctx, r, spf.Query{IP: seen[i].IP.Unmap(), Helo: g.f.Domain, MailFrom: "postmaster@" + g.f.Domain})
		s.Answers = append(s.Answers, SourceAnswer{Source: &seen[i], Code: res.Code, Term: res.Term})
	}
}
