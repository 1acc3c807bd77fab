package arc

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
)

// keys are on their way for one message, each asked for once.
type keys struct {
	ctx      context.Context
	cancel   context.CancelFunc
	resolver dns.Resolver
	asked    []*pendingKey
	tasks    sync.WaitGroup
}

// A pendingKey is filled in by a goroutine of its own.
type pendingKey struct {
	selector, domain string
	key              *dkim.Key
	err              error
	panicked         string
}

func (k *keys) ask(selector, domain string) *pendingKey {
	for _, p := range k.asked {
		if p.selector == selector && p.domain == domain {
			return p
		}
	}
	if k.cancel == nil {
		k.ctx, k.cancel = context.WithCancel(k.ctx)
	}
	p := &pendingKey{selector: selector, domain: domain}
	k.asked = append(k.asked, p)
	k.tasks.Go(func() {
		defer func() {
			if r := recover(); r != nil {
				p.panicked = fmt.Sprintf("%v\n%s", r, debug.Stack())
			}
		}()
		p.key, p.err = dkim.LookupKey(k.ctx, k.resolver, selector, domain)
	})
	return p
}

// wait returns when all keys are there. A panic of the resolver is raised again here.
func (k *keys) wait() {
	k.tasks.Wait()
	k.close()
	for _, p := range k.asked {
		if p.panicked != "" {
			panic(p.panicked)
		}
	}
}

func (k *keys) close() {
	if k.cancel != nil {
		k.cancel()
	}
	k.tasks.Wait()
}
