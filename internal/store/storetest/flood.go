package storetest

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// bound is how many observations a day may have in the tests of floods.
const bound = 100

// made is the nth message of a sender who makes up a new name wherever it can. It has one of four results.
func made(n int) store.Decision {
	d := decision(n)
	d.Time = noon
	d.Helo, d.EnvelopeDomain = fmt.Sprintf("h%d.example", n), fmt.Sprintf("e%d.example", n)
	d.AuthorDomain, d.PolicyDomain = fmt.Sprintf("a%d.example", n), fmt.Sprintf("a%d.example", n)
	d.Record = fmt.Sprintf("v=DMARC1; p=reject; rua=mailto:%d@example.com", n)
	d.ClientIP = netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, byte(n >> 8), byte(n), 15: byte(n)})
	d.DKIM = slices.Clone(d.DKIM)
	d.DKIM[0].SDID, d.DKIM[1].Selector = fmt.Sprintf("d%d.example", n), fmt.Sprintf("s%d", n)
	if n%2 == 0 {
		d.Verdict, d.Rule = "accept", ""
	}
	if n%4 == 1 {
		d.DKIM = d.DKIM[:1]
	}
	return d
}

func flood(from, to int) []store.Count {
	var all []store.Decision
	for n := from; n < to; n++ {
		all = append(all, made(n))
	}
	return counts(all...)
}

// outcome is what of an observation no folding gives up.
func outcome(n *store.Count) string {
	var results []string
	for _, s := range n.DKIM {
		results = append(results, s.Result)
	}
	slices.Sort(results)
	return fmt.Sprint(n.Day, n.Verdict, n.Rule, n.Mode, n.Done, n.SPF, n.SPFHelo, results, n.ARC, n.DMARC, n.Policy, n.Disposition,
		n.AlignedSPF, n.AlignedDKIM)
}

// holdsFlood holds a store to having counted so many messages of a flood, each by its outcome, in as many rows as it may have.
func holdsFlood(t *testing.T, s store.Store, messages int) {
	t.Helper()
	want := map[string]int64{}
	for _, n := range flood(0, messages) {
		want[outcome(&n)]++
	}
	rows := observed(t, s, store.ObservationFilter{})
	got := map[string]int64{}
	for _, n := range rows {
		got[outcome(&n)] += n.Count
	}
	if len(got) != len(want) {
		t.Errorf("got the outcomes %v\nwant %v", got, want)
	}
	for o, n := range want {
		if got[o] != n {
			t.Errorf("%s: %d messages, want %d", o, got[o], n)
		}
	}
	if len(rows) > bound || messages > bound && len(rows) < bound*9/10 {
		t.Errorf("%d messages have %d rows, of %d that there may be", messages, len(rows), bound)
	}
}

func floodBounded(t *testing.T, open Place) {
	s, other := open(t), open(t)
	for b := range 8 {
		n := store.Batch{Source: "a", Number: int64(b + 1), Counts: flood(50*b, 50*b+50)}
		add(t, s, n)
		add(t, other, n)
	}
	holdsFlood(t, s, 400)
}

func floodBatch(t *testing.T, open Place) {
	s := open(t)
	b := store.Batch{Source: "a", Number: 1, Counts: flood(0, 400)}
	add(t, s, b)
	add(t, s, b)
	holdsFlood(t, s, 400)
}

func floodWriters(t *testing.T, open Place) {
	var all sync.WaitGroup
	for w := range 4 {
		s := open(t)
		all.Go(func() {
			for b := range 2 {
				from := 100*w + 50*b
				if err := s.AddBatch(t.Context(), store.Batch{Source: fmt.Sprint(w), Number: int64(b + 1), Counts: flood(from, from+50)}); err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			}
		})
	}
	all.Wait()
	holdsFlood(t, open(t), 400)
}

// A flood of HELO names alone costs HELO names alone, and leaves room for what else is new.
func floodHelo(t *testing.T, open Place) {
	s := open(t)
	var all []store.Decision
	for n := range 200 {
		d := decision(1)
		d.Helo = fmt.Sprintf("h%d.example", n)
		all = append(all, d)
	}
	last := decision(1)
	last.Helo, last.AuthorDomain = "h.example", "example.net"
	add(t, s, store.Batch{Source: "a", Number: 1, Counts: counts(append(all, last)...)})
	whole := int64(0)
	for _, n := range observed(t, s, store.ObservationFilter{}) {
		want := store.Observe(&all[0])
		want.HeloDomain = n.HeloDomain
		if n.Folded == 0 {
			whole++
		} else {
			want.HeloDomain, want.Folded = store.Other, 1
		}
		if n.AuthorDomain == "example.net" {
			want.AuthorDomain = "example.net"
		}
		if a, b := encoded(&n.Observation), encoded(&want); a != b {
			t.Errorf("got  %+v\nwant %+v", n.Observation, want)
		}
	}
	if n := total(t, s); n != 201 || whole != bound*3/4 {
		t.Errorf("%d messages in %d whole rows, want 201 in %d", n, whole, bound*3/4)
	}
	if got := observed(t, s, store.ObservationFilter{AuthorDomain: "example.net"}); len(got) != 1 || got[0].SourceIP != last.ClientIP {
		t.Errorf("got %+v", got)
	}
}

func encoded(o *store.Observation) string {
	b, _ := o.AppendBinary(nil)
	return string(b)
}

func floodKnown(t *testing.T, open Place) {
	s := open(t)
	add(t, s, batch("a", 1, decision(1)))
	add(t, s, store.Batch{Source: "a", Number: 2, Counts: flood(0, 400)})
	add(t, s, batch("a", 3, decision(1), decision(1)))
	got := observed(t, s, store.ObservationFilter{AuthorDomain: "example.com"})
	d := decision(1)
	if len(got) != 1 || got[0].Count != 3 || encoded(&got[0].Observation) != encoded(&counts(d)[0].Observation) {
		t.Errorf("got %+v", got)
	}
}

func floodDay(t *testing.T, open Place) {
	s := open(t)
	tomorrow := decision(1)
	tomorrow.Time = noon.AddDate(0, 0, 1)
	add(t, s, store.Batch{Source: "a", Number: 1, Counts: append(flood(0, 400), counts(tomorrow)...)})
	got := observed(t, s, store.ObservationFilter{From: tomorrow.Time})
	if len(got) != 1 || got[0].Folded != 0 || got[0].HeloDomain != "mx.example.com" {
		t.Errorf("got %+v", got)
	}
}

func floodPruned(t *testing.T, open Place) {
	s := open(t)
	add(t, s, store.Batch{Source: "a", Number: 1, Counts: flood(0, 200)})
	prune(t, s, store.Retention{Observations: 24 * time.Hour}, noon.AddDate(0, 0, 10))
	if n := total(t, s); n != 0 {
		t.Errorf("%d messages are left", n)
	}
	add(t, s, store.Batch{Source: "a", Number: 2, Counts: flood(0, 200)})
	holdsFlood(t, s, 200)
}
