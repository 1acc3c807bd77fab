package signing

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/test/named"
)

const (
	goodSecret  = named.Secret
	wrongSecret = "YW5vdGhlciBzZWNyZXQgdGhhdCBpcyBsb25nIGVub3VnaCB0byBiZSB0YWtlbg=="
)

const namedConf = `
include "DIR/gatepost.key";
include "DIR/sha512.key";
key "stranger" { algorithm hmac-sha256; secret "` + goodSecret + `"; };
zone "example.com" {
	type primary; file "DIR/example.com.zone";
	update-policy { grant gatepost wildcard *._domainkey.example.com. TXT; grant sha512 wildcard *._domainkey.example.com. TXT; };
};
`

const bindZone = `$TTL 60
@ SOA ns host 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
taken._domainkey TXT "v=DKIM1; p="
alias._domainkey CNAME elsewhere.example.net.
`

func keyFile(name, algorithm, secret string) string { return named.Key(name, algorithm, secret) }

// A bind is a BIND of the test's own.
type bind struct{ address string }

func startBIND(t *testing.T) *bind {
	t.Helper()
	return &bind{named.Start(t, named.Options{Config: namedConf, Files: map[string]string{
		"example.com.zone": bindZone, "gatepost.key": keyFile("gatepost", "hmac-sha256", goodSecret), "sha512.key": keyFile("sha512", "hmac-sha512", wrongSecret),
	}}).Address}
}

// updates make changes with what a file says.
func (b *bind) updates(t *testing.T, file string, change func(*UpdateConfig)) Publisher {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tsig")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	c := UpdateConfig{Zone: "example.com", Server: b.address, SecretFile: path}
	if change != nil {
		change(&c)
	}
	p, err := NewUpdates([]UpdateConfig{{Zone: "ample.com", Server: "127.0.0.1:1", SecretFile: path, KeyName: "other"}, c})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (b *bind) text(t *testing.T, name string) string {
	t.Helper()
	answer, err := plainClient(b.address).Lookup(t.Context(), name, dns.TypeTXT)
	if err != nil && !dns.IsVoid(err) {
		t.Fatal(err)
	}
	return strings.Join(answer.TXT, "|")
}

// raw is what the server answers, aliases and all.
func (b *bind) raw(t *testing.T, name string) string {
	t.Helper()
	answer, err := mdns.Exchange(new(mdns.Msg).SetQuestion(name+".", mdns.TypeTXT), b.address)
	if err != nil || len(answer.Answer) == 0 {
		t.Fatal(answer, err)
	}
	return fmt.Sprint(answer.Answer)
}

func TestBINDLearnsAndForgetsKeysByDynamicUpdate(t *testing.T) {
	server := startBIND(t)
	for _, file := range []string{keyFile("gatepost", "hmac-sha256", goodSecret), keyFile("sha512", "hmac-sha512", wrongSecret)} {
		b := newBench(t, func(c *Config, o *Options) {
			c.Algorithms = []Algorithm{RSA, Ed25519}
			c.Selector = "{algorithm}-" + strings.Fields(strings.ReplaceAll(file, `"`, ""))[1]
			o.Views, o.Publisher = NewViews([]string{server.address}, false), server.updates(t, file, nil)
		})
		b.dns = nil
		tick := func(pass time.Duration, state State) {
			t.Helper()
			b.now = b.now.Add(pass)
			if _, err := b.Tick(t.Context(), b.now); err != nil {
				t.Fatal(err)
			}
			for _, k := range b.States()[:2] {
				if k.State != state || k.Problem != "" {
					t.Fatalf("%s is %s, want %s; problem %q", k.Selector, k.State, state, k.Problem)
				}
			}
		}
		b.rotate()
		tick(0, Waiting)
		keys := b.States()
		for _, k := range keys {
			if got := server.text(t, k.Name("example.com")); got != k.Record {
				t.Errorf("BIND has %q at %s, want %q", got, k.Name("example.com"), k.Record)
			}
		}
		tick(2*time.Hour, Signing)
		b.rotate()
		tick(0, Signing)
		tick(2*time.Hour, Retiring)
		tick(8*day, Revoked)
		for _, k := range keys {
			if got := server.text(t, k.Name("example.com")); got != k.RevokedRecord() {
				t.Errorf("BIND has %q, want %q", got, k.RevokedRecord())
			}
		}
		b.now = b.now.Add(31 * day)
		if _, err := b.Tick(t.Context(), b.now); err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if got := server.text(t, k.Name("example.com")); got != "" || b.key(k.Selector).State != Removed {
				t.Errorf("BIND has %q, and the key is %s", got, b.key(k.Selector).State)
			}
		}
		if n := len(b.Keyring().Signers("example.com")); n != 2 {
			t.Errorf("%d keys sign", n)
		}
	}
}

func TestADynamicUpdateTwiceIsOne(t *testing.T) {
	server := startBIND(t)
	u := server.updates(t, keyFile("gatepost", "hmac-sha256", goodSecret), nil)
	key, err := dkim.GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	const name = "twice._domainkey.example.com"
	record, revoked := dkim.Record(key.Public()), "v=DKIM1; k=ed25519; p="
	for _, step := range [][2]string{{"", record}, {record, revoked}, {revoked, ""}} {
		for range 2 {
			if err := u.Change(t.Context(), name, step[0], step[1]); err != nil {
				t.Fatalf("%q to %q: %v", step[0], step[1], err)
			}
			if got := server.text(t, name); got != step[1] {
				t.Errorf("BIND has %q, want %q", got, step[1])
			}
		}
	}
	if err := u.Change(t.Context(), name, record, revoked); err == nil || !strings.Contains(err.Error(), "removed by somebody else") {
		t.Errorf("a record that is gone cannot be revoked: %v", err)
	}
}

func TestADynamicUpdateLeavesAloneWhatIsNotOurs(t *testing.T) {
	server := startBIND(t)
	u := server.updates(t, keyFile("gatepost", "hmac-sha256", goodSecret), nil)
	key, err := dkim.GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	record := dkim.Record(key.Public())
	for selector, why := range map[string]string{"taken": "not ours", "alias": "CNAME"} {
		name := selector + "._domainkey.example.com"
		before := server.raw(t, name)
		err := u.Change(t.Context(), name, "", record)
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: got %v, want %q", name, err, why)
		}
		if got := server.raw(t, name); got != before {
			t.Errorf("%s has %q, was %q", name, got, before)
		}
	}
	// Between our look and our update somebody else may be quicker: the prerequisite is what counts.
	z := &u.(*Updates).zones[0]
	m := z.Update()
	m.RRsetNotUsed([]mdns.RR{&mdns.TXT{Hdr: mdns.RR_Header{Name: "taken._domainkey.example.com.", Rrtype: mdns.TypeTXT}}})
	if answer, err := z.Exchange(t.Context(), m); err != nil || answer.Rcode != mdns.RcodeYXRrset {
		t.Errorf("the prerequisite does not hold: %v %v", answer, err)
	}
}

func TestADynamicUpdateSaysWhatIsWrong(t *testing.T) {
	server := startBIND(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	unsigned := &mdns.Server{Listener: listener(t), Handler: mdns.HandlerFunc(func(w mdns.ResponseWriter, m *mdns.Msg) {
		answer := new(mdns.Msg).SetReply(m)
		answer.Authoritative = true
		w.WriteMsg(answer)
	})}
	go unsigned.ActivateAndServe()
	defer unsigned.Shutdown()
	closed := listener(t)
	closed.Close()
	good := keyFile("gatepost", "hmac-sha256", goodSecret)
	for _, c := range []struct {
		name, file, server string
		want               []string
	}{
		{"wrong secret", keyFile("gatepost", "hmac-sha256", wrongSecret), server.address, []string{"does not take our signature", "BADSIG"}},
		{"unknown key", keyFile("nobody", "hmac-sha256", goodSecret), server.address, []string{"does not take our signature", "BADKEY"}},
		{"wrong algorithm", keyFile("gatepost", "hmac-sha512", goodSecret), server.address, []string{"does not take our signature"}},
		{"no grant", keyFile("stranger", "hmac-sha256", goodSecret), server.address, []string{"REFUSED", "grant the key stranger"}},
		{"silence", good, silent.Addr().String(), []string{"does not answer in time"}},
		{"unsigned", good, unsigned.Listener.Addr().String(), []string{"not signed"}},
		{"nobody there", good, closed.Addr().String(), []string{"refused"}},
	} {
		u := server.updates(t, c.file, func(u *UpdateConfig) { u.Server, u.Timeout = c.server, Duration(time.Second) })
		err := u.Change(t.Context(), "s._domainkey.example.com", "", "v=DKIM1; k=ed25519; p=")
		for _, want := range append(c.want, c.server) {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", c.name, err, want)
			}
		}
		if err != nil && (strings.Contains(err.Error(), goodSecret) || strings.Contains(err.Error(), wrongSecret)) {
			t.Errorf("%s: the error holds the secret", c.name)
		}
	}
	u := server.updates(t, good, nil)
	if err := u.Change(t.Context(), "s._domainkey.example.net", "", "v=DKIM1; p="); !errors.Is(err, ErrNotOurs) {
		t.Errorf("a name in no zone of ours: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := u.Change(ctx, "s._domainkey.example.com", "", "v=DKIM1; p="); err == nil {
		t.Error("a context that has ended is not heeded")
	}
}

func listener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}
