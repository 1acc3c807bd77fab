package stscheck_test

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/fetch"
	"github.com/gatepost-mail/gatepost/internal/fetch/fetchtest"
)

const (
	zone = `
example.com. IN MX 10 mx.example.com.
mx.example.com. IN A 192.0.2.1
_mta-sts.example.com. IN TXT "v=STSv1; id=1;"
_smtp._tls.example.com. IN TXT "v=TLSRPTv1; rua=mailto:tls@example.com"
`
	policy = "version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 1209600\n"
)

func says(status int, text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(status)
		io.WriteString(w, text)
	})
}

// audited is what an audit says of MTA-STS where the web server of the policy is this.
func audited(t *testing.T, hosts map[string]fetchtest.Host, timeout time.Duration) []audit.Finding {
	t.Helper()
	names, err := dns.ParseZone(strings.NewReader(zone), "zone")
	if err != nil {
		t.Fatal(err)
	}
	o := fetchtest.Start(t, hosts).Options()
	o.Timeout = timeout
	r := audit.Run(context.Background(), "example.com", facts.Options{Resolver: names, Web: fetch.New(o)})
	return slices.DeleteFunc(r.Findings, func(f audit.Finding) bool { return f.Area != facts.STS })
}

func TestWhatKeptThePolicyFromUsIsSaid(t *testing.T) {
	wait := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for what, c := range map[string]struct {
		host     fetchtest.Host
		id, says string
	}{
		"a good one":    {fetchtest.Host{Handler: says(200, policy)}, "", ""},
		"expired":       {fetchtest.Host{Certificate: fetchtest.Expired}, "mta-sts-policy-not-fetched", "certificate"},
		"another name":  {fetchtest.Host{Certificate: fetchtest.OtherName}, "mta-sts-policy-not-fetched", "other.example.com"},
		"no chain":      {fetchtest.Host{Certificate: fetchtest.NoChain}, "mta-sts-policy-not-fetched", "certificate"},
		"redirect":      {fetchtest.Host{Handler: http.RedirectHandler("https://www.example.com/", http.StatusFound)}, "mta-sts-policy-not-fetched", "redirect"},
		"forbidden":     {fetchtest.Host{Handler: says(403, policy)}, "mta-sts-policy-not-fetched", "403 Forbidden"},
		"not there":     {fetchtest.Host{Handler: says(404, policy)}, "mta-sts-without-policy", "404 Not Found"},
		"too large":     {fetchtest.Host{Handler: says(200, strings.Repeat("x: y\n", 20000))}, "mta-sts-policy-not-fetched", "size"},
		"private":       {fetchtest.Host{Handler: says(200, policy), Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}, "mta-sts-without-policy", "10.0.0.1"},
		"unavailable":   {fetchtest.Host{Handler: says(503, policy)}, "mta-sts-unknown", "503"},
		"slow":          {fetchtest.Host{Handler: wait}, "mta-sts-unknown", "time-out"},
		"hangs up":      {fetchtest.Host{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })}, "mta-sts-unknown", "connection"},
		"no web server": {fetchtest.Host{}, "mta-sts-without-policy", "404"},
		"with an error": {fetchtest.Host{Handler: says(200, "version: STSv1\n")}, "mta-sts-policy-invalid", "mode is missing"},
		"a slow body": {fetchtest.Host{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, policy)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})}, "mta-sts-unknown", "time-out"},
		"another status": {fetchtest.Host{Handler: says(204, "")}, "mta-sts-policy-not-fetched", "204 No Content"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			timeout := 30 * time.Second
			if strings.HasPrefix(what, "slow") || what == "a slow body" {
				timeout = 200 * time.Millisecond
			}
			found := audited(t, map[string]fetchtest.Host{"mta-sts.example.com": c.host}, timeout)
			switch {
			case c.id == "" && len(found) > 0 || c.id != "" && (len(found) != 1 || found[0].ID != c.id || !strings.Contains(found[0].Detail, c.says)):
				t.Errorf("%+v\nwant %s with %q", found, c.id, c.says)
			}
		})
	}
}

func TestAWebServerWithoutANameIsAPolicyThatIsNotThere(t *testing.T) {
	if found := audited(t, nil, time.Minute); len(found) != 1 || found[0].ID != "mta-sts-without-policy" {
		t.Errorf("%+v", found)
	}
}
