package dashboard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/chart"
	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/raced"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("%s\ngot  %+v\nwant %+v", what, got, want)
	}
}

func patient(t *testing.T) context.Context { return keep.Patient(t.Context()) }

func askDomain(t *testing.T, d *Desk, in DomainIn) *Domain {
	t.Helper()
	out, err := d.Domain(patient(t), owner, &in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func askSource(t *testing.T, d *Desk, domain, source string) *Source {
	t.Helper()
	out, err := d.Source(patient(t), owner, &SourceIn{Domain: domain, Source: source})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDomainsSayWhatInsightSays(t *testing.T) {
	raced.Skip(t)
	d := demoDesk(t)
	out, err := d.Domains(patient(t), owner, &DomainsIn{})
	if err != nil {
		t.Fatal(err)
	}
	asker, err := d.asker()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range out.Domains {
		names = append(names, l.Name)
		a, err := asker.Ask(t.Context(), []string{l.Name}, out.Period)
		if err != nil {
			t.Fatal(err)
		}
		of := &a.Domains[0]
		equal(t, l.Name, []any{l.Messages, l.Passed, l.Policy, l.Days, l.Next.Brief}, []any{of.Now.Messages, of.Now.Passed, of.Policy.P, of.Days, of.Next.Brief})
		report, err := d.run(t.Context(), l.Name, true, true)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, l.Name+": grade", l.Grade.Letter, report.Grade)
	}
	equal(t, "the most messages first", names, []string{"example.com", "example.org", "example.net"})
	step := out.Domains[0].Next
	equal(t, "next", []string{step.Brief, step.Where, step.Do},
		[]string{"Salesforce: 3,200 of 3,200 messages did not pass.", "/domains/example.com/sources/service:salesforce", "See how to mend it"})
	// 2 × 14 × 10 of the wave and 3 a day of one who always did.
	equal(t, "parked", []any{out.Domains[2].Messages, out.Domains[2].Passed}, []any{2*14*10 + 29*3, 0})
}

func TestPeopleSeeTheirDomainsAlone(t *testing.T) {
	d := demoDesk(t)
	who := people.NewAccess("bo", []people.Grant{{Over: "shop", Role: people.Viewer}}, []people.Group{{Name: "shop", Domains: []string{"example.org"}}})
	out, err := d.Domains(patient(t), who, &DomainsIn{})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Domains) != 1 || out.Domains[0].Name != "example.org" || out.All != 1 {
		t.Errorf("got %+v", out.Domains)
	}
}

func TestAHundredDomainsAreOnAPageAndTheSearchFindsOne(t *testing.T) {
	d := demoDesk(t)
	c := *d.Config()
	for i := range 247 {
		c.Reports.Domains = append(c.Reports.Domains, fmt.Sprintf("d%03d.example", i))
	}
	d.Config = func() *config.Config { return &c }
	ask := func(in DomainsIn) string {
		hurried := keep.Hurried(t.Context(), time.Now())
		out, err := d.Domains(hurried, owner, &in)
		if err != nil {
			t.Fatal(err)
		}
		first := ""
		if len(out.Domains) > 0 {
			first = out.Domains[0].Name
		}
		if len(out.Domains) > 0 && out.Again() == 0 {
			t.Errorf("%+v: it does not look again", in)
		}
		return fmt.Sprint(len(out.Domains), " ", first, " ", out.Count, "/", out.All, " ", out.Page, "/", out.Of, " ", out.Prev(), " ", out.Pages.Next())
	}
	if _, err := d.reported(patient(t)); err != nil {
		t.Fatal(err)
	}
	for in, want := range map[DomainsIn]string{
		{}:                          "100 example.com 250/250 1/3 0 2",
		{Page: 3}:                   "50 d197.example 250/250 3/3 2 0",
		{Page: 99}:                  "50 d197.example 250/250 3/3 2 0",
		{Query: " D24"}:             "7 d240.example 7/250 1/1 0 0",
		{Query: "<script>"}:         "0  0/250 1/1 0 0",
		{Query: "example.com"}:      "1 example.com 1/250 1/1 0 0",
		{Page: -4, Query: "d01"}:    "10 d010.example 10/250 1/1 0 0",
		{Query: "d0", Page: 1}:      "100 d000.example 100/250 1/1 0 0",
		{Query: "d", Page: 2}:       "100 d100.example 247/250 2/3 1 3",
		{Query: ".", Page: 1 << 40}: "50 d197.example 250/250 3/3 2 0",
	} {
		if got := ask(in); got != want {
			t.Errorf("%+v: got %s, want %s", in, got, want)
		}
	}
}

// In the thirty days until the morning after there are twenty days of work, fifteen of them since the policy changed on the 9th.
func TestADomainByHand(t *testing.T) {
	d := demoDesk(t)
	out := askDomain(t, d, DomainIn{Domain: "example.com"})
	var lines []string
	for _, c := range out.Classes {
		line := fmt.Sprint(c.Class, " ", c.Count, " ", c.Figures.Failed(), ":")
		for _, s := range c.Sources {
			line += " " + s.Name
			if s.New {
				line += "*"
			}
		}
		lines = append(lines, line)
	}
	equal(t, "sources", strings.Join(lines, "\n"), `misconfigured 1 3200: Salesforce
passing 3 0: Microsoft 365 Mailchimp example.com
forwarder 3 400: alumni.example Cloudflare Email Routing guild.example
unknown 1 120: printshop.example
abuse 56 1344: 2001:db8:bad::1006* 2001:db8:bad::100d* 2001:db8:bad::1014* 2001:db8:bad::101b* 2001:db8:bad::1022*`)
	equal(t, "failed", out.Now.Failed(), 20*(160+20+6)+56*24)
	equal(t, "effect", out.Effect, Effect{Effect: insight.Effect{
		Quarantined: 15*(160+4+6) + 18*24, Own: 15 * 160, Forwarded: 15 * 4,
		// Of the list's 20 two reporters let in 16.
		Delivered: 5*(160+20+6) + 15*16 + 38*24,
	}, Abuse: 18 * 24, Unknown: 15 * 6})
	ninth := time.Date(2026, 11, 9, 0, 0, 0, 0, time.UTC)
	equal(t, "events", out.Events, []chart.Event{{Day: ninth, Label: "p=quarantine", Text: "The policy was changed from p=none to p=quarantine."}})
	if len(out.Silent) != 1 || out.Silent[0].Name != "Tidewater" || out.Silent[0].Last.Format(time.DateOnly) != "2026-11-09" {
		t.Errorf("silent: %+v", out.Silent)
	}
	equal(t, "seen", out.Seen[0].Policy+" "+out.Seen[1].Policy, "p=quarantine p=none")
	equal(t, "the days add up", chart.Totals(out.Days)[0].Messages, out.Now.Passed)

	all := askDomain(t, d, DomainIn{Domain: "example.com", Class: senders.Abuse})
	for _, c := range all.Classes {
		if want := map[senders.Kind]int{senders.Abuse: 56}[c.Class]; len(c.Sources) != want {
			t.Errorf("%s: %d of %d", c.Class, len(c.Sources), c.Count)
		}
	}
}

func TestTheDaysAreThoseThatWereAskedFor(t *testing.T) {
	raced.Skip(t)
	d := demoDesk(t)
	for n, events := range map[int]int{7: 0, 30: 1, 90: 1, 365: 1} {
		out := askDomain(t, d, DomainIn{Domain: "example.com", Days: Days{n}})
		if len(out.Days) != n || len(out.Events) != events || !out.Days[0].Day.Equal(out.Period.From) {
			t.Errorf("%d: %d days from %v, events %+v", n, len(out.Days), out.Days[0].Day, out.Events)
		}
		var sum int64
		for _, day := range out.Days {
			sum += day.Messages()
		}
		equal(t, fmt.Sprint(n), sum, out.Now.Messages)
	}
	for _, in := range []DomainIn{{Domain: "example.com", Days: Days{401}}, {Domain: "example.com", Days: Days{-1}}, {Domain: "example.com", Class: "<b>"}} {
		var wrong *Invalid
		if _, err := d.Domain(patient(t), owner, &in); !errors.As(err, &wrong) {
			t.Errorf("%+v: %v", in, err)
		}
	}
	for _, name := range []string{"", "example.com.", "EXAMPLE.COM", "elsewhere.example", "../etc"} {
		if _, err := d.Domain(patient(t), owner, &DomainIn{Domain: name}); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := d.Source(patient(t), owner, &SourceIn{Domain: name, Source: "192.0.2.10"}); !errors.Is(err, ErrNotFound) {
			t.Errorf("source of %q: %v", name, err)
		}
	}
}

func TestNewsAreOfTheLastWeek(t *testing.T) {
	to := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	p := insight.Period{From: to.AddDate(0, 0, -29), To: to}
	ago := func(days int) time.Time { return to.AddDate(0, 0, -days) }
	group := func(name string, kind senders.Kind, first time.Time, now, before store.Figures) insight.Group {
		return insight.Group{Key: "host:" + name, Name: name, Class: senders.Class{Kind: kind}, First: first, Figures: store.Figures{Messages: 40}, Week: now, WeekBefore: before}
	}
	of := &insight.Domain{Name: "example.com", First: ago(200), Groups: []insight.Group{
		group("old", senders.Passing, ago(100), store.Figures{Messages: 50, Passed: 50}, store.Figures{Messages: 50, Passed: 46}),
		group("broke", senders.Misconfigured, ago(100), store.Figures{Messages: 50, Passed: 30}, store.Figures{Messages: 50, Passed: 50}),
		group("mended", senders.Passing, ago(100), store.Figures{Messages: 20, Passed: 20}, store.Figures{Messages: 20}),
		group("small", senders.Passing, ago(100), store.Figures{Messages: 19, Passed: 19}, store.Figures{Messages: 20}),
		group("fresh", senders.Unclear, ago(6), store.Figures{}, store.Figures{}),
		group("stale", senders.Unclear, ago(7), store.Figures{}, store.Figures{}),
		group("s1", senders.Abuse, ago(1), store.Figures{}, store.Figures{}), group("s2", senders.Abuse, ago(2), store.Figures{}, store.Figures{}),
	}, Silent: []insight.Reporter{{Name: "gone", Last: ago(9), Since: ago(5)}, {Name: "long gone", Last: ago(29), Since: ago(25)}}}
	events := []chart.Event{{Day: ago(3), Text: "It changed."}, {Day: ago(20), Text: "Long ago."}}
	var got []string
	for _, n := range news(of, p, events) {
		got = append(got, n.Kind+": "+n.Text+" "+n.Path)
	}
	equal(t, "news", strings.Join(got, "\n"), `policy: 27 November 2026: It changed. 
worse: broke: 60.0 % passed, and 100 % the week before. /domains/example.com/sources/host:broke
better: mended: 100 % passed, and 0 % the week before. /domains/example.com/sources/host:mended
source: New source: fresh, with 40 messages. /domains/example.com/sources/host:fresh
source: 2 new sources of likely abuse, with 80 messages. /domains/example.com?class=abuse
silent: gone fell silent: its last report was of 20 November 2026. `)
}

func TestPolicyChangesAreSaidInWords(t *testing.T) {
	for _, c := range []struct{ before, after, label string }{
		{"", "v=DMARC1; p=none", "p=none"}, {"v=DMARC1; p=none", "v=DMARC1; p=reject", "p=reject"}, {"v=DMARC1; p=none", "", "record gone"},
		{"v=DMARC1; p=none", "v=DMARC1; p=none; rua=mailto:a@b.example", "record changed"},
		{"v=DMARC1; p=none", "v=DMARC1; p=none\nv=DMARC1; p=reject", "record broken"}, {"v=DMARC1 p=x", "v=DMARC1; p=reject", "p=reject"},
	} {
		if got := policyEvent(c.before, c.after); got.Label != c.label || !strings.HasSuffix(got.Text, ".") {
			t.Errorf("%q to %q: %+v", c.before, c.after, got)
		}
	}
}

func TestARecordHelpsWhereItMayBeAsked(t *testing.T) {
	for _, c := range []struct {
		seen []store.Part
		want bool
	}{
		{nil, true},
		{[]store.Part{{Name: "example.com", Scope: "mfrom", Result: "softfail"}}, true},
		{[]store.Part{{Name: "Bounce.Example.com", Scope: "mfrom"}, {Name: "example.net", Scope: "mfrom"}}, true},
		{[]store.Part{{Name: "example.net", Scope: "mfrom", Result: "pass"}}, false},
		{[]store.Part{{Name: "mx.example.net", Scope: "helo"}}, true}, // nobody says whose envelope it was
		{[]store.Part{{Name: ""}, {Name: "badexample.com"}}, false},
	} {
		if got := mayAsk(c.seen, "example.com"); got != c.want {
			t.Errorf("%+v: got %t", c.seen, got)
		}
	}
}

func TestASourceByHand(t *testing.T) {
	d := demoDesk(t)
	crm := askSource(t, d, "example.com", "service:salesforce")
	equal(t, "figures", crm.Figures, store.Figures{Messages: 3200, Quarantined: 2400})
	equal(t, "reporters", fmt.Sprint(crm.Reporters), fmt.Sprint([]store.Part{
		{Name: "Lantern Webmail", Messages: 1600}, {Name: "Postbridge", Messages: 800}, {Name: "Copper Post", Messages: 400}, {Name: "University of Aldwick", Messages: 400},
	}))
	if len(crm.Classes) != 1 || crm.Classes[0].Class != senders.Misconfigured || crm.Classes[0].Fault != senders.SPFUnaligned || crm.Service == nil || len(crm.Service.Records) == 0 {
		t.Errorf("%+v, %+v", crm.Classes, crm.Service)
	}
	if crm.Service.Include != "" { // its envelope is of another domain, whose record was asked
		t.Errorf("%q would help nobody", crm.Service.Include)
	}
	for _, day := range crm.Days {
		want := int64(160)
		if w := day.Day.Weekday(); w == time.Saturday || w == time.Sunday || day.Day.Day() == 30 {
			want = 0
		}
		if day.Misconfigured != want || day.Messages() != want {
			t.Errorf("%+v, want %d", day, want)
		}
	}
	equal(t, "command", crm.Marking.Command, []string{`gatepost sources mark example.com salesforce misconfigured --reason "…"`})

	// One address of two: its own figures, and the way to both.
	one, both := askSource(t, d, "example.com", "192.0.2.10"), askSource(t, d, "example.com", "host:example.com")
	if one.Group != "host:example.com" || len(one.Addresses) != 1 || len(both.Addresses) != 2 || one.Figures.Messages >= both.Figures.Messages {
		t.Errorf("%+v and %+v", one, both)
	}
	var sum store.Figures
	for _, a := range both.Addresses {
		sum.Add(a.Figures)
	}
	equal(t, "the addresses add up", sum, both.Figures)
	equal(t, "its name", one.Addresses[0].PTR, "out1.example.com")
	equal(t, "as an address of a group", askSource(t, d, "example.com", "address:192.0.2.10").Figures, one.Figures)
	for _, source := range []string{"", "192.0.2.99", "service:nobody", "host:", "<script>", "999.1.1.1"} {
		if _, err := d.Source(patient(t), owner, &SourceIn{Domain: "example.com", Source: source}); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", source, err)
		}
	}
}

// What the answers of the pages are made of is what the letter and the command line have.
func TestASourceIsWhatTheDomainSaysItIs(t *testing.T) {
	d := demoDesk(t)
	for _, c := range askDomain(t, d, DomainIn{Domain: "example.com"}).Classes {
		for _, line := range c.Sources {
			s := askSource(t, d, "example.com", line.Key)
			if i := slices.IndexFunc(s.Classes, func(of SourceClass) bool { return of.Class == c.Class }); i < 0 || s.Classes[i].Messages != line.Figures.Messages || s.Classes[i].Reason != line.Reason {
				t.Errorf("%s: the domain says %s, %s; the source says %+v", line.Key, c.Class, line.Reason, s.Classes)
			}
		}
	}
}

func mark(domain, source, whose, reason string) *MarkIn {
	in := &MarkIn{Domain: domain, Source: source}
	in.Days.Days = days
	in.Body.Whose, in.Body.Reason = whose, reason
	return in
}

func TestAMarkChangesWhatASourceIs(t *testing.T) {
	raced.Skip(t)
	d := demoDesk(t)
	const key = "host:printshop.example"
	class := func() senders.Kind {
		t.Helper()
		got := askSource(t, d, "example.com", key).Classes[0].Class
		in := ""
		for _, c := range askDomain(t, d, DomainIn{Domain: "example.com"}).Classes {
			if slices.ContainsFunc(c.Sources, func(s SourceLine) bool { return s.Key == key }) {
				in = string(c.Class)
			}
		}
		if in != string(got) {
			t.Errorf("the domain says %s, the source %s", in, got)
		}
		return got
	}
	equal(t, "before", class(), senders.Unclear)
	for _, step := range []struct {
		whose string
		want  senders.Kind
	}{{"ours", senders.Misconfigured}, {"forwarder", senders.Forwarded}, {"not-ours", senders.Abuse}} {
		done, err := d.DoMark(patient(t), owner, mark("example.com", key, step.whose, "I know it"))
		if err != nil {
			t.Fatal(err)
		}
		if done.To != "/domains/example.com/sources/host:printshop.example" || !strings.HasSuffix(done.Text, ".") {
			t.Errorf("%+v", done)
		}
		equal(t, step.whose, class(), step.want)
	}
	s := askSource(t, d, "example.com", key)
	if len(s.Marks) != 1 || s.Marks[0].Author != "ada" || s.Marks[0].Source != "203.0.113.90" || s.Marks[0].Reason != "I know it" || s.Classes[0].Instead != senders.Unclear {
		t.Errorf("%+v, %+v", s.Marks, s.Classes)
	}
	back := &UnmarkIn{Domain: "example.com", Source: key}
	back.Body.Mark = "203.0.113.90"
	if _, err := d.DoUnmark(patient(t), owner, back); err != nil {
		t.Fatal(err)
	}
	equal(t, "after", class(), senders.Unclear)
	if _, err := d.DoUnmark(patient(t), owner, back); !errors.Is(err, ErrNotFound) {
		t.Errorf("once more: %v", err)
	}
}

func TestAServiceIsMarkedAsOne(t *testing.T) {
	d := demoDesk(t)
	if _, err := d.DoMark(patient(t), owner, mark("example.com", "service:mailchimp", "ours", "the newsletter")); err != nil {
		t.Fatal(err)
	}
	all, err := d.Store.Marks(t.Context(), "example.com")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || all[0].Source != "mailchimp" || all[0].Class != "passing" || !all[0].At.Equal(d.now()) {
		t.Errorf("%+v", all)
	}
}

func TestAMarkNeedsAReasonAndAWord(t *testing.T) {
	d := demoDesk(t)
	for field, in := range map[string]*MarkIn{
		"whose": mark("example.com", "192.0.2.10", "mine", "x"), "reason": mark("example.com", "192.0.2.10", "ours", " \t"),
	} {
		var wrong *Invalid
		if _, err := d.DoMark(patient(t), owner, in); !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	var wrong *Invalid
	if _, err := d.DoMark(patient(t), owner, mark("example.com", "192.0.2.10", "ours", strings.Repeat("x", 1001))); !errors.As(err, &wrong) || wrong.Field != "reason" {
		t.Error(err)
	}
	in := &UnmarkIn{Domain: "example.com", Source: "192.0.2.10"}
	in.Body.Mark = "a b/c"
	if _, err := d.DoUnmark(patient(t), owner, in); !errors.As(err, &wrong) {
		t.Error(err)
	}
	for _, in := range []*MarkIn{mark("elsewhere.example", "192.0.2.10", "ours", "x"), mark("example.com", "192.0.2.99", "ours", "x")} {
		if _, err := d.DoMark(patient(t), owner, in); !errors.Is(err, ErrNotFound) {
			t.Errorf("%+v: %v", in, err)
		}
	}
}

func TestCommandsAreSafeToCopy(t *testing.T) {
	for in, want := range map[string]string{"2001:db8::1": "2001:db8::1", "mail-chimp": "mail-chimp", "a;rm -rf": "'a;rm -rf'", "it's": `'it'\''s'`, "$(x)": "'$(x)'"} {
		if got := quoted(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestAGradeOfTheWatchIsTakenWhileItIsNew(t *testing.T) {
	d := demoDesk(t)
	report := func(at time.Time) Grade {
		d.Now = func() time.Time { return at }
		d.graded.keeper = nil
		g, err := d.grade(patient(t), "example.com")
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	looked := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC) // by the demo
	if g := report(looked.Add(7 * time.Hour)); !g.At.Equal(looked) || g.Letter == "" {
		t.Errorf("after 7 hours: %+v", g)
	}
	// It looks every 6 hours, and did not.
	if g := report(looked.Add(8 * time.Hour)); g.At.Equal(looked) || cmp.Or(g.Letter, "?") == "?" {
		t.Errorf("after 8 hours: %+v", g)
	}
}
