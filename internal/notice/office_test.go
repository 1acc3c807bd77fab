package notice

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/outbox"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A world is an office with all that it asks.
type world struct {
	*Office
	findings []audit.Finding
	to       []store.NoticeRecipient
	sent     []outbox.Letter
	refuse   error
}

func (w *world) Find(context.Context, string, time.Time) []store.NoticeRecipient { return w.to }

func (w *world) Send(_ context.Context, l outbox.Letter) error {
	if w.refuse == nil {
		w.sent = append(w.sent, l)
	}
	return w.refuse
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatepost.db"), store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w := &world{findings: []audit.Finding{softfail()}, to: []store.NoticeRecipient{
		{Address: "first@example.com", Source: FromSOA}, {Address: "postmaster@example.com", Source: FromPostmaster},
	}}
	c := DefaultConfig()
	c.From, c.ReturnAddress, c.Organization = "Example GmbH <postmaster@example.org>", "notices@example.org", "Example GmbH"
	if _, err := c.Check(); err != nil {
		t.Fatal(err)
	}
	w.Office = &Office{
		Config: c, Host: "mx.example.org", Store: s, Languages: Languages(), Tokens: tokens(), Find: w, Send: w,
		Audit: func(_ context.Context, domain string, _ ...netip.Addr) *audit.Report {
			return &audit.Report{Domain: domain, Findings: w.findings}
		},
	}
	return w
}

// saw puts decisions into the store.
func (w *world) saw(t *testing.T, source string, all ...store.Decision) {
	t.Helper()
	b := store.Batch{Source: source, Number: 1, Decisions: all}
	for i := range all {
		b.Counts = append(b.Counts, store.Count{Observation: store.Observe(&all[i]), Count: 1})
	}
	if err := w.Store.(store.Store).AddBatch(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func passed(at time.Time) store.Decision {
	d := *stopped()
	d.Time, d.DMARC, d.Done, d.Verdict, d.Rule, d.SPF = at, "pass", "accept", "accept", "authenticated", nil
	return d
}

func (w *world) sentCase(t *testing.T) store.Notice {
	t.Helper()
	w.saw(t, "before", passed(at.Add(-time.Hour)))
	n, opened, err := w.Propose(t.Context(), Subject{Domain: "example.com"}, "ann", at)
	if err != nil || !opened {
		t.Fatal(opened, err)
	}
	if err := w.Run(t.Context(), at); err != nil || len(w.sent) != 0 {
		t.Fatalf("%d letters went out that nobody approved; %v", len(w.sent), err)
	}
	if _, err := w.Approve(t.Context(), n.ID, "ann", at); err != nil {
		t.Fatal(err)
	}
	if err := w.Run(t.Context(), at); err != nil || len(w.sent) != 1 {
		t.Fatalf("%d letters; %v", len(w.sent), err)
	}
	return w.get(t, n.ID)
}

func (w *world) get(t *testing.T, id int64) store.Notice {
	t.Helper()
	n, err := w.Store.Notice(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWhatWasApprovedIsSentOnceAndComesFromUs(t *testing.T) {
	w := newWorld(t)
	n := w.sentCase(t)
	l := w.sent[0]
	if n.State != store.NoticeSent || l.To[0] != "first@example.com" || l.Return != w.Tokens.Address(n.Token) || l.Unsubscribe != l.Return {
		t.Errorf("%+v\n%+v", n, l)
	}
	if !strings.Contains(l.Text, l.Unsubscribe) || l.ReplyTo != "postmaster@example.org" {
		t.Errorf("%s\n%s", l.ReplyTo, l.Text)
	}
	if err := w.Run(t.Context(), at.Add(time.Hour)); err != nil || len(w.sent) != 1 {
		t.Errorf("%d letters; %v", len(w.sent), err)
	}
}

func TestADomainThatOnlyAbuseUsesIsNotWrittenTo(t *testing.T) {
	w := newWorld(t)
	w.saw(t, "abuse", *stopped())
	if _, _, err := w.Propose(t.Context(), Subject{Domain: "example.com"}, "ann", at); !errors.Is(err, store.ErrNoticeHeld) {
		t.Errorf("%v", err)
	}
}

func TestALetterThatIsPutOffIsSentLaterAndOneThatIsRefusedGoesToTheNext(t *testing.T) {
	w := newWorld(t)
	w.saw(t, "before", passed(at))
	n, _, err := w.Propose(t.Context(), Subject{Domain: "example.com"}, "ann", at)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Approve(t.Context(), n.ID, "ann", at); err != nil {
		t.Fatal(err)
	}
	w.refuse = &outbox.Error{Temporary: true, Err: errors.New("451 later")}
	if l, err := w.Deliver(t.Context(), n, at); err == nil || l.State != store.LetterWaiting {
		t.Errorf("%+v, %v", l, err)
	}
	w.refuse = &outbox.Error{Err: errors.New("550 never")}
	if l, err := w.Deliver(t.Context(), w.get(t, n.ID), at); err == nil || l.State != store.LetterFailed || l.Attempts != 2 {
		t.Errorf("%+v, %v", l, err)
	}
	w.refuse = nil
	if l, err := w.Deliver(t.Context(), w.get(t, n.ID), at); err != nil || l.Recipient != "postmaster@example.com" {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestWhatIsMendedClosesTheCaseAndEndsTheExceptionsMadeForIt(t *testing.T) {
	w := newWorld(t)
	n := w.sentCase(t)
	s := w.Store.(store.Store)
	ours := store.Exception{Domain: "example.com", SDID: "example.com", Until: at.AddDate(0, 1, 0), Created: at}
	others := store.Exception{Domain: "example.net", SDID: "example.net", Until: at.AddDate(0, 1, 0), Created: at}
	for _, e := range []*store.Exception{&ours, &others} {
		if err := s.AddException(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	later := at.Add(49 * time.Hour)
	if err := w.Run(t.Context(), later); err != nil || w.get(t, n.ID).State != store.NoticeSent || !w.get(t, n.ID).Checked.Equal(later) {
		t.Fatalf("%+v, %v", w.get(t, n.ID), err)
	}
	w.findings = []audit.Finding{{ID: "spf-unknown", Severity: check.Unknown}}
	if mended, err := w.Look(t.Context(), n, later); err != nil || mended {
		t.Errorf("mended though nothing could be had: %v", err)
	}
	w.findings = []audit.Finding{{ID: "spf-missing", Severity: check.Error}}
	if mended, err := w.Look(t.Context(), n, later); err != nil || mended {
		t.Errorf("mended though the record is gone: %v", err)
	}
	w.findings = []audit.Finding{{ID: "dmarc-missing", Severity: check.Error}}
	later = later.Add(48 * time.Hour)
	if err := w.Run(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	if got := w.get(t, n.ID); got.State != store.NoticeMended || !got.Mended.Equal(later) {
		t.Errorf("%+v", got)
	}
	all, err := s.Exceptions(t.Context())
	if err != nil || !all[0].Until.Equal(later) || !all[1].Until.Equal(others.Until) {
		t.Errorf("%+v, %v", all, err)
	}
	f, err := w.Figures(t.Context(), time.Time{})
	if err != nil || f.Written != 1 || f.Mended != 1 || f.Days != [3]int{4, 4, 4} || f.Faults[0].Fault != "spf-softfail" {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestAFaultOfTheMailIsMendedWhenMailPassesAgain(t *testing.T) {
	w := newWorld(t)
	w.findings = nil
	bad := *stopped()
	bad.SPF, bad.DKIM, bad.Reason = nil, []store.Signature{{Result: "fail", SDID: "example.com", Selector: "s1"}}, "the body hash does not match"
	w.saw(t, "before", passed(at.Add(-time.Hour)), bad)
	n, opened, err := w.Propose(t.Context(), Subject{Decision: &bad}, "ann", at)
	if err != nil || !opened || n.Faults[0] != "mail:dkim-changed" {
		t.Fatalf("%+v, %v", n, err)
	}
	later := at.Add(9 * day)
	if mended, err := w.Look(t.Context(), n, later); err != nil || mended {
		t.Errorf("mended though nothing came: %v", err)
	}
	w.saw(t, "after", passed(at.Add(8*day)))
	if mended, err := w.Look(t.Context(), n, later); err != nil || !mended {
		t.Errorf("not mended: %v", err)
	}
}

func TestWhatIsNotMendedInTimeIsClosed(t *testing.T) {
	w := newWorld(t)
	n := w.sentCase(t)
	if err := w.Run(t.Context(), at.AddDate(0, 0, 181)); err != nil || w.get(t, n.ID).State != store.NoticeClosed {
		t.Errorf("%+v, %v", w.get(t, n.ID), err)
	}
}

func TestARuleOpensCasesAndSendsOnlyIfItSaysSo(t *testing.T) {
	for _, send := range []bool{false, true} {
		w := newWorld(t)
		w.Config.Rules = []Rule{{Name: "softfail", Rules: []string{"spf-softfail"}, Messages: 2, Send: send}}
		w.saw(t, "a", passed(at.Add(-time.Hour)), *stopped())
		if err := w.Run(t.Context(), at); err != nil || len(w.sent) != 0 {
			t.Fatalf("%d letters for one message, %v", len(w.sent), err)
		}
		w.saw(t, "b", *stopped())
		if err := w.Run(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		all, err := w.Store.Notices(t.Context(), store.NoticeFilter{})
		if err != nil || len(all) != 1 || all[0].Author != "rule softfail" || (len(w.sent) == 1) != send {
			t.Errorf("send %t: %d letters, %+v, %v", send, len(w.sent), all, err)
		}
		w.Config.Except = []string{"example.com"}
		if err := w.Run(t.Context(), at.Add(time.Minute)); err != nil || len(w.sent) > 1 {
			t.Errorf("%d letters, %v", len(w.sent), err)
		}
	}
}

func TestWhatComesBackIsObeyed(t *testing.T) {
	w := newWorld(t)
	n := w.sentCase(t)
	a, ok := w.Tokens.Read(strings.NewReader(dsn("failed", "5.1.1", w.Tokens.Address(n.Token))))
	if !ok {
		t.Fatal("no answer")
	}
	if got, err := w.Take(t.Context(), a, at); err != nil || got.State != store.NoticeBounced {
		t.Errorf("%+v, %v", got, err)
	}
	unknown := Answer{Token: w.Tokens.New(), Kind: Bounce}
	if _, err := w.Take(t.Context(), unknown, at); !IsUnknown(err) {
		t.Errorf("%v", err)
	}
}

func TestTheConfigurationSaysWhatIsWrong(t *testing.T) {
	for key, change := range map[string]func(*Config){
		"from":           func(c *Config) { c.From = "nobody" },
		"return_address": func(c *Config) { c.ReturnAddress = "notices@example.net" },
		"organization":   func(c *Config) { c.Organization = " " },
		"contact":        func(c *Config) { c.Contact = "x" },
		"about":          func(c *Config) { c.About = "http://example.org" },
		"language":       func(c *Config) { c.Language = "tlh" },
		"per_hour":       func(c *Config) { c.PerHour = 1000 },
		"per_day":        func(c *Config) { c.PerDay = 0 },
		"recheck":        func(c *Config) { c.Recheck = 0 },
		"except":         func(c *Config) { c.Except = []string{"a b"} },
		"rule":           func(c *Config) { c.Rules = []Rule{{Name: "x"}} },
	} {
		c := newWorld(t).Config
		change(&c)
		if got, err := c.Check(); err == nil || got != "notice."+key || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}
}
