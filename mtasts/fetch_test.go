package mtasts_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/fetch"
	"github.com/gatepost-mail/gatepost/internal/fetch/fetchtest"
	"github.com/gatepost-mail/gatepost/mtasts"
)

const policy = "version: STSv1\r\nmode: enforce\r\nmx: mx.example.com\r\nmax_age: 604800\r\n"

// file answers as a web server does that has one file.
func file(status int, mediaType, text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/mta-sts.txt" || r.Method != http.MethodGet {
			status, text = http.StatusTeapot, ""
		}
		w.Header()["Content-Type"] = nil
		if mediaType != "" {
			w.Header().Set("Content-Type", mediaType)
		}
		w.WriteHeader(status)
		io.WriteString(w, text)
	})
}

// fetched gets the policy of example.com from a host.
func fetched(t *testing.T, h fetchtest.Host) (*mtasts.Fetched, error) {
	t.Helper()
	web := fetchtest.Start(t, map[string]fetchtest.Host{"mta-sts.example.com": h})
	return mtasts.Fetch(t.Context(), "example.com", mtasts.Options{Transport: fetch.New(web.Options())})
}

func TestAPolicyIsFetched(t *testing.T) {
	for _, mediaType := range []string{"text/plain", "text/plain; charset=utf-8", "TEXT/PLAIN"} {
		f, err := fetched(t, fetchtest.Host{Handler: file(200, mediaType, policy)})
		if err != nil || f.Policy.Mode != mtasts.Enforce || f.Text != policy || f.MediaType != "text/plain" || f.Status != 200 {
			t.Errorf("%s: %+v, %v", mediaType, f, err)
		}
	}
}

func TestAPolicyOfAnotherMediaTypeIsGivenWithIt(t *testing.T) {
	for _, mediaType := range []string{"application/octet-stream", "text/html", ""} {
		f, err := fetched(t, fetchtest.Host{Handler: file(200, mediaType, policy)})
		if err != nil || f.Policy == nil || f.MediaType != mediaType {
			t.Errorf("%s: %+v, %v", mediaType, f, err)
		}
	}
}

func TestAnAnswerThatIsWrongIsAFaultThatDoesNotPass(t *testing.T) {
	redirect := http.RedirectHandler("https://www.example.com/mta-sts.txt", http.StatusMovedPermanently)
	for what, c := range map[string]struct {
		host  fetchtest.Host
		fault mtasts.Fault
		says  string
	}{
		"expired":                {fetchtest.Host{Certificate: fetchtest.Expired}, mtasts.FaultCertificate, "expired"},
		"not yet valid":          {fetchtest.Host{Certificate: fetchtest.NotYet}, mtasts.FaultCertificate, "not yet valid"},
		"another name":           {fetchtest.Host{Certificate: fetchtest.OtherName}, mtasts.FaultCertificate, "other.example.com"},
		"self-signed":            {fetchtest.Host{Certificate: fetchtest.SelfSigned}, mtasts.FaultCertificate, "unknown authority"},
		"no chain":               {fetchtest.Host{Certificate: fetchtest.NoChain}, mtasts.FaultCertificate, "unknown authority"},
		"redirect":               {fetchtest.Host{Handler: redirect}, mtasts.FaultRedirect, "301 Moved Permanently to \"https://www.example.com/mta-sts.txt\""},
		"not there":              {fetchtest.Host{Handler: file(404, "text/plain", policy)}, mtasts.FaultStatus, "404 Not Found"},
		"another 2xx":            {fetchtest.Host{Handler: file(203, "text/plain", policy)}, mtasts.FaultStatus, "203"},
		"not implemented":        {fetchtest.Host{Handler: file(501, "text/plain", policy)}, mtasts.FaultStatus, "501"},
		"too large":              {fetchtest.Host{Handler: file(200, "text/plain", strings.Repeat("x: y\n", 20000))}, mtasts.FaultSize, "65536"},
		"a page":                 {fetchtest.Host{Handler: file(200, "text/html", "<html>")}, mtasts.FaultMediaType, "text/html"},
		"a policy with an error": {fetchtest.Host{Handler: file(200, "text/plain", "version: STSv1\n")}, mtasts.FaultSyntax, "mode is missing"},
	} {
		f, err := fetched(t, c.host)
		var e *mtasts.FetchError
		if !errors.As(err, &e) || e.Fault != c.fault || e.Temporary || !strings.Contains(err.Error(), c.says) || f.Policy != nil {
			t.Errorf("%s: %+v, %v, want %s", what, f, err, c.fault)
		}
	}
}

func TestAServerThatIsBusyOrErredIsAFaultThatMayPass(t *testing.T) {
	for _, status := range []int{408, 425, 429, 500, 502, 503, 504, 520} {
		_, err := fetched(t, fetchtest.Host{Handler: file(status, "text/plain", "")})
		var e *mtasts.FetchError
		if !errors.As(err, &e) || e.Fault != mtasts.FaultStatus || !e.Temporary || e.Status != status {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// answering is a transport that fails.
type answering struct{ err error }

func (a answering) RoundTrip(*http.Request) (*http.Response, error) { return nil, a.err }

func TestAServerThatCannotBeReachedIsAFaultThatMayPassUnlessItHasNoAddress(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	alert := &net.OpError{Op: "remote error", Err: errors.New("tls: unrecognized name")}
	for _, c := range []struct {
		err       error
		fault     mtasts.Fault
		temporary bool
	}{
		{&dns.Error{Name: "mta-sts.example.com", Type: dns.TypeA, Kind: dns.ErrNXDomain}, mtasts.FaultHost, false},
		{&dns.Error{Name: "mta-sts.example.com", Type: dns.TypeA, Kind: dns.ErrNoData}, mtasts.FaultHost, false},
		{&dns.Error{Name: "mta-sts.example.com", Type: dns.TypeA, Kind: dns.ErrServFail}, mtasts.FaultDNS, true},
		{&dns.Error{Name: "mta-sts.example.com", Type: dns.TypeA, Kind: dns.ErrTimeout}, mtasts.FaultDNS, true},
		{&net.DNSError{IsNotFound: true}, mtasts.FaultHost, false},
		{&net.DNSError{IsTimeout: true}, mtasts.FaultDNS, true},
		{refused, mtasts.FaultConnection, true},
		{io.ErrUnexpectedEOF, mtasts.FaultConnection, true},
		{context.Canceled, mtasts.FaultConnection, true},
		{context.DeadlineExceeded, mtasts.FaultTimeout, true},
		{alert, mtasts.FaultTLS, false},
		{http.ErrSchemeMismatch, mtasts.FaultTLS, false},
	} {
		_, err := mtasts.Fetch(t.Context(), "example.com", mtasts.Options{Transport: answering{c.err}})
		var e *mtasts.FetchError
		if !errors.As(err, &e) || e.Fault != c.fault || e.Temporary != c.temporary || !errors.Is(err, c.err) {
			t.Errorf("%v: %v", c.err, err)
		}
	}
}

func TestASlowServerIsAFaultThatMayPass(t *testing.T) {
	wait := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for what, handler := range map[string]http.HandlerFunc{
		"header": wait,
		"body": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, policy[:20])
			w.(http.Flusher).Flush()
			wait(w, r)
		},
	} {
		web := fetchtest.Start(t, map[string]fetchtest.Host{"mta-sts.example.com": {Handler: handler}})
		for who, limit := range map[string][2]time.Duration{"ours": {200 * time.Millisecond, time.Hour}, "the transport's": {time.Hour, 200 * time.Millisecond}} {
			o := web.Options()
			o.Timeout = limit[1]
			f, err := mtasts.Fetch(t.Context(), "example.com", mtasts.Options{Transport: fetch.New(o), Timeout: limit[0]})
			var e *mtasts.FetchError
			if !errors.As(err, &e) || e.Fault != mtasts.FaultTimeout || !e.Temporary || f.Policy != nil {
				t.Errorf("%s, %s: %+v, %v", what, who, f, err)
			}
		}
	}
}

func TestNoRedirectIsFollowedToAPolicy(t *testing.T) {
	web := fetchtest.Start(t, map[string]fetchtest.Host{
		"mta-sts.example.com": {Handler: http.RedirectHandler("https://www.example.com/.well-known/mta-sts.txt", http.StatusFound)},
		"www.example.com":     {Handler: file(200, "text/plain", policy)},
	})
	f, err := mtasts.Fetch(t.Context(), "example.com", mtasts.Options{Transport: fetch.New(web.Options())})
	if err == nil || f.Policy != nil || len(web.Dialled()) != 1 {
		t.Errorf("%+v, %v; %d connections", f, err, len(web.Dialled()))
	}
}
