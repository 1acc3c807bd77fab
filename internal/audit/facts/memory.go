package facts

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/gatepost-mail/gatepost/dns"
)

// Remember asks each question once, so that all that is said of a domain goes by the same answers. What they have in them is kept as long
// as the domain is looked at, and is bounded: an answer beyond that counts as one that was not had.
func Remember(next dns.Resolver) dns.Resolver {
	return &memory{next: next, known: make(map[question]*reply, manySelectors)}
}

// maxKept bounds the bytes of all answers about a domain. Those of a large one with many services have some 100 KiB.
const maxKept = 1 << 20

type memory struct {
	next  dns.Resolver
	kept  atomic.Int64 // bytes
	mu    sync.Mutex
	known map[question]*reply
}

type question struct {
	name string
	typ  dns.Type
}

type reply struct {
	once   sync.Once
	answer dns.Answer
	err    error
}

// Lookup implements [dns.Resolver].
func (m *memory) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	m.mu.Lock()
	r := m.known[question{name, typ}]
	if r == nil {
		r = new(reply)
		m.known[question{name, typ}] = r
	}
	m.mu.Unlock()
	r.once.Do(func() {
		r.answer, r.err = m.next.Lookup(ctx, name, typ)
		if m.kept.Add(size(&r.answer)) > maxKept && r.err == nil {
			r.answer, r.err = dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrLimit}
		}
	})
	return r.answer, r.err
}

// size is about how many bytes an answer takes.
func size(a *dns.Answer) int64 {
	n := 24 * len(a.Addrs)
	for _, texts := range [][]string{a.TXT, a.Names, a.Records} {
		for _, text := range texts {
			n += 16 + len(text)
		}
	}
	for _, mx := range a.MX {
		n += 24 + len(mx.Host)
	}
	return int64(n)
}
