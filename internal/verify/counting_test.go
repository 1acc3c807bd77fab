package verify_test

import (
	"context"
	"sync/atomic"

	"github.com/gatepost-mail/gatepost/dns"
)

// counting is a resolver that counts its questions.
type counting struct {
	next dns.Resolver
	n    atomic.Int64
}

func (c *counting) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	c.n.Add(1)
	return c.next.Lookup(ctx, name, typ)
}
