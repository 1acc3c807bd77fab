package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/web/page"
)

// A doorman knows who is there until it is told otherwise.
type doorman struct {
	who   atomic.Pointer[people.Access]
	named atomic.Bool // each is who the request says
}

func (d *doorman) Who(r *http.Request) (*people.Access, error) {
	if name := r.Header.Get("Name"); d.named.Load() && name != "" {
		return people.NewAccess(name, []people.Grant{{Over: people.Everything, Role: people.Viewer}}, nil), nil
	}
	return d.who.Load(), nil
}

func (d *doorman) Mount(*http.ServeMux) {}

// A stage is a server that listens, as the program runs it.
type stage struct {
	t     *testing.T
	site  *testSite
	door  *doorman
	url   string
	stop  context.CancelFunc
	ended chan struct{}
	n     int64
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, site: newSite(t, owner), door: &doorman{}, ended: make(chan struct{})}
	s.door.who.Store(owner)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s.url, s.stop = "http://"+ln.Addr().String(), stop
	h := Handler(Options{Dashboard: s.site.desk, Door: s.door, Pages: page.New()})
	go func() {
		defer close(s.ended)
		Serve(ctx, ln, h)
	}()
	t.Cleanup(func() {
		stop()
		<-s.ended
	})
	return s
}

// decide puts a decision into the store.
func (s *stage) decide(change func(*store.Decision)) {
	s.t.Helper()
	s.n++
	d := store.Decision{
		Time: s.site.demo.Now, Reference: fmt.Sprintf("live%d", s.n), ClientIP: netip.MustParseAddr("192.0.2.77"), AuthorDomain: "new.example", EnvelopeDomain: "new.example",
		Verdict: "reject", Rule: "spf-fail", Mode: "enforce", Done: "reject",
	}
	if change != nil {
		change(&d)
	}
	if err := s.site.desk.Store.AddBatch(s.t.Context(), store.Batch{Source: "live", Number: s.n, Decisions: []store.Decision{d}}); err != nil {
		s.t.Fatal(err)
	}
}

// A hearing is a listener's side.
type hearing struct {
	t     *testing.T
	code  int
	lines chan string // closed when the stream ends
	close func()
}

// listen asks for a stream. It comes back when the server has answered.
func (s *stage) listen(path string, header ...string) *hearing {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{DisableCompression: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	h := &hearing{t: s.t, code: resp.StatusCode, lines: make(chan string, 10_000), close: func() {
		cancel()
		resp.Body.Close()
		transport.CloseIdleConnections()
	}}
	s.t.Cleanup(h.close)
	if h.code == http.StatusOK && strings.Contains(path, "/live") && resp.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Errorf("%s: %s", path, resp.Header.Get("Content-Type"))
	}
	go func() {
		defer close(h.lines)
		for scanner := bufio.NewScanner(resp.Body); scanner.Scan(); {
			h.lines <- scanner.Text()
		}
	}()
	return h
}

// next is the next decision that is told within a time.
func (h *hearing) next(within time.Duration) (dashboard.DecisionLine, bool) {
	h.t.Helper()
	deadline := time.After(within)
	for {
		select {
		case line, ok := <-h.lines:
			if !ok {
				return dashboard.DecisionLine{}, false
			}
			data, ok := strings.CutPrefix(line, "data: ")
			if !ok {
				continue
			}
			var d dashboard.DecisionLine
			if err := json.Unmarshal([]byte(data), &d); err != nil {
				h.t.Fatalf("%v: %s", err, data)
			}
			return d, true
		case <-deadline:
			return dashboard.DecisionLine{}, false
		}
	}
}

// ends waits until the stream ends.
func (h *hearing) ends(within time.Duration) bool {
	deadline := time.After(within)
	for {
		select {
		case _, ok := <-h.lines:
			if !ok {
				return true
			}
		case <-deadline:
			return false
		}
	}
}

func TestADecisionIsToldWithinTwoSecondsToWhoeverAskedForIt(t *testing.T) {
	s := newStage(t)
	all := s.listen("/gate/live")
	other := s.listen("/api/v1/gate/live?verdict=accept")
	same := s.listen("/gate/live?verdict=reject&rule=spf-fail&domain=New.Example")
	s.decide(nil)
	for name, h := range map[string]*hearing{"all": all, "the same": same} {
		if d, ok := h.next(2 * time.Second); !ok || d.Reference != "live1" || d.Verdict != "reject" || d.Path != "/gate/decisions/live1" || d.Tone != "bad" {
			t.Errorf("%s: %+v, %v", name, d, ok)
		}
	}
	s.decide(func(d *store.Decision) { d.Verdict, d.Rule, d.Done = "accept", "", "accept" })
	if d, ok := other.next(2 * time.Second); !ok || d.Reference != "live2" {
		t.Errorf("another verdict: %+v, %v", d, ok)
	}
	s.decide(func(d *store.Decision) { d.AuthorDomain = "other.example" }) // the envelope's domain is the one that is asked for
	if d, ok := same.next(2 * time.Second); !ok || d.Reference != "live3" {
		t.Errorf("the same: %+v, %v", d, ok)
	}
}

func TestWhatWasMissedIsToldFirstAndOnce(t *testing.T) {
	s := newStage(t)
	s.decide(nil)
	s.decide(nil)
	last, err := s.site.desk.Store.Decisions(t.Context(), store.DecisionFilter{Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]*hearing{
		"after":         s.listen(fmt.Sprintf("/gate/live?after=%d", last[0].ID)),
		"Last-Event-ID": s.listen("/gate/live?after=1", "Last-Event-ID", fmt.Sprint(last[0].ID)),
	} {
		if d, ok := h.next(2 * time.Second); !ok || d.Reference != "live2" {
			t.Errorf("%s: %+v, %v; want live2", name, d, ok)
		}
		s.decide(nil)
		if d, ok := h.next(2 * time.Second); !ok || d.ID <= last[1].ID {
			t.Errorf("%s: %+v, %v", name, d, ok)
		}
	}
}

func TestAStreamOutlastsTheTimesOfTheServer(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as the server's time to read")
	}
	t.Parallel()
	s := newStage(t)
	h := s.listen("/gate/live")
	if h.ends(readTimeout + time.Second) {
		t.Fatal("the stream ended")
	}
	s.decide(nil)
	if d, ok := h.next(2 * time.Second); !ok || d.Reference != "live1" {
		t.Errorf("%+v, %v", d, ok)
	}
}

func TestWhoMayLookNoMoreIsToldNoMore(t *testing.T) {
	s := newStage(t)
	for name, then := range map[string]*people.Access{
		"signed out": nil,
		"another role": people.NewAccess("ada", []people.Grant{{Over: "shop", Role: people.Owner}},
			[]people.Group{{Name: "shop", Domains: []string{"example.org"}}}),
	} {
		s.door.who.Store(owner)
		h := s.listen("/gate/live")
		s.door.who.Store(then)
		if !h.ends(liveCheck + 2*time.Second) {
			t.Errorf("%s: the stream goes on", name)
		}
		if again := s.listen("/gate/live"); again.code != http.StatusForbidden && again.code != http.StatusSeeOther {
			t.Errorf("%s: status %d", name, again.code)
		}
		if again := s.listen("/api/v1/gate/live"); again.code != http.StatusForbidden && again.code != http.StatusUnauthorized {
			t.Errorf("%s, API: status %d", name, again.code)
		}
	}
}

func TestAStreamEndsWithTheServer(t *testing.T) {
	s := newStage(t)
	h := s.listen("/gate/live")
	begun := time.Now()
	s.stop()
	if !h.ends(2 * time.Second) {
		t.Error("the stream goes on")
	}
	<-s.ended
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("the server stopped after %v", took)
	}
}

func TestListenersAreBoundAndLeaveNothingBehind(t *testing.T) {
	s := newStage(t)
	s.door.named.Store(true)
	before := runtime.NumGoroutine()
	var all []*hearing
	for i := range mostOfOne + 1 {
		h := s.listen("/gate/live", "Name", "one")
		if want := i < mostOfOne; (h.code == http.StatusOK) != want {
			t.Errorf("listener %d of one person: status %d", i+1, h.code)
		}
		all = append(all, h)
	}
	for i := mostOfOne; i < mostListeners+1; i++ {
		h := s.listen("/gate/live", "Name", fmt.Sprint("person ", i/2))
		if want := i < mostListeners; (h.code == http.StatusOK) != want {
			t.Errorf("listener %d: status %d", i+1, h.code)
		}
		all = append(all, h)
	}
	others := s.listen("/healthz")
	if others.code != http.StatusOK {
		t.Errorf("others: status %d", others.code)
	}
	others.close()
	s.decide(nil)
	for i, h := range all {
		if d, ok := h.next(3 * time.Second); ok != (h.code == http.StatusOK) {
			t.Errorf("listener %d: %+v, %v", i+1, d, ok)
		}
		h.close()
	}
	left := 0
	for range 50 {
		if left = runtime.NumGoroutine(); left <= before+1 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if left > before+1 {
		stack := make([]byte, 1<<16)
		t.Errorf("%d goroutines, and %d before:\n%s", left, before, stack[:runtime.Stack(stack, true)])
	}
	if h := s.listen("/gate/live", "Name", "one"); h.code != http.StatusOK {
		t.Errorf("after all have left: status %d", h.code)
	}
}

func TestWhoIsTooSlowIsSentAwayAndHoldsUpNobody(t *testing.T) {
	l := newLive(newSite(t, owner).desk)
	watch, err := (&dashboard.LiveIn{}).Watch()
	if err != nil {
		t.Fatal(err)
	}
	slow, err := l.join(t.Context(), "slow", watch)
	if err != nil {
		t.Fatal(err)
	}
	quick, err := l.join(t.Context(), "quick", watch)
	if err != nil {
		t.Fatal(err)
	}
	defer l.leave(quick)
	for i := range mostWaiting + 1 {
		l.tell(&store.Decision{ID: int64(i + 1)})
		if d := <-quick.found; d.ID != int64(i+1) {
			t.Fatalf("told %d, want %d", d.ID, i+1)
		}
	}
	n := 0
	for range slow.found {
		n++
	}
	if n != mostWaiting {
		t.Errorf("the slow one has %d waiting, want %d, and the end", n, mostWaiting)
	}
	l.leave(slow)
	if l.stop == nil {
		t.Error("nobody asks the store any more, though one listens")
	}
}

func TestTheDescriptionOfTheAPIHasTheStream(t *testing.T) {
	s := newSite(t, owner)
	s.has("/api/v1/openapi.json", `"/gate/live"`, `"text/event-stream"`, `"gate-live"`, `"/gate/letters/{id}/approve"`, `"/gate/decisions/{reference}"`)
}

func TestAWrongFilterIsToldBeforeTheStreamBegins(t *testing.T) {
	s := newStage(t)
	for _, path := range []string{"/gate/live?verdict=perhaps", "/gate/live?domain=a%20b", "/api/v1/gate/live?verdict=perhaps", "/api/v1/gate/live?after=x"} {
		if h := s.listen(path); h.code != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", path, h.code)
		}
	}
}
