package facts

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
)

// local sends all requests to one server, whatever host they name.
type local struct {
	server *httptest.Server
	trust  bool // its certificate
}

func (l local) RoundTrip(r *http.Request) (*http.Response, error) {
	at, err := url.Parse(l.server.URL)
	if err != nil {
		return nil, err
	}
	there := r.Clone(r.Context())
	there.URL.Host = at.Host
	web := http.DefaultTransport
	if l.trust {
		web = l.server.Client().Transport
	}
	answer, err := web.RoundTrip(there)
	if answer != nil {
		answer.Request = r
	}
	return answer, err
}

func gatherLogo(t *testing.T, web http.RoundTripper) *Facts {
	t.Helper()
	zone, err := dns.ParseZone(strings.NewReader(`default._bimi.example.com. IN TXT "v=BIMI1; l=https://example.com/logo.svg; a="`), "test.zone")
	if err != nil {
		t.Fatal(err)
	}
	return Gather(context.Background(), "example.com", Options{Resolver: zone, Web: web, Few: true})
}

// What is certain is a fault of the domain's; what may be otherwise the next time is not known.
func TestWhatAWebServerSaysOfALogo(t *testing.T) {
	for _, c := range []struct {
		what    string
		serve   http.HandlerFunc
		had     bool
		certain bool
	}{
		{"the file", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<svg/>")) }, true, false},
		{"an empty file", func(http.ResponseWriter, *http.Request) {}, true, false},
		{"not found", http.NotFound, false, true},
		{"not allowed", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, false, true},
		{"in trouble", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, false, false},
		{"too often", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, false, false},
		{"hung up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, false},
		{"without end", func(w http.ResponseWriter, _ *http.Request) {
			for range 4 * mostFetched / 1024 {
				_, _ = w.Write(make([]byte, 1024))
			}
		}, false, true},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/logo.svg" {
				http.Redirect(w, r, "https://www.example.com/other.svg", http.StatusFound)
			}
		}, true, false},
		{"elsewhere, by http", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://example.com/logo.svg", http.StatusFound)
		}, false, true},
		{"to a file", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, false, true},
		{"in circles", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://example.com/logo.svg", http.StatusFound)
		}, false, true},
	} {
		server := httptest.NewTLSServer(c.serve)
		b := gatherLogo(t, local{server, true})
		server.Close()
		if b.BIMI.Logo.Had != c.had || (b.BIMI.Logo.Err != nil) != c.certain || b.Unknown(BIMI) == (c.had || c.certain) {
			t.Errorf("%s: had %v, for certain %v, failures %v", c.what, b.BIMI.Logo.Had, b.BIMI.Logo.Err, b.Failures)
		}
	}
}

func TestAWebServerWithABadCertificateHasNoLogo(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = nil
	server.StartTLS()
	defer server.Close()
	f := gatherLogo(t, local{server, false})
	if f.BIMI.Logo.Err == nil || f.Unknown(BIMI) {
		t.Errorf("got %v, failures %v", f.BIMI.Logo.Err, f.Failures)
	}
}

func TestNothingIsSaidOfALogoThatWasNotFetched(t *testing.T) {
	f := gatherLogo(t, nil)
	if b := &f.BIMI; b.Record == nil || b.Logo.Had || b.Logo.Err != nil || b.LogoFaults != nil || f.Unknown(BIMI) {
		t.Errorf("got %+v", b)
	}
}

// Where a URL is none of https, nobody is asked.
func TestOnlyHTTPSIsAsked(t *testing.T) {
	g := &gatherer{f: &Facts{Options: &Options{Web: refusing{}}}}
	for _, address := range []string{"", "http://example.com/a", "file:///etc/passwd", "gopher://example.com", "https://", "https://user@example.com/", "//example.com/"} {
		if f := g.fetch(context.Background(), BIMI, "logo", address); f.URL != "" || f.Had || f.Err != nil {
			t.Errorf("%q: %+v", address, f)
		}
	}
	if len(g.f.Failures) > 0 {
		t.Errorf("something was asked: %v", g.f.Failures)
	}
}

type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("refused") }
