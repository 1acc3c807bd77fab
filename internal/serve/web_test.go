package serve

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// look fetches a page, and gives its status and text; 0 where nobody answers.
func look(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Proto + " " + resp.Header.Get("Location") + "\n" + string(text)
}

func plainClient() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
}

func TestTheFirstUserComesInByALinkThatTheLogHas(t *testing.T) {
	address := freePort(t)
	r := prepare(t, fmt.Sprintf("[web]\nlisten = [%q]\n", address))
	r.start(t)
	link := regexp.MustCompile(`link=(http://\S+/welcome/\S+)`)
	eventually(t, r, "the link", func() bool { return link.MatchString(r.log.String()) })
	found := link.FindStringSubmatch(r.log.String())[1]
	if !strings.HasPrefix(found, "http://"+address+"/") {
		t.Errorf("the link is %s", found)
	}
	client := plainClient()
	eventually(t, r, "the dashboard", func() bool { status, _ := look(t, client, "http://"+address+"/healthz"); return status == 200 })
	if status, text := look(t, client, "http://"+address+"/domains"); status != http.StatusSeeOther || !strings.Contains(text, "/sign-in?to=%2Fdomains") {
		t.Errorf("who is not signed in gets %d %s", status, text)
	}
	if status, text := look(t, client, found); status != http.StatusOK || !strings.Contains(text, "Choose how you sign in") {
		t.Errorf("the link gives %d %s", status, text)
	}
	if status, text := look(t, client, "http://"+address+"/metrics"); status != http.StatusOK || !strings.Contains(text, `gatepost_web_requests_total{route="GET /domains",status="3xx"} 1`) {
		t.Errorf("the metrics are %d %s", status, text)
	}
}

func TestWhereNothingIsKeptThereIsOnlyTheState(t *testing.T) {
	address := freePort(t)
	r := prepare(t, fmt.Sprintf("store.enabled = false\n[web]\nlisten = [%q]\n", address))
	r.start(t)
	client := plainClient()
	eventually(t, r, "the page", func() bool { status, _ := look(t, client, "http://"+address+"/"); return status == 200 })
	if _, text := look(t, client, "http://"+address+"/"); !strings.Contains(text, "There is no dashboard: nothing is kept") {
		t.Error(text)
	}
	if status, _ := look(t, client, "http://"+address+"/sign-in"); status != http.StatusNotFound {
		t.Errorf("signing in: %d", status)
	}
}

func TestWatchersAndTheNameChangeWithAReload(t *testing.T) {
	address := freePort(t)
	web := fmt.Sprintf("[web]\nlisten = [%q]\n", address)
	r := prepare(t, web+"watchers = [\"192.0.2.1/32\"]\n")
	r.start(t)
	client := plainClient()
	status := func(path string) int { status, _ := look(t, client, "http://"+address+path); return status }
	eventually(t, r, "the dashboard", func() bool { return status("/healthz") == 200 })
	if got := status("/metrics"); got != http.StatusForbidden {
		t.Errorf("who is no watcher gets %d", got)
	}
	r.write(t, web)
	if err := r.control().Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := status("/metrics"); got != http.StatusOK {
		t.Errorf("a watcher gets %d", got)
	}
	if strings.Contains(r.log.String(), "changes only when gatepost is started again") {
		t.Error(r.log)
	}
}

func TestADashboardThatOthersCouldListenToIsWarnedOf(t *testing.T) {
	_, port, err := net.SplitHostPort(freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	r := prepare(t, fmt.Sprintf("[web]\nlisten = [\"0.0.0.0:%s\"]\n", port))
	r.start(t)
	if !strings.Contains(r.log.String(), "passwords and sessions of the dashboard can be read") {
		t.Error(r.log)
	}
}

// writeCertificate writes a certificate for example.com, with its key, and gives what trusts it.
func (r *running) writeCertificate(t *testing.T) *x509.CertPool {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pair := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "key.pem": {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(filepath.Join(r.dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return roots
}

func TestHTTPSIsSpokenByAFileAndHTTPLeadsThere(t *testing.T) {
	secure, plain := freePort(t), freePort(t)
	_, port, _ := net.SplitHostPort(secure)
	r := prepare(t, fmt.Sprintf("[web]\nlisten = [%q]\nurl = \"https://example.com:%s\"\n[web.tls]\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\nredirect = [%q]\n", secure, port, plain))
	if err := Check(Options{Path: r.config, Log: r.log}); err == nil || !strings.Contains(err.Error(), "web.tls") {
		t.Errorf("a certificate that is not there: %v", err)
	}
	roots := r.writeCertificate(t)
	if err := Check(Options{Path: r.config, Log: r.log}); err != nil {
		t.Error(err)
	}
	r.start(t)
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", secure)
		},
	}}
	url := "https://example.com:" + port
	eventually(t, r, "HTTPS", func() bool { status, _ := look(t, client, url+"/healthz"); return status == 200 })
	if status, text := look(t, client, url+"/sign-in"); status != 200 || !strings.HasPrefix(text, "HTTP/2.0 ") {
		t.Errorf("%d %s", status, text)
	}
	if status, text := look(t, client, url+"/readyz"); status != 200 || !strings.Contains(text, `"https"`) {
		t.Errorf("%d %s", status, text)
	}
	eventually(t, r, "the redirect", func() bool {
		status, text := look(t, plainClient(), "http://"+plain+"/domains?days=7")
		return status == http.StatusPermanentRedirect && strings.Contains(text, url+"/domains?days=7")
	})
	if status, _ := look(t, plainClient(), "http://"+secure+"/sign-in"); status == 200 {
		t.Error("what is meant for HTTPS is had by HTTP")
	}
	client.CloseIdleConnections()
}

func TestMailDoesNotDependOnACertificate(t *testing.T) {
	address := freePort(t)
	r := prepare(t, fmt.Sprintf("[web]\nlisten = [%q]\n[web.tls]\ncert_file = \"none.pem\"\nkey_file = \"none.pem\"\n", address))
	r.start(t)
	eventually(t, r, "the complaint", func() bool { return strings.Contains(r.log.String(), "HTTPS cannot be spoken") })
	if reply := r.deliver(t); reply == "" {
		t.Error("the gate does not judge")
	}
	if status, _ := look(t, plainClient(), "http://"+address+"/healthz"); status != 0 {
		t.Errorf("something answers: %d", status)
	}
	s, err := r.control().Status(context.Background())
	if err != nil || !strings.Contains(strings.Join(s.Problems, "\n"), "https: ") {
		t.Errorf("the status is %v, %v", s.Problems, err)
	}
}
