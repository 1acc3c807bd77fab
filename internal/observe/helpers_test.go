package observe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/testlog"
)

// decision is the nth, of an Author Domain of its own for every tenth message, so that counts tell which are there.
func decision(n int) *store.Decision {
	domain := fmt.Sprintf("d%d.example", n%50)
	if n%10 == 0 {
		domain = fmt.Sprintf("once%d.example", n)
	}
	return &store.Decision{
		Time: time.Unix(1795521600, int64(n)*1000).UTC(), Reference: fmt.Sprint(n), QueueID: "4Bq1ZC0Xk2z1abc",
		MessageID: fmt.Sprintf("<20261124.%d@mail.example.com>", n), ClientIP: netip.AddrFrom4([4]byte{192, 0, 2, byte(n % 50)}),
		Helo: "mx." + domain, MailFrom: "bounce@" + domain, EnvelopeDomain: domain, Recipients: []string{"someone@example.org"},
		AuthorDomain: domain,
		SPF:          []store.SPF{{Identity: "mailfrom", Domain: domain, Result: "pass"}, {Identity: "helo", Domain: "mx." + domain, Result: "none"}},
		DKIM:         []store.Signature{{Result: "pass", SDID: domain, Selector: "s1"}}, ARC: "none", DMARC: "pass", PolicyDomain: domain,
		Policy: "reject", Disposition: "none", Record: "v=DMARC1; p=reject; rua=mailto:dmarc@" + domain, AlignedSPF: true, AlignedDKIM: true,
		Verdict: "accept", Mode: "enforce", Done: "accept",
	}
}

// made is the nth message of a sender who makes up a name wherever it can.
func made(n int) *store.Decision {
	d := decision(n)
	name := fmt.Sprintf("x%d.example", n)
	d.Helo, d.EnvelopeDomain, d.AuthorDomain, d.PolicyDomain, d.DKIM[0].SDID = name, name, name, name, name
	d.ClientIP = netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, byte(n >> 16), byte(n >> 8), byte(n), 15: 1})
	if n%3 == 0 {
		d.Verdict, d.Rule, d.Done = "reject", "spf-softfail", "reject"
	}
	return d
}

// A door stands before a real store, and can be shut.
type door struct {
	store.Store
	shut   atomic.Bool // nothing gets in
	silent atomic.Bool // what gets in is not answered: who knocks does not know whether it did
}

var errShut = errors.New("the door is shut")

func (d *door) AddBatch(ctx context.Context, b store.Batch) error {
	if d.shut.Load() {
		return errShut
	}
	err := d.Store.AddBatch(ctx, b)
	if d.silent.Load() {
		return errShut
	}
	return err
}

// newDoor gives a new store.
func newDoor(t testing.TB) *door {
	t.Helper()
	s, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "gatepost.db"), store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &door{Store: s}
}

func logTo(l *testlog.Buffer) *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// start opens a recorder whose background is quick.
func start(t testing.TB, dir string, o Options) *Recorder {
	t.Helper()
	if o.interval == 0 {
		o.interval = 2 * time.Millisecond
	}
	r, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		r.Close(ctx)
	})
	return r
}

// eventually waits for what the background does. It gives up after so long that something must be wrong.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("it never came that %s", what)
		}
	}
}

// logged counts the decisions of each reference, and counted the messages of each Author Domain.
func logged(t testing.TB, s store.Store) map[string]int {
	t.Helper()
	found, err := s.Decisions(context.Background(), store.DecisionFilter{Limit: 10_000_000})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]int{}
	for _, d := range found {
		all[d.Reference]++
	}
	return all
}

func counted(t testing.TB, s store.Store) (byDomain map[string]int64, total int64) {
	t.Helper()
	byDomain = map[string]int64{}
	for n, err := range s.Observations(context.Background(), store.ObservationFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		byDomain[n.AuthorDomain] += n.Count
		total += n.Count
	}
	return byDomain, total
}

// everything holds the store to having each message of 0 to n-1 once.
func everything(t testing.TB, s store.Store, n int) {
	t.Helper()
	all := logged(t, s)
	for i := range n {
		if c := all[fmt.Sprint(i)]; c != 1 {
			t.Errorf("the message %d is logged %d times", i, c)
		}
	}
	if _, total := counted(t, s); len(all) != n || total != int64(n) {
		t.Errorf("%d messages are logged and %d counted, want %d", len(all), total, n)
	}
}

func flushed(t testing.TB, r *Recorder) {
	t.Helper()
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func journalFiles(t testing.TB, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"+suffix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func write(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
