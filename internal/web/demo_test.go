package web

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/demo"
	"github.com/gatepost-mail/gatepost/internal/demo/demotest"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/web/page"
)

func TestMain(m *testing.M) {
	code := m.Run()
	demotest.Remove()
	os.Exit(code)
}

var owner = signedIn("ada", []people.Grant{{Over: people.Everything, Role: people.Owner}}, nil)

// signedIn is the access of somebody who has just signed in.
func signedIn(name string, grants []people.Grant, groups []people.Group) *people.Access {
	who := people.NewAccess(name, grants, groups)
	who.Fresh = true
	return who
}

// A testSite is a dashboard on the demo, at which somebody is signed in.
type testSite struct {
	t       *testing.T
	desk    *dashboard.Desk
	demo    *demo.Demo
	who     *people.Access
	pages   *page.Set
	handler http.Handler
}

func newSite(t *testing.T, who *people.Access) *testSite {
	t.Helper()
	of := demotest.Copy(t)
	o, err := of.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Store.Close() })
	now := func() time.Time { return of.Now }
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	answers := keep.New(keep.Options{})
	site := &testSite{t: t, demo: of, who: who, desk: &dashboard.Desk{Store: o.Store, Config: func() *config.Config { return o.Config }, DNS: o.Zone, Answers: answers, Now: now, Log: log}}
	pages := page.New()
	pages.Now = now
	site.pages = pages
	site.handler = Handler(Options{Dashboard: site.desk, Door: site, Pages: pages, Log: log, hurry: time.Minute})
	return site
}

// stopClock lets no time pass in which more may be asked.
func (s *testSite) stopClock() {
	s.handler = Handler(Options{Dashboard: s.desk, Door: s, Pages: s.pages, hurry: time.Minute, clock: s.desk.Now})
}

func (s *testSite) Who(*http.Request) (*people.Access, error) { return s.who, nil }

func (s *testSite) Mount(*http.ServeMux) {}

// get fetches a page, as often as it says that it is being worked out.
func (s *testSite) get(path string) *httptest.ResponseRecorder {
	s.t.Helper()
	for range 600 {
		w := get(s.handler, path)
		if w.Code != http.StatusServiceUnavailable && !strings.Contains(w.Body.String(), "Being worked out") {
			return w
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.t.Fatalf("%s is being worked out for ever", path)
	return nil
}

// has fetches a page and looks for texts on it.
func (s *testSite) has(path string, texts ...string) {
	s.t.Helper()
	w := s.get(path)
	if w.Code != http.StatusOK {
		s.t.Fatalf("%s: status %d: %s", path, w.Code, w.Body)
	}
	for _, text := range texts {
		if !strings.Contains(w.Body.String(), text) {
			s.t.Errorf("%s has no %q:\n%s", path, text, w.Body)
		}
	}
}

// post sends a form.
func (s *testSite) post(path string, form url.Values) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	s.handler.ServeHTTP(w, r)
	io.Copy(io.Discard, r.Body)
	return w
}
