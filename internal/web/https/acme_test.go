package https

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/certfile/certtest"
	"github.com/gatepost-mail/gatepost/internal/dnstest"
	"github.com/gatepost-mail/gatepost/internal/testlog"
)

// An authority is Pebble, the ACME server that Let's Encrypt tests clients by. It looks for hosts on the ports that it is told, and asks
// our own DNS server where they are.
type authority struct{ directory, caFile string }

func startAuthority(t *testing.T, httpPort, tlsPort int) authority {
	t.Helper()
	pebble, err := exec.LookPath("pebble")
	if err != nil {
		t.Fatal("pebble is not there: run scripts/test-deps")
	}
	dir := t.TempDir()
	cert, key := certtest.Write(t, dir, 7, "localhost", "127.0.0.1")
	names := dnstest.Start(t, "gatepost.example.org. A 127.0.0.1")
	address, management := freeAddress(t), freeAddress(t)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": address, "managementListenAddress": management, "certificate": cert, "privateKey": key, "httpPort": httpPort, "tlsPort": tlsPort,
	}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(pebble, "-config", path, "-dnsserver", names.Addr)
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=20")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Log(out.String())
		}
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal("pebble does not start")
		}
	}
	return authority{"https://" + address + "/dir", cert}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln := listenHere(t)
	defer ln.Close()
	return ln.Addr().String()
}

func listenHere(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func portOf(t *testing.T, ln net.Listener) int {
	t.Helper()
	_, text, _ := net.SplitHostPort(ln.Addr().String())
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// serve serves until the test ends.
func serve(t *testing.T, ln net.Listener, h http.Handler, config *tls.Config) {
	server := &http.Server{Handler: h, TLSConfig: config, ErrorLog: log.New(io.Discard, "", 0)}
	t.Cleanup(func() { server.Close() })
	if config == nil {
		go server.Serve(ln)
		return
	}
	go server.ServeTLS(ln, "", "")
}

func TestACertificateIsHadOfAnAuthorityByItself(t *testing.T) {
	for _, way := range []string{"http", "tls"} {
		t.Run(way, func(t *testing.T) {
			plain, secure := listenHere(t), listenHere(t)
			a := startAuthority(t, portOf(t, plain), portOf(t, secure))
			of := &ACME{Host: "gatepost.example.org", Email: "hostmaster@example.org", Directory: a.directory, CAFile: a.caFile, Storage: filepath.Join(t.TempDir(), "acme")}
			if way == "http" {
				of.HTTPPort = portOf(t, plain)
			} else {
				of.TLSPort = portOf(t, secure)
			}
			h, err := New(Options{ACME: of, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
			if err != nil {
				t.Fatal(err)
			}
			if way == "http" { // the other way is not there
				serve(t, plain, h.Plain(func() string { return "https://gatepost.example.org" }), nil)
			}
			serve(t, secure, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }), h.TLS())
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); h.Run(ctx) }()
			defer func() { cancel(); <-ended }()

			client := &http.Client{Transport: &http.Transport{
				ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{ServerName: "gatepost.example.org", InsecureSkipVerify: true},
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, "tcp", secure.Addr().String())
				},
			}}
			var resp *http.Response
			for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
				if resp, err = client.Get("https://gatepost.example.org/"); err == nil {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("no certificate: %v, trouble %v", err, h.Trouble())
				}
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if leaf := resp.TLS.PeerCertificates[0]; !strings.Contains(leaf.Issuer.CommonName, "Pebble") || leaf.VerifyHostname("gatepost.example.org") != nil {
				t.Errorf("the certificate is of %s for %v", leaf.Issuer, leaf.DNSNames)
			}
			if string(body) != "HTTP/2.0" {
				t.Errorf("spoken is %s", body)
			}
			if err := h.Trouble(); err != nil {
				t.Errorf("trouble: %v", err)
			}
			ownFiles(t, of.Storage)
		})
	}
}

// ownFiles looks whether others may read what is kept.
func ownFiles(t *testing.T, dir string) {
	t.Helper()
	keys := 0
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			t.Error(err)
			return nil
		}
		info, err := d.Info()
		if err == nil && d.IsDir() && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("others may look into %s", path)
		}
		if strings.HasSuffix(path, ".key") {
			keys++
			if info.Mode().Perm()&0o077 != 0 {
				t.Errorf("others may read %s", path)
			}
		}
		return nil
	})
	if keys == 0 {
		t.Error("no key is kept")
	}
}

func TestAnAuthorityThatRefusesIsAskedAgainAndSaidToRefuse(t *testing.T) {
	secure := listenHere(t)
	a := startAuthority(t, 1, 1) // where nobody answers
	var out testlog.Buffer
	h, err := New(Options{Log: slog.New(slog.NewTextHandler(&out, nil)), ACME: &ACME{
		Host: "gatepost.example.org", Directory: a.directory, CAFile: a.caFile, Storage: t.TempDir(), TLSPort: portOf(t, secure),
	}})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, secure, http.NotFoundHandler(), h.TLS())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); h.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if text := out.String(); strings.Contains(text, "there is no certificate for the dashboard yet") && strings.Contains(text, "port 443 must lead to web.listen") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("nothing is said: %s", out.String())
		}
	}
	if h.Trouble() == nil {
		t.Error("no trouble")
	}
}
