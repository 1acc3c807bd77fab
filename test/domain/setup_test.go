//go:build linux

package domain

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/smtptest"
	"github.com/gatepost-mail/gatepost/test/named"
)

// bare is a domain that has mail servers, and nothing that says who may send for it.
const bare = `@ MX 10 mx
@ MX 20 mx2
mx A 192.0.2.1
mx AAAA 2001:db8::1
mx2 A 192.0.2.2
mx2 AAAA 2001:db8::2
`

func TestADomainThatSetupMadeIsGradedA(t *testing.T) {
	t.Parallel()
	tree := named.Grow(t, map[string]named.Zone{
		"example.com":          {Text: bare},
		"2.0.192.in-addr.arpa": {Text: "1 PTR mx.example.com.\n2 PTR mx2.example.com.\n"},
		"8.b.d.0.1.0.0.2.ip6.arpa": {Text: "$ORIGIN " + strings.Repeat("0.", 23) + "8.b.d.0.1.0.0.2.ip6.arpa.\n" +
			"1 PTR mx.example.com.\n2 PTR mx2.example.com.\n"},
	})
	web := startWeb(t, "mta-sts.example.com")
	dir := t.TempDir()
	tsig, keys := filepath.Join(dir, "tsig.key"), filepath.Join(dir, "keys")
	if err := os.WriteFile(tsig, []byte(named.Key("gatepost", "hmac-sha256", named.Secret)), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, _ := check(t, "example.com", "--resolver", tree.Trusting); r.Grade != "F" {
		t.Errorf("before it: %+v", r)
	}
	setup := func(args ...string) string {
		out, status := gatepost(t, nil, append([]string{"setup", "example.com", "--keys", keys}, args...)...)
		if status != 0 {
			t.Fatalf("gatepost setup %q: exit status %d\n%s", args, status, out)
		}
		return out
	}
	setup("--own-server", "mx", "--reports", "dmarc@example.com", "--mta-sts-host", web.ip, "--step", "5",
		"--apply", "--yes", "--name-server", tree.Authority.Address, "--tsig", tsig)
	setup("--verify", "--name-server", tree.Authority.Address)

	var plan struct {
		Records []struct{ Type, State, New string }
		After   []struct{ Do []struct{ Type, New string } }
		Keys    []struct{ Selector string }
	}
	if err := json.Unmarshal([]byte(setup("--json", "--resolver", tree.Validating)), &plan); err != nil || len(plan.After) != 1 || len(plan.Keys) != 2 {
		t.Fatalf("%v: %+v", err, plan)
	}
	args := []string{"--resolver", tree.Validating}
	for _, k := range plan.Keys {
		args = append(args, "--selector", k.Selector)
	}
	if r, _ := check(t, "example.com", args...); web.asked.Load() != 0 || !slices.Equal(r.of("dnssec"), nil) {
		t.Errorf("a record had us ask this machine %d times: %+v", web.asked.Load(), r)
	}
	for _, r := range plan.Records {
		if r.Type != "file" && r.State != "there" {
			t.Errorf("a resolver that validates does not see %+v", r)
		}
	}
	now, later := "", plan.After[0].Do[0].New
	for _, r := range plan.Records {
		if r.Type == "file" {
			now = r.New
		}
	}
	for _, c := range []struct {
		policy, grade string
		want          []string // errors, warnings, and what is not known
		status        int
	}{
		{"", "A-", []string{"mta-sts-without-policy"}, 1},
		{now, "A-", []string{"mta-sts-mode-testing"}, 0},
		{later, "A", nil, 0},
	} {
		web.policy.Store(c.policy)
		r, status := checkIn(t, web.env, "example.com", append(args, "--allow-private")...)
		var got []string
		for _, f := range r.Findings {
			if f.Severity != "info" {
				got = append(got, f.ID)
			}
		}
		if r.Grade != c.grade || status != c.status || !slices.Equal(got, c.want) {
			t.Errorf("with the policy %q: grade %s, exit status %d, %q; want %s, %d, %q", c.policy, r.Grade, status, got, c.grade, c.status, c.want)
		}
	}
}

// A webServer is one at port 443, with a certificate that who has its environment believes.
type webServer struct {
	ip     string
	env    []string
	policy atomic.Value // string
	asked  atomic.Int64
}

func startWeb(t *testing.T, host string) *webServer {
	t.Helper()
	w := &webServer{}
	ca := smtptest.NewAuthority(t)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Root.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	w.env = []string{"SSL_CERT_FILE=" + roots, "SSL_CERT_DIR=" + t.TempDir()}
	var ln net.Listener
	for n := 0; ln == nil; n++ {
		w.ip = fmt.Sprintf("127.44.%d.%d", os.Getpid()%250, 1+n)
		var err error
		if ln, err = net.Listen("tcp", w.ip+":443"); err != nil && n == 200 {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skipf("needs port 443, as root has it: %v", err)
		}
	}
	server := &http.Server{TLSConfig: &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, smtptest.Leaf{Names: []string{host}})}}}
	server.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		policy, _ := w.policy.Load().(string)
		if r.Host != host || r.URL.Path != "/.well-known/mta-sts.txt" || policy == "" {
			http.NotFound(rw, r)
			return
		}
		rw.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(rw, policy)
	})
	go server.ServeTLS(ln, "", "")
	t.Cleanup(func() { server.Close() })
	return w
}
