package insight

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

var (
	sunday = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	week   = Period{sunday.AddDate(0, 0, -6), sunday}
)

// A line is a source of each day of a period.
type line struct {
	ip                 string
	passed, failed     int64 // a day
	dkim               string
	service            *senders.Service
	forwarded, refused bool
	first              time.Time
}

var (
	newsletters = &senders.Service{ID: "letters", Name: "Letters Inc.", Category: "bulk", Role: senders.Sender, Aligns: []string{"dkim"},
		Records: []senders.Record{{For: "dkim", Name: "k1._domainkey.{domain}", Type: "CNAME", Value: "dkim.letters.example"}}, Docs: "https://letters.example/dkim"}
	forwarder = &senders.Service{ID: "onward", Name: "Onward", Category: "forwarder", Role: senders.Forwarder}
)

func source(p Period, l line) SourceFacts {
	ip := netip.MustParseAddr(l.ip)
	s := SourceFacts{Authorised: senders.No}
	s.IP, s.First, s.Last = ip, l.first, p.To
	if s.First.IsZero() {
		s.First = p.From.AddDate(0, 0, -60)
	}
	n := int64(p.Len())
	f := store.Figures{Messages: l.passed + l.failed, Passed: l.passed, DKIM: l.passed, SPF: l.passed}
	if l.refused {
		f.Rejected = l.failed
	}
	for i := range p.Len() {
		s.Days = append(s.Days, store.DayFigures{Day: p.From.AddDate(0, 0, i), Figures: f})
		s.Figures.Add(f)
	}
	if l.passed > 0 {
		s.Results = append(s.Results, store.Part{DKIM: "pass", SPF: "pass", Messages: l.passed * n, Passed: l.passed * n})
		s.DKIM = append(s.DKIM, store.Part{Name: "example.com", Selector: "s1", Result: "pass", Messages: l.passed * n})
		s.SPF = append(s.SPF, store.Part{Name: "example.com", Scope: "mfrom", Result: "pass", Messages: l.passed * n})
		s.Authorised = senders.Yes
	}
	if l.failed > 0 {
		s.Results = append(s.Results, store.Part{DKIM: "fail", SPF: "fail", Messages: l.failed * n})
	}
	if l.dkim != "" {
		s.DKIM = append(s.DKIM, store.Part{Name: l.dkim, Selector: "k1", Result: "pass", Messages: l.failed * n})
	}
	if l.service != nil {
		s.Match = senders.Match{Service: l.service, By: "ptr", Proof: true}
	}
	if l.forwarded {
		s.Reasons = []store.Part{{Name: "forwarded", Messages: l.failed * n}}
	}
	s.HeaderFrom = []store.Part{{Name: "example.com", Messages: s.Messages}}
	return s
}

// domain is one with a past of equal days.
func domain(record string, lines ...line) DomainFacts {
	d := DomainFacts{Name: "example.com", First: week.From.AddDate(0, 0, -90), Last: week.To, Rua: "rua@gatepost.example"}
	var day store.Figures
	for _, l := range lines {
		s := source(week, l)
		d.Sources = append(d.Sources, s)
		day.Add(s.Days[0].Figures)
	}
	for i := range 60 {
		d.Days = append(d.Days, store.DayFigures{Day: week.To.AddDate(0, 0, i-59), Figures: day})
	}
	d.Published.Known = true
	if record != "" {
		r, err := dmarc.Parse(record)
		if err != nil {
			panic(err)
		}
		d.Published.Record, d.Published.At, d.Published.Applies = r, "example.com", r.Policy
	}
	return d
}

func sum(trend int, all ...DomainFacts) *Answer {
	f := &Facts{Period: week, Trend: week.Last(trend), Domains: all}
	return f.Sum()
}

const record = "v=DMARC1; p=none; rua=mailto:rua@gatepost.example"

func TestTheNextStepIsTheOneThatMattersMost(t *testing.T) {
	good := line{ip: "192.0.2.1", passed: 1000}
	broken := line{ip: "192.0.2.2", failed: 50, dkim: "letters.example", service: newsletters}
	onward := line{ip: "192.0.2.3", failed: 50, service: forwarder, forwarded: true}
	stranger := line{ip: "192.0.2.4", failed: 50}
	with := func(d DomainFacts, change func(*DomainFacts)) DomainFacts {
		change(&d)
		return d
	}
	for name, c := range map[string]struct {
		d      DomainFacts
		id     StepID
		text   []string
		record string
	}{
		"no record": {domain("", good), StepPublish, []string{"Publish a DMARC record"}, "v=DMARC1; p=none; rua=mailto:rua@gatepost.example"},
		"a broken record": {with(domain("", good), func(d *DomainFacts) { d.Published.Problem = "there are two" }), StepMendRecord,
			[]string{"there are two."}, "v=DMARC1; p=none; rua=mailto:rua@gatepost.example"},
		"no rua": {domain("v=DMARC1; p=reject; adkim=s", good), StepAskReports, []string{"no rua="},
			"v=DMARC1; p=reject; rua=mailto:rua@gatepost.example; adkim=s"},
		"reports never came": {with(domain(record), func(d *DomainFacts) { d.First, d.Last = time.Time{}, time.Time{} }), StepNoReports,
			[]string{"No report has come yet", "mailto:rua@gatepost.example"}, ""},
		"reports stopped": {with(domain(record), func(d *DomainFacts) { d.Last = week.From.AddDate(0, 0, -5) }), StepNoReports,
			[]string{"since 11 November 2026"}, ""},
		"a source of ours fails": {domain(record, good, broken, stranger), StepMendSource,
			[]string{"Letters Inc.: 350 of 350 messages did not pass.", "k1._domainkey.example.com CNAME dkim.letters.example"}, ""},
		"and matters less than one in a hundred": {domain(record, line{ip: "192.0.2.1", passed: 9000}, broken), StepQuarantine, []string{"99.4 %"},
			"v=DMARC1; p=quarantine; rua=mailto:rua@gatepost.example"},
		"a source nobody knows":  {domain(record, good, stranger), StepFindOut, []string{"Find out whether 192.0.2.4 is yours: 350 messages"}, ""},
		"many that nobody knows": {domain(record, append([]line{good}, strangers(10)...)...), StepFindOut, []string{"Look through the unknown sources"}, ""},
		"all passes at p=none": {domain(record, good), StepQuarantine,
			[]string{"Publish p=quarantine: 100 % of 30,000 messages passed over 30 days, and no source of yours fails."},
			"v=DMARC1; p=quarantine; rua=mailto:rua@gatepost.example"},
		"what is passed on does not count": {domain(record, good, onward), StepQuarantine, []string{"100 %"},
			"v=DMARC1; p=quarantine; rua=mailto:rua@gatepost.example"},
		"but keeps from p=reject": {domain("v=DMARC1; p=quarantine; rua=mailto:a@b.example", good, onward), StepWait, []string{"Stay at p=quarantine"}, ""},
		"all passes at p=quarantine": {domain("v=DMARC1;p=quarantine;rua=mailto:a@b.example", good), StepReject, nil,
			"v=DMARC1; p=reject;rua=mailto:a@b.example"},
		"a test": {domain("v=DMARC1; p=reject; t=y; rua=mailto:a@b.example", good), StepEndTest, nil, "v=DMARC1; p=reject; rua=mailto:a@b.example"},
		"subdomains are open": {domain("v=DMARC1; p=reject; sp=none; rua=mailto:a@b.example", good), StepSubdomains, nil,
			"v=DMARC1; p=reject; sp=reject; rua=mailto:a@b.example"},
		"nothing is left": {domain("v=DMARC1; p=reject; rua=mailto:a@b.example", good, stranger), StepNothing, nil, ""},
		"too little mail": {domain(record, line{ip: "192.0.2.1", passed: 1}), StepWait, []string{"100 messages of 14 days"}, ""},
		"too few days":    {with(domain(record, good), func(d *DomainFacts) { d.First = week.From }), StepWait, nil, ""},
		"DNS does not answer": {with(domain("", good), func(d *DomainFacts) {
			d.Published = Published{Problem: "DNS did not answer"}
			d.Policies = []store.PolicySeen{{Policy: json.RawMessage(`{"p":"none"}`), Reporters: 2, Last: sunday}}
		}), StepQuarantine, []string{"Publish p=quarantine"}, ""},
		"the record is that of a domain above": {with(domain("v=DMARC1; p=reject; sp=none; rua=mailto:a@b.example", good), func(d *DomainFacts) {
			d.Name, d.Published.At, d.Published.Applies = "news.example.com", "example.com", "none"
		}), StepQuarantine, nil, "v=DMARC1; p=reject; sp=quarantine; rua=mailto:a@b.example"},
	} {
		t.Run(name, func(t *testing.T) {
			s := sum(7, c.d).Next()
			got := ""
			if s.Record != nil {
				got = s.Record.Value
			}
			if s.ID != c.id || got != c.record {
				t.Errorf("%s: %s\nrecord %q\nwant %s, %q", s.ID, s.Text, got, c.id, c.record)
			}
			for _, text := range c.text {
				if !strings.Contains(s.Text, text) {
					t.Errorf("%q does not say %q", s.Text, text)
				}
			}
		})
	}
}

func strangers(n int) (all []line) {
	for i := range n {
		all = append(all, line{ip: fmt.Sprintf("198.51.100.%d", i), failed: 5})
	}
	return all
}

func TestOfSeveralDomainsTheMostUrgentStepIsNext(t *testing.T) {
	fine, bare := domain(record, line{ip: "192.0.2.1", passed: 5000}), domain("", line{ip: "192.0.2.1", passed: 10})
	bare.Name = "example.net"
	if s := sum(7, fine, bare).Next(); s.ID != StepPublish || s.Domain != "example.net" {
		t.Errorf("%s of %s", s.ID, s.Domain)
	}
}

func TestThePartsOfADayAddUpToAllOfIt(t *testing.T) {
	d := domain(record, line{ip: "192.0.2.1", passed: 1000}, line{ip: "192.0.2.2", failed: 50, dkim: "letters.example", service: newsletters},
		line{ip: "192.0.2.3", failed: 20, service: forwarder, forwarded: true}, line{ip: "192.0.2.4", failed: 7})
	for i := range d.Days { // from sources that were not looked at
		d.Days[i].Messages += 3
	}
	a := sum(28, d)
	if len(a.Days) != 28 || a.Days[27].Day != sunday {
		t.Fatalf("%d days until %v", len(a.Days), a.Days[len(a.Days)-1].Day)
	}
	want := Day{Day: sunday, Passed: 1000, Misconfigured: 50, Forwarded: 20, Unknown: 10}
	if a.Days[27] != want {
		t.Errorf("got  %+v\nwant %+v", a.Days[27], want)
	}
	if before := a.Days[0]; before.Messages() != 1080 || before.Unknown != 80 {
		t.Errorf("a day before the period, of which nobody was looked at: %+v", before)
	}
	if got := a.Domains[0].Others.Messages; got != 21 {
		t.Errorf("%d of others", got)
	}
	if a.Now.Messages != 7*1080 || a.Before.Messages != 7*1080 {
		t.Errorf("%d, %d before", a.Now.Messages, a.Before.Messages)
	}
}

func TestSourcesOfOneServiceAndClassAreOneGroup(t *testing.T) {
	a := sum(7, domain(record, line{ip: "192.0.2.1", failed: 10, dkim: "letters.example", service: newsletters},
		line{ip: "192.0.2.2", failed: 30, dkim: "letters.example", service: newsletters, first: week.From.AddDate(0, 0, 2)},
		line{ip: "192.0.2.3", passed: 100, service: newsletters}, line{ip: "2001:db8::1", failed: 5, first: week.To}))
	var got []string
	for _, g := range a.Groups() {
		got = append(got, fmt.Sprint(g.Key, " ", g.Class.Kind, " ", g.Messages, " ", len(g.IPs), " ", g.New))
	}
	want := []string{"service:letters passing 700 1 false", "service:letters misconfigured 280 2 false", "address:2001:db8::1 unknown 35 1 true"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if g := a.Groups()[1]; !g.Mend() || g.Docs == "" || !strings.Contains(g.Class.Advice, "DKIM") {
		t.Errorf("%+v", g)
	}
}

func TestInADomainsFirstWeekNothingIsNew(t *testing.T) {
	d := domain(record, line{ip: "192.0.2.1", passed: 10, first: week.From.AddDate(0, 0, 1)})
	d.First = week.From
	if g := sum(7, d).Groups()[0]; g.New {
		t.Error("it is new, though all are")
	}
}

func TestAnAdministratorsWordOnTheDomainGoesBeforeOneForAll(t *testing.T) {
	d := domain(record, line{ip: "192.0.2.4", failed: 50})
	d.Marks = []store.SourceMark{{Source: "192.0.2.0/24", Class: "abuse"}, {Source: "192.0.2.4", Class: "misconfigured"},
		{Domain: "example.com", Source: "192.0.0.0/16", Class: "forwarder", Author: "ann"}}
	g := sum(7, d).Groups()[0]
	if g.Class.Kind != senders.Forwarded || !strings.Contains(g.Class.Reason, "ann") {
		t.Errorf("%+v", g.Class)
	}
	d.Marks = d.Marks[:2]
	if g := sum(7, d).Groups()[0]; g.Class.Kind != senders.Misconfigured {
		t.Errorf("the address goes before its network: %+v", g.Class)
	}
}

func TestWhatThePolicyDidIsToldByWhoseMailItWas(t *testing.T) {
	a := sum(7, domain("v=DMARC1; p=reject; rua=mailto:a@b.example", line{ip: "192.0.2.1", passed: 100},
		line{ip: "192.0.2.2", failed: 10, dkim: "letters.example", service: newsletters, refused: true},
		line{ip: "192.0.2.3", failed: 4, service: forwarder, forwarded: true, refused: true}, line{ip: "192.0.2.4", failed: 3}))
	if got, want := a.Domains[0].Effect, (Effect{Rejected: 98, Own: 70, Forwarded: 28, Delivered: 21}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestAReporterThatUsedToReportIsSilent(t *testing.T) {
	at := func(days int) time.Time { return week.To.AddDate(0, 0, 1-days) }
	d := domain(record)
	for _, r := range []struct {
		name       string
		reports    int64
		begin, end int // days ago
	}{
		{"daily and here", 80, 90, 1}, {"daily, a day late", 80, 90, 3}, {"daily and gone", 80, 90, 6}, {"weekly and here", 10, 80, 10},
		{"weekly and gone", 8, 90, 42}, {"now and then", 3, 90, 40}, {"monthly", 3, 90, 45}, {"daily, gone long ago", 40, 90, 50}, {"one day's dozen", 12, 40, 39},
	} {
		d.Usual = append(d.Usual, store.ReporterInfo{Reporter: r.name, Reports: r.reports, Begin: at(r.begin), End: at(r.end)})
	}
	var got []string
	for _, r := range sum(7, d).Domains[0].Silent {
		got = append(got, r.Name)
	}
	if want := []string{"daily and gone", "weekly and gone"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatReportersSeeIsHeldAgainstWhatIsPublished(t *testing.T) {
	seen := func(policy string, ago int) store.PolicySeen {
		return store.PolicySeen{Domain: "example.com", Policy: json.RawMessage(policy), Reporters: 3, Last: sunday.AddDate(0, 0, -ago)}
	}
	for name, c := range map[string]struct {
		seen []store.PolicySeen
		want []string
	}{
		"nothing seen":           {nil, nil},
		"the same, less is said": {[]store.PolicySeen{seen(`{"p":"reject","adkim":"s"}`, 0)}, nil},
		"another":                {[]store.PolicySeen{seen(`{"p":"none","adkim":"s"}`, 0)}, []string{"p none", "sp none"}},
		"another, long ago":      {[]store.PolicySeen{seen(`{"p":"reject","sp":"reject","adkim":"s"}`, 0), seen(`{"p":"none"}`, 9)}, nil},
		"some see it already":    {[]store.PolicySeen{seen(`{"p":"none"}`, 0), seen(`{"p":"reject","adkim":"s"}`, 0)}, nil},
		"no policy at all":       {[]store.PolicySeen{seen(`{}`, 0), seen(`[`, 0)}, nil},
		"strict is not seen":     {[]store.PolicySeen{seen(`{"p":"reject","adkim":"r"}`, 0)}, []string{"adkim r"}},
	} {
		d := domain("v=DMARC1; p=reject; adkim=s; rua=mailto:a@b.example")
		d.Policies = c.seen
		var got []string
		for _, diff := range sum(7, d).Domains[0].Policy.Differs {
			got = append(got, diff.Tag+" "+diff.Seen)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestATagIsSetWithoutTouchingTheRest(t *testing.T) {
	for _, c := range [][4]string{
		{"v=DMARC1; p=none; rua=mailto:a@b.c", "p", "reject", "v=DMARC1; p=reject; rua=mailto:a@b.c"},
		{"v=DMARC1;P = none;x=1", "p", "reject", "v=DMARC1; p=reject;x=1"},
		{"v=DMARC1; p=none", "rua", "mailto:a@b.c", "v=DMARC1; p=none; rua=mailto:a@b.c"},
		{"v=DMARC1; p=none;", "sp", "reject", "v=DMARC1; p=none; sp=reject;"},
	} {
		got := withTag(c[0], c[1], c[2])
		if got != c[3] {
			t.Errorf("%q: got %q, want %q", c[0], got, c[3])
		}
		if _, err := dmarc.Parse(got); err != nil {
			t.Errorf("%q: %v", got, err)
		}
	}
}

func TestNumbersAreWrittenAsPeopleReadThem(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", -123: "-123"} {
		if got := Number(n); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for share, want := range map[float64]string{0: "0 %", 100: "100 %", 99.99: "99.9 %", 0.001: "0.1 %", 50.05: "50.0 %"} {
		if got := Percent(share); got != want {
			t.Errorf("%v: got %q, want %q", share, got, want)
		}
	}
}

func TestTheSameFactsGiveTheSameAnswer(t *testing.T) {
	d := domain(record, append(strangers(20), line{ip: "192.0.2.1", passed: 1000})...)
	first := sum(28, d)
	for range 5 {
		if !reflect.DeepEqual(sum(28, d), first) {
			t.Fatal("another answer")
		}
	}
}
