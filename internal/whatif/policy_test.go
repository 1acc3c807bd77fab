package whatif_test

import (
	"context"
	"fmt"
	"iter"
	"net/netip"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/whatif"
)

func preset(t *testing.T, name string) *policy.Policy {
	t.Helper()
	p, err := policy.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func rules(t *testing.T, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("test.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// seen is what the gate counted, with the preset standard in force, in monitor mode for the last.
var seen = []store.Count{
	// 1000 that pass by SPF and DKIM.
	{Count: 1000, Observation: store.Observation{AuthorDomain: "good.example", EnvelopeDomain: "good.example", SPF: "pass", DMARC: "pass", Policy: "reject",
		Record: "v=DMARC1; p=reject", AlignedSPF: true, AlignedDKIM: true, ARC: "none", DKIM: []store.Signature{{Result: "pass", SDID: "good.example", Selector: "a"}},
		Verdict: "accept", Done: "accept"}},
	// 300 that pass by DKIM alone: whether the signature covers the whole body is not kept, but that the rule on it did not hold.
	{Count: 300, Observation: store.Observation{AuthorDomain: "list.example", EnvelopeDomain: "list.example", SPF: "none", DMARC: "pass", Policy: "reject",
		Record: "v=DMARC1; p=reject", AlignedDKIM: true, ARC: "none", DKIM: []store.Signature{{Result: "pass", SDID: "list.example", Selector: "a"}},
		Verdict: "accept", Done: "accept"}},
	// 40 with SPF softfail and no policy: standard marks them, strict rejects.
	{Count: 40, Observation: store.Observation{AuthorDomain: "soft.example", EnvelopeDomain: "soft.example", SPF: "softfail", DMARC: "none", ARC: "none",
		Disposition: "none", Verdict: "mark", Rule: "spf-softfail", Done: "accept"}},
	// 7 that standard rejects, and strict by the same rule.
	{Count: 7, Observation: store.Observation{AuthorDomain: "bad.example", EnvelopeDomain: "bad.example", SPF: "fail", DMARC: "none", ARC: "none",
		Verdict: "reject", Rule: "spf-fail", Done: "reject"}},
	// 5 that nobody vouches for: standard marks, strict quarantines.
	{Count: 5, Observation: store.Observation{AuthorDomain: "nobody.example", EnvelopeDomain: "nobody.example", SPF: "none", DMARC: "none", ARC: "none",
		Disposition: "none", Verdict: "mark", Rule: "unauthenticated", Done: "accept"}},
	// 3 that an exception let in.
	{Count: 3, Observation: store.Observation{AuthorDomain: "soft.example", EnvelopeDomain: "soft.example", SPF: "softfail", DMARC: "none", ARC: "none",
		Verdict: "accept", Rule: "exception", Done: "accept"}},
	// 20 of our own.
	{Count: 20, Observation: store.Observation{AuthorDomain: "", Verdict: "accept", Rule: "authenticated", Done: "accept"}},
	// 2 that standard would have rejected, had it not only watched.
	{Count: 2, Observation: store.Observation{AuthorDomain: "bad.example", EnvelopeDomain: "bad.example", SPF: "fail", DMARC: "none", ARC: "none",
		Verdict: "reject", Rule: "spf-fail", Mode: "monitor", Done: "accept"}},
}

func observed(t *testing.T, s store.Store) {
	t.Helper()
	b := store.Batch{Source: "test", Number: 1}
	for i, c := range seen {
		c.Day = sunday.AddDate(0, 0, -i%3)
		c.SourceIP = netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)})
		if c.Mode == "" {
			c.Mode = "enforce"
		}
		b.Counts = append(b.Counts, c)
	}
	b.Counts = append(b.Counts, store.Count{Count: 9, Observation: store.Observation{Day: sunday.AddDate(0, 0, -40), AuthorDomain: "bad.example", SPF: "fail"}})
	if err := s.AddBatch(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func TestAStricterPolicyIsTriedOnWhatTheGateCounted(t *testing.T) {
	engines(t, func(t *testing.T, s store.Store) {
		observed(t, s)
		got, err := asker(t, s, zone).Policy(t.Context(), whatif.PolicyChange{Period: month, Policy: preset(t, "strict"), InForce: preset(t, "standard")})
		if err != nil {
			t.Fatal(err)
		}
		// 1000 + 300 + 40 + 7 + 5 + 3 + 20 + 2 = 1377 on three days. In: 1000 + 300 + 3 + 20. Rejected: 40 + 7 + 2, quarantined: 5.
		equal(t, "messages, days, excepted", []int64{got.Messages, int64(got.Days), got.Excepted}, []int64{1377, 3, 3})
		equal(t, "then", got.Then, whatif.Actions{Accepted: 1323, Quarantined: 5, Rejected: 49})
		equal(t, "recorded", got.Recorded, whatif.Actions{Accepted: 1368, Rejected: 9})
		equal(t, "done", got.Done, whatif.Actions{Accepted: 1370, Rejected: 7})
		equal(t, "newly, no longer", []int64{got.Newly, got.NoLonger}, []int64{47, 0})
		equal(t, "rules", got.Rules, []whatif.RuleCount{{Rule: "spf-softfail", Action: "reject", Messages: 40, Newly: 40},
			{Rule: "spf-fail", Action: "reject", Messages: 9, Newly: 2}, {Rule: "unauthenticated", Action: "quarantine", Messages: 5, Newly: 5}})
		type sender struct {
			domain         string
			blocked, newly int64
			why            string
		}
		var senders []sender
		for _, w := range got.Senders {
			senders = append(senders, sender{w.Domain, w.Blocked, w.Newly, w.Why})
		}
		equal(t, "senders", senders, []sender{
			{"soft.example", 40, 40, "SPF softfail for soft.example, no DKIM, DMARC none"},
			{"nobody.example", 5, 5, "SPF none for nobody.example, no DKIM, DMARC none"},
			{"bad.example", 9, 2, "SPF fail for bad.example, no DKIM, DMARC none"},
		})
	})
}

func TestWithoutThePolicyInForceWhatIsNotKeptIsUndecided(t *testing.T) {
	engines(t, func(t *testing.T, s store.Store) {
		observed(t, s)
		got, err := asker(t, s, zone).Policy(t.Context(), whatif.PolicyChange{Period: month, Policy: preset(t, "strict")})
		if err != nil {
			t.Fatal(err)
		}
		// Of the 300 whose DKIM alone passes it is not kept whether the whole body is signed.
		equal(t, "then", got.Then, whatif.Actions{Accepted: 1023, Quarantined: 5, Rejected: 49, Undecided: 300})
		equal(t, "lacks", got.Lacks[0], whatif.Lack{Name: "only_part_signed", Messages: 300})
	})
}

func TestAConditionOnWhatIsNotKeptDecidesNothing(t *testing.T) {
	engines(t, func(t *testing.T, s store.Store) {
		observed(t, s)
		p := rules(t, `
[[rule]]
name = "partner"
when = 'spf.result == "softfail" && rcpt.exists(r, r == "sales@example.com")'
action = "accept"
[[rule]]
name = "soft"
when = 'spf.result == "softfail" || isSubdomain(dmarc.author_domain, "bad.example")'
action = "reject"
reply = "550 5.7.23 no"
`)
		got, err := asker(t, s, zone).Policy(t.Context(), whatif.PolicyChange{Period: month, Policy: p, InForce: preset(t, "standard")})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "then", got.Then, whatif.Actions{Accepted: 1328, Rejected: 9, Undecided: 40})
		equal(t, "lacks", got.Lacks, []whatif.Lack{{Name: "rcpt", Messages: 40}})
		// A more lenient one lets in what was rejected.
		got, err = asker(t, s, zone).Policy(t.Context(), whatif.PolicyChange{Period: month, InForce: preset(t, "standard"),
			Policy: rules(t, "[[rule]]\nname = \"all\"\nwhen = 'true'\naction = \"accept\"\n")})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "no longer", []int64{got.NoLonger, got.Newly, got.Then.Accepted}, []int64{7, 0, 1377})
	})
}

// A verdict that the policy in force cannot have found tells nothing: it was another then.
func TestAVerdictOfAnotherPolicyTellsNothing(t *testing.T) {
	c := store.Count{Count: 1, Observation: store.Observation{Day: sunday, AuthorDomain: "list.example", SPF: "none", DMARC: "pass", Policy: "reject",
		Record: "v=DMARC1; p=reject", AlignedDKIM: true, ARC: "none", DKIM: []store.Signature{{Result: "pass", SDID: "list.example"}},
		Verdict: "mark", Rule: "a rule of old"}}
	got, err := (&whatif.Asker{Store: one(c)}).Policy(t.Context(), whatif.PolicyChange{Period: month, Policy: preset(t, "strict"), InForce: preset(t, "standard")})
	if err != nil || got.Then.Undecided != 1 {
		t.Errorf("%v, %+v", err, got)
	}
}

// Strangers make up as many senders as they like.
func TestManySendersAreHeldInBoundedMemory(t *testing.T) {
	got, err := (&whatif.Asker{Store: many(70_000)}).Policy(t.Context(), whatif.PolicyChange{Period: month, Policy: preset(t, "strict")})
	if err != nil {
		t.Fatal(err)
	}
	var told int64
	for _, w := range got.Senders {
		told += w.Messages
	}
	if len(got.Senders) > 20_000 || told+got.Others != got.Messages || got.Senders[0].Domain != "large.example" || got.Then.Rejected != got.Messages {
		t.Errorf("%d senders with %d messages, others %d, of %d; the first is %+v", len(got.Senders), told, got.Others, got.Messages, got.Senders[0])
	}
}

// counts is a store that knows nothing else.
type counts struct {
	whatif.Store
	each func(yield func(store.Count, error) bool)
}

func (c counts) Observations(context.Context, store.ObservationFilter) iter.Seq2[store.Count, error] {
	return c.each
}

func one(c store.Count) whatif.Store {
	return counts{each: func(yield func(store.Count, error) bool) { yield(c, nil) }}
}

func many(n int) whatif.Store {
	return counts{each: func(yield func(store.Count, error) bool) {
		for i := range n {
			c := store.Count{Count: 1, Observation: store.Observation{Day: sunday, AuthorDomain: fmt.Sprintf("d%d.example", i), SPF: "softfail", DMARC: "none", ARC: "none",
				Verdict: "mark", Rule: "spf-softfail"}}
			if i == n/2 {
				c.AuthorDomain, c.Count = "large.example", 50
			}
			if !yield(c, nil) {
				return
			}
		}
	}}
}
