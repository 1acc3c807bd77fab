package fetch_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/fetch"
	"github.com/gatepost-mail/gatepost/internal/fetch/fetchtest"
)

func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })
}

// get gives the status, or the error of the request or of its body.
func get(t *testing.T, web http.RoundTripper, url string) (string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := web.RoundTrip(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return fmt.Sprintf("%d %s %.40s", answer.StatusCode, answer.Proto, body), err
}

func addrs(all ...string) []netip.Addr {
	var parsed []netip.Addr
	for _, a := range all {
		parsed = append(parsed, netip.MustParseAddr(a))
	}
	return parsed
}

func TestAFileIsFetchedByHTTP2AndHTTP1(t *testing.T) {
	web := fetchtest.Start(t, map[string]fetchtest.Host{
		"www.example.com": {Handler: says("here"), Addrs: addrs("192.0.2.1", "2001:db8::1")},
	})
	if got, err := get(t, fetch.New(web.Options()), "https://www.example.com/"); got != "200 HTTP/2.0 here" {
		t.Errorf("%s, %v", got, err)
	}
	o := web.Options()
	dial := o.Dial
	o.Dial = func(ctx context.Context, network string, address netip.AddrPort) (net.Conn, error) {
		if address.Addr().Is4() {
			return nil, errors.New("no way there")
		}
		return dial(ctx, network, address)
	}
	if got, err := get(t, fetch.New(o), "https://www.example.com:443/"); got != "200 HTTP/2.0 here" {
		t.Errorf("by the second address: %s, %v", got, err)
	}
	old := fetchtest.Start(t, map[string]fetchtest.Host{"www.example.com": {Handler: says("here")}})
	old.OnlyHTTP1()
	if got, err := get(t, fetch.New(old.Options()), "https://www.example.com/"); got != "200 HTTP/1.1 here" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestNothingGoesToAnAddressThatIsNotOfTheInternet(t *testing.T) {
	hosts := map[string]fetchtest.Host{}
	for i, ip := range []string{"127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0", "::1", "fd00::1", "fe80::1", "::ffff:127.0.0.1",
		"64:ff9b::7f00:1"} {
		hosts[fmt.Sprintf("h%d.example", i)] = fetchtest.Host{Handler: says("secret"), Addrs: addrs(ip)}
	}
	web := fetchtest.Start(t, hosts)
	urls := []string{"https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/", "https://[fe80::1%25eth0]/", "https://169.254.169.254/latest/meta-data"}
	for host := range hosts {
		urls = append(urls, "https://"+host+"/")
	}
	for _, url := range urls {
		var refused *fetch.Refused
		if got, err := get(t, fetch.New(web.Options()), url); !errors.As(err, &refused) {
			t.Errorf("%s: %q, %v", url, got, err)
		}
	}
	if all := web.Dialled(); len(all) > 0 {
		t.Errorf("%v were connected to", all)
	}

	o := web.Options()
	o.AllowPrivate = true
	if got, err := get(t, fetch.New(o), "https://h0.example:8443/"); got == "" {
		t.Errorf("though it was allowed: %v", err)
	}
}

func TestOfSeveralAddressesOnlyThoseOfTheInternetAreTried(t *testing.T) {
	web := fetchtest.Start(t, map[string]fetchtest.Host{"www.example.com": {Handler: says("here"), Addrs: addrs("127.0.0.1", "10.0.0.1", "192.0.2.7")}})
	if got, err := get(t, fetch.New(web.Options()), "https://www.example.com/"); got == "" {
		t.Error(err)
	}
	if all := web.Dialled(); len(all) != 1 || all[0] != netip.MustParseAddrPort("192.0.2.7:443") {
		t.Errorf("%v were connected to", all)
	}
}

// rebinding gives another address each time it is asked.
type rebinding struct{ asked atomic.Int32 }

func (r *rebinding) Lookup(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
	if typ != dns.TypeA {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrNoData}
	}
	if r.asked.Add(1)%2 == 1 {
		return dns.Answer{Name: name, Addrs: addrs("192.0.2.1")}, nil
	}
	return dns.Answer{Name: name, Addrs: addrs("127.0.0.1")}, nil
}

func TestANameThatChangesItsAddressLeadsNowhereElse(t *testing.T) {
	web := fetchtest.Start(t, map[string]fetchtest.Host{"www.example.com": {Handler: says("here")}})
	o := web.Options()
	names := &rebinding{}
	o.Resolver = names
	for range 6 {
		get(t, fetch.New(o), "https://www.example.com/")
	}
	all := web.Dialled()
	if len(all) != 3 {
		t.Errorf("%d times something was connected to", len(all))
	}
	for _, address := range all {
		if address.Addr() != addrs("192.0.2.1")[0] {
			t.Errorf("%s was connected to", address)
		}
	}
	if n := names.asked.Load(); n != 6 {
		t.Errorf("%d look-ups for 6 connections", n)
	}
}

func TestOnlyHTTPSAtItsPortIsSpoken(t *testing.T) {
	web := fetchtest.Start(t, map[string]fetchtest.Host{"www.example.com": {Handler: says("here")}})
	for _, url := range []string{"http://www.example.com/", "https://www.example.com:25/", "https://user:word@www.example.com/", "ftp://www.example.com/"} {
		if got, err := get(t, fetch.New(web.Options()), url); err == nil {
			t.Errorf("%s: %s", url, got)
		}
	}
	if all := web.Dialled(); len(all) > 0 {
		t.Errorf("%v were connected to", all)
	}
}

func TestNoProxyOfTheEnvironmentIsAsked(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://203.0.113.9:3128")
	t.Setenv("ALL_PROXY", "http://203.0.113.9:3128")
	web := fetchtest.Start(t, map[string]fetchtest.Host{"www.example.com": {Handler: says("here")}})
	if got, err := get(t, fetch.New(web.Options()), "https://www.example.com/"); got == "" {
		t.Error(err)
	}
	if all := web.Dialled(); len(all) != 1 || all[0] != netip.MustParseAddrPort("192.0.2.1:443") {
		t.Errorf("%v were connected to", all)
	}
}

func TestARedirectIsFollowedOnlyWhereItIsAllowedAndEachHopIsLookedAt(t *testing.T) {
	to := func(url string) http.Handler { return http.RedirectHandler(url, http.StatusFound) }
	web := fetchtest.Start(t, map[string]fetchtest.Host{
		"www.example.com":   {Handler: says("here")},
		"one.example.com":   {Handler: to("https://www.example.com/")},
		"two.example.com":   {Handler: to("https://one.example.com/")},
		"in.example.com":    {Handler: to("https://inside.example.net/")},
		"plain.example.com": {Handler: to("http://www.example.com/")},
		"inside.example.net": {
			Handler: says("secret"), Addrs: addrs("10.0.0.1")},
	})
	transport := fetch.New(web.Options())
	if got, err := get(t, transport, "https://one.example.com/"); !strings.HasPrefix(got, "302 ") {
		t.Errorf("%s, %v", got, err)
	}
	for url, want := range map[string]string{
		"https://one.example.com/": "here", "https://two.example.com/": "", "https://in.example.com/": "", "https://plain.example.com/": "",
	} {
		answer, err := fetch.Client(transport, 1).Get(url)
		got := ""
		if err == nil {
			body, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			got = string(body)
		}
		if got != want {
			t.Errorf("%s: %q, %v, want %q", url, got, err, want)
		}
	}
	for _, address := range web.Dialled() {
		if address.Addr() != addrs("192.0.2.1")[0] || address.Port() != 443 {
			t.Errorf("%s was connected to", address)
		}
	}
}

func TestACertificateThatIsNotGoodIsRefused(t *testing.T) {
	for _, bad := range []fetchtest.Certificate{fetchtest.Expired, fetchtest.NotYet, fetchtest.OtherName, fetchtest.SelfSigned, fetchtest.NoChain} {
		web := fetchtest.Start(t, map[string]fetchtest.Host{"www.example.com": {Handler: says("here"), Certificate: bad}})
		var verification *tls.CertificateVerificationError
		if got, err := get(t, fetch.New(web.Options()), "https://www.example.com/"); !errors.As(err, &verification) {
			t.Errorf("%s: %s, %v", bad, got, err)
		}
	}
}

func TestThereAreBoundsOfSize(t *testing.T) {
	web := fetchtest.Start(t, map[string]fetchtest.Host{
		"exact.example": {Handler: says(strings.Repeat("x", 1000))},
		"more.example":  {Handler: says(strings.Repeat("x", 1001))},
		"endless.example": {Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat("x", 4096)); err != nil {
					return
				}
			}
		})},
		"header.example": {Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for i := range 100 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 1000))
			}
		})},
	})
	o := web.Options()
	o.BodyBytes = 1000
	transport := fetch.New(o)
	if got, err := get(t, transport, "https://exact.example/"); err != nil {
		t.Errorf("%s, %v", got, err)
	}
	for _, url := range []string{"https://more.example/", "https://endless.example/"} {
		var large *fetch.TooLarge
		if got, err := get(t, transport, url); !errors.As(err, &large) {
			t.Errorf("%s: %s, %v", url, got, err)
		}
	}
	if got, err := get(t, transport, "https://header.example/"); err == nil {
		t.Errorf("a header of 100 KB: %s", got)
	}
}

func TestThereIsABoundOfTime(t *testing.T) {
	wait := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	web := fetchtest.Start(t, map[string]fetchtest.Host{
		"header.example": {Handler: http.HandlerFunc(wait)},
		"body.example": {Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "version: ")
			w.(http.Flusher).Flush()
			wait(w, r)
		})},
	})
	o := web.Options()
	o.Timeout = 200 * time.Millisecond
	for _, url := range []string{"https://header.example/", "https://body.example/"} {
		var late net.Error
		if got, err := get(t, fetch.New(o), url); !errors.As(err, &late) || !late.Timeout() || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %s, %v", url, got, err)
		}
	}
}

func TestAFailureOfDNSIsToldAsOne(t *testing.T) {
	web := fetchtest.Start(t, nil)
	if _, err := get(t, fetch.New(web.Options()), "https://www.example.com/"); !errors.Is(err, dns.ErrNXDomain) {
		t.Error(err)
	}
	o := web.Options()
	o.Resolver = broken{}
	if _, err := get(t, fetch.New(o), "https://www.example.com/"); !errors.Is(err, dns.ErrServFail) {
		t.Error(err)
	}
}

type broken struct{}

func (broken) Lookup(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
	if typ == dns.TypeA {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrServFail}
	}
	return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrNoData}
}

func TestNobodyGoesOnConnectingOnceTheTimeIsUp(t *testing.T) {
	web := fetchtest.Start(t, map[string]fetchtest.Host{"www.example.com": {Handler: says("here")}})
	o := web.Options()
	o.Timeout = 100 * time.Millisecond
	ended := make(chan struct{})
	o.Dial = func(ctx context.Context, _ string, _ netip.AddrPort) (net.Conn, error) {
		defer close(ended)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if got, err := get(t, fetch.New(o), "https://www.example.com/"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%s, %v", got, err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("it is still being connected")
	}
}
