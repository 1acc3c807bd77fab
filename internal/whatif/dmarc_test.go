package whatif_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/whatif"
)

// mail is what each of two reporters tells of each of ten days: 2 × 10 = 20 times each count.
var mail = []line{
	// 20 × 100 = 2000 that pass by both.
	{ip: "192.0.2.1", count: 100, dkim: "pass", spf: "pass", signer: "example.com pass", envelope: "example.com pass"},
	// 20 × 10 = 200 that pass by SPF alone, with an envelope below the domain.
	{ip: "192.0.2.2", count: 10, spf: "pass", envelope: "bounce.example.com pass"},
	// 20 × 3 = 60 of the same address whose envelope is another's: fail.
	{ip: "192.0.2.2", count: 3, envelope: "mailer.example.org pass"},
	// 20 × 4 = 80 of an address in a network of ours, for a subdomain, of which 20 × 1 = 20 are quarantined already.
	{ip: "192.0.2.7", count: 3, from: "news.example.com", envelope: "news.example.com none"},
	{ip: "192.0.2.7", count: 1, from: "news.example.com", envelope: "news.example.com none", disposition: "quarantine"},
	// 20 × 5 = 100 that a list passed on.
	{ip: "203.0.113.5", count: 5, signer: "example.com fail", envelope: "lists.example.net pass", reason: "mailing_list"},
	// 20 × 2 = 40 from somebody.
	{ip: "198.51.100.4", count: 2, envelope: "example.com fail"},
}

var reporters = []string{"Large Mail", "mail.example.net"}

func TestWhatAPolicyWouldLoseIsCountedBySource(t *testing.T) {
	engines(t, func(t *testing.T, s store.Store) {
		report(t, s, 10, reporters, mail...)
		got, err := asker(t, s, zone).DMARC(t.Context(), whatif.DMARCChange{Domain: "example.com", Period: month, Policy: dmarc.DispositionReject})
		if err != nil {
			t.Fatal(err)
		}
		// All: 2000 + 200 + 60 + 80 + 100 + 40 = 2480. Passing: 2000 + 200 = 2200. Failing: 280, of which yours are 60 + 80 = 140.
		equal(t, "messages, passing", []int64{got.Messages, got.Passing}, []int64{2480, 2200})
		equal(t, "lost", got.Lost, whatif.Kinds{Messages: 280, Yours: 140, Forwarded: 100, Unknown: 40})
		equal(t, "already, spared, undecided", []int64{got.Already, got.Spared, got.Undecided}, []int64{20, 0, 0})
		equal(t, "record", got.Record.Value, "v=DMARC1; p=reject; rua=mailto:rua@example.com")
		type of struct {
			name   string
			kind   senders.Kind
			lost   int64
			causes []whatif.Cause
		}
		var sources []of
		for _, l := range got.Sources {
			sources = append(sources, of{l.Name, l.Kind, l.Lost, l.Causes})
		}
		equal(t, "sources", sources, []of{
			{"192.0.2.7", senders.Misconfigured, 80, []whatif.Cause{{Text: "no DKIM signature; SPF none for news.example.com", Messages: 80}}},
			{"192.0.2.2", senders.Misconfigured, 60, []whatif.Cause{{Text: "no DKIM signature; SPF passes for mailer.example.org, which is not aligned", Messages: 60}}},
			{"203.0.113.5", senders.Forwarded, 100, []whatif.Cause{
				{Text: "DKIM fail for example.com (s1); SPF passes for lists.example.net, which is not aligned", Messages: 100}}},
			{"198.51.100.4", senders.Unclear, 40, []whatif.Cause{{Text: "no DKIM signature; SPF fail for example.com", Messages: 40}}},
		})
		c := got.Confidence
		equal(t, "confidence", []any{c.Level, c.Days, c.Of, c.Messages, c.Reporters, c.Largest[0].Percent}, []any{"medium", 10, 30, 2480, 2, 50})
	})
}

func TestSubdomainsFollowTheirOwnPolicy(t *testing.T) {
	engines(t, func(t *testing.T, s store.Store) {
		report(t, s, 10, reporters, mail...)
		got, err := asker(t, s, zone).DMARC(t.Context(), whatif.DMARCChange{Domain: "example.com", Period: month, Policy: dmarc.DispositionQuarantine,
			Subdomains: dmarc.DispositionNone})
		if err != nil {
			t.Fatal(err)
		}
		// The 80 of news.example.com are spared, and with them the 20 that are quarantined already.
		equal(t, "lost", got.Lost, whatif.Kinds{Messages: 200, Yours: 60, Forwarded: 100, Unknown: 40})
		equal(t, "already, spared", []int64{got.Already, got.Spared}, []int64{0, 80})
		equal(t, "record", got.Record.Value, "v=DMARC1; p=quarantine; sp=none; rua=mailto:rua@example.com")
	})
}

func TestAStricterAlignmentIsEvaluatedAnew(t *testing.T) {
	engines(t, func(t *testing.T, s store.Store) {
		// Besides, 20 × 6 = 120 that pass by a signature of which the reporter told nothing.
		report(t, s, 10, reporters, append([]line{{ip: "192.0.2.3", count: 6, dkim: "pass"}}, mail...)...)
		got, err := asker(t, s, zone).DMARC(t.Context(), whatif.DMARCChange{Domain: "example.com", Period: month, Policy: dmarc.DispositionReject,
			SPF: "s", DKIM: "s"})
		if err != nil {
			t.Fatal(err)
		}
		// The 200 with an envelope at bounce.example.com fail besides the 280; of the 120 it cannot be told.
		equal(t, "lost", got.Lost, whatif.Kinds{Messages: 480, Yours: 340, Forwarded: 100, Unknown: 40})
		equal(t, "broken, undecided, passing", []int64{got.Broken, got.Undecided, got.Passing}, []int64{200, 120, 2000})
		first := got.Sources[0]
		if first.Name != "192.0.2.2" || first.Causes[0].Text != "no DKIM signature; SPF passes for bounce.example.com, and the policy asks for example.com itself" {
			t.Errorf("%+v", first)
		}
	})
}

func TestALooserAlignmentMends(t *testing.T) {
	engines(t, func(t *testing.T, s store.Store) {
		report(t, s, 1, reporters, line{ip: "192.0.2.2", count: 7, envelope: "bounce.example.com pass"}, line{ip: "192.0.2.4", count: 2})
		strict := strings.Replace(zone, "p=none;", "p=none; aspf=s;", 1)
		got, err := asker(t, s, strict).DMARC(t.Context(), whatif.DMARCChange{Domain: "example.com", Period: month, Policy: dmarc.DispositionReject, SPF: "r"})
		if err != nil {
			t.Fatal(err)
		}
		// 2 reporters × 7 pass by relaxed alignment, 2 × 2 fail.
		equal(t, "mended, passing, lost", []int64{got.Mended, got.Passing, got.Lost.Messages}, []int64{14, 14, 4})
	})
}

func TestATestedPolicyIsCountedAsReceiversTakeIt(t *testing.T) {
	engines(t, func(t *testing.T, s store.Store) {
		report(t, s, 10, reporters, mail...)
		tested := strings.Replace(zone, "p=none;", "p=none; t=y;", 1)
		got, err := asker(t, s, tested).DMARC(t.Context(), whatif.DMARCChange{Domain: "example.com", Period: month, Policy: dmarc.DispositionQuarantine})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "lost, spared", []int64{got.Lost.Messages, got.Spared}, []int64{0, 280})
	})
}

func TestWithoutReportsOrDNSThereIsNoAnswer(t *testing.T) {
	engines(t, func(t *testing.T, s store.Store) {
		a := asker(t, s, zone)
		c := whatif.DMARCChange{Domain: "example.com", Period: month, Policy: dmarc.DispositionReject}
		if _, err := a.DMARC(t.Context(), c); !errors.Is(err, whatif.ErrNoReports) {
			t.Errorf("without reports: %v", err)
		}
		report(t, s, 1, reporters, mail...)
		a.Insight.DNS = nil
		if _, err := a.DMARC(t.Context(), c); !errors.Is(err, whatif.ErrDNS) {
			t.Errorf("without DNS: %v", err)
		}
	})
}
