// Package exceptions lets in mail that a policy would not: of one Author Domain, from one network or signed by one domain, until a
// date. It is for senders that one knows and that have not mended their records yet.
//
//	set := exceptions.New(s, log)
//	go set.Run(ctx)
//	verdict, used := set.Apply(verdict, evaluation, time.Now())
//
// An exception stands for one way in, and opens no other: it never covers a message that names several Author Domains, or another
// one, or that came another way, and nothing after its end.
package exceptions

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

// Rule is the rule of a Verdict that an exception made.
const Rule = "exception"

// Soon is how long before its end an exception is reported as about to end.
const Soon = 7 * 24 * time.Hour

const (
	pollEvery   = 500 * time.Millisecond
	pollTimeout = 5 * time.Second
	reloadEvery = time.Minute // whatever the version says: the store may be another
	reportEvery = 24 * time.Hour
	quietFor    = 10 * time.Minute // between two lines of the log that say the same
)

// A Source is what a Set needs of a store.
type Source interface {
	Exceptions(ctx context.Context) ([]store.Exception, error)
	ExceptionsVersion(ctx context.Context) (int64, error)
}

// A Set is the exceptions of a store, as of a moment ago. While the store is away it keeps those that it knows. A nil Set has none.
// Its methods are safe for concurrent use, but for Run and Refresh, which one caller calls.
type Set struct {
	source Source
	log    *slog.Logger
	table  atomic.Pointer[table]

	// Of Run and Refresh.
	version  int64
	loaded   time.Time // zero: never
	reported time.Time
	said     time.Time // that the store is away
}

// A table finds exceptions by Author Domain.
type table struct {
	all   []store.Exception
	exact map[string][]*store.Exception
	below map[string][]*store.Exception // "example.com" for "*.example.com"
}

// New makes a Set that is empty until it is refreshed.
func New(s Source, log *slog.Logger) *Set {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	set := &Set{source: s, log: log}
	set.table.Store(newTable(nil))
	return set
}

func newTable(all []store.Exception) *table {
	t := &table{all: all, exact: map[string][]*store.Exception{}, below: map[string][]*store.Exception{}}
	for i := range all {
		e := &all[i]
		if parent, ok := strings.CutPrefix(e.Domain, "*."); ok {
			t.below[parent] = append(t.below[parent], e)
		} else {
			t.exact[e.Domain] = append(t.exact[e.Domain], e)
		}
	}
	return t
}

// Run keeps the set up to date, and has the log name once a day what is about to end, until the context ends.
func (s *Set) Run(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		now := time.Now()
		switch err := s.Refresh(ctx); {
		case err != nil && ctx.Err() != nil:
		case err == nil:
			s.said = time.Time{}
		case now.Sub(s.said) >= quietFor:
			s.said = now
			s.log.Warn("exceptions cannot be read: those known before still hold", "error", err.Error(), "known", len(s.table.Load().all))
		}
		if !s.loaded.IsZero() && now.Sub(s.reported) >= reportEvery {
			s.reported = now
			s.Report(now)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Refresh reads the exceptions if they changed.
func (s *Set) Refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	v, err := s.source.ExceptionsVersion(ctx)
	now := time.Now()
	if err != nil || !s.loaded.IsZero() && v == s.version && now.Sub(s.loaded) < reloadEvery {
		return err
	}
	all, err := s.source.Exceptions(ctx)
	if err != nil {
		return err
	}
	s.version, s.loaded = v, now
	s.table.Store(newTable(all))
	return nil
}

// Apply lets a message in that an exception covers, and gives that exception; else the verdict is what it was.
func (s *Set) Apply(v policy.Verdict, e *verify.Evaluation, now time.Time) (policy.Verdict, *store.Exception) {
	if s == nil || v.Action == policy.Accept || e.Author.Reason != "" || len(e.Author.Domains) != 1 {
		return v, nil
	}
	x := s.table.Load().find(e, now)
	if x == nil {
		return v, nil
	}
	waived := string(v.Action)
	if v.Rule != "" {
		waived += " by the rule " + v.Rule
	}
	if v.Reason != "" {
		waived += ": " + v.Reason
	}
	return policy.Verdict{
		Action: policy.Accept, Rule: Rule,
		Reason: fmt.Sprintf("exception %d (%s; until %s) waives %s", x.ID, x.Reason, x.Until.UTC().Format(time.DateOnly), waived),
	}, x
}

// find looks for an exception of the Author Domain, then of the domains above it.
func (t *table) find(e *verify.Evaluation, now time.Time) *store.Exception {
	domain := e.Author.Domains[0]
	for _, x := range t.exact[domain] {
		if covers(x, e, now) {
			return x
		}
	}
	if len(t.below) == 0 {
		return nil
	}
	for _, parent, ok := strings.Cut(domain, "."); ok; _, parent, ok = strings.Cut(parent, ".") {
		for _, x := range t.below[parent] {
			if covers(x, e, now) {
				return x
			}
		}
	}
	return nil
}

// covers tells whether a message of the exception's domain came the exception's way.
func covers(x *store.Exception, e *verify.Evaluation, now time.Time) bool {
	switch {
	case now.After(x.Until):
		return false
	case x.Network.IsValid():
		return e.Client.IP.IsValid() && x.Network.Contains(e.Client.IP.Unmap())
	case x.SDID == "":
		return false
	}
	return slices.ContainsFunc(e.DKIM, func(d verify.DKIM) bool { return d.SDID == x.SDID && vouches(&d) })
}

// vouches tells whether a signature passes and says something of the whole message: a key under test makes it an unsigned one
// (RFC 6376 3.6.1), and a body may be longer than what l= has signed (RFC 6376 8.2).
func vouches(d *verify.DKIM) bool {
	return d.Result == "pass" && !d.Testing && d.UnsignedBytes == 0
}

// Ending gives the exceptions that still hold and will not for that much longer; the first to end stands first.
func (s *Set) Ending(now time.Time, within time.Duration) []store.Exception {
	if s == nil {
		return nil
	}
	return Ending(s.table.Load().all, now, within)
}

// Active is how many exceptions hold.
func (s *Set) Active(now time.Time) int {
	if s == nil {
		return 0
	}
	n := 0
	for _, x := range s.table.Load().all {
		if !now.After(x.Until) {
			n++
		}
	}
	return n
}

// Ending is the same for a list.
func Ending(all []store.Exception, now time.Time, within time.Duration) []store.Exception {
	var ending []store.Exception
	for _, x := range all {
		if !now.After(x.Until) && x.Until.Sub(now) <= within {
			ending = append(ending, x)
		}
	}
	slices.SortStableFunc(ending, func(a, b store.Exception) int { return a.Until.Compare(b.Until) })
	return ending
}

// Report has the log name what is about to end. Run does so once a day.
func (s *Set) Report(now time.Time) {
	for _, x := range s.Ending(now, Soon) {
		s.log.Warn("an exception is about to end", "id", x.ID, "domain", x.Domain, "for", Way(&x), "until", x.Until.UTC().Format(time.RFC3339),
			"reason", x.Reason, "author", x.Author, "uses", x.Uses)
	}
}

// Way is how mail must come to be covered: "192.0.2.0/24", or "signed by example.net".
func Way(x *store.Exception) string {
	if x.Network.IsValid() {
		if x.Network.IsSingleIP() {
			return x.Network.Addr().String()
		}
		return x.Network.String()
	}
	return "signed by " + x.SDID
}

// network is a network as it is compared: IPv4 is IPv4, however it is written.
func network(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}
