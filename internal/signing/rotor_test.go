package signing

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
)

func TestAKeyIsRotatedByHandStepByStep(t *testing.T) {
	b := newBench(t, nil)
	b.rotate()
	b.want("gp-2026-11-e=publish")
	b.tick(time.Hour)
	b.want("gp-2026-11-e=publish")
	b.publish("gp-2026-11-e")
	b.tick(time.Hour)
	b.want("gp-2026-11-e=waiting")
	b.tick(59 * time.Minute)
	b.want("gp-2026-11-e=waiting")
	b.tick(time.Minute)
	b.want("gp-2026-11-e=signing", "gp-2026-11-e")

	b.rotate()
	b.want("gp-2026-11-e=signing gp-2026-11-e-2=publish", "gp-2026-11-e")
	b.rotate() // again: nothing
	b.want("gp-2026-11-e=signing gp-2026-11-e-2=publish", "gp-2026-11-e")
	b.publish("gp-2026-11-e-2")
	b.tick(time.Hour)
	b.tick(time.Hour)
	b.want("gp-2026-11-e=retiring gp-2026-11-e-2=signing", "gp-2026-11-e-2")
	b.tick(7*day - time.Second)
	b.want("gp-2026-11-e=retiring gp-2026-11-e-2=signing", "gp-2026-11-e-2")
	b.tick(time.Second)
	b.want("gp-2026-11-e=revoke gp-2026-11-e-2=signing", "gp-2026-11-e-2")
	b.publish("gp-2026-11-e")
	b.tick(time.Hour)
	b.want("gp-2026-11-e=revoked gp-2026-11-e-2=signing", "gp-2026-11-e-2")
	b.tick(30 * day)
	b.want("gp-2026-11-e=remove gp-2026-11-e-2=signing", "gp-2026-11-e-2")
	if _, err := os.Stat(b.dir.file("example.com", "gp-2026-11-e.pem")); err != nil {
		t.Error("the key file is gone before its record is:", err)
	}
	b.publish("gp-2026-11-e")
	b.tick(time.Hour)
	b.want("gp-2026-11-e=removed gp-2026-11-e-2=signing", "gp-2026-11-e-2")
	if _, err := os.Stat(b.dir.file("example.com", "gp-2026-11-e.pem")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the key file is still there:", err)
	}
}

func TestOnAScheduleWithUpdatesEverythingGoesByItself(t *testing.T) {
	b := newBench(t, func(c *Config, o *Options) {
		c.RotateEvery, c.Algorithms = Duration(90*day), []Algorithm{RSA, Ed25519}
	})
	b.o.Publisher = b.dns
	b.restart()
	b.tick(0)
	b.want("gp-2026-11-r=waiting gp-2026-11-e=waiting")
	b.tick(time.Hour)
	b.want("gp-2026-11-r=signing gp-2026-11-e=signing", "gp-2026-11-r", "gp-2026-11-e")
	b.tick(90 * day)
	b.want("gp-2026-11-r=signing gp-2026-11-e=signing gp-2027-01-r=waiting gp-2027-01-e=waiting", "gp-2026-11-r", "gp-2026-11-e")
	for range 90*4 + 1 { // the first step was waited for
		b.now = b.now.Add(6 * time.Hour)
		if _, err := b.Tick(t.Context(), b.now); err != nil {
			t.Fatal(err)
		}
		b.safe()
		if n := len(b.Keyring().Signers("example.com")); n != 2 {
			t.Fatalf("%d keys sign at %v", n, b.now)
		}
	}
	b.tick(0)
	b.want("gp-2026-11-r=removed gp-2026-11-e=removed gp-2027-01-r=signing gp-2027-01-e=signing gp-2027-05-r=waiting gp-2027-05-e=waiting",
		"gp-2027-01-r", "gp-2027-01-e")
	if n := len(b.dns.texts); n != 4 {
		t.Errorf("DNS has %d records: %v", n, b.dns.texts)
	}
}

func TestAKeyWaitsUntilNoResolverRemembersThatThereWasNone(t *testing.T) {
	for _, c := range []struct {
		minimum int
		before  string
		want    time.Duration
	}{
		{300, "", time.Hour},                   // settle
		{7200, "", 2 * time.Hour},              // the SOA's MINIMUM
		{1 << 30, "", 24 * time.Hour},          // bounded
		{300, "v=DKIM1; k=rsa; p=", time.Hour}, // the TTL of what stood there before
		{0, "", time.Hour},                     // not known
	} {
		b := newBench(t, func(c *Config, _ *Options) { c.Settle = Duration(10 * time.Minute) })
		b.dns.minimum = c.minimum
		b.rotate()
		if c.before != "" {
			b.dns.set(b.key("gp-2026-11-e").Name("example.com"), c.before)
			b.tick(time.Minute)
		}
		b.publish("gp-2026-11-e")
		b.tick(time.Minute)
		got := b.key("gp-2026-11-e").Ready.Sub(b.now)
		if c.minimum == 300 && c.before == "" {
			c.want = 10 * time.Minute
		}
		if got != c.want {
			t.Errorf("MINIMUM %d, before %q: it waits for %v, want %v", c.minimum, c.before, got, c.want)
		}
	}
}

func TestAKeySignsOnlyWhenEveryResolverShowsIt(t *testing.T) {
	second := newDNS()
	b := newBench(t, func(_ *Config, o *Options) { o.Views.Resolvers = append(o.Views.Resolvers, View{"second", second}) })
	b.rotate()
	b.publish("gp-2026-11-e")
	b.tick(time.Hour)
	b.want("gp-2026-11-e=publish")
	if p := b.key("gp-2026-11-e").Problem; p != "DNS: second: missing" {
		t.Errorf("the problem is %q", p)
	}
	second.down = true
	b.tick(time.Hour)
	b.want("gp-2026-11-e=publish")
	second.down = false
	second.set("gp-2026-11-e._domainkey.example.com", b.key("gp-2026-11-e").Record)
	b.tick(time.Hour)
	b.want("gp-2026-11-e=waiting")
	second.set("gp-2026-11-e._domainkey.example.com")
	b.tick(time.Hour) // its time has come, but one has lost it
	b.want("gp-2026-11-e=waiting")
	second.set("gp-2026-11-e._domainkey.example.com", b.key("gp-2026-11-e").Record)
	b.tick(time.Hour)
	b.want("gp-2026-11-e=signing", "gp-2026-11-e")
	second.set("gp-2026-11-e._domainkey.example.com")
	b.tick(time.Hour) // once it signs, one that shows it is enough
	b.want("gp-2026-11-e=signing", "gp-2026-11-e")
}

func TestTheDomainsOwnNameServersAreAskedAsFarAsTheyCanBeReached(t *testing.T) {
	lagging := newDNS()
	b := newBench(t, func(_ *Config, o *Options) {
		o.Views.Authoritative = true
		o.Views.server = func(host string) dns.Resolver {
			if host == "ns2.example.com" {
				return lagging
			}
			return nil
		}
	})
	zone, err := dns.ParseZone(strings.NewReader("example.com. NS ns1.example.com.\nexample.com. NS ns2.example.com.\n"), "test")
	if err != nil {
		t.Fatal(err)
	}
	b.o.Views.Resolvers[0].Resolver = dns.Overlay(zone, b.dns)
	b.restart()
	b.rotate()
	b.publish("gp-2026-11-e")
	b.tick(time.Hour)
	if p := b.key("gp-2026-11-e").Problem; p != "DNS: ns2.example.com: missing" {
		t.Errorf("the problem is %q", p)
	}
	b.want("gp-2026-11-e=publish")
	lagging.down = true
	b.tick(time.Hour)
	b.want("gp-2026-11-e=waiting")
}

func TestAKeyThatIsTakenAwayBeforeItSignsBeginsAgain(t *testing.T) {
	b := newBench(t, nil)
	b.rotate()
	b.publish("gp-2026-11-e")
	b.tick(time.Hour)
	b.dns.set("gp-2026-11-e._domainkey.example.com")
	b.tick(time.Hour)
	b.want("gp-2026-11-e=publish")
}

func TestAKeyThatDNSDoesNotShowIsNotUsed(t *testing.T) {
	other, err := dkim.GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	for check, texts := range map[Check][]string{
		Missing:   {},
		Other:     {dkim.Record(other.Public())},
		IsRevoked: {"v=DKIM1; p="},
		NoKey:     {"v=spf1 -all"},
	} {
		b := newBench(t, nil)
		b.signing()
		name := "gp-2026-11-e._domainkey.example.com"
		record := b.key("gp-2026-11-e").Record
		b.dns.set(name, texts...)
		b.tick(time.Hour)
		b.want("gp-2026-11-e=signing")
		if k := b.States()[0]; k.Check != check || !k.Checked.Equal(b.now) || k.InUse {
			t.Errorf("%s: got %+v", check, k)
		}
		if !strings.Contains(b.log.String(), "DNS does not show it") {
			t.Errorf("%s: the log does not say so:\n%s", check, b.log)
		}
		b.dns.set(name, record, "some=token") // what is no key does no harm
		b.tick(time.Hour)
		b.want("gp-2026-11-e=signing", "gp-2026-11-e")
		b.dns.set(name, record, dkim.Record(other.Public()))
		b.tick(time.Hour)
		b.want("gp-2026-11-e=signing")
	}
}

// signing brings gp-2026-11-e to sign.
func (b *bench) signing() {
	b.t.Helper()
	b.rotate()
	b.publish("gp-2026-11-e")
	b.tick(time.Hour)
	b.tick(24 * time.Hour)
	b.want("gp-2026-11-e=signing", "gp-2026-11-e")
}

func TestWhileDNSDoesNotAnswerWhatItLastSaidHolds(t *testing.T) {
	b := newBench(t, nil)
	b.signing()
	b.dns.down = true
	b.tick(time.Hour)
	b.restart()
	b.tick(time.Hour)
	b.want("gp-2026-11-e=signing", "gp-2026-11-e")
	if k := b.States()[0]; k.Problem != "DNS: resolver: unknown" {
		t.Errorf("the problem is %q", k.Problem)
	}
	b.dns.down = false
	b.tick(time.Hour)
	if k := b.States()[0]; k.Problem != "" {
		t.Errorf("the problem is %q", k.Problem)
	}
}

func TestAKeyThatDNSDoesNotShowIsUsedIfForced(t *testing.T) {
	b := newBench(t, func(c *Config, _ *Options) { c.Force = true })
	key, err := dkim.GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.dir.Add(t.Context(), "example.com", "old", key, false, b.now); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Tick(t.Context(), b.now); err != nil {
		t.Fatal(err)
	}
	b.want("old=signing", "old")
}

func TestAnOldKeyIsNotRevokedWhileDNSDoesNotShowItsSuccessor(t *testing.T) {
	b := newBench(t, nil)
	b.signing()
	b.rotate()
	b.publish("gp-2026-11-e-2")
	b.tick(time.Hour)
	b.tick(time.Hour)
	b.want("gp-2026-11-e=retiring gp-2026-11-e-2=signing", "gp-2026-11-e-2")
	b.dns.set("gp-2026-11-e-2._domainkey.example.com")
	b.tick(time.Hour)
	b.tick(30 * day)
	b.want("gp-2026-11-e=retiring gp-2026-11-e-2=signing")
}

func TestARecordOfSomebodyElseIsNotOverwritten(t *testing.T) {
	b := newBench(t, nil)
	b.o.Publisher = b.dns
	b.restart()
	b.dns.set("gp-2026-11-e._domainkey.example.com", "v=DKIM1; p=")
	b.rotate()
	b.tick(time.Hour)
	b.want("gp-2026-11-e=publish")
	if k := b.key("gp-2026-11-e"); !strings.Contains(k.Problem, "not ours") {
		t.Errorf("the problem is %q", k.Problem)
	}
	if got := b.dns.texts["gp-2026-11-e._domainkey.example.com"]; len(got) != 1 || got[0] != "v=DKIM1; p=" {
		t.Errorf("the record is %q", got)
	}
}

func TestALeakedKeyStopsSigningAtOnce(t *testing.T) {
	b := newBench(t, nil)
	b.signing()
	err := b.dir.Revoke(t.Context(), "example.com", "gp-2026-11-e", false, b.now)
	if !errors.Is(err, ErrLast) {
		t.Errorf("got %v", err)
	}
	if err := b.dir.Revoke(t.Context(), "example.com", "gp-2026-11-e", true, b.now); err != nil {
		t.Fatal(err)
	}
	b.dns.down = true
	b.tick(0)
	b.want("gp-2026-11-e=revoke")
	b.dns.down = false
	b.publish("gp-2026-11-e")
	b.tick(time.Hour)
	b.want("gp-2026-11-e=revoked")
}

func TestAKeyThatWasNeverPublishedCanBeGivenUp(t *testing.T) {
	b := newBench(t, nil)
	b.rotate()
	if err := b.dir.Remove(t.Context(), "example.com", "gp-2026-11-e", false, b.now); err != nil {
		t.Fatal(err)
	}
	b.tick(time.Hour)
	b.want("gp-2026-11-e=removed")
	b.rotate() // its selector is not used again
	b.want("gp-2026-11-e=removed gp-2026-11-e-2=publish")
}

func TestOnlyTheNamedKeyDoesNotWaitForItsTime(t *testing.T) {
	b := newBench(t, nil)
	b.signing()
	b.rotate()
	b.publish("gp-2026-11-e-2")
	if err := b.Next(t.Context(), "example.com", "gp-2026-11-e-2", b.now); err != nil {
		t.Fatal(err)
	}
	b.want("gp-2026-11-e=retiring gp-2026-11-e-2=signing", "gp-2026-11-e-2")
	if err := b.Next(t.Context(), "example.com", "gp-2026-11-e-2", b.now); err != nil {
		t.Fatal(err)
	}
	b.want("gp-2026-11-e=retiring gp-2026-11-e-2=signing", "gp-2026-11-e-2")
	if err := b.Next(t.Context(), "example.com", "gp-2026-11-e", b.now); err != nil {
		t.Fatal(err)
	}
	b.want("gp-2026-11-e=revoke gp-2026-11-e-2=signing", "gp-2026-11-e-2")
}

func TestAnAddedKeyFollowsTheOneThatSigns(t *testing.T) {
	b := newBench(t, nil)
	b.signing()
	key, err := dkim.GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is the same
		if err := b.dir.Add(t.Context(), "example.com", "mine", key, false, b.now); err != nil {
			t.Fatal(err)
		}
	}
	b.want("gp-2026-11-e=signing mine=publish", "gp-2026-11-e")
	other, _ := dkim.GenerateEd25519()
	if err := b.dir.Add(t.Context(), "example.com", "mine", other, false, b.now); err == nil || !strings.Contains(err.Error(), "another key mine") {
		t.Errorf("got %v", err)
	}
	if err := b.dir.Add(t.Context(), "example.com", "more", other, false, b.now); err == nil || !strings.Contains(err.Error(), "on its way") {
		t.Errorf("got %v", err)
	}
}

func TestReloadIsAllOrNothing(t *testing.T) {
	b := newBench(t, nil)
	b.signing()
	if err := os.WriteFile(b.dir.file("example.com", "gp-2026-11-e.pem"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := b.o
	c := DefaultConfig()
	c.Domains = []string{"example.com"}
	o.Settings = settings(t, c)
	err := b.Reload(o)
	if err == nil || !strings.Contains(err.Error(), "gp-2026-11-e of example.com") || !strings.Contains(err.Error(), "gp-2026-11-e.pem") {
		t.Errorf("got %v", err)
	}
	b.want("gp-2026-11-e=signing", "gp-2026-11-e")
	if !b.Keyring().Ours("sub.example.com") {
		t.Error("the settings were changed")
	}
	if _, err := b.Tick(t.Context(), b.now); err == nil || !strings.Contains(err.Error(), "stay in use") {
		t.Errorf("got %v", err)
	}
	b.want("gp-2026-11-e=signing", "gp-2026-11-e")
}

func TestOneBrokenDomainDoesNotHoldUpOthers(t *testing.T) {
	b := newBench(t, nil)
	b.rotate()
	b.publish("gp-2026-11-e")
	if err := os.MkdirAll(b.dir.file("broken.example", ""), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.dir.file("broken.example", stateName), []byte("{\n\"domain\": 1}"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := b.Tick(t.Context(), b.now)
	if err == nil || !strings.Contains(err.Error(), "broken.example/state.json: line 2") {
		t.Errorf("got %v", err)
	}
	b.want("gp-2026-11-e=waiting")
}

func TestRunHeedsWhatAnotherProcessDoes(t *testing.T) {
	b := newBench(t, func(_ *Config, o *Options) { o.watch = 5 * time.Millisecond })
	key, err := dkim.GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	b.dns.set("s1._domainkey.example.com", dkim.Record(key.Public()))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan bool)
	go func() { defer close(ended); b.Run(ctx) }()
	signers := func(want int) {
		t.Helper()
		for range 3000 {
			if len(b.Keyring().Signers("example.com")) == want {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("%d keys do not sign after half a minute: %s", want, b.states())
	}
	if err := b.dir.Add(ctx, "example.com", "s1", key, false, time.Now()); err != nil {
		t.Fatal(err)
	}
	signers(1)
	if err := b.dir.Revoke(ctx, "example.com", "s1", true, time.Now()); err != nil {
		t.Fatal(err)
	}
	signers(0)
	cancel()
	<-ended
}

// slowDNS answers when it is let.
type slowDNS struct {
	*fakeDNS
	asked, let chan bool
}

func (s slowDNS) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	s.asked <- true
	<-s.let
	return s.fakeDNS.Lookup(ctx, name, typ)
}

func TestReloadDoesNotWaitForDNSAndHolds(t *testing.T) {
	b := newBench(t, nil)
	b.rotate()
	slow := slowDNS{b.dns, make(chan bool), make(chan bool)}
	b.o.Views.Resolvers[0].Resolver = slow
	b.restart()
	ended := make(chan error)
	go func() {
		_, err := b.Tick(t.Context(), b.now)
		ended <- err
	}()
	<-slow.asked
	o := b.o
	c := DefaultConfig()
	c.Domains = []string{"example.net"}
	o.Settings = settings(t, c)
	if err := b.Reload(o); err != nil { // while the Tick waits
		t.Fatal(err)
	}
	slow.let <- true
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if b.Keyring().Ours("example.com") || !b.Keyring().Ours("example.net") {
		t.Error("the end of a Tick brought the settings before back")
	}
}
