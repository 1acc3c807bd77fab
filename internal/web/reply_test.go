package web

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/web/page"
)

func TestAnswersAreMadeSmallForWhoCanReadThem(t *testing.T) {
	s := newSite(t, owner)
	s.get("/domains") // until it is worked out
	read := func(path, accepts string) (*httptest.ResponseRecorder, string) {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Accept-Encoding", accepts)
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		body := io.Reader(w.Body)
		if w.Header().Get("Content-Encoding") == "gzip" {
			zipped, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			body = zipped
		}
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		return w, string(text)
	}
	_, sheet, _ := strings.Cut(s.get("/domains").Body.String(), `<link rel="stylesheet" href="`)
	sheet, _, _ = strings.Cut(sheet, `"`)
	for _, path := range []string{"/domains", "/api/v1/domains", sheet} {
		plain, whole := read(path, "identity")
		packed, same := read(path, "gzip, br, zstd")
		if plain.Header().Get("Content-Encoding") != "" || packed.Header().Get("Content-Encoding") != "gzip" || len(whole) < leastToCompress {
			t.Errorf("%s: %v, %v, %d bytes", path, plain.Header(), packed.Header(), len(whole))
		}
		if whole != same {
			t.Errorf("%s is another when it is packed", path)
		}
	}
	w, _ := read(sheet, "gzip")
	if got := w.Header().Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("the style sheet is kept as %q", got)
	}
	if w, _ := read("/domains", "gzip"); w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("a page is kept as %q", w.Header().Get("Cache-Control"))
	}
}

func TestEventsOfAStreamAreThereAtOnceAndItEndsWithTheServer(t *testing.T) {
	ended := make(chan error, 1)
	stream := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		rc := http.NewResponseController(w)
		fmt.Fprint(w, "data: "+strings.Repeat("x", 2*leastToCompress)+"\n\n")
		rc.Flush()
		if err := rc.SetWriteDeadline(time.Time{}); err != nil {
			t.Errorf("a stream cannot take its time: %v", err)
		}
		<-stopping(r.Context())
		ended <- context.Canceled
	})
	b := &border{}
	address, stop := start(t, b.counted(func(string, int, time.Duration) {}, recovered(compressed(stream), nil, slog.New(slog.DiscardHandler))))
	r, _ := http.NewRequest("GET", "http://"+address+"/", nil)
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Accept-Encoding", "gzip")
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "data: x") {
		t.Errorf("got %q, %v", line, err)
	}
	begun := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if <-ended == nil || time.Since(begun) > closeTimeout-time.Second {
		t.Errorf("the server waited %s for a stream", time.Since(begun))
	}
}

func TestAFaultOfOursIsAPageAndStandsInTheLog(t *testing.T) {
	var log strings.Builder
	h := compressed(recovered(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("ours") }), page.New(), slog.New(slog.NewTextHandler(&log, nil))))
	for path, kind := range map[string]string{"/domains": "text/html; charset=utf-8", "/api/v1/domains": "application/problem+json"} {
		w := get(h, path)
		if w.Code != http.StatusInternalServerError || w.Header().Get("Content-Type") != kind || !strings.Contains(w.Body.String(), faultText) {
			t.Errorf("%s: %d %v %s", path, w.Code, w.Header(), w.Body)
		}
		if strings.Contains(w.Body.String(), "ours\"") || strings.Contains(w.Body.String(), ".go:") {
			t.Errorf("%s tells strangers of the fault: %s", path, w.Body)
		}
	}
	if !strings.Contains(log.String(), "fault=ours") || !strings.Contains(log.String(), "reply_test.go") {
		t.Errorf("the log says %s", &log)
	}
}

func TestHalfAnAnswerIsNotTakenForAWholeOne(t *testing.T) {
	address, _ := start(t, recovered(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("half"))
		http.NewResponseController(w).Flush()
		panic("ours")
	}), nil, slog.New(slog.DiscardHandler)))
	resp, err := http.Get("http://" + address + "/")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("it came to its end")
	}
}

func TestARequestIsCountedByItsRouteAndNotByWhatWasAskedFor(t *testing.T) {
	s := newSite(t, owner)
	counts := map[string]int{}
	h := Handler(Options{Dashboard: s.desk, Door: s, Pages: s.pages, Count: func(route string, status int, _ time.Duration) {
		counts[fmt.Sprint(route, " ", status)]++
	}})
	for _, path := range []string{"/domains?days=7", "/api/v1/domains", "/nothing-1", "/nothing-2", "/api/v1/nothing", "/healthz", "/"} {
		get(h, path)
	}
	for key, want := range map[string]int{"GET /domains 200": 1, "GET /api/v1/domains 200": 1, "/ 404": 3, "GET /healthz 200": 1, "GET /{$} 303": 1} {
		if counts[key] != want {
			t.Errorf("%s: %d, want %d in %v", key, counts[key], want, counts)
		}
	}
}

func TestTooManyQuestionsOfATokenAreRefusedAndOthersAreNot(t *testing.T) {
	s := newSite(t, owner)
	s.stopClock()
	token := *owner
	token.Token = 7
	s.who = &token
	refused := 0
	for range tokenAtOnce + 20 {
		w := get(s.handler, "/api/v1/domains")
		if w.Code == http.StatusTooManyRequests {
			refused++
			if w.Header().Get("Retry-After") == "" || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("refused with %v", w.Header())
			}
		}
	}
	if refused == 0 {
		t.Error("nothing is refused")
	}
	other := *owner
	other.Token = 8
	s.who = &other
	if w := get(s.handler, "/api/v1/domains"); w.Code == http.StatusTooManyRequests {
		t.Error("another token is refused")
	}
	if w := get(s.handler, "/domains"); w.Code != http.StatusOK {
		t.Errorf("a page is refused: %d", w.Code)
	}
}

func TestAPersonIsCountedOverAllSessions(t *testing.T) {
	l := limits{now: func() time.Time { return time.Time{}.AddDate(2026, 0, 0) }}
	a := people.NewAccess("ada", nil, nil)
	a.Person = 1
	b := *a
	b.Session = people.Hash{1}
	wait := time.Duration(0)
	for i := range personAtOnce + 10 {
		wait = l.take([]*people.Access{a, &b}[i%2])
	}
	if wait == 0 {
		t.Error("two sessions may ask twice as much")
	}
}

func TestHTTPSSpeaksHTTP2(t *testing.T) {
	pair := httptest.NewUnstartedServer(nil)
	pair.StartTLS()
	defer pair.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	config := &tls.Config{Certificates: pair.TLS.Certificates, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1", "acme-tls/1"}}
	go func() { ended <- ServeTLS(ctx, ln, Handler(Options{}), config) }()
	roots := x509.NewCertPool()
	roots.AddCert(pair.Certificate())
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: version, MaxVersion: version}}}
		resp, err := client.Get("https://" + ln.Addr().String() + "/healthz")
		if (err == nil) != want {
			t.Errorf("TLS %x: %v", version, err)
		}
		if err == nil {
			if resp.Proto != "HTTP/2.0" {
				t.Errorf("spoken is %s", resp.Proto)
			}
			resp.Body.Close()
		}
		client.CloseIdleConnections()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestManyTokensAreNoMoreThanTheirPerson(t *testing.T) {
	l := limits{now: func() time.Time { return time.Time{}.AddDate(2026, 0, 0) }}
	a := people.NewAccess("ada", nil, nil)
	a.Person = 1
	var wait time.Duration
	for i := range personAtOnce + 10 {
		of := *a
		of.Token = int64(1 + i%20)
		wait = max(wait, l.take(&of))
	}
	if wait == 0 {
		t.Error("twenty tokens may ask for twenty times as much")
	}
}

func TestWhoeverAsksForTooManyPagesIsToldToWait(t *testing.T) {
	s := newSite(t, owner)
	s.stopClock()
	for range personAtOnce + 20 {
		if w := get(s.handler, "/check"); w.Code == http.StatusTooManyRequests {
			if w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "Too much at once") {
				t.Errorf("refused with %v: %.200s", w.Header(), w.Body)
			}
			return
		}
	}
	t.Error("nothing is refused")
}
