package demo_test

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/demo"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/raced"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/whatif"
)

// A Sunday. The thirty days that end with it have twenty days of work, and the fortnight of the wave is from 2 to 15 November.
var (
	sunday = time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	month  = insight.Period{From: sunday.AddDate(0, 0, -29), To: sunday}
	wholly = insight.Period{From: sunday.AddDate(0, 0, 1-demo.Days), To: sunday}
)

// A world is a demo with who is asked about it.
type world struct {
	*demo.Demo
	store store.Store
	asker *whatif.Asker
}

func open(t *testing.T) *world {
	t.Helper()
	d, err := demo.Make(t.Context(), demo.Options{Dir: t.TempDir(), End: sunday, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	o, err := d.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, s := o.Config, o.Store
	t.Cleanup(func() { s.Close() })
	if c.StoreURL() != "sqlite:"+d.Store && c.StoreURL() != d.Store || c.Resolver.Zone != d.Zone || filepath.Dir(d.Store) != c.StateDir {
		t.Errorf("the configuration names %s, %s", c.StoreURL(), c.Resolver.Zone)
	}
	asker := &insight.Asker{Store: s, Table: senders.Known(), DNS: o.Zone, Trend: 30, Networks: c.OwnNetworks}
	return &world{Demo: d, store: s, asker: &whatif.Asker{Insight: asker, Store: s}}
}

func (w *world) domain(t *testing.T, name string, p insight.Period) *insight.Domain {
	t.Helper()
	a, err := w.asker.Insight.Ask(t.Context(), []string{name}, p)
	if err != nil {
		t.Fatal(err)
	}
	return &a.Domains[0]
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("%s\ngot  %+v\nwant %+v", what, got, want)
	}
}

func TestStories(t *testing.T) {
	raced.Skip(t)
	w := open(t)
	for name, story := range map[string]func(*testing.T, *world){
		"sources": sources, "the shop is at its end": shop, "the wave": wave, "the policy changed": changed, "a reporter fell silent": silent,
		"what reject would lose": lost, "the supplier is blocked": supplier, "the exception": exception, "the letters": cases,
		"weekly letters": digests, "a key went": key, "TLS": sessions, "failure reports": failures, "one could not be read": refused,
	} {
		t.Run(name, func(t *testing.T) { story(t, w) })
	}
}

// The CRM sends 80 + 40 + 20 + 20 = 160 messages on each of 20 days of work, the mailing list 20, the printer 6.
func sources(t *testing.T, w *world) {
	d := w.domain(t, "example.com", month)
	var got []string
	for i := range d.Groups {
		g := &d.Groups[i]
		if g.Class.Kind == senders.Abuse {
			continue
		}
		line := fmt.Sprint(g.Class.Kind, " ", g.Key, " ", g.Class.Fault)
		if g.Figures.Passed == 0 {
			line += fmt.Sprint(" ", g.Messages)
		} else if g.Figures.Passed != g.Messages {
			t.Errorf("%s: %d of %d passed", g.Key, g.Figures.Passed, g.Messages)
		}
		got = append(got, strings.ReplaceAll(line, "  ", " "))
	}
	slices.Sort(got)
	equal(t, "sources", strings.Join(got, "\n"), `forwarder host:alumni.example 
forwarder host:guild.example 400
forwarder service:cloudflare-email-routing 
misconfigured service:salesforce spf-unaligned 3200
passing host:example.com 
passing service:mailchimp 
passing service:microsoft-365 
unknown host:printshop.example spf-not-listed 120`)
	equal(t, "next", d.Next.ID, insight.StepMendSource)
}

func shop(t *testing.T, w *world) {
	d := w.domain(t, "example.org", month)
	equal(t, "failed", d.Now.Failed(), 0)
	equal(t, "next", d.Next.ID, insight.StepNothing)
}

// 56 addresses, each with 14 + 6 + 4 = 24 messages; 38 of them came before the policy changed. In the name of the other domain two
// addresses on each of 14 days send 10.
func wave(t *testing.T, w *world) {
	d := w.domain(t, "example.com", month)
	var addresses, messages, quarantined int64
	for i := range d.Groups {
		if g := &d.Groups[i]; g.Class.Kind == senders.Abuse {
			addresses++
			messages += g.Messages
			quarantined += g.Quarantined
		}
	}
	equal(t, "abuse", []int64{addresses, messages, quarantined}, []int64{56, 56 * 24, 18 * 24})
	var days []string
	for _, day := range d.Days {
		if day.Abuse > 0 {
			days = append(days, fmt.Sprint(day.Day.Day(), ":", day.Abuse))
		}
	}
	equal(t, "days", days, "[2:24 3:48 4:96 5:144 6:192 7:216 8:192 9:144 10:96 11:72 12:48 13:24 14:24 15:24]")
	d = w.domain(t, "example.net", month)
	messages = 0
	for i := range d.Groups {
		if g := &d.Groups[i]; g.Class.Kind == senders.Abuse {
			messages += g.Messages
		}
	}
	// And one that somebody marked sends 2 + 1 messages on each of 30 days.
	equal(t, "of the domain that sends nothing", []int64{messages, d.Now.Messages}, []int64{2*14*10 + 30*3, 2*14*10 + 30*3})
	equal(t, "its next step", d.Next.ID, insight.StepNothing)
}

func changed(t *testing.T, w *world) {
	d := w.domain(t, "example.com", month)
	var seen []string
	for _, p := range d.Policy.Seen {
		seen = append(seen, fmt.Sprint(p.Tags["p"], " ", p.First.Format(time.DateOnly), " ", p.Last.Format(time.DateOnly), " ", p.Reporters))
	}
	// Those who write by RFC 9990 say more of a policy, so that each is there in two forms.
	slices.Sort(seen)
	for _, want := range []string{"none 2026-10-31 2026-11-08", "quarantine 2026-11-09 2026-11-29"} {
		if !slices.ContainsFunc(seen, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("%q is not in %q", want, seen)
		}
	}
	equal(t, "published", d.Policy.P, "quarantine")
	// 15 days of work since, each with 160 of the CRM and 6 of the printer, 4 of the list at who does not trust it, and the wave's.
	equal(t, "quarantined", d.Now.Quarantined, 15*(160+6+4)+18*24)
}

func silent(t *testing.T, w *world) {
	d := w.domain(t, "example.com", month)
	var got []string
	for _, r := range d.Silent {
		got = append(got, r.Name+" "+r.Last.Format(time.DateOnly))
	}
	equal(t, "silent", got, "[Tidewater 2026-11-09]")
	equal(t, "reporters", len(d.Reporters), 6)
	equal(t, "about the others", len(w.domain(t, "example.org", month).Silent)+len(w.domain(t, "example.net", month).Silent), 0)
}

func lost(t *testing.T, w *world) {
	a, err := w.asker.DMARC(t.Context(), whatif.DMARCChange{Domain: "example.com", Period: month, Policy: "reject"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "lost", a.Lost, whatif.Kinds{Messages: 3200 + 400 + 120 + 1344, Yours: 3200, Forwarded: 400, Unknown: 120, Abuse: 1344})
}

// From Wednesday, 18 November, to Friday, 27 November, there are 8 days of work, each with 6 messages.
func supplier(t *testing.T, w *world) {
	all, err := w.store.Decisions(t.Context(), store.DecisionFilter{Domain: "supplier.example", Verdict: "reject"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "rejected", len(all), 8*6)
	last := all[len(all)-1]
	equal(t, "the last", []string{last.Reference, last.Rule, last.SPF[0].Result, last.DMARC},
		[]string{w.Reference, "spf-softfail", "softfail", "fail"})

	// What a gate that asks for more than strict would refuse besides: customer.example has no DMARC record; 9 messages on 20 days of
	// work, and 2 on 10 others.
	lockdown, err := policy.Named("lockdown")
	if err != nil {
		t.Fatal(err)
	}
	strict, err := policy.Named("strict")
	if err != nil {
		t.Fatal(err)
	}
	a, err := w.asker.Policy(t.Context(), whatif.PolicyChange{Period: month, Policy: lockdown, InForce: strict})
	if err != nil {
		t.Fatal(err)
	}
	for domain, want := range map[string][2]int64{"supplier.example": {48, 0}, "customer.example": {200, 200}} {
		i := slices.IndexFunc(a.Senders, func(s whatif.Sender) bool { return s.Domain == domain })
		if i < 0 || a.Senders[i].Blocked != want[0] || a.Senders[i].Newly != want[1] {
			t.Errorf("by lockdown, %s: want %d: %+v", domain, want, a.Senders)
		}
	}
	var counted int
	for c, err := range w.store.Observations(t.Context(), store.ObservationFilter{From: wholly.From, To: wholly.To}) {
		if err != nil {
			t.Fatal(err)
		}
		counted += int(c.Count)
	}
	equal(t, "counted", counted, w.Messages)
}

// The scanner sends 3 messages on a day of work: rejected on 5, from Friday, 13 November, to Thursday, 19 November, and let in on 6.
func exception(t *testing.T, w *world) {
	all, err := w.store.Exceptions(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	equal(t, "uses", all[0].Uses, 6*3)
	for rule, want := range map[string]int{"spf-fail": 5 * 3, "exception": 6 * 3} {
		got, err := w.store.Decisions(t.Context(), store.DecisionFilter{Domain: "accountant.example", Rule: rule})
		if err != nil || len(got) != want {
			t.Errorf("%s: %d, want %d; %v", rule, len(got), want, err)
		}
	}
}

func cases(t *testing.T, w *world) {
	all, err := w.store.Notices(t.Context(), store.NoticeFilter{})
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	told, open := all[1], all[0]
	equal(t, "told", []any{told.Domain, told.State, told.Faults, len(told.Letters), told.Letters[0].State},
		[]any{"logistics.example", store.NoticeMended, []string{"spf-multiple"}, 1, store.LetterSent})
	equal(t, "open", []any{open.Domain, open.State, open.Draft.Reference, open.Draft.Recipients[0].Address},
		[]any{"supplier.example", store.NoticeProposed, w.Reference, "hostmaster@supplier.example"})
	if !strings.Contains(open.Draft.Text, `"v=spf1 ip4:203.0.113.20 ip4:203.0.113.21 ~all"`) {
		t.Error(open.Draft.Text)
	}
}

// A letter was due on each Tuesday: 24 November and the twelve before.
func digests(t *testing.T, w *world) {
	all, err := w.store.Letters(t.Context(), "weekly", 100)
	if err != nil || len(all) != 13 {
		t.Fatal(all, err)
	}
	equal(t, "the last", []string{all[0].Period, all[0].State}, []string{"2026-W47", store.LetterSent})
}

func key(t *testing.T, w *world) {
	all, err := w.store.Published(t.Context(), "example.com")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range all {
		if p.Kind == "dmarc" || strings.HasPrefix(p.Name, "s2026a.") {
			text, _, _ := strings.Cut(p.Text, "; rua=")
			got = append(got, fmt.Sprint(p.Kind, " ", text[:min(len(text), 25)], " ", p.Present, " ", p.First.Format(time.DateOnly)))
		}
	}
	slices.Sort(got)
	equal(t, "history", strings.Join(got, "\n"), `dkim  true 2026-10-27
dkim v=DKIM1; k=rsa; p=MIIBIjA false 2026-09-01
dmarc v=DMARC1; p=none false 2026-09-01
dmarc v=DMARC1; p=quarantine true 2026-11-09`)
}

func sessions(t *testing.T, w *world) {
	all, err := w.store.TLSFailures(t.Context(), store.Question{Domains: []string{"example.com"}, From: month.From, To: month.To}, 10)
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	for _, f := range all {
		equal(t, "failure", []string{f.Result, f.ReceivingMX}, []string{"starttls-not-supported", "mx2.example.com"})
		n += f.Sessions
	}
	equal(t, "sessions", n, 3*(40+20))
}

func failures(t *testing.T, w *world) {
	all, err := w.store.Failures(t.Context(), store.FailureFilter{Domain: "example.com"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "failure reports", len(all), 5)
	last := []any{all[0].SourceIP, all[0].AuthorDomain, all[0].AuthFailure}
	equal(t, "the last", last, []any{netip.MustParseAddr("203.0.113.40"), "example.com", "dmarc"})
}

func refused(t *testing.T, w *world) {
	n := 0
	for r, err := range w.store.Raws(t.Context(), store.RawFilter{Refusals: true}) {
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "refused", []any{r.Name[:14], r.Refusals}, []any{"merrow.example", []string{"content: the gzip is cut off"}})
		n++
	}
	equal(t, "refused", n, 1)
	// What was read needed no liberty, and who sent it is known.
	all, err := w.store.Reports(t.Context(), store.ReportFilter{Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "reports", len(all), w.Reports)
	for i := range all {
		if r := &all[i]; len(r.Warnings) > 0 || !r.Verified || r.Conflicting {
			t.Errorf("%s of %s: %q, verified %v, conflicting %v", r.ReportID, r.Reporter, r.Warnings, r.Verified, r.Conflicting)
		}
	}
}
