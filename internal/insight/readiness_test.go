package insight

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/internal/store"
)

func TestReadinessNamesTheStepThatIsNextAndWhatIsInItsWay(t *testing.T) {
	good := line{ip: "192.0.2.1", passed: 1000}
	broken := line{ip: "192.0.2.2", failed: 50, dkim: "letters.example", service: newsletters}
	onward := line{ip: "192.0.2.3", failed: 50, service: forwarder, forwarded: true}
	stranger := line{ip: "192.0.2.4", failed: 50}
	const quarantine = "v=DMARC1; p=quarantine; rua=mailto:a@b.example"
	with := func(d DomainFacts, change func(*DomainFacts)) DomainFacts {
		change(&d)
		return d
	}
	seen := func(days int) func(*DomainFacts) {
		return func(d *DomainFacts) {
			d.Policies = []store.PolicySeen{{Policy: json.RawMessage(`{"p":"quarantine"}`), Reporters: 2, First: sunday.AddDate(0, 0, -days), Last: sunday}}
		}
	}
	// The first day that the step can be taken; empty: it cannot be told. The period is the week up to 22 November.
	for name, c := range map[string]struct {
		d            DomainFacts
		next         string
		state        State
		ready        bool
		record, when string
		text         string
	}{
		"no record":       {domain("", good), "record", Now, false, "v=DMARC1; p=none; rua=mailto:rua@gatepost.example", "", "Publish that record first"},
		"DNS is away":     {with(domain("", good), func(d *DomainFacts) { d.Published = Published{} }), "record", Blocked, false, "", "", "DNS did not answer"},
		"nobody is asked": {domain("v=DMARC1; p=none", good), "reports", Now, false, "v=DMARC1; p=none; rua=mailto:rua@gatepost.example", "", "no rua="},
		"reports stopped": {with(domain(record, good), func(d *DomainFacts) { d.Last = week.From.AddDate(0, 0, -5) }), "reports", Blocked, false, "", "",
			"since 11 November 2026"},
		// The first day was 16 November; 14 days are over on the 29th.
		"since a week": {with(domain(record, good), func(d *DomainFacts) { d.First = week.From }), "enough", Waiting, false, "", "2026-11-29",
			"14 days are needed."},
		// 2 a day are 60 in 30 days; the 40 that lack take 20 days, and the day after is the 13th.
		"little mail":           {domain(record, line{ip: "192.0.2.1", passed: 2}), "enough", Waiting, false, "", "2026-12-13", "100 messages are needed."},
		"a source of ours":      {domain(record, good, broken), "own", Blocked, false, "", "", "Letters Inc.: 350 of 350 messages did not pass."},
		"a stranger":            {domain(record, good, stranger), "unknown", Blocked, false, "", "", "Find out whether 192.0.2.4 is yours: 350 messages"},
		"all is well at none":   {domain(record, good, onward), "quarantine", Now, true, "v=DMARC1; p=quarantine; rua=mailto:rua@gatepost.example", "2026-11-22", "p=none."},
		"quarantine since long": {with(domain(quarantine, good), seen(29)), "reject", Now, true, "v=DMARC1; p=reject; rua=mailto:a@b.example", "2026-11-22", ""},
		// Seen since the 17th; 14 days later is 1 December.
		"quarantine since lately": {with(domain(quarantine, good), seen(5)), "settled", Waiting, false, "", "2026-12-01", "less than 14 days"},
		"quarantine unseen":       {domain(quarantine, good), "settled", Waiting, false, "", "", "No reporter has seen it yet."},
		"forwarders":              {with(domain(quarantine, good, onward), seen(29)), "forwarders", Blocked, false, "", "", "p=reject would lose them"},
		"a test":                  {domain("v=DMARC1; p=reject; t=y; rua=mailto:a@b.example", good), "quarantine", Now, true, "v=DMARC1; p=reject; rua=mailto:a@b.example", "2026-11-22", "t=y"},
		"subdomains":              {domain("v=DMARC1; p=reject; sp=none; rua=mailto:a@b.example", good), "reject", Now, true, "v=DMARC1; p=reject; sp=reject; rua=mailto:a@b.example", "2026-11-22", "sp=none"},
		"there":                   {domain("v=DMARC1; p=reject; rua=mailto:a@b.example", good, stranger, onward), "", "", true, "", "", "p=reject is published"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &Facts{Period: week, Trend: week, Domains: []DomainFacts{c.d}}
			f.Domains[0].Reporters = []store.ReporterInfo{{Reporter: "Large Mail", Reports: 7, Messages: 7000}}
			r := f.Readiness(0)
			got, value, when, state, later := "", "", "", State(""), 0
			if r.Record != nil {
				value = r.Record.Value
			}
			if !r.When.IsZero() {
				when = r.When.Format(time.DateOnly)
			}
			all := r.Text
			for i, m := range r.Steps {
				if m.ID == r.Next {
					state, later = m.State, len(r.Steps)-i-1
				}
				all += fmt.Sprint(" ", m.Evidence, m.Blocks)
			}
			got = fmt.Sprint(r.Next, state, r.Ready, value, when)
			if want := fmt.Sprint(c.next, c.state, c.ready, c.record, c.when); got != want || !strings.Contains(all, c.text) {
				t.Errorf("got  %s\nwant %s\nin %s", got, want, all)
			}
			if (c.next == "") != r.Reached || later > 0 && r.Steps[len(r.Steps)-1].State == Now {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestASourceThatFailsNoMoreLetsTheStepBeTakenWhenItLeftThePeriod(t *testing.T) {
	// It failed until 6 November, 16 days ago, in a period of 30 days: after 6 December none of that is left.
	p := Period{sunday.AddDate(0, 0, -29), sunday}
	d := domain(record, line{ip: "192.0.2.1", passed: 1000})
	d.Sources = []SourceFacts{source(p, line{ip: "192.0.2.1", passed: 1000}), source(Period{p.From, sunday.AddDate(0, 0, -16)},
		line{ip: "192.0.2.2", failed: 200, dkim: "letters.example", service: newsletters})}
	if _, err := dmarc.Parse(record); err != nil {
		t.Fatal(err)
	}
	r := (&Facts{Period: p, Trend: p, Domains: []DomainFacts{d}}).Readiness(0)
	if r.Next != "own" || r.When.Format(time.DateOnly) != "2026-12-06" {
		t.Errorf("%s on %v: %+v", r.Next, r.When, r.Steps)
	}
}
