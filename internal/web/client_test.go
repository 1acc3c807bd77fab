package web

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/metrics"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// bordered is a handler with settings.
func bordered(c *config.Web, log io.Writer) http.Handler {
	return Handler(Options{Metrics: metrics.New().Handler(), Settings: func() *config.Web { return c }, Log: slog.New(slog.NewTextHandler(log, nil))})
}

func askAs(h http.Handler, from, host, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	r.RemoteAddr, r.Host = from, host
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestMetricsAreForWatchersWhoeverHandsTheRequestOn(t *testing.T) {
	proxy := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	office := append(loopback[:2:2], netip.MustParsePrefix("192.0.2.0/24"))
	for name, c := range map[string]struct {
		web    config.Web
		from   string
		header []string
		status int
		says   string
	}{
		"this host":                               {config.Web{Watchers: loopback}, "127.0.0.1:9", nil, 200, ""},
		"this host, by IPv6":                      {config.Web{Watchers: loopback}, "[::1]:9", nil, 200, ""},
		"a stranger":                              {config.Web{Watchers: loopback}, "192.0.2.7:9", nil, 403, "web.watchers"},
		"the office":                              {config.Web{Watchers: office}, "192.0.2.7:9", nil, 200, ""},
		"a stranger who says that he is here":     {config.Web{Watchers: loopback}, "203.0.113.7:9", []string{"X-Forwarded-For", "127.0.0.1"}, 403, "web.trusted_proxies"},
		"a proxy here that nobody named":          {config.Web{Watchers: loopback}, "127.0.0.1:9", []string{"X-Forwarded-For", "203.0.113.7"}, 403, "web.trusted_proxies"},
		"one that says so otherwise":              {config.Web{Watchers: loopback}, "127.0.0.1:9", []string{"Via", "1.1 proxy"}, 403, "web.trusted_proxies"},
		"a proxy that is named, for a stranger":   {config.Web{Watchers: loopback, TrustedProxies: proxy}, "127.0.0.1:9", []string{"X-Forwarded-For", "203.0.113.7"}, 403, "203.0.113.7"},
		"a stranger who writes the header before": {config.Web{Watchers: loopback, TrustedProxies: proxy}, "127.0.0.1:9", []string{"X-Forwarded-For", "::1, 203.0.113.7"}, 403, "203.0.113.7"},
		"a proxy that is named, for the office":   {config.Web{Watchers: office, TrustedProxies: proxy}, "127.0.0.1:9", []string{"X-Forwarded-For", "192.0.2.7"}, 200, ""},
	} {
		h := bordered(&c.web, io.Discard)
		for _, path := range []string{"/metrics", "/readyz"} {
			w := askAs(h, c.from, "127.0.0.1:8080", path, c.header...)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("%s: %s: %d %s, want %d and %q", name, path, w.Code, w.Body, c.status, c.says)
			}
		}
		if w := askAs(h, c.from, "anything", "/healthz", c.header...); w.Code != 200 {
			t.Errorf("%s: /healthz: %d", name, w.Code)
		}
	}
}

func TestANameThatIsNotOursIsRefused(t *testing.T) {
	for _, c := range []struct {
		url, host string
		ours      bool
	}{
		{"", "127.0.0.1:8080", true},
		{"", "[::1]:8080", true},
		{"", "192.0.2.1", true}, // nobody can have an address lead elsewhere
		{"", "localhost:8080", true},
		{"", "LOCALHOST.", true},
		{"", "gatepost.localhost:8080", true},
		{"", "rebound.example:8080", false},
		{"", "localhost.rebound.example", false},
		{"", "127.0.0.1.rebound.example", false},
		{"", "", false},
		{"https://gatepost.example.org", "gatepost.example.org", true},
		{"https://gatepost.example.org", "GATEPOST.example.org.:443", true},
		{"https://gatepost.example.org:8443", "gatepost.example.org:8443", true},
		{"https://gatepost.example.org", "127.0.0.1", true},
		{"https://gatepost.example.org", "example.org", false},
		{"https://gatepost.example.org", "gatepost.example.org.rebound.example", false},
	} {
		if got := knownAs(&config.Web{URL: c.url}, c.host); got != c.ours {
			t.Errorf("%q with web.url %q: %v", c.host, c.url, got)
		}
	}
	s := newSite(t, owner)
	s.handler = Handler(Options{Dashboard: s.desk, Door: s, Pages: s.pages, Settings: func() *config.Web { return &config.Web{} }})
	for _, path := range []string{"/domains", "/api/v1/domains", "/"} {
		if w := askAs(s.handler, "127.0.0.1:9", "rebound.example:8080", path); w.Code != http.StatusMisdirectedRequest || strings.Contains(w.Body.String(), "example.com") {
			t.Errorf("%s by a strange name: %d %s", path, w.Code, w.Body)
		}
	}
	if w := askAs(s.handler, "127.0.0.1:9", "localhost:8080", "/"); w.Code != http.StatusSeeOther {
		t.Errorf("by a name of ours: %d", w.Code)
	}
}

func TestAProxyThatNobodyNamedIsToldOfOnce(t *testing.T) {
	s := newSite(t, owner)
	var log bytes.Buffer
	s.handler = Handler(Options{Dashboard: s.desk, Door: s, Pages: s.pages, Settings: func() *config.Web { return &config.Web{} }, Log: slog.New(slog.NewTextHandler(&log, nil))})
	for range 3 {
		askAs(s.handler, "127.0.0.1:9", "localhost", "/", "X-Forwarded-For", "203.0.113.7")
	}
	if got := strings.Count(log.String(), "web.trusted_proxies"); got != 1 {
		t.Errorf("told %d times: %s", got, &log)
	}
}

func TestHTTPSIsPinnedOnlyWhereItIsSpoken(t *testing.T) {
	proxy := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		url, from, proto string
		want             bool
	}{
		{"https://gatepost.example.org", "10.0.0.1:9", "https", true},
		{"https://gatepost.example.org", "10.0.0.1:9", "http", false},
		{"https://gatepost.example.org", "192.0.2.1:9", "https", false},
		{"http://gatepost.example.org", "10.0.0.1:9", "https", false},
		{"", "10.0.0.1:9", "https", false},
	} {
		h := bordered(&config.Web{URL: c.url, TrustedProxies: proxy}, io.Discard)
		w := askAs(h, c.from, "gatepost.example.org", "/healthz", "X-Forwarded-Proto", c.proto)
		if got := w.Header().Get("Strict-Transport-Security") != ""; got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestWhoComesByASocketIsOfThisHost(t *testing.T) {
	h := bordered(&config.Web{Watchers: loopback}, io.Discard)
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.RemoteAddr, r.Host = "@", "localhost"
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.UnixAddr{Name: "web", Net: "unix"}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
