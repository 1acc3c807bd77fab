package storetest

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gatepost-mail/gatepost/internal/store"
)

func decisionWhole(t *testing.T, open Place) {
	s := open(t)
	want, empty := decision(1), store.Decision{Time: noon}
	add(t, s, batch("a", 1, want, empty))
	want.ID, empty.ID = 1, 2
	got := find(t, s, store.DecisionFilter{})
	if !reflect.DeepEqual(got, []store.Decision{want, empty}) {
		t.Errorf("got  %+v\nwant %+v", got, []store.Decision{want, empty})
	}
}

func decisionBounded(t *testing.T, open Place) {
	s := open(t)
	long := strings.Repeat("é\x00\xff", 100_000)
	d := store.Decision{
		Time: noon, Reference: long, QueueID: long, MessageID: long, Helo: long, MailFrom: long, EnvelopeDomain: long,
		Recipients: slices.Repeat([]string{long}, 100), AuthorDomain: long, SPF: slices.Repeat([]store.SPF{{Identity: long, Result: long}}, 9),
		DKIM: slices.Repeat([]store.Signature{{Result: long, SDID: long, Selector: long}}, 100), ARC: long, DMARC: long, PolicyDomain: long,
		Policy: long, Disposition: long, Record: long, Verdict: long, Rule: long, Mode: long, Done: long, Reason: long,
		Watched: slices.Repeat([]store.Watched{{Rule: long, Action: long}}, 100),
	}
	b := batch("a", 1, d)
	b.Counts[0].AuthorDomain = long
	add(t, s, b)
	got := find(t, s, store.DecisionFilter{})[0]
	if got.MoreRecipients != int64(100-len(got.Recipients)) || len(got.Recipients) == 0 {
		t.Errorf("%d recipients and %d more", len(got.Recipients), got.MoreRecipients)
	}
	size := 0
	var walk func(reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			size += v.Len()
			if s := v.String(); !utf8.ValidString(s) || strings.Contains(s, "\x00") || s == "" && !strings.Contains(v.Type().Name(), "SPF") {
				if s != "" {
					t.Errorf("got %q", s)
				}
			}
		case reflect.Struct:
			if v.Type() == reflect.TypeFor[time.Time]() || v.Type() == reflect.TypeFor[netip.Addr]() {
				return
			}
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	walk(reflect.ValueOf(got))
	if size > store.MaxEncoded {
		t.Errorf("a decision of %d bytes was kept", size)
	}
	if n := observed(t, s, store.ObservationFilter{}); len(n) != 1 || n[0].AuthorDomain == "" || len(n[0].AuthorDomain) > 255 {
		t.Errorf("got %d observations", len(n))
	}
}

func decisionFilters(t *testing.T, open Place) {
	s := open(t)
	d1, d2, d3, d4 := decision(1), decision(2), decision(3), decision(4)
	d1.Verdict, d1.Rule = "accept", ""
	d2.AuthorDomain = "example.net"
	d3.AuthorDomain, d3.EnvelopeDomain = "example.net", "example.net"
	add(t, s, batch("a", 1, d1, d2))
	add(t, s, batch("a", 2, d3, d4))
	for _, c := range []struct {
		name   string
		filter store.DecisionFilter
		want   string
	}{
		{"all", store.DecisionFilter{}, "ref1 ref2 ref3 ref4"},
		{"the last", store.DecisionFilter{Limit: 2}, "ref3 ref4"},
		{"Author Domain", store.DecisionFilter{Domain: "example.net"}, "ref2 ref3"},
		{"envelope domain", store.DecisionFilter{Domain: "bounces.example.com"}, "ref1 ref2 ref4"},
		{"no sub-domains", store.DecisionFilter{Domain: "com"}, ""},
		{"verdict", store.DecisionFilter{Verdict: "accept"}, "ref1"},
		{"rule", store.DecisionFilter{Rule: "spf-softfail"}, "ref2 ref3 ref4"},
		{"reference", store.DecisionFilter{Reference: "ref3"}, "ref3"},
		{"since", store.DecisionFilter{Since: noon.Add(3 * time.Second)}, "ref3 ref4"},
		{"since, of one verdict", store.DecisionFilter{Since: noon.Add(time.Second), Verdict: "accept"}, "ref1"},
		{"since a moment to come", store.DecisionFilter{Since: noon.Add(time.Hour)}, ""},
		{"after", store.DecisionFilter{After: 2}, "ref3 ref4"},
		{"the last after", store.DecisionFilter{After: 1, Limit: 2}, "ref3 ref4"},
		{"the first after", store.DecisionFilter{After: 1, Limit: 2, Oldest: true}, "ref2 ref3"},
		{"the first", store.DecisionFilter{Limit: 2, Oldest: true}, "ref1 ref2"},
		{"before", store.DecisionFilter{Before: 3}, "ref1 ref2"},
		{"the last before", store.DecisionFilter{Before: 4, Limit: 2}, "ref2 ref3"},
		{"between", store.DecisionFilter{After: 1, Before: 4}, "ref2 ref3"},
		{"two at once", store.DecisionFilter{Domain: "example.net", After: 2}, "ref3"},
		{"none", store.DecisionFilter{Domain: "example.net", Verdict: "accept"}, ""},
	} {
		if got := references(find(t, s, c.filter)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// Where several programs write, or one was away for a while, decisions do not come in the order of their times.
func decisionsLate(t *testing.T, open Place) {
	s := open(t)
	add(t, s, batch("a", 1, decision(5), decision(2), decision(4)))
	add(t, s, batch("b", 1, decision(1), decision(6), decision(3)))
	if got := references(find(t, s, store.DecisionFilter{Since: noon.Add(4 * time.Second)})); got != "ref5 ref4 ref6" {
		t.Errorf("got %q", got)
	}
}

func decisionNumbers(t *testing.T, open Place) {
	s := open(t)
	add(t, s, batch("a", 1, decision(1), decision(2)))
	prune(t, s, store.Retention{DecisionAge: time.Hour}, noon.Add(24*time.Hour))
	s = open(t)
	add(t, s, batch("a", 2, decision(3)))
	if got := find(t, s, store.DecisionFilter{After: 2}); len(got) != 1 || got[0].ID != 3 {
		t.Errorf("got %+v, want the decision 3", got)
	}
}

func observationsAdd(t *testing.T, open Place) {
	s := open(t)
	d1, d2, d3 := decision(1), decision(2), decision(3)
	slices.Reverse(d2.DKIM)
	d2.Helo = "mx.EXAMPLE.com"
	d3.Rule = "another"
	add(t, s, store.Batch{Source: "a", Number: 1, Counts: []store.Count{{Observation: store.Observe(&d1), Count: 40}}})
	add(t, s, store.Batch{Source: "a", Number: 2, Counts: []store.Count{
		{Observation: store.Observe(&d2), Count: 2}, {Observation: store.Observe(&d3), Count: 5}}})
	got := observed(t, s, store.ObservationFilter{})
	if len(got) != 2 {
		t.Fatalf("got %d observations, want 2: %+v", len(got), got)
	}
	for _, n := range got {
		want := store.Count{Observation: store.Observe(&d1), Count: 42}
		if n.Rule == "another" {
			want = store.Count{Observation: store.Observe(&d3), Count: 5}
		}
		if !reflect.DeepEqual(n, want) {
			t.Errorf("got  %+v\nwant %+v", n, want)
		}
	}
}

func observationFilters(t *testing.T, open Place) {
	s := open(t)
	for n := range 3 {
		for i, domain := range []string{"example.net", "example.com"} {
			d := decision(0)
			d.Time, d.AuthorDomain = noon.AddDate(0, 0, n), domain
			add(t, s, batch("a", int64(2*n+i+1), d))
		}
	}
	list := func(f store.ObservationFilter) string {
		var all []string
		for _, n := range observed(t, s, f) {
			all = append(all, n.Day.Format("02")+n.AuthorDomain)
		}
		return strings.Join(all, " ")
	}
	for _, c := range []struct {
		filter store.ObservationFilter
		want   string
	}{
		{store.ObservationFilter{}, "24example.com 24example.net 25example.com 25example.net 26example.com 26example.net"},
		{store.ObservationFilter{From: noon.AddDate(0, 0, 1)}, "25example.com 25example.net 26example.com 26example.net"},
		{store.ObservationFilter{From: noon, To: noon}, "24example.com 24example.net"},
		{store.ObservationFilter{AuthorDomain: "example.net", To: noon.AddDate(0, 0, 1)}, "24example.net 25example.net"},
	} {
		if got := list(c.filter); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.filter, got, c.want)
		}
		// In any order they are the same, day by day, and the same each time.
		c.filter.AnyOrder = true
		got := list(c.filter)
		words := strings.Fields(got)
		if !slices.IsSortedFunc(words, func(a, b string) int { return strings.Compare(a[:2], b[:2]) }) || got != list(c.filter) {
			t.Errorf("in any order: %q, and then %q", got, list(c.filter))
		}
		slices.Sort(words)
		if strings.Join(words, " ") != c.want {
			t.Errorf("in any order: %q, want %q", got, c.want)
		}
	}
}

// What stands between the names of a row must not be found in them, whatever a sender made up.
func observationsKeepOddNames(t *testing.T, open Place) {
	s := open(t)
	odd := []string{"", "a\x1fb", "a\xffb", "a\x00b", "%s", "'", "a, b", "ÿ", "\u0000ff"}
	o := store.Observation{Day: noon.Truncate(24 * time.Hour), DKIM: []store.Signature{}}
	var counts []store.Count
	for i, name := range odd {
		o.AuthorDomain, o.EnvelopeDomain, o.HeloDomain, o.PolicyDomain, o.Record, o.Rule, o.SPF = fmt.Sprint(i), name, name, name, name, name, name
		counts = append(counts, store.Count{Observation: o, Count: 1})
	}
	add(t, s, store.Batch{Source: "odd", Number: 1, Counts: counts})
	got := observed(t, s, store.ObservationFilter{})
	if len(got) != len(odd) {
		t.Fatalf("%d observations, want %d", len(got), len(odd))
	}
	for _, n := range got {
		i, _ := strconv.Atoi(n.AuthorDomain)
		want := strings.ReplaceAll(strings.ToValidUTF8(odd[i], "\ufffd"), "\x00", "\ufffd")
		for _, name := range []string{n.EnvelopeDomain, n.HeloDomain, n.PolicyDomain, n.Record, n.Rule, n.SPF} {
			if name != want {
				t.Errorf("got %q, want %q", name, want)
			}
		}
	}
}

func observationsBreak(t *testing.T, open Place) {
	s := open(t)
	d1, d2 := decision(1), decision(2)
	d2.Rule = "another"
	add(t, s, batch("a", 1, d1, d2))
	for range 50 { // more than there are connections
		for _, err := range s.Observations(t.Context(), store.ObservationFilter{}) {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if n := total(t, s); n != 2 {
		t.Errorf("got %d messages, want 2", n)
	}
}

func injection(t *testing.T, open Place) {
	s := open(t)
	odd := `x'); DROP TABLE decisions; --"%_\`
	d := decision(1)
	d.AuthorDomain, d.Reference, d.Rule = odd, odd, odd
	b := batch(odd, 1, d)
	b.Counts[0].AuthorDomain = odd
	add(t, s, b)
	if got := find(t, s, store.DecisionFilter{Domain: odd, Reference: odd, Rule: odd}); len(got) != 1 || got[0].Rule != odd {
		t.Errorf("got %+v", got)
	}
	if got := observed(t, s, store.ObservationFilter{AuthorDomain: odd}); len(got) != 1 {
		t.Errorf("got %+v", got)
	}
}

// prune deletes until nothing is left to delete.
func prune(t *testing.T, s store.Store, r store.Retention, now time.Time) (rounds int) {
	t.Helper()
	for rounds = 1; ; rounds++ {
		done, err := s.Prune(t.Context(), r, now)
		if err != nil {
			t.Fatal(err)
		}
		if done {
			return rounds
		}
		if rounds > 100 {
			t.Fatal("it does not end")
		}
	}
}

func pruneRing(t *testing.T, open Place) {
	s := open(t)
	var all []store.Decision
	for n := range 2_300 {
		all = append(all, store.Decision{Time: noon, Reference: decision(n).Reference})
	}
	add(t, s, store.Batch{Source: "a", Number: 1, Decisions: all})
	if rounds := prune(t, s, store.Retention{Decisions: 2}, noon); rounds < 2 {
		t.Errorf("2300 rows went in %d transaction, in which others wait", rounds)
	}
	if got := references(find(t, s, store.DecisionFilter{})); got != "ref2298 ref2299" {
		t.Errorf("got %q", got)
	}
	prune(t, s, store.Retention{}, noon.AddDate(100, 0, 0))
	if got := references(find(t, s, store.DecisionFilter{})); got != "ref2298 ref2299" {
		t.Errorf("without a limit, got %q", got)
	}
}

func pruneAge(t *testing.T, open Place) {
	s := open(t)
	prune(t, s, store.Retention{DecisionAge: time.Hour}, noon)
	add(t, s, batch("a", 1, decision(1), decision(2), decision(3)))
	prune(t, s, store.Retention{DecisionAge: time.Hour}, noon.Add(time.Hour))
	if got := references(find(t, s, store.DecisionFilter{})); got != "ref1 ref2 ref3" {
		t.Errorf("too early, got %q", got)
	}
	prune(t, s, store.Retention{DecisionAge: time.Hour, Decisions: 100}, noon.Add(time.Hour+2500*time.Millisecond))
	if got := references(find(t, s, store.DecisionFilter{})); got != "ref3" {
		t.Errorf("got %q", got)
	}
	prune(t, s, store.Retention{DecisionAge: time.Hour}, noon.Add(48*time.Hour))
	if got := references(find(t, s, store.DecisionFilter{})); got != "" {
		t.Errorf("much later, got %q", got)
	}
}

func pruneObservations(t *testing.T, open Place) {
	s := open(t)
	old, young := decision(1), decision(2)
	young.Time = noon.AddDate(0, 0, 10)
	add(t, s, batch("a", 1, old, young))
	prune(t, s, store.Retention{Observations: 9 * 24 * time.Hour}, noon.AddDate(0, 0, 10))
	if got := observed(t, s, store.ObservationFilter{}); len(got) != 1 || !got[0].Day.After(noon) {
		t.Errorf("got %+v", got)
	}
	add(t, s, batch("a", 1, old, young))
	if n := total(t, s); n != 1 {
		t.Errorf("a batch was counted again: %d messages", n)
	}
}
