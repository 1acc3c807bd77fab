package signing

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
)

// expired is a context that has ended.
func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestTheMostSpecificRuleDecides(t *testing.T) {
	b := newBench(t, func(c *Config, _ *Options) {
		c.Domains = []string{"example.com", "*.example.com", "*.lists.example.com", "news.lists.example.com", "example.net"}
		c.SignAs = map[string]string{"*.lists.example.com": "mail.example.com"}
		c.Force = true // what DNS shows is not what this is about
	})
	for _, d := range []string{"example.com", "mail.example.com", "news.lists.example.com"} {
		key, err := dkim.GenerateEd25519()
		if err != nil {
			t.Fatal(err)
		}
		if err := b.dir.Add(t.Context(), d, "s1", key, false, b.now); err != nil {
			t.Fatal(err)
		}
	}
	b.restart()
	for author, want := range map[string]string{
		"example.com":              "example.com",
		"a.example.com":            "example.com",
		"b.a.example.com":          "example.com",
		"lists.example.com":        "example.com",
		"a.lists.example.com":      "mail.example.com",
		"news.lists.example.com":   "news.lists.example.com",
		"x.news.lists.example.com": "mail.example.com",
		"example.net":              "ours, no key",
		"sub.example.net":          "not ours",
		"example.org":              "not ours",
		"notexample.com":           "not ours",
		"com":                      "not ours",
		"":                         "not ours",
	} {
		got := "not ours"
		if b.Keyring().Ours(author) {
			got = "ours, no key"
		}
		if s := b.Keyring().Signers(author); len(s) > 0 {
			got = s[0].Domain
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", author, got, want)
		}
	}
}

func TestTheSignaturesVerifyAndOversign(t *testing.T) {
	b := newBench(t, func(c *Config, _ *Options) { c.Algorithms, c.Canonicalization = Algorithms, "relaxed/simple" })
	b.o.Publisher = b.dns
	b.restart()
	b.rotate()
	b.tick(time.Hour)
	b.tick(time.Hour)
	signers := b.Keyring().Signers("sub.example.com")
	if len(signers) != 2 || signers[0].Selector != "gp-2026-11-r" || signers[1].Selector != "gp-2026-11-e" {
		t.Fatalf("got %+v", signers)
	}
	const text = "From: a@sub.example.com\r\nSubject: hello\r\nList-Unsubscribe: <https://example.com/u>\r\n\r\nbody\r\n"
	var signed strings.Builder
	if err := dkim.Sign(&signed, strings.NewReader(text), signers...); err != nil {
		t.Fatal(err)
	}
	results, err := dkim.Verify(t.Context(), b.dns, strings.NewReader(signed.String()), dkim.Options{})
	if err != nil || len(results) != 2 {
		t.Fatal(results, err)
	}
	for _, r := range results {
		if r.Code != dkim.Pass || r.SDID != "example.com" {
			t.Errorf("%s: %s, %v", r.Selector, r.Code, r.Err)
		}
	}
	for _, added := range []string{"From: b@example.net\r\n", "Subject: another\r\n", "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", "List-Unsubscribe: <x>\r\n"} {
		results, err := dkim.Verify(t.Context(), b.dns, strings.NewReader(added+signed.String()), dkim.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if r.Code == dkim.Pass {
				t.Errorf("%q can be added and %s still passes", added, r.Selector)
			}
		}
	}
}

func TestAskingForSignersAllocatesNothing(t *testing.T) {
	b := newBench(t, nil)
	b.signing()
	k := b.Keyring()
	if n := testing.AllocsPerRun(100, func() { k.Signers("example.com"); k.Signers("a.b.example.com"); k.Signers("example.org") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSignersCanBeAskedForWhileKeysChange(t *testing.T) {
	b := newBench(t, nil)
	b.signing()
	stop, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if len(b.Keyring().Signers("example.com")) != 1 || b.States() == nil {
				t.Error("for a moment there was no key")
				return
			}
		}
	}()
	for range 20 {
		if err := b.Reload(b.o); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	<-done
}

func TestAKeyFileThatHoldsAnotherKeyIsNotUsed(t *testing.T) {
	b := newBench(t, nil)
	b.signing()
	other, err := dkim.GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.dir.put("example.com", "gp-2026-11-e.pem", other); err != nil {
		t.Fatal(err)
	}
	if _, err := NewRotor(b.o); err == nil || !strings.Contains(err.Error(), "another key than its state says") {
		t.Errorf("got %v", err)
	}
}

func TestSettingsThatCannotBeAreRefused(t *testing.T) {
	for _, c := range []struct {
		key, want string
		change    func(*Config)
	}{
		{"signing.domains", "not a domain", func(c *Config) { c.Domains = []string{"localhost"} }},
		{"signing.domains", "not a domain", func(c *Config) { c.Domains = []string{"*"} }},
		{"signing.domains", "not a domain", func(c *Config) { c.Domains = []string{"a.*.example.com"} }},
		{"signing.domains", "twice", func(c *Config) { c.Domains = []string{"example.com", "Example.COM"} }},
		{"signing.sign_as", "not in signing.domains", func(c *Config) { c.SignAs = map[string]string{"example.org": "example.com"} }},
		{"signing.sign_as", "Organizational Domain", func(c *Config) {
			c.Domains, c.SignAs = []string{"example.com"}, map[string]string{"example.com": "example.net"}
		}},
		{"signing.sign_as", "Organizational Domain", func(c *Config) {
			c.Domains, c.SignAs = []string{"a.co.uk"}, map[string]string{"a.co.uk": "b.co.uk"}
		}},
		{"signing.sign_as", "not a domain", func(c *Config) {
			c.Domains, c.SignAs = []string{"example.com"}, map[string]string{"example.com": "com"}
		}},
		{"signing.algorithms", `"dsa"`, func(c *Config) { c.Algorithms = []Algorithm{"dsa"} }},
		{"signing.algorithms", "none", func(c *Config) { c.Algorithms = nil }},
		{"signing.rsa_bits", "2048", func(c *Config) { c.RSABits = 1024 }},
		{"signing.selector", "{year}", func(c *Config) { c.Selector = "gp-{yaer}" }},
		{"signing.selector", "selector", func(c *Config) { c.Selector = "gp {year}" }},
		{"signing.canonicalization", "loose", func(c *Config) { c.Canonicalization = "loose" }},
		{"signing.rotate_every", "1d", func(c *Config) { c.RotateEvery = Duration(time.Hour) }},
		{"signing.rotate_every", "faster", func(c *Config) { c.RotateEvery = Duration(3 * day) }},
		{"signing.keep_retired", "1h", func(c *Config) { c.KeepRetired = 0 }},
		{"signing.nsupdate", "zone", func(c *Config) { c.NSUpdate = []UpdateConfig{{Server: "x"}} }},
		{"signing.nsupdate", "server is missing", func(c *Config) { c.NSUpdate = []UpdateConfig{{Zone: "example.com"}} }},
		{"signing.nsupdate", "secret_file is missing", func(c *Config) { c.NSUpdate = []UpdateConfig{{Zone: "example.com", Server: "x"}} }},
		{"signing.nsupdate", "hmac-md5", func(c *Config) {
			c.NSUpdate = []UpdateConfig{{Zone: "example.com", Server: "x", SecretFile: "y", Algorithm: "hmac-md5"}}
		}},
	} {
		config := DefaultConfig()
		c.change(&config)
		if _, key, err := config.Settings(); err == nil || key != c.key || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), c.key) {
			t.Errorf("got %s: %v, want %s: %q", key, err, c.key, c.want)
		}
	}
	config := DefaultConfig()
	if _, _, err := config.Settings(); err != nil {
		t.Error(err)
	}
}

func TestSelectorsAreMadeFromThePattern(t *testing.T) {
	used := map[string]bool{"gp-2026-11-r": true, "gp-2026-11-r-2": true}
	for pattern, want := range map[string]string{
		"gp-{year}-{month}-{a}":         "gp-2026-11-r-3",
		"{algorithm}{year}{month}{day}": "rsa20261102",
		"mail":                          "mail",
		"Mail.{year}":                   "mail.2026",
	} {
		if got, err := newSelector(pattern, RSA, start, func(s string) bool { return used[s] }); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", pattern, got, err, want)
		}
	}
	for _, pattern := range []string{"", "a b", "a/b", "..", "{", "{n}", strings.Repeat("a", 51), "-a"} {
		if got, err := newSelector(pattern, RSA, start, nil); err == nil {
			t.Errorf("%q makes %q", pattern, got)
		}
	}
}

func BenchmarkSigners(b *testing.B) {
	r := &ring{exact: map[string]*holder{}, below: map[string]*holder{}}
	for i := range 1000 {
		r.exact[fmt.Sprintf("d%d.example.com", i)] = &holder{make([]dkim.Signer, 2)}
	}
	r.below["example.com"] = &holder{make([]dkim.Signer, 2)}
	var k Keyring
	k.ring.Store(r)
	for b.Loop() {
		if len(k.Signers("a.b.example.com")) != 2 {
			b.Fatal("not ours")
		}
	}
}
