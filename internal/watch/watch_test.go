package watch

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/alert"
	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/store"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

const (
	goodKey = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	zone    = `
example.com. IN MX 10 mx.example.com.
example.com. IN TXT "v=spf1 mx include:spf.example.net -all"
example.com. IN TXT "a token"
spf.example.net. IN TXT "v=spf1 ip4:192.0.2.0/24 -all"
mx.example.com. IN A 192.0.2.1
_dmarc.example.com. IN TXT "v=DMARC1; p=reject; sp=quarantine; rua=mailto:reports@example.com"
s1._domainkey.example.com. IN TXT "` + goodKey + `"
`
)

// A world is what the domain publishes, and who watches it.
type world struct {
	t       *testing.T
	store   store.Store
	zone    string
	failing []string // names that do not answer
	told    []alert.Alert
	tellErr error
	now     time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatepost.db"), store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &world{t: t, store: s, zone: zone, now: noon}
}

func (w *world) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	if slices.Contains(w.failing, name) {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrServFail}
	}
	z, err := dns.ParseZone(strings.NewReader(w.zone), "zone")
	if err != nil {
		w.t.Fatal(err)
	}
	return z.Lookup(ctx, name, typ)
}

func (w *world) runner() *Runner {
	return &Runner{
		Config: DefaultConfig(), Domains: []string{"example.com"}, Store: w.store, Resolver: w,
		Tell: func(_ context.Context, all []alert.Alert, _ time.Time, _ time.Duration) error {
			if w.tellErr == nil {
				w.told = append(w.told, all...)
			}
			return w.tellErr
		},
		Know: func(_ context.Context, _ string, o *facts.Options) error {
			o.Seen = facts.Seen{Selectors: []string{"s1"}, Sends: true}
			return nil
		},
	}
}

// look has the domain looked at six hours later, and gives what was told.
func (w *world) look(r *Runner) []alert.Alert {
	w.t.Helper()
	w.told = nil
	if err := r.Run(w.t.Context(), w.now); err != nil {
		w.t.Fatal(err)
	}
	w.now = w.now.Add(6 * time.Hour)
	return w.told
}

// change replaces a part of the zone.
func (w *world) change(old, new string) {
	w.t.Helper()
	if !strings.Contains(w.zone, old) {
		w.t.Fatalf("the zone has no %q", old)
	}
	w.zone = strings.Replace(w.zone, old, new, 1)
}

func (w *world) history() *history {
	w.t.Helper()
	all, err := w.store.Published(w.t.Context(), "example.com")
	if err != nil {
		w.t.Fatal(err)
	}
	return historyOf(all)
}

func TestEachTextOfEachRecordIsKept(t *testing.T) {
	w := newWorld(t)
	r := w.runner()
	if told := w.look(r); len(told) > 0 {
		t.Errorf("at the first look this is told: %+v", told)
	}
	w.change("ip4:192.0.2.0/24", "ip4:198.51.100.0/24")
	w.look(r)
	h := w.history()
	for _, c := range []struct{ kind, name, text string }{
		{kindSPF, "example.com", "v=spf1 mx include:spf.example.net -all"},
		{kindInclude, "spf.example.net", "v=spf1 ip4:198.51.100.0/24 -all"},
		{kindDMARC, "_dmarc.example.com", "v=DMARC1; p=reject; sp=quarantine; rua=mailto:reports@example.com"},
		{kindMX, "example.com", "10 mx.example.com."},
		{kindSTS, "_mta-sts.example.com", ""},
		{kindTLSRPT, "_smtp._tls.example.com", ""},
		{kindBIMI, "default._bimi.example.com", ""},
	} {
		if p := h.present(c.kind, c.name); p == nil || p.Text != c.text {
			t.Errorf("%s at %s: %+v, want %q", c.kind, c.name, p, c.text)
		}
	}
	now := h.present(kindInclude, "spf.example.net")
	if before := h.before(now); before == nil || before.Text != "v=spf1 ip4:192.0.2.0/24 -all" || !before.Last.Equal(noon) || !now.Since.Equal(noon.Add(6*time.Hour)) {
		t.Errorf("before: %+v, now %+v", before, now)
	}
}

func TestADomainIsLookedAtWhenItIsItsTurn(t *testing.T) {
	w := newWorld(t)
	last := func() time.Time { return w.history().present(kindAudit, "").Last }
	r := w.runner()
	w.look(r)
	for _, other := range []*Runner{r, w.runner()} { // another node, or this one after a restart
		if err := other.Run(t.Context(), noon.Add(5*time.Hour)); err != nil || !last().Equal(noon) {
			t.Errorf("%v, looked at %v", err, last())
		}
	}
	if err := w.runner().Run(t.Context(), noon.Add(6*time.Hour)); err != nil || last().Equal(noon) {
		t.Errorf("%v, looked at %v", err, last())
	}
	r.Config.Every = 0
	if err := r.Run(t.Context(), noon.Add(100*time.Hour)); err != nil || !last().Equal(noon.Add(6*time.Hour)) {
		t.Errorf("%v, looked at %v though it is never to be", err, last())
	}
}

func TestAPolicyThatWasWeakenedIsToldWithBothTexts(t *testing.T) {
	w := newWorld(t)
	r := w.runner()
	w.look(r)
	w.change("p=reject", "p=none")
	told := w.look(r)
	i := slices.IndexFunc(told, func(a alert.Alert) bool { return a.Kind == alert.PolicyWeaker })
	if i < 0 || told[i].Domain != "example.com" || !strings.Contains(told[i].Title, "p=reject became none") ||
		!strings.Contains(told[i].Text, `"v=DMARC1; p=reject;`) || !strings.Contains(told[i].Text, `now "v=DMARC1; p=none;`) {
		t.Errorf("%+v", told)
	}
	w.change("-all\"\nexample.com. IN TXT \"a token", "~all\"\nexample.com. IN TXT \"a token")
	if told := w.look(r); !slices.ContainsFunc(told, func(a alert.Alert) bool { return strings.Contains(a.Title, "-all became ~all") }) {
		t.Errorf("%+v", told)
	}
}

func TestAFailureOfDNSIsNoChange(t *testing.T) {
	w := newWorld(t)
	r := w.runner()
	w.look(r)
	before := len(w.history().all)
	w.failing = []string{"example.com", "_dmarc.example.com", "spf.example.net", "s1._domainkey.example.com", "_mta-sts.example.com"}
	if told := w.look(r); len(told) > 0 {
		t.Errorf("%+v", told)
	}
	h := w.history()
	if p := h.present(kindDMARC, "_dmarc.example.com"); p == nil || p.Text == "" || !p.Last.Equal(noon) {
		t.Errorf("%+v", p)
	}
	if len(h.all) > before+1 { // the grade may be another
		t.Errorf("%d texts, and %d before", len(h.all), before)
	}
	w.failing = nil
	if told := w.look(r); len(told) > 0 {
		t.Errorf("when it answers again: %+v", told)
	}
}

func TestAFaultThatIsNewIsToldAndOneThatWasThereIsNot(t *testing.T) {
	w := newWorld(t)
	w.zone = strings.Replace(zone, "_dmarc.example.com.", "_other.example.com.", 1) + "_smtp._tls.example.com. IN TXT \"v=TLSRPTv1; rua=nonsense\"\n"
	r := w.runner()
	if told := w.look(r); len(told) > 0 {
		t.Errorf("at the first look: %+v", told)
	}
	w.zone += "_mta-sts.example.com. IN TXT \"v=STSv1; id=1\"\n_mta-sts.example.com. IN TXT \"v=STSv1; id=2\"\n"
	told := w.look(r)
	if len(told) != 1 || told[0].Kind != alert.NewFault || !strings.Contains(told[0].Title, "several MTA-STS records") || !strings.Contains(told[0].Text, "Publish at") {
		t.Errorf("%+v", told)
	}
	// What is told again is the same, so that the store keeps it from anybody's ears; and after a week it is not even tried.
	if again := w.look(r); len(again) != 1 || again[0].Subject != told[0].Subject {
		t.Errorf("%+v", again)
	}
	w.now = w.now.Add(8 * 24 * time.Hour)
	if told := w.look(r); len(told) > 0 {
		t.Errorf("a week later: %+v", told)
	}
}

func TestWhatCouldNotBeToldIsToldTheNextTime(t *testing.T) {
	w := newWorld(t)
	r := w.runner()
	w.look(r)
	w.change("p=reject", "p=none")
	w.tellErr = errors.New("the mail server is away")
	if err := r.Run(t.Context(), w.now); err == nil {
		t.Fatal("no error")
	}
	w.tellErr = nil
	if err := r.Run(t.Context(), w.now.Add(5*time.Minute)); err != nil || len(w.told) == 0 {
		t.Errorf("%v, %+v", err, w.told)
	}
}

func TestAnAuditThatWasCutShortIsForgotten(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	r := w.runner()
	r.Know = func(context.Context, string, *facts.Options) error {
		cancel()
		return nil
	}
	if err := r.Run(ctx, noon); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if all := w.history().all; len(all) > 0 {
		t.Errorf("%+v", all)
	}
}

func TestKeysAreLookedForAgainAndTheirAgeIsKnown(t *testing.T) {
	h := historyOf([]store.Published{
		{Kind: kindDKIM, Name: "s1._domainkey.example.com", Text: goodKey, Present: true, Since: noon},
		{Kind: kindDKIM, Name: "s2._domainkey.example.com", Text: "", Present: true, Since: noon},
		{Kind: kindDKIM, Name: "s2._domainkey.example.com", Text: goodKey, Since: noon.Add(-time.Hour)},
	})
	seen := h.seen("example.com", facts.Seen{Selectors: []string{"s3"}})
	if !slices.Equal(seen.Selectors, []string{"s3", "s1"}) || len(seen.KeySince) != 1 || !seen.KeySince["s1"].Equal(noon) {
		t.Errorf("%+v", seen)
	}
}

// remembered is a history in which a record changed an hour ago.
func remembered(kind, name, before, now string, more ...store.Published) *history {
	hour := noon.Add(-time.Hour)
	return historyOf(append(more,
		store.Published{Kind: kind, Name: name, Text: now, Hash: store.PublishedHash(now), Present: true, Since: hour, First: hour, Last: hour},
		store.Published{Kind: kind, Name: name, Text: before, Hash: store.PublishedHash(before), First: hour.AddDate(0, -1, 0), Last: hour.Add(-6 * time.Hour)}))
}

func TestAKeyThatIsGoneOrRevokedIsTold(t *testing.T) {
	const name = "s1._domainkey.example.com"
	for _, c := range []struct{ before, now, says string }{
		{goodKey, "", "the DKIM key s1 is gone"},
		{goodKey, "v=DKIM1; p=", "the DKIM key s1 was revoked"},
		{goodKey, "something else", "the DKIM key s1 is no key any longer"},
		{goodKey, strings.Replace(goodKey, "11qY", "22qY", 1), ""},
		{"something else", "", ""},
		{"", goodKey, ""},
	} {
		all := changes(&audit.Report{Domain: "example.com"}, remembered(kindDKIM, name, c.before, c.now), noon)
		if c.says == "" && len(all) > 0 || c.says != "" && (len(all) != 1 || all[0].Kind != alert.KeyGone || !strings.Contains(all[0].Title, c.says)) {
			t.Errorf("%q, then %q: %+v, want %q", c.before, c.now, all, c.says)
		}
	}
}

func TestAnIncludeThatGrewIsToldWithWhatItWasAndIs(t *testing.T) {
	hour := noon.Add(-time.Hour)
	known := store.Published{Kind: kindArea, Name: "spf", Text: "known", Present: true, First: hour.AddDate(0, -1, 0)}
	for id, kind := range map[string]alert.Kind{"spf-too-many-lookups": alert.NewFault, "spf-dangling-include": alert.Dangling} {
		f := audit.Finding{ID: id, Area: facts.SPF, Severity: check.Error, Subject: "example.com", Title: "SPF needs too many look-ups", Detail: "It needs 12."}
		found := store.Published{Kind: kindFinding, Name: findingName(&f), Text: "error", Present: true, Since: hour, First: hour, Last: hour}
		report := &audit.Report{Domain: "example.com", Findings: []audit.Finding{f}}
		all := changes(report, remembered(kindInclude, "spf.example.net", "v=spf1 a -all", "v=spf1 a mx ptr -all", known, found), noon)
		if len(all) != 1 || all[0].Kind != kind || !strings.Contains(all[0].Text, "It needs 12.") ||
			!strings.Contains(all[0].Text, `the record at spf.example.net was "v=spf1 a -all", and it is now "v=spf1 a mx ptr -all"`) {
			t.Errorf("%+v", all)
		}
	}
}

func TestWhatIsWeaker(t *testing.T) {
	const enforce, testing_ = "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 1\n", "version: STSv1\nmode: testing\nmx: a.example\nmax_age: 1\n"
	for _, c := range []struct{ kind, before, now, want string }{
		{kindSPF, "v=spf1 -all", "v=spf1 ~all", "-all became ~all"},
		{kindSPF, "v=spf1 ~all", "v=spf1 mx", "~all became ?all"},
		{kindSPF, "v=spf1 ?all", "v=spf1 +all", "?all became +all"},
		{kindSPF, "v=spf1 -all", "", "the record is gone"},
		{kindSPF, "v=spf1 ~all", "v=spf1 -all", ""},
		{kindSPF, "v=spf1 -all", "v=spf1 redirect=example.net", ""},
		{kindSPF, "v=spf1 -all\nv=spf1 mx -all", "v=spf1 ~all", ""},
		{kindDMARC, "v=DMARC1; p=reject", "v=DMARC1; p=quarantine", "p=reject became quarantine"},
		{kindDMARC, "v=DMARC1; p=reject", "v=DMARC1; p=reject; sp=none", "sp=reject became none"},
		{kindDMARC, "v=DMARC1; p=reject", "v=DMARC1; p=reject; np=none", "np=reject became none"},
		{kindDMARC, "v=DMARC1; p=reject", "v=DMARC1; p=reject; t=y", "it is only tested now (t=y)"},
		{kindDMARC, "v=DMARC1; p=reject", "", "the record is gone"},
		{kindDMARC, "v=DMARC1; p=reject", "v=DMARC1; p=bad", "the record cannot be used any longer"},
		{kindDMARC, "v=DMARC1; p=none", "v=DMARC1; p=reject", ""},
		{kindDMARC, "", "v=DMARC1; p=none", ""},
		{kindSTS, "v=STSv1; id=1", "", "the record is gone"},
		{kindSTS, "v=STSv1; id=1", "v=STSv1; id=2", ""},
		{kindPolicy, enforce, testing_, "mode enforce became testing"},
		{kindPolicy, testing_, enforce, ""},
		{kindPolicy, enforce, "", "the file is gone"},
		{kindTLSRPT, "v=TLSRPTv1; rua=mailto:a@example.com", "", ""},
	} {
		if got := weakened(c.kind, c.before, c.now); got != c.want {
			t.Errorf("%s: %q, then %q: %q, want %q", c.kind, c.before, c.now, got, c.want)
		}
	}
}

func TestTheConfigurationIsChecked(t *testing.T) {
	for key, c := range map[string]Config{
		"":              {Domains: []string{"Example.COM."}, Every: DefaultConfig().Every},
		"watch.domains": {Domains: []string{"a b..c"}},
		"watch.every":   {Every: 1000},
	} {
		got, err := c.Check()
		if got != key || (err == nil) != (key == "") {
			t.Errorf("%+v: %s, %v", c, got, err)
		}
		if key == "" && c.Domains[0] != "example.com" {
			t.Errorf("%v", c.Domains)
		}
	}
}

func TestNoLinkOfAStrangersIsInAnAlert(t *testing.T) {
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	report := &audit.Report{Domain: "example.com", Findings: []audit.Finding{{
		ID: "spf-include-broken", Area: facts.SPF, Severity: check.Error, Subject: "spf.example.net", Detail: `"https://evil.example/a" is no term.`,
	}}}
	name := findingName(&report.Findings[0])
	h := historyOf([]store.Published{
		{Kind: kindArea, Name: "spf", Present: true, First: at.Add(-time.Hour)},
		{Kind: kindFinding, Name: name, Text: "error", Hash: "1", Present: true, Since: at},
		{Kind: kindInclude, Name: "spf.example.net", Text: "v=spf1 https://evil.example/b -all", Hash: "2", Present: true, Since: at},
		{Kind: kindInclude, Name: "spf.example.net", Text: "v=spf1 -all", Hash: "1"},
	})
	all := changes(report, h, at)
	if len(all) == 0 || !strings.Contains(all[0].Text, "evil.example/b") {
		t.Fatalf("%+v", all)
	}
	for _, a := range all {
		if strings.Contains(a.Title+a.Text, "://") {
			t.Errorf("%s\n%s", a.Title, a.Text)
		}
	}
}
