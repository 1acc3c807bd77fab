package story

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// stopped is a message that a rule refused.
func stopped() store.Decision {
	return store.Decision{
		Time: time.Date(2026, 11, 24, 9, 3, 40, 0, time.UTC), Reference: "k3tqmzv2", ClientIP: netip.MustParseAddr("192.0.2.99"), Helo: "new.example.com",
		MailFrom: "anna@example.com", EnvelopeDomain: "example.com", Recipients: []string{"carla@example.org"}, MoreRecipients: 2, AuthorDomain: "example.com",
		SPF:  []store.SPF{{Identity: "mailfrom", Domain: "example.com", Result: "softfail"}, {Identity: "helo", Domain: "new.example.com", Result: "none"}},
		DKIM: []store.Signature{{Result: "fail", SDID: "example.com", Selector: "s1"}}, ARC: "none", DMARC: "fail", PolicyDomain: "example.com", Policy: "reject",
		Disposition: "reject", Record: "v=DMARC1; p=reject", Verdict: "reject", Rule: "dmarc-fail", Mode: "enforce", Done: "reject", Reason: "DMARC fail",
	}
}

func TestTheStoryGoesFromTheConnectionToTheVerdict(t *testing.T) {
	d := stopped()
	var names, facts []string
	for _, c := range Tell(&d) {
		names = append(names, c.Name)
		for _, f := range c.Facts {
			facts = append(facts, f.Label+": "+f.Text)
		}
	}
	if want := []string{"connection", "envelope", "author", "spf", "dkim", "arc", "dmarc", "verdict"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
	want := []string{
		"time: 2026-11-24 09:03:40 UTC", "client: 192.0.2.99", "HELO: new.example.com", "MAIL FROM: <anna@example.com>", "RCPT TO: carla@example.org and 2 more",
		"author: example.com", "spf mailfrom: softfail, example.com", "spf helo: none, new.example.com", "dkim: fail, example.com, selector s1", "arc: none",
		"dmarc: fail, p=reject of example.com", "record: v=DMARC1; p=reject", "verdict: reject by the rule dmarc-fail", "reason: DMARC fail",
	}
	if !slices.Equal(facts, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(facts, "\n"), strings.Join(want, "\n"))
	}
}

func TestEachChapterSaysWhatItMeans(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*store.Decision)
		chapter string
		result  string
		tone    string
		says    string
	}{
		{"SPF pass", func(d *store.Decision) { d.SPF[0].Result = "pass" }, "spf", "pass", Good, "example.com lists 192.0.2.99 among its servers"},
		{"SPF fail", func(d *store.Decision) { d.SPF[0].Result = "fail" }, "spf", "fail", Bad, "192.0.2.99 is none of its servers"},
		{"SPF softfail", func(*store.Decision) {}, "spf", "softfail", Warn, "probably none of its servers"},
		{"SPF neutral", func(d *store.Decision) { d.SPF[0].Result = "neutral" }, "spf", "neutral", "", "says nothing of servers that it does not list"},
		{"SPF permerror", func(d *store.Decision) { d.SPF[0].Result = "permerror" }, "spf", "permerror", Bad, "is in error"},
		{"SPF temperror", func(d *store.Decision) { d.SPF[0].Result = "temperror" }, "spf", "temperror", Warn, "could not be looked up"},
		{"SPF of HELO", func(*store.Decision) {}, "spf", "softfail", Warn, "HELO: new.example.com publishes no SPF record"},
		{"no domain", func(d *store.Decision) { d.SPF = []store.SPF{{Identity: "helo", Result: "none"}} }, "spf", "none", "", "there is no domain to ask"},
		{"a result that nobody knows", func(d *store.Decision) { d.SPF[0].Result = "odd" }, "spf", "odd", "", `SPF says "odd" of example.com`},
		{"one good signature of two", func(d *store.Decision) {
			d.DKIM = append(d.DKIM, store.Signature{Result: "pass", SDID: "example.net", Selector: "s2"})
		}, "dkim", "pass", Good, "example.net is good"},
		{"a signature that is not good", func(*store.Decision) {}, "dkim", "fail", Warn, "changed after it was signed"},
		{"no signature", func(d *store.Decision) { d.DKIM = nil }, "dkim", "none", "", "bears no DKIM signature"},
		{"ARC pass", func(d *store.Decision) { d.ARC = "pass" }, "arc", "pass", Good, "are whole"},
		{"ARC fail", func(d *store.Decision) { d.ARC = "fail" }, "arc", "fail", Warn, "broken"},
		{"DMARC pass", func(d *store.Decision) { d.DMARC, d.AlignedDKIM = "pass", true }, "dmarc", "pass", Good, "The author is authenticated"},
		{"DMARC fail", func(*store.Decision) {}, "dmarc", "fail", Bad, "example.com asks that such mail is rejected"},
		{"DMARC none", func(d *store.Decision) { d.DMARC = "none" }, "dmarc", "none", Warn, "publishes no DMARC policy"},
		{"no author", func(d *store.Decision) { d.AuthorDomain = "" }, "author", "", "", "no single domain"},
		{"null sender", func(d *store.Decision) { d.MailFrom = "" }, "envelope", "", "", "The sender is empty"},
		{"refused", func(*store.Decision) {}, "verdict", "reject", Bad, "It was refused"},
		{"put off", func(d *store.Decision) { d.Verdict, d.Done = "defer", "defer" }, "verdict", "defer", Warn, "tries again later"},
		{"held", func(d *store.Decision) { d.Verdict, d.Done = "quarantine", "quarantine" }, "verdict", "quarantine", Warn, "held apart"},
		{"only watched", func(d *store.Decision) { d.Done, d.Mode = "accept", "monitor" }, "verdict", "reject", Bad, "Nothing was done about it"},
		{"an exception", func(d *store.Decision) { d.Verdict, d.Done, d.Rule, d.Exception = "accept", "accept", "exception", 3 }, "verdict", "accept", Good, "An exception let it in"},
		{"nothing against it", func(d *store.Decision) { d.Verdict, d.Done, d.Rule = "accept", "accept", "" }, "verdict", "accept", Good, "No rule had anything against it"},
	} {
		d := stopped()
		c.change(&d)
		all := Tell(&d)
		got := all[slices.IndexFunc(all, func(x Chapter) bool { return x.Name == c.chapter })]
		if got.Result != c.result || got.Tone != c.tone || !strings.Contains(strings.Join(got.Means, "\n"), c.says) {
			t.Errorf("%s: %q, %q, %q; want %q, %q and %q", c.name, got.Result, got.Tone, got.Means, c.result, c.tone, c.says)
		}
	}
}

func TestWhatIsNotKnownIsNotAFact(t *testing.T) {
	for _, c := range Tell(&store.Decision{}) {
		for _, f := range c.Facts {
			if f.Text == "" {
				t.Errorf("%s: %s is empty", c.Name, f.Label)
			}
		}
		if c.Facts == nil || c.Means == nil {
			t.Errorf("%s: null where there is a list", c.Name)
		}
	}
}
