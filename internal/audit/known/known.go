// Package known tells an audit what DNS does not say of a domain: who was seen to send for it, by reports and by the gate's own decisions;
// which keys it had and since when; of which keys we hold the private half; and which belong to another domain.
//
//	k := &known.Source{Asker: asker, Store: s, Keys: directory, Domains: c.Reports.Domains}
//	err := k.Add(ctx, "example.com", &options) // and then audit.Run
//
// What it cannot know it leaves out, and an audit says nothing of it then.
package known

import (
	"context"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/signing"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/watch"
)

// A Store is what is asked of a [store.Store] beside what the Asker asks.
type Store interface {
	Published(ctx context.Context, domain string) ([]store.Published, error)
}

// A Source is whom to ask. It may be used by several goroutines. What is nil is not asked.
type Source struct {
	Asker   *insight.Asker     // of reports and decisions
	Store   Store              // of what domains published
	Keys    *signing.Directory // that we sign with
	Domains []string           // whose keys in the store are told from others'; all that reports are about if empty

	mu     sync.Mutex
	owners []owner
	at     time.Time // when the owners were looked at
}

// An owner is a domain that has a key.
type owner struct{ hash, domain string }

const (
	ownersFor   = time.Hour // until owners are looked at again
	mostDomains = 1000      // whose keys are looked at
)

// Add adds what is known of a domain.
func (s *Source) Add(ctx context.Context, domain string, o *facts.Options) error {
	now := o.Now
	if now.IsZero() {
		now = time.Now()
	}
	if s.Asker != nil {
		seen, err := s.Asker.Seen(ctx, domain, now)
		if err != nil {
			return err
		}
		o.Seen = seen
	}
	if s.Store != nil {
		all, err := s.Store.Published(ctx, domain)
		if err != nil {
			return err
		}
		o.Seen = watch.Remembered(domain, all, o.Seen)
	}
	if s.Keys != nil {
		held, err := s.Keys.Load(domain)
		if err != nil {
			return err
		}
		o.Keys = records(held)
	}
	owners, err := s.ownersAt(ctx, now)
	if err != nil {
		return err
	}
	o.OtherKeys = map[string]string{}
	for _, k := range owners {
		if k.domain != domain && o.OtherKeys[k.hash] == "" {
			o.OtherKeys[k.hash] = k.domain
		}
	}
	return nil
}

// records are those that are published of our keys, or about to be.
func records(d *signing.Domain) map[string]string {
	all := map[string]string{}
	for i := range d.Keys {
		switch k := &d.Keys[i]; k.State {
		case signing.Publish, signing.Waiting, signing.Signing, signing.Retiring:
			all[k.Selector] = k.Record
		}
	}
	return all
}

// ownersAt are those of the keys that we know, looked at once in a while.
func (s *Source) ownersAt(ctx context.Context, now time.Time) ([]owner, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.at.IsZero() && now.Sub(s.at) < ownersFor {
		return s.owners, nil
	}
	var all []owner
	add := func(domain, text string) {
		if key, err := dkim.ParseKey(text); err == nil && key.Public != nil {
			all = append(all, owner{facts.KeyHash(key), domain})
		}
	}
	if err := s.ours(add); err != nil {
		return nil, err
	}
	if err := s.published(ctx, add); err != nil {
		return nil, err
	}
	s.owners, s.at = all, now
	return all, nil
}

// ours are the keys that we sign with.
func (s *Source) ours(add func(domain, text string)) error {
	if s.Keys == nil {
		return nil
	}
	domains, err := s.Keys.Domains()
	if err != nil {
		return err
	}
	for _, domain := range domains[:min(len(domains), mostDomains)] {
		d, err := s.Keys.Load(domain)
		if err != nil {
			return err
		}
		for text := range maps.Values(records(d)) {
			add(domain, text)
		}
	}
	return nil
}

// published are the keys that our domains were seen to publish. Those of one and of the domains beneath it are told apart as any.
func (s *Source) published(ctx context.Context, add func(domain, text string)) error {
	if s.Store == nil {
		return nil
	}
	domains := s.Domains
	if len(domains) == 0 && s.Asker != nil {
		all, err := s.Asker.Store.Domains(ctx, store.Question{Verified: s.Asker.Verified})
		if err != nil {
			return err
		}
		for _, d := range all {
			domains = append(domains, d.Domain)
		}
	}
	for _, domain := range domains[:min(len(domains), mostDomains)] {
		all, err := s.Store.Published(ctx, domain)
		if err != nil {
			return err
		}
		for text := range watch.Keys(all) {
			for one := range strings.SplitSeq(text, "\n") {
				add(domain, one)
			}
		}
	}
	return nil
}
