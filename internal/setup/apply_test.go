package setup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/dnstest"
	"github.com/gatepost-mail/gatepost/internal/nsupdate"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/test/named"
)

const editedZone = `@ MX 10 mx
@ 600 TXT "a token with \"quotes\" and \\ and \195\188"
@ 600 TXT "v=spf1 mx ~all"
mx A 192.0.2.1
k2._domainkey CNAME elsewhere.example.net.
_dmarc TXT "v=DMARC1; p=none"
`

func bindServer(t *testing.T, b *named.Server, key string) *nsupdate.Server {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(named.Key(key, "hmac-sha256", named.Secret)), 0o600); err != nil {
		t.Fatal(err)
	}
	secret, err := nsupdate.ReadSecret(nsupdate.SecretFile{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return &nsupdate.Server{Zone: "example.com", Address: b.Address, Secret: secret, Timeout: 5 * time.Second}
}

func planAt(t *testing.T, address string) *Plan {
	t.Helper()
	table := senders.Known()
	a := Answers{Domain: "example.com", Sends: true, Receives: true, MTASTS: true, Servers: []string{"192.0.2.7"}, Reports: []string{"dmarc@example.com"}, Start: start,
		Services: []Service{{ID: "mailchimp"}, {ID: "sendgrid"}}}
	if err := a.Check(table); err != nil {
		t.Fatal(err)
	}
	p, err := Make(a, Look(t.Context(), Ask("", address).Resolver, a.Places(table)), table)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestBINDIsUpdatedAtOnceAndWhatIsNotOursStays(t *testing.T) {
	b := named.Start(t, named.Editable(editedZone))
	server := bindServer(t, b, "gatepost")
	plan := planAt(t, b.Address)
	if seen := plan.verify(t.Context(), []Server{Ask("bind", b.Address)}); len(seen.Missing) == 0 || len(seen.Silent) > 0 {
		t.Fatalf("before it is applied: %+v", seen)
	}
	u, err := Prepare(t.Context(), server, plan.Changes())
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Send(t.Context()); err != nil {
		t.Fatal(err)
	}
	if seen := plan.verify(t.Context(), []Server{Ask("bind", b.Address)}); !seen.Done() || seen.Records < 5 {
		t.Errorf("after it: %+v", seen)
	}
	resolver := Ask("", b.Address).Resolver
	texts, err := resolver.Lookup(t.Context(), "example.com", dns.TypeTXT)
	want := []string{"a token with \"quotes\" and \\ and \u00fc", "v=spf1 mx ip4:192.0.2.7 -all"}
	slices.Sort(texts.TXT)
	if err != nil || !slices.Equal(texts.TXT, want) || texts.TTL > 600*time.Second {
		t.Errorf("the domain has %q for %v, %v; want %q", texts.TXT, texts.TTL, err, want)
	}
	alias, err := resolver.Lookup(t.Context(), "k2._domainkey.example.com", dns.TypeCNAME)
	if err != nil || alias.Names[0] != "elsewhere.example.net" {
		t.Errorf("an alias of somebody else's became %v, %v", alias.Names, err)
	}
	// Once more: the plan for what is there now has nothing left to do.
	again := planAt(t, b.Address)
	u, err = Prepare(t.Context(), server, again.Changes())
	if err != nil || len(u.Changes) != 0 {
		t.Errorf("a second time: %v, %v", u, err)
	}
}

func TestAChangeMadeMeanwhileIsNotLost(t *testing.T) {
	b := named.Start(t, named.Editable(editedZone))
	server := bindServer(t, b, "gatepost")
	plan := planAt(t, b.Address)
	early, err := Prepare(t.Context(), server, plan.Changes())
	if err != nil {
		t.Fatal(err)
	}
	other := []publish.Change{{Name: "example.com", Type: "TXT", New: "somebody else's"}, {Name: "_dmarc.example.com", Type: "TXT", Old: "v=DMARC1; p=none", New: "v=DMARC1; p=reject"}}
	u, err := Prepare(t.Context(), server, other)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Send(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := early.Send(t.Context()); !errors.Is(err, ErrMoved) {
		t.Errorf("an update for what was there before: %v", err)
	}
	if _, err := Prepare(t.Context(), server, plan.Changes()); !errors.Is(err, ErrMoved) {
		t.Errorf("a plan for what was there before: %v", err)
	}
	resolver := Ask("", b.Address).Resolver
	for name, want := range map[string]string{"_dmarc.example.com": "v=DMARC1; p=reject", "example.com": "somebody else's"} {
		if texts, err := resolver.Lookup(t.Context(), name, dns.TypeTXT); err != nil || !slices.Contains(texts.TXT, want) {
			t.Errorf("%s has %q, %v: nothing of the update was to be done", name, texts.TXT, err)
		}
	}
	if _, err := resolver.Lookup(t.Context(), "_smtp._tls.example.com", dns.TypeTXT); !dns.IsVoid(err) {
		t.Errorf("a part of the update was done: %v", err)
	}
	double := []publish.Change{{Name: "_dmarc.example.com", Type: "TXT", New: "v=DMARC1; p=none"}}
	if _, err := Prepare(t.Context(), server, double); !errors.Is(err, ErrMoved) {
		t.Errorf("a second record of a kind: %v", err)
	}
}

func TestAnUpdateThatIsNotAllowedSaysSo(t *testing.T) {
	b := named.Start(t, named.Editable(editedZone))
	change := []publish.Change{{Name: "new.example.com", Type: "TXT", New: "v=spf1 -all"}}
	for key, want := range map[string]string{"stranger": "grant the key stranger", "": "it wants a signature", "nobody": "does not take our signature"} {
		server := bindServer(t, b, "x"+key)
		if key == "" {
			server.Secret = nil
		} else {
			server = bindServer(t, b, key)
		}
		u, err := Prepare(t.Context(), server, change)
		if err == nil {
			err = u.Send(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), b.Address) {
			t.Errorf("%q: got %v, want %q", key, err, want)
		}
	}
	if _, err := Prepare(t.Context(), bindServer(t, b, "gatepost"), []publish.Change{{Name: "www.example.net", Type: "TXT", New: "x"}}); err == nil {
		t.Error("a name in another zone")
	}
	alias := []publish.Change{{Name: "k2._domainkey.example.com", Type: "TXT", New: "v=DKIM1; p="}}
	if _, err := Prepare(t.Context(), bindServer(t, b, "gatepost"), alias); err == nil || !strings.Contains(err.Error(), "alias") {
		t.Errorf("a text where an alias is: %v", err)
	}
}

func TestAValueComesBackAsItWentIntoARecord(t *testing.T) {
	for _, text := range []string{"v=spf1 -all", `quotes " and \ and ; and $`, "\u00fc\x01\xff", strings.Repeat("long \"", 100), ""} {
		if text == "" {
			continue
		}
		rr, err := record(publish.Change{Name: "example.com", Type: "TXT", New: text}, 60)
		if err != nil || valueOf(rr) != text {
			t.Errorf("%q: got %q, %v", text, valueOf(rr), err)
		}
		if parts := rr.(*mdns.TXT).Txt; len(text) > 255 && len(parts) < 2 {
			t.Errorf("%q is one string", text)
		}
	}
	for _, c := range []publish.Change{{Type: "MX", New: "10 mx.example.com."}, {Type: "CNAME", New: "a.example.net."}, {Type: "A", New: "192.0.2.1"}, {Type: "MX", New: "0 ."}} {
		c.Name = "example.com"
		if rr, err := record(c, 60); err != nil || valueOf(rr) != c.New {
			t.Errorf("%v: %v, %v", c, rr, err)
		}
	}
	if _, err := record(publish.Change{Name: "example.com", Type: "MX", New: "mx"}, 60); err == nil {
		t.Error("what is no value is taken")
	}
}

func TestVerifyNamesWhatIsMissingAndWhoIsSilent(t *testing.T) {
	plan := planFor(t, Answers{Domain: "example.com", Reports: []string{"r@example.com"}, Start: start}, "")
	full := dnstest.Start(t, plan.Zone())
	old := dnstest.Start(t, "example.com. MX 0 .\nexample.com. TXT \"v=spf1 mx -all\"\n")
	dead := dnstest.Start(t, "")
	for _, name := range []string{"example.com", "_dmarc.example.com"} {
		dead.Fail(name, dnstest.ServFail)
	}
	servers := []Server{Ask("full", full.Addr), Ask("old", old.Addr), Ask("dead", dead.Addr)}
	seen := plan.verify(t.Context(), servers)
	if len(seen.Missing) != 2 || len(seen.Silent) != 1 || !strings.HasPrefix(seen.Missing[0], "old: _dmarc.example.com TXT: there is no record") ||
		!strings.HasPrefix(seen.Missing[1], "old: example.com TXT: it is not among") || !strings.HasPrefix(seen.Silent[0], "dead: ") {
		t.Errorf("%+v", seen)
	}
	rounds := 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	last := plan.Verify(ctx, servers[:2], time.Millisecond, func(s Seen) {
		if rounds++; rounds == 2 {
			old.SetZone(t, plan.Zone())
		}
	})
	if !last.Done() || rounds != 3 || last.Servers != 2 {
		t.Errorf("after %d rounds: %+v", rounds, last)
	}
	cancel()
	if last := plan.Verify(ctx, []Server{Ask("dead", dead.Addr)}, time.Hour, func(Seen) {}); last.Done() {
		t.Error("silence is taken for agreement")
	}
}
