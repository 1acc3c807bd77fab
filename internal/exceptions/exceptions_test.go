package exceptions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// message is one of example.com from 192.0.2.7 with a good signature of example.net, changed as a case wants it.
func message(changes ...func(*verify.Evaluation)) *verify.Evaluation {
	e := &verify.Evaluation{
		Client: verify.Client{IP: netip.MustParseAddr("192.0.2.7"), Helo: "mx.example.net", MailFrom: "a@example.com"},
		DKIM:   []verify.DKIM{{Result: "fail", SDID: "example.com", Selector: "s1"}, {Result: "pass", SDID: "example.net", Selector: "s1"}},
		DMARC:  verify.DMARC{Result: "fail", AuthorDomain: "example.com", Policy: "reject", Disposition: "reject"},
		Author: verify.Author{Domains: []string{"example.com"}},
	}
	for _, change := range changes {
		change(e)
	}
	return e
}

func from(domains ...string) func(*verify.Evaluation) {
	return func(e *verify.Evaluation) {
		e.Author.Domains = domains
		if len(domains) != 1 {
			e.Author.Reason = fmt.Sprintf("%d domains", len(domains))
		}
	}
}

func client(ip string) func(*verify.Evaluation) {
	return func(e *verify.Evaluation) { e.Client.IP = netip.MustParseAddr(ip) }
}

func signature(change func(*verify.DKIM)) func(*verify.Evaluation) {
	return func(e *verify.Evaluation) { change(&e.DKIM[1]) }
}

var rejected = policy.Verdict{Action: policy.Reject, Rule: "spf-fail", Reply: "550 5.7.23 No", Reason: "No"}

func networkException(domain, prefix string) store.Exception {
	return store.Exception{ID: 3, Domain: domain, Network: netip.MustParsePrefix(prefix), Until: noon.Add(time.Hour), Reason: "moving", Author: "ann", Created: noon}
}

func dkimException(domain, sdid string) store.Exception {
	return store.Exception{ID: 4, Domain: domain, SDID: sdid, Until: noon.Add(time.Hour), Reason: "lists", Author: "ann", Created: noon}
}

func setOf(all ...store.Exception) *Set {
	s := New(nil, nil)
	s.table.Store(newTable(all))
	return s
}

func TestAnExceptionCoversItsDomainByItsWayAndNothingElse(t *testing.T) {
	byNetwork, byDKIM := networkException("example.com", "192.0.2.0/24"), dkimException("example.com", "example.net")
	for _, c := range []struct {
		name   string
		x      store.Exception
		e      *verify.Evaluation
		covers bool
	}{
		{"network", byNetwork, message(), true},
		{"another address", byNetwork, message(client("192.0.3.7")), false},
		{"an IPv4 address in IPv6", byNetwork, message(client("::ffff:192.0.2.7")), true},
		{"no address", byNetwork, message(func(e *verify.Evaluation) { e.Client.IP = netip.Addr{} }), false},
		{"IPv6", networkException("example.com", "2001:db8::/32"), message(client("2001:db8:1::1")), true},
		{"IPv4 is not in an IPv6 network", networkException("example.com", "2001::/16"), message(), false},
		{"forged From of another domain", byNetwork, message(from("example.org")), false},
		{"a sub-domain", byNetwork, message(from("mail.example.com")), false},
		{"the domain above", networkException("mail.example.com", "192.0.2.0/24"), message(), false},
		{"a domain that ends alike", byNetwork, message(from("badexample.com")), false},
		{"two domains, ours first", byNetwork, message(from("example.com", "example.org")), false},
		{"two domains, ours last", byNetwork, message(from("example.org", "example.com")), false},
		{"no domain", byNetwork, message(from()), false},
		{"one domain in a From that is odd", byNetwork, message(func(e *verify.Evaluation) { e.Author.Reason = "2 From fields" }), false},
		{"signature", byDKIM, message(), true},
		{"a signature that fails", byDKIM, message(signature(func(d *verify.DKIM) { d.Result = "fail" })), false},
		{"a signature not to be decided", byDKIM, message(signature(func(d *verify.DKIM) { d.Result = "temperror" })), false},
		{"a key under test", byDKIM, message(signature(func(d *verify.DKIM) { d.Testing = true })), false},
		{"a part of the body", byDKIM, message(signature(func(d *verify.DKIM) { d.UnsignedBytes = 1 })), false},
		{"a signature of a sub-domain", byDKIM, message(signature(func(d *verify.DKIM) { d.SDID = "x.example.net" })), false},
		{"signed by the forger", byDKIM, message(signature(func(d *verify.DKIM) { d.SDID = "example.org" })), false},
		{"signed, and forged From", byDKIM, message(from("example.org")), false},
		{"wildcard", networkException("*.example.com", "192.0.2.0/24"), message(from("a.b.example.com")), true},
		{"wildcard and the domain itself", networkException("*.example.com", "192.0.2.0/24"), message(), false},
		{"wildcard and a domain that ends alike", networkException("*.example.com", "192.0.2.0/24"), message(from("badexample.com")), false},
		{"wildcard and another domain", networkException("*.example.com", "192.0.2.0/24"), message(from("a.example.org")), false},
		{"wildcard and two domains", networkException("*.example.com", "192.0.2.0/24"), message(from("a.example.com", "b.example.com")), false},
		{"neither network nor DKIM", store.Exception{Domain: "example.com", Until: noon.Add(time.Hour)}, message(), false},
	} {
		v, used := setOf(c.x).Apply(rejected, c.e, noon)
		if (used != nil) != c.covers {
			t.Errorf("%s: covered: %v, want %v", c.name, used != nil, c.covers)
		}
		if used == nil && !reflect.DeepEqual(v, rejected) {
			t.Errorf("%s: the verdict became %+v", c.name, v)
		}
		if used != nil && (v.Action != policy.Accept || v.Rule != Rule || v.Reply != "" || used.ID != c.x.ID) {
			t.Errorf("%s: got %+v by %+v", c.name, v, used)
		}
	}
}

func TestAnExceptionEndsAtItsEnd(t *testing.T) {
	x := networkException("example.com", "192.0.2.0/24")
	for _, c := range []struct {
		now    time.Time
		covers bool
	}{{noon, true}, {x.Until, true}, {x.Until.Add(time.Nanosecond), false}, {x.Until.AddDate(1, 0, 0), false}} {
		if _, used := setOf(x).Apply(rejected, message(), c.now); (used != nil) != c.covers {
			t.Errorf("at %s: covered: %v", c.now, used != nil)
		}
	}
}

func TestAnExceptionSaysWhatItWaived(t *testing.T) {
	v, _ := setOf(networkException("example.com", "192.0.2.0/24")).Apply(rejected, message(), noon)
	if want := "exception 3 (moving; until 2026-11-24) waives reject by the rule spf-fail: No"; v.Reason != want {
		t.Errorf("got %q, want %q", v.Reason, want)
	}
}

func TestWhatIsAcceptedUsesNoException(t *testing.T) {
	s := setOf(networkException("example.com", "192.0.2.0/24"))
	for _, action := range []policy.Action{policy.Mark, policy.Quarantine, policy.Reject, policy.Defer} {
		if v, used := s.Apply(policy.Verdict{Action: action}, message(), noon); used == nil || v.Action != policy.Accept {
			t.Errorf("%s: got %+v", action, v)
		}
	}
	if _, used := s.Apply(policy.Verdict{Action: policy.Accept}, message(), noon); used != nil {
		t.Error("an accepted message used one")
	}
	if _, used := (*Set)(nil).Apply(rejected, message(), noon); used != nil {
		t.Error("a nil Set has exceptions")
	}
}

func TestTheEndedOneOfTwoDoesNotHideTheOther(t *testing.T) {
	ended, good := networkException("example.com", "192.0.2.0/24"), networkException("example.com", "192.0.2.0/25")
	ended.Until, good.ID = noon.Add(-1), 9
	if _, used := setOf(ended, good).Apply(rejected, message(), noon); used == nil || used.ID != 9 {
		t.Errorf("got %+v", used)
	}
}

// away is a store that can be away.
type away struct {
	store.Store
	gone atomic.Bool
}

var errGone = errors.New("gone")

func (a *away) ExceptionsVersion(ctx context.Context) (int64, error) {
	if a.gone.Load() {
		return 0, errGone
	}
	return a.Store.ExceptionsVersion(ctx)
}

func newStore(t *testing.T) *away {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatepost.db"), store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &away{Store: s}
}

func TestASetFollowsItsStoreAndOutlivesIt(t *testing.T) {
	s := newStore(t)
	set := New(s, nil)
	covered := func() bool {
		t.Helper()
		_, used := set.Apply(rejected, message(), noon)
		return used != nil
	}
	refresh := func(want error) {
		t.Helper()
		if err := set.Refresh(t.Context()); !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
	}
	refresh(nil)
	if covered() {
		t.Error("before there was one")
	}
	x := networkException("example.com", "192.0.2.0/24")
	if err := s.AddException(t.Context(), &x); err != nil {
		t.Fatal(err)
	}
	refresh(nil)
	if !covered() {
		t.Error("added, and not covered")
	}
	s.gone.Store(true)
	refresh(errGone)
	if !covered() {
		t.Error("forgotten with the store away")
	}
	s.gone.Store(false)
	if err := s.ExtendException(t.Context(), x.ID, noon.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	refresh(nil)
	if covered() {
		t.Error("ended, and covered")
	}
	if err := s.ExtendException(t.Context(), x.ID, noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	refresh(nil)
	if !covered() {
		t.Error("extended, and not covered")
	}
	if err := s.RemoveException(t.Context(), x.ID); err != nil {
		t.Fatal(err)
	}
	refresh(nil)
	if covered() {
		t.Error("removed, and covered")
	}
}

func TestRunSeesAChangeByItself(t *testing.T) {
	s := newStore(t)
	var log strings.Builder
	set := New(s, slog.New(slog.NewTextHandler(&log, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { set.Run(ctx); close(done) }()
	x := networkException("example.com", "192.0.2.0/24")
	x.Until = time.Now().Add(time.Hour)
	if err := s.AddException(t.Context(), &x); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if _, used := set.Apply(rejected, message(), time.Now()); used != nil {
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatal("it never came")
		}
	}
	cancel()
	<-done
}

func TestWhatIsAboutToEndIsReported(t *testing.T) {
	far, near, ended, next := networkException("far.example", "192.0.2.0/24"), networkException("near.example", "192.0.2.7/32"),
		networkException("ended.example", "192.0.2.0/24"), dkimException("next.example", "example.net")
	far.Until, near.Until, ended.Until, next.Until = noon.AddDate(0, 0, 8), noon.AddDate(0, 0, 6), noon.Add(-1), noon.AddDate(0, 0, 1)
	var log strings.Builder
	set := setOf(far, near, ended, next)
	set.log = slog.New(slog.NewTextHandler(&log, nil))
	got := set.Ending(noon, Soon)
	if len(got) != 2 || got[0].Domain != "next.example" || got[1].Domain != "near.example" {
		t.Errorf("got %+v", got)
	}
	if n := set.Active(noon); n != 3 {
		t.Errorf("%d hold, want 3", n)
	}
	set.Report(noon)
	if text := log.String(); strings.Count(text, "about to end") != 2 || !strings.Contains(text, `for="signed by example.net"`) ||
		!strings.Contains(text, "for=192.0.2.7 ") {
		t.Errorf("got %s", text)
	}
	if (*Set)(nil).Ending(noon, Soon) != nil || (*Set)(nil).Active(noon) != 0 {
		t.Error("a nil Set has exceptions")
	}
}

func BenchmarkApply(b *testing.B) {
	var all []store.Exception
	for n := range 5000 {
		all = append(all, networkException(fmt.Sprintf("d%d.example", n), "192.0.2.0/24"), networkException(fmt.Sprintf("*.d%d.example", n), "192.0.2.0/24"))
	}
	set, e := setOf(all...), message(from("a.b.d4999x.example"))
	b.ReportAllocs()
	for b.Loop() {
		set.Apply(rejected, e, noon)
	}
}
