//go:build linux

package postfix

import (
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/signing"
)

// signingTable is of a gate that signs for example.org, and waits for nothing that a test can do without.
const signingTable = `
[signing]
domains = ["example.org"]
settle = "0s"
keep_revoked = "0s"
check_authoritative = false
`

// ourZone is example.org without its keys. What does not exist in it is remembered for a second.
const ourZone = zone + `
example.org.              TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.example.org.       TXT "v=DMARC1; p=reject"
example.org.              SOA ns.example.org. host.example.org. 1 3600 600 86400 1
`

// keys lists those of example.org.
func (p *process) keys(t *testing.T) []signing.Key {
	t.Helper()
	var keys []signing.Key
	if err := json.Unmarshal([]byte(p.run(t, 0, "keys", "list", "--json")), &keys); err != nil {
		t.Fatal(err)
	}
	return keys
}

// publishKeys makes the first keys of example.org and puts them into DNS. They sign from now on.
func (b *bench) publishKeys(t *testing.T) {
	t.Helper()
	b.gate.run(t, 0, "keys", "rotate", "example.org")
	keys := b.gate.keys(t)
	text := ourZone
	for _, k := range keys {
		text += dkim.ZoneRecord(k.Selector, "example.org", k.Record) + "\n"
	}
	b.dns.SetZone(t, text)
	for _, k := range keys {
		b.gate.run(t, 0, "keys", "next", "example.org", "--skip-wait", k.Selector)
	}
	for _, k := range b.gate.keys(t) {
		if k.State != signing.Signing {
			t.Fatalf("the key %s is %s, want signing", k.Selector, k.State)
		}
	}
}

// signatures verifies those of a message with what DNS shows now.
func signatures(server, message string) ([]dkim.Result, error) {
	resolver := dns.NewClient(dns.ClientOptions{Servers: []string{server}, CacheEntries: -1})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return dkim.Verify(ctx, resolver, strings.NewReader(message), dkim.Options{})
}

// algorithms are those of signatures that pass: "rsa-sha256 ed25519-sha256".
func algorithms(t *testing.T, server, message string) string {
	t.Helper()
	results, err := signatures(server, message)
	if err != nil {
		t.Fatal(err)
	}
	var passed []string
	for _, r := range results {
		if r.Code != dkim.Pass || r.SDID != "example.org" {
			t.Errorf("a signature of %s: %s (%v)", r.SDID, r.Code, r.Err)
			continue
		}
		passed = append(passed, r.Algorithm)
	}
	return strings.Join(passed, " ")
}

// dkimpy verifies messages by another implementation, which the tests of test/interop speak to in the same way.
func dkimpy(t *testing.T, keys []signing.Key, messages []string) [][]string {
	t.Helper()
	type request struct {
		Op      string `json:"op"`
		Message []byte `json:"message"`
	}
	batch := struct {
		DNS      map[string]string `json:"dns"`
		Requests []request         `json:"requests"`
	}{DNS: map[string]string{}}
	for _, k := range keys {
		batch.DNS[k.Name("example.org")] = k.Record
	}
	for _, m := range messages {
		batch.Requests = append(batch.Requests, request{"verify", []byte(m)})
	}
	in, err := json.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("/usr/bin/python3", "-c", "import dkim, nacl").Run(); err != nil {
		without(t, "needs the Debian packages python3-dkim and python3-nacl (scripts/test-deps installs them)")
	}
	cmd := exec.Command("/usr/bin/python3", "../interop/testdata/dkimpy.py")
	cmd.Stdin = strings.NewReader(string(in))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var responses []struct {
		Results []string `json:"results"`
		Error   string   `json:"error"`
	}
	if err := json.Unmarshal(out, &responses); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	var all [][]string
	for _, r := range responses {
		if r.Error != "" {
			t.Errorf("dkimpy: %s", r.Error)
		}
		all = append(all, r.Results)
	}
	return all
}
