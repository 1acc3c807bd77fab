//go:build linux

package postfix

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/gatepost-mail/gatepost/internal/testlog"
)

const namedConf = `
options {
	directory "DIR"; pid-file "DIR/pid"; session-keyfile "DIR/session.key"; managed-keys-directory "DIR";
	listen-on port PORT { 127.0.0.1; }; listen-on-v6 { none; };
	recursion no; dnssec-validation no; notify no; allow-transfer { none; };
};
controls { };
key "gatepost" { algorithm hmac-sha256; secret "SECRET"; };
zone "example.org" {
	type primary; file "DIR/example.org.zone";
	update-policy { grant gatepost wildcard *._domainkey.example.org. TXT; };
};
`

const namedZone = `$TTL 60
@ SOA ns host 1 3600 600 86400 1
@ NS ns
ns A 127.0.0.1
@ TXT "v=spf1 -all"
`

const (
	bindSecret  = "bG9uZyBlbm91Z2ggdG8gYmUgYSBzZWNyZXQgb2YgdGhpcnR5dHdvIG9jdGV0cw=="
	wrongSecret = "YW5vdGhlciBzZWNyZXQgdGhhdCBpcyBsb25nIGVub3VnaCB0byBiZSB0YWtlbg=="
)

// A bind is a BIND of the test's own, which has example.org and learns records by dynamic update (RFC 2136).
type bind struct{ address string }

func startBIND(t *testing.T) *bind {
	t.Helper()
	named, err := exec.LookPath("named")
	if err != nil {
		without(t, "needs the Debian package bind9 (scripts/test-deps installs it)")
	}
	dir := shortDir(t, "gatepost-named-")
	b := &bind{address: freePort(t)}
	_, port, _ := net.SplitHostPort(b.address)
	writeFile(t, filepath.Join(dir, "named.conf"), strings.NewReplacer("DIR", dir, "PORT", port, "SECRET", bindSecret).Replace(namedConf))
	writeFile(t, filepath.Join(dir, "example.org.zone"), namedZone)
	log := &testlog.Buffer{}
	cmd := exec.Command(named, "-g", "-n", "1", "-c", filepath.Join(dir, "named.conf"))
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("BIND's log:\n%s", log)
		}
	})
	waitFor(t, "BIND", func() bool {
		answer, err := dns.Exchange(new(dns.Msg).SetQuestion("example.org.", dns.TypeSOA), b.address)
		return err == nil && answer.Authoritative
	})
	return b
}

// text is the TXT record at a name, or nothing.
func (b *bind) text(t *testing.T, name string) string {
	t.Helper()
	answer, _, err := (&dns.Client{Net: "tcp"}).Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeTXT), b.address)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, rr := range answer.Answer {
		if txt, ok := rr.(*dns.TXT); ok {
			text += strings.Join(txt.Txt, "")
		}
	}
	return text
}

// secretFile is a secret as tsig-keygen writes it.
func secretFile(secret string) string {
	return fmt.Sprintf("key \"gatepost\" {\n\talgorithm hmac-sha256;\n\tsecret %q;\n};\n", secret)
}
