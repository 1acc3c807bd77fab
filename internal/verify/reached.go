package verify

import (
	"context"
	"sync/atomic"

	"github.com/gatepost-mail/gatepost/dns"
)

// counter is a Resolver that counts what is asked.
type counter struct {
	next dns.Resolver
	n    atomic.Int64
}

func (c *counter) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	c.n.Add(1)
	return c.next.Lookup(ctx, name, typ)
}

// reached lists the bounds that the message reached.
func (s *Session) reached(e *Evaluation) []Limit {
	var all []Limit
	add := func(l Limit, reached bool) {
		if reached {
			all = append(all, l)
		}
	}
	add(LimitHeader, s.noHeader != nil || s.author.Beyond || len(s.author.Domains) > maxAuthorDomains)
	add(LimitBody, s.tooLarge())
	add(LimitQueries, s.asked.n.Load() > int64(s.o.MaxQueries))
	add(LimitTime, s.late.Load())
	add(LimitSignatures, s.dkim != nil && s.dkim.Beyond() > 0)
	return all
}
