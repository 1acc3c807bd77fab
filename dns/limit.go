package dns

import (
	"context"
	"sync/atomic"
)

// Limit is a Resolver that lets n look-ups through to r and answers every further one with [ErrLimit]. One is made for each message,
// so that no message can make us ask without end.
func Limit(r Resolver, n int) Resolver {
	l := &limit{next: r}
	l.left.Store(int64(n))
	return l
}

type limit struct {
	next Resolver
	left atomic.Int64
}

func (l *limit) Lookup(ctx context.Context, name string, typ Type) (Answer, error) {
	if l.left.Add(-1) < 0 {
		return Answer{}, &Error{Name: name, Type: typ, Kind: ErrLimit}
	}
	return l.next.Lookup(ctx, name, typ)
}
