package https

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/certfile/certtest"
)

func serial(t *testing.T, config *tls.Config) int64 {
	t.Helper()
	c, err := config.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return parsed.SerialNumber.Int64()
}

func TestACertificateInFilesIsReadAgainWhenItChanges(t *testing.T) {
	dir := t.TempDir()
	cert, key := certtest.Write(t, dir, 1, "localhost", "127.0.0.1")
	h, err := New(Options{CertFile: cert, KeyFile: key})
	if err != nil {
		t.Fatal(err)
	}
	if got := serial(t, h.TLS()); got != 1 || h.Trouble() != nil {
		t.Errorf("serial %d, %v", got, h.Trouble())
	}
	certtest.Write(t, dir, 2, "localhost", "127.0.0.1")
	for end := time.Now().Add(10 * time.Second); serial(t, h.TLS()) != 2; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the new certificate is not taken up")
		}
	}
	if h.TLS().MinVersion != tls.VersionTLS12 || h.TLS().NextProtos[0] != "h2" {
		t.Errorf("TLS is %+v", h.TLS())
	}
}

func TestAPairThatIsNoneIsAnErrorAtTheStart(t *testing.T) {
	_, err := New(Options{CertFile: "none.pem", KeyFile: "none.key"})
	if err == nil || !strings.Contains(err.Error(), "none.pem") {
		t.Errorf("got %v", err)
	}
	if _, err := New(Options{ACME: &ACME{Host: "gatepost.example.org", CAFile: "none.pem", Storage: t.TempDir()}}); err == nil {
		t.Error("a ca_file that is not there is no error")
	}
}

func TestHTTPLeadsToTheURLAndNowhereElse(t *testing.T) {
	cert, key := certtest.Write(t, t.TempDir(), 1, "localhost", "127.0.0.1")
	h, err := New(Options{CertFile: cert, KeyFile: key})
	if err != nil {
		t.Fatal(err)
	}
	plain := h.Plain(func() string { return "https://gatepost.example.org" })
	for target, want := range map[string]string{
		"/":                           "https://gatepost.example.org/",
		"/domains?days=7":             "https://gatepost.example.org/domains?days=7",
		"//evil.example/x":            "https://gatepost.example.org//evil.example/x",
		"/a%2F..%2Fb":                 "https://gatepost.example.org/a%2F..%2Fb",
		"http://evil.example/domains": "https://gatepost.example.org/domains",
		"http://evil.example":         "https://gatepost.example.org/",
		"/\\evil.example":             "https://gatepost.example.org/%5Cevil.example",
		"/@evil.example":              "https://gatepost.example.org/@evil.example",
	} {
		r := httptest.NewRequest("GET", target, nil)
		r.Host = "evil.example"
		w := httptest.NewRecorder()
		plain.ServeHTTP(w, r)
		if got := w.Header().Get("Location"); got != want || w.Code != http.StatusPermanentRedirect {
			t.Errorf("%s: %d, %q, want %q", target, w.Code, got, want)
		}
	}
	w := httptest.NewRecorder()
	plain.ServeHTTP(w, httptest.NewRequest("POST", "/sign-in", strings.NewReader("password=x")))
	if w.Code != http.StatusForbidden || w.Header().Get("Location") != "" {
		t.Errorf("a password that was sent in the clear: %d", w.Code)
	}
}

func TestWhatCertmagicSaysStandsInOurLogALevelLower(t *testing.T) {
	var out strings.Builder
	log := logger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo}))).Named("x")
	log.Info("chatter")
	log.With().Warn("a warning")
	log.Error("an error")
	got := out.String()
	if strings.Contains(got, "chatter") || !strings.Contains(got, `level=INFO msg="certificate: a warning"`) || !strings.Contains(got, `level=WARN msg="certificate: an error"`) {
		t.Error(got)
	}
}

func TestAFailureIsToldWithWhatToDoAndEndsWithACertificate(t *testing.T) {
	var out strings.Builder
	h, err := New(Options{Log: slog.New(slog.NewTextHandler(&out, nil)), ACME: &ACME{Host: "gatepost.example.org", Storage: t.TempDir(), HTTPPort: 80, TLSPort: 443}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.acme.cache.Stop()
	h.event(context.Background(), "cert_failed", map[string]any{"error": errors.New("no such name"), "renewal": false})
	if got := out.String(); !strings.Contains(got, "no such name") || !strings.Contains(got, "port 80 must lead to web.tls.redirect") || h.Trouble() == nil {
		t.Errorf("%s, trouble %v", got, h.Trouble())
	}
	h.event(context.Background(), "cert_obtained", nil)
	if h.Trouble() != nil {
		t.Errorf("trouble %v", h.Trouble())
	}
}
