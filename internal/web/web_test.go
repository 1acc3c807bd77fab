package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/dnstest"
	"github.com/gatepost-mail/gatepost/internal/metrics"
)

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}

func TestEveryAnswerTellsABrowserToTrustNothing(t *testing.T) {
	h := Handler(Options{Metrics: metrics.New().Handler()})
	for path, status := range map[string]int{"/": 200, "/healthz": 200, "/readyz": 200, "/metrics": 200, "/etc/passwd": 404, "/index.html": 404} {
		w := get(h, path)
		if w.Code != status {
			t.Errorf("%s: status %d, want %d", path, w.Code, status)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store", "Referrer-Policy": "same-origin",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if !strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: no content security policy", path)
		}
	}
}

func TestNothingButReadingIsAllowed(t *testing.T) {
	h := Handler(Options{Metrics: metrics.New().Handler()})
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} {
		for _, path := range []string{"/", "/healthz", "/readyz", "/metrics"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader("x")))
			if w.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: status %d, want %d", method, path, w.Code, http.StatusMethodNotAllowed)
			}
		}
	}
}

func TestFirstPageLeadsToWhatIsThere(t *testing.T) {
	h := Handler(Options{Metrics: metrics.New().Handler()})
	for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
		if !strings.Contains(get(h, "/").Body.String(), `href="`+path+`"`) {
			t.Errorf("the first page does not lead to %s", path)
		}
	}
}

func readReport(t *testing.T, w *httptest.ResponseRecorder) report {
	t.Helper()
	var r report
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return r
}

func TestReadyTellsEachCheckWithItsReason(t *testing.T) {
	var out bytes.Buffer
	h := Handler(Options{Log: slog.New(slog.NewTextHandler(&out, nil)), Checks: []Check{
		{"listeners", func(context.Context) error { return nil }},
		{"store", func(context.Context) error {
			return Degraded("the store does not answer: 12 decisions are kept on the disk")
		}},
	}})
	w := get(h, "/readyz")
	want := report{Ready: true, Checks: []finding{{"listeners", "ok", ""}, {"store", "degraded", "the store does not answer: 12 decisions are kept on the disk"}}}
	if got := readReport(t, w); w.Code != 200 || got.Ready != want.Ready || got.Checks[0] != want.Checks[0] || got.Checks[1] != want.Checks[1] {
		t.Errorf("status %d, got %+v, want %+v", w.Code, got, want)
	}

	h = Handler(Options{Log: slog.New(slog.NewTextHandler(&out, nil)), Checks: []Check{
		{"journal", func(context.Context) error { return errors.New("the disk is full") }},
		{"broken", func(context.Context) error { panic("ours") }},
		{"slow", func(ctx context.Context) error { return nil }},
	}})
	w = get(h, "/readyz")
	got := readReport(t, w)
	if w.Code != 503 || got.Ready || got.Checks[0] != (finding{"journal", "failed", "the disk is full"}) || got.Checks[1].State != "failed" || got.Checks[2].State != "ok" {
		t.Errorf("status %d, got %+v", w.Code, got)
	}
	if !strings.Contains(out.String(), "the disk is full") {
		t.Errorf("the log does not say why: %s", &out)
	}
}

func TestReadyLooksAgainOnlyAfterAWhile(t *testing.T) {
	var looks atomic.Int32
	now := time.Now()
	h := &readiness{log: slog.New(slog.DiscardHandler), now: func() time.Time { return now },
		checks: []Check{{"x", func(context.Context) error { looks.Add(1); return nil }}}}
	for range 10 {
		get(h, "/readyz")
	}
	if n := looks.Load(); n != 1 {
		t.Errorf("looked %d times, want once", n)
	}
	now = now.Add(reportAge)
	get(h, "/readyz")
	if n := looks.Load(); n != 2 {
		t.Errorf("looked %d times, want twice", n)
	}
}

func TestReadyNeedsNameServersThatAnswer(t *testing.T) {
	server := dnstest.Start(t, `example.com. TXT "x"`)
	answering := dns.NewClient(dns.ClientOptions{Servers: []string{server.Addr}})
	if err := DNS(answering).Look(t.Context()); err != nil {
		t.Errorf("got %v, want nothing wrong", err)
	}
	closed, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	gone := dns.NewClient(dns.ClientOptions{Servers: []string{closed.LocalAddr().String()}, Timeout: time.Second, Rounds: 1})
	err = DNS(gone).Look(t.Context())
	if err == nil || strings.Contains(err.Error(), "invalid") || !strings.Contains(err.Error(), closed.LocalAddr().String()) {
		t.Errorf("got %v, want an error that names the server", err)
	}
}

// start serves until the test ends.
func start(t *testing.T, h http.Handler) (address string, stop func() error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, ln, h) }()
	t.Cleanup(cancel)
	return ln.Addr().String(), func() error { cancel(); return <-ended }
}

func TestServeEndsWithItsContext(t *testing.T) {
	address, stop := start(t, Handler(Options{}))
	resp, err := http.Get("http://" + address + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(text) != "ok\n" {
		t.Errorf("got %q", text)
	}
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		t.Error("it still answers")
	}
}

func TestHeaderBeyondItsBoundIsRefused(t *testing.T) {
	address, _ := start(t, Handler(Options{}))
	req, _ := http.NewRequest("GET", "http://"+address+"/healthz", nil)
	req.Header.Set("X-Long", strings.Repeat("x", 2*maxHeader))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d, want %d", resp.StatusCode, http.StatusRequestHeaderFieldsTooLarge)
	}
}

func TestListenerThatFailsIsAnError(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := Serve(t.Context(), ln, Handler(Options{})); err == nil {
		t.Error("no error")
	}
}
