package web

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
)

// A Check is one thing that must be well for mail to be judged.
type Check struct {
	Name string
	// Look says what is wrong, or nil. It returns when ctx is done. An error that wraps [ErrDegraded] is one that mail does not
	// suffer from yet.
	Look func(ctx context.Context) error
}

// ErrDegraded marks what is wrong but does not stop the mail, as where the store is away and decisions are kept on the disk.
var ErrDegraded = errors.New("degraded")

// Degraded makes an error of a reason that does not stop the mail.
func Degraded(reason string) error { return fmt.Errorf("%w: %s", ErrDegraded, reason) }

// The states of a check.
const (
	stateOK       = "ok"
	stateDegraded = "degraded"
	stateFailed   = "failed"
)

// A finding is what came of one check.
type finding struct {
	Name   string `json:"name"`
	State  string `json:"state"`
	Reason string `json:"reason"`
}

// A report is the answer of /readyz.
type report struct {
	Ready  bool      `json:"ready"`
	Checks []finding `json:"checks"`
}

const (
	checkTimeout = 3 * time.Second
	reportAge    = 2 * time.Second // how long a report is told again, so that nobody can make us ask DNS at will
)

// readiness answers /readyz.
type readiness struct {
	checks []Check
	log    *slog.Logger
	now    func() time.Time

	mu    sync.Mutex // held while looking: who comes meanwhile gets the same report
	last  report
	until time.Time
}

func (h *readiness) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	r := h.report()
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		http.Error(w, "failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if !r.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	w.Write(append(text, '\n'))
}

// report looks at everything at once. It does not end with a request: others wait for the same report.
func (h *readiness) report() report {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now().Before(h.until) {
		return h.last
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	r := report{Ready: true, Checks: make([]finding, len(h.checks))}
	var wg sync.WaitGroup
	for i, c := range h.checks {
		wg.Go(func() { r.Checks[i] = look(ctx, c) })
	}
	wg.Wait()
	for _, f := range r.Checks {
		if f.State == stateFailed {
			r.Ready = false
		}
	}
	if r.Ready != h.last.Ready && h.last.Checks != nil || !r.Ready && h.last.Checks == nil {
		h.log.Warn("readiness", "ready", r.Ready, "checks", r.Checks)
	}
	h.last, h.until = r, h.now().Add(reportAge)
	return r
}

func look(ctx context.Context, c Check) (f finding) {
	f = finding{Name: c.Name, State: stateOK}
	defer func() {
		if v := recover(); v != nil {
			f.State, f.Reason = stateFailed, fmt.Sprint("panic: ", v)
		}
	}()
	err := c.Look(ctx)
	switch {
	case errors.Is(err, ErrDegraded):
		f.State, f.Reason = stateDegraded, strings.TrimPrefix(err.Error(), ErrDegraded.Error()+": ")
	case err != nil:
		f.State, f.Reason = stateFailed, err.Error()
	}
	return f
}

// DNS is the check that name servers answer. It asks for a name that nobody can have (RFC 6761 6.4), another each time, so that no
// cache of ours answers; that there is no such name is the answer that is wanted.
func DNS(r dns.Resolver) Check {
	return Check{Name: "dns", Look: func(ctx context.Context) error {
		_, err := r.Lookup(ctx, strings.ToLower(rand.Text())+".invalid", dns.TypeTXT)
		var e *dns.Error
		switch {
		case err == nil || dns.IsVoid(err):
			return nil
		case errors.As(err, &e): // without the name, which means nothing to anybody
			return fmt.Errorf("name servers: %w", cause(e))
		}
		return err
	}}
}

func cause(e *dns.Error) error {
	if e.Err != nil {
		return e.Err
	}
	return e.Kind
}
