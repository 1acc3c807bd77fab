// Package watch looks again and again at what our domains publish, keeps every text that a record of theirs had, and tells of what became
// worse: a key that is gone, a policy that was weakened, an include that somebody else changed so that it is too much now.
//
//	r := &watch.Runner{Config: c.Watch, Store: s, Resolver: resolver, Web: web, Tell: alerts.Tell}
//	err := r.Run(ctx, time.Now()) // a job, every few minutes: looks at the domains whose turn it is
//
// What could not be had is no change: a record counts as gone only where DNS says for certain that it is not there. Alerts are made of
// the history that is kept, so that one that could not be told, or was lost in a crash, is told the next time, and by one node only.
package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/alert"
	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A Store is what is asked of a [store.Store].
type Store interface {
	SeePublished(ctx context.Context, domain string, all []store.Published, now time.Time) error
	Published(ctx context.Context, domain string) ([]store.Published, error)
}

// A Runner watches. Its methods may be called at the same time, by several nodes too.
type Runner struct {
	Config   Config
	Domains  []string // where Config names none
	Store    Store
	Resolver dns.Resolver
	Web      http.RoundTripper // nil: no policies are fetched
	Table    *senders.Table    // [senders.Known] if nil
	Log      *slog.Logger      // none if nil

	// Tell tells alerts, each once within a time; nil: nobody is told. It is the method of an [alert.Runner].
	Tell func(ctx context.Context, all []alert.Alert, now time.Time, quiet time.Duration) error

	// Know adds what is known of a domain beside its history, from mail, reports and our own keys; nil: nothing is.
	Know func(ctx context.Context, domain string, o *facts.Options) error

	mu     sync.Mutex
	tried  map[string]time.Time     // when a domain was looked at last, by whichever node
	untold map[string][]alert.Alert // of a domain, that no channel took
}

const (
	atMost = time.Minute         // for one domain
	recent = 7 * 24 * time.Hour  // what changed before that is told no longer
	quiet  = 30 * 24 * time.Hour // about the same change
)

// Run looks at the domains whose turn it is, those first that wait the longest. What the time does not suffice for is done the next
// time.
func (r *Runner) Run(ctx context.Context, now time.Time) error {
	if r.Config.Every <= 0 {
		return nil
	}
	domains := r.Config.Domains
	if len(domains) == 0 {
		domains = r.Domains
	}
	errs := []error{r.tellAgain(ctx, now)}
	for _, domain := range r.due(domains, now) {
		if ctx.Err() != nil {
			break
		}
		if err := r.turn(ctx, domain, now); err != nil {
			errs = append(errs, fmt.Errorf("watch: %s: %w", domain, err))
		}
	}
	return errors.Join(append(errs, ctx.Err())...)
}

// due are the domains that this node believes to be due.
func (r *Runner) due(domains []string, now time.Time) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, domain := range domains {
		if now.Sub(r.tried[domain]) >= r.Config.every() {
			all = append(all, domain)
		}
	}
	slices.SortStableFunc(all, func(a, b string) int { return r.tried[a].Compare(r.tried[b]) })
	return all
}

func (r *Runner) note(domain string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tried == nil {
		r.tried = map[string]time.Time{}
	}
	r.tried[domain] = at
}

// turn looks at a domain, unless another node did.
func (r *Runner) turn(ctx context.Context, domain string, now time.Time) error {
	known, err := r.Store.Published(ctx, domain)
	if err != nil {
		return err
	}
	h := historyOf(known)
	if last := h.present(kindAudit, ""); last != nil && now.Sub(last.Last) < r.Config.every() {
		r.note(domain, last.Last)
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	report, seen, err := r.look(limited, domain, h, now)
	if err != nil {
		return err
	}
	if limited.Err() != nil {
		if ctx.Err() == nil { // it is not to keep the others waiting
			r.note(domain, now)
		}
		return fmt.Errorf("an audit: %w", limited.Err())
	}
	if err := r.Store.SeePublished(ctx, domain, seen, now); err != nil {
		return err
	}
	if known, err = r.Store.Published(ctx, domain); err != nil {
		return err
	}
	r.note(domain, now)
	r.log().Debug("domain watched", "domain", domain, "grade", string(report.Grade), "findings", len(report.Findings))
	return r.tell(ctx, domain, changes(report, historyOf(known), now), now)
}

// tell tells what there is, and remembers it where that cannot be done now.
func (r *Runner) tell(ctx context.Context, domain string, all []alert.Alert, now time.Time) error {
	if r.Tell == nil || len(all) == 0 {
		return nil
	}
	err := r.Tell(ctx, all, now, quiet)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.untold == nil {
		r.untold = map[string][]alert.Alert{}
	}
	if err == nil {
		delete(r.untold, domain)
	} else {
		r.untold[domain] = all
	}
	return err
}

// tellAgain tells what could not be told before. What was told meanwhile, by whomever, the store knows.
func (r *Runner) tellAgain(ctx context.Context, now time.Time) error {
	r.mu.Lock()
	untold := maps.Clone(r.untold)
	r.mu.Unlock()
	var errs []error
	for domain, all := range untold {
		errs = append(errs, r.tell(ctx, domain, all, now))
	}
	return errors.Join(errs...)
}

// look audits a domain, and gives what there is to remember of it.
func (r *Runner) look(ctx context.Context, domain string, h *history, now time.Time) (*audit.Report, []store.Published, error) {
	resolver := facts.Remember(r.Resolver) // the audit and the history go by the same answers
	o := facts.Options{Resolver: resolver, Web: r.Web, Table: r.Table, Now: now, Connect: r.Config.Connect}
	if r.Know != nil {
		if err := r.Know(ctx, domain, &o); err != nil {
			return nil, nil, err
		}
	}
	o.Seen = h.seen(domain, o.Seen)
	report := audit.Run(ctx, domain, o)
	w := &watcher{resolver: resolver, report: report, history: h}
	w.records(ctx)
	w.findings()
	w.add(kindAudit, "", string(cmp.Or(report.Grade, "?")))
	return report, w.all, nil
}

func (r *Runner) log() *slog.Logger {
	if r.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Log
}
