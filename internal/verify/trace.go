package verify

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
)

// maxTraceLines bounds what a hostile message can make us remember.
const maxTraceLines = 1000

// trace is a Resolver that writes down every question with its answer.
type trace struct {
	next dns.Resolver

	mu   sync.Mutex
	seen []string
}

func (t *trace) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	start := time.Now()
	answer, err := t.next.Lookup(ctx, name, typ)
	line := fmt.Sprintf("%s %s: %s (%s)", typ, name, describe(answer, err), time.Since(start).Round(time.Millisecond/10))
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.seen) < maxTraceLines {
		t.seen = append(t.seen, line)
	}
	return answer, err
}

func (t *trace) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.seen)
}

func describe(a dns.Answer, err error) string {
	switch {
	case err != nil:
		return dns.Detail(err)
	case len(a.TXT) > 0:
		return fmt.Sprintf("%q", a.TXT)
	case len(a.MX) > 0:
		return fmt.Sprintf("%v", a.MX)
	case len(a.Addrs) > 0:
		return fmt.Sprintf("%v", a.Addrs)
	case len(a.Names) > 0:
		return fmt.Sprintf("%v", a.Names)
	}
	return fmt.Sprintf("%v", a.Records)
}
