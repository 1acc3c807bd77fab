package insight_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

func seen(t *testing.T, a *insight.Asker, domain string) facts.Seen {
	t.Helper()
	s, err := a.Seen(t.Context(), domain, sunday.Add(12*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhatReportsSayIsSeen(t *testing.T) {
	a := &insight.Asker{Store: filled(t), Table: senders.Known(), DNS: resolver(t)}
	got := seen(t, a, "example.com")
	if !got.Sends || !got.DKIM || !slices.Equal(got.Selectors, []string{"s1"}) || got.Length {
		t.Errorf("got %+v", got)
	}
	first := facts.Source{IP: netip.MustParseAddr("192.0.2.1"), Messages: 3000, Asked: 3000, Class: senders.Passing}
	if len(got.Sources) == 0 || got.Sources[0] != first {
		t.Fatalf("got %+v, want first %+v", got.Sources, first)
	}
	// Of the others reports do not say whose record was asked: it may have been ours.
	for _, s := range got.Sources[1:] {
		if s.Own() || s.Asked != s.Messages || s.Messages != 5 {
			t.Errorf("got %+v", s)
		}
	}
	if other := seen(t, a, "example.org"); other.Sends || other.DKIM || len(other.Selectors)+len(other.Sources) > 0 {
		t.Errorf("of another domain: %+v", other)
	}
}

// decide puts what the gate decided into a store.
func decide(t *testing.T, s store.Store, all ...store.Decision) {
	t.Helper()
	for i := range all {
		all[i].Time = sunday
	}
	if err := s.AddBatch(t.Context(), store.Batch{Source: "test", Number: 1, Decisions: all}); err != nil {
		t.Fatal(err)
	}
}

func TestWhatTheGateDecidedIsSeen(t *testing.T) {
	signed := func(result, by, selector string) []store.Signature {
		return []store.Signature{{Result: result, SDID: by, Selector: selector}}
	}
	for name, c := range map[string]struct {
		d           store.Decision
		sends, dkim bool
		selectors   []string
	}{
		"passed":              {store.Decision{AuthorDomain: "example.org", DMARC: "pass", DKIM: signed("pass", "Example.org", "S2")}, true, true, []string{"s2"}},
		"failed":              {store.Decision{AuthorDomain: "example.org", DMARC: "fail", DKIM: signed("fail", "example.org", "s2")}, false, false, nil},
		"a stranger's":        {store.Decision{AuthorDomain: "example.org", DMARC: "fail", DKIM: signed("pass", "example.net", "s2")}, false, false, nil},
		"of a domain beneath": {store.Decision{AuthorDomain: "example.org", DMARC: "pass", DKIM: signed("pass", "mail.example.org", "s2")}, true, true, nil},
		"its envelope alone":  {store.Decision{AuthorDomain: "example.net", EnvelopeDomain: "example.org", DMARC: "pass"}, false, false, nil},
	} {
		s := filled(t)
		decide(t, s, c.d)
		got := seen(t, &insight.Asker{Store: s}, "example.org")
		if got.Sends != c.sends || got.DKIM != c.dkim || !slices.Equal(got.Selectors, c.selectors) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// A supplier of whom no report tells sends from a server that its record lacks: the gate heard it.
func TestWhomTheGateHeardIsSeen(t *testing.T) {
	listed, forgotten, passed := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
	from := func(ip netip.Addr, author, envelope, spf, dmarc string) store.Decision {
		return store.Decision{ClientIP: ip, AuthorDomain: author, EnvelopeDomain: envelope, DMARC: dmarc,
			SPF: []store.SPF{{Identity: "mailfrom", Domain: envelope, Result: spf}}}
	}
	s := filled(t)
	decide(t, s,
		from(listed, "example.org", "example.org", "pass", "pass"),
		from(forgotten, "example.org", "example.org", "softfail", "fail"),
		from(forgotten, "example.org", "example.org", "softfail", "fail"),
		from(forgotten, "example.org", "bounces.example.net", "pass", "fail"),
		from(passed, "example.org", "bounces.example.net", "pass", "pass"),
	)
	want := []facts.Source{
		{IP: forgotten, Messages: 3, Asked: 2, Class: senders.Unclear},
		{IP: listed, Messages: 1, Asked: 1, Class: senders.Passing},
		{IP: passed, Messages: 1, Class: senders.Passing},
	}
	if got := seen(t, &insight.Asker{Store: s}, "example.org").Sources; !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	// One that reports tell of is counted by them.
	decideMore := store.Batch{Source: "test", Number: 2, Decisions: []store.Decision{from(listed, "example.com", "example.com", "pass", "pass")}}
	decideMore.Decisions[0].Time = sunday
	if err := s.AddBatch(t.Context(), decideMore); err != nil {
		t.Fatal(err)
	}
	a := &insight.Asker{Store: s, Table: senders.Known(), DNS: resolver(t)}
	if got := seen(t, a, "example.com").Sources; got[0].IP != listed || got[0].Messages != 3000 {
		t.Errorf("got %+v first", got[0])
	}
}

func TestSelectorsThatAreSeenAreBounded(t *testing.T) {
	var all []store.Decision
	for i := range 100 {
		d := store.Decision{AuthorDomain: "example.org", DKIM: []store.Signature{{Result: "pass", SDID: "example.org", Selector: fmt.Sprint("s", i)}}}
		if i == 77 {
			all = append(all, d)
		}
		all = append(all, d)
	}
	s := filled(t)
	decide(t, s, all...)
	if got := seen(t, &insight.Asker{Store: s}, "example.org").Selectors; len(got) != 50 || got[0] != "s77" {
		t.Errorf("got %d, %q first", len(got), got[:1])
	}
}
