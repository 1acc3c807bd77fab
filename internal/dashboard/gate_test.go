package dashboard

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// What is told as it comes is what the list has afterwards.
func TestAWatchLetsThroughWhatTheStoreFinds(t *testing.T) {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatepost.db"), store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := store.Batch{Source: "test", Number: 1}
	for _, verdict := range Verdicts {
		for _, rule := range []string{"", "spf-fail"} {
			for _, domain := range []string{"", "example.com", "sub.example.com"} {
				for _, envelope := range []string{"", "example.com", "example.net"} {
					b.Decisions = append(b.Decisions, store.Decision{
						Time: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), Verdict: verdict, Rule: rule, AuthorDomain: domain, EnvelopeDomain: envelope,
					})
				}
			}
		}
	}
	if err := s.AddBatch(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	all, err := s.Decisions(t.Context(), store.DecisionFilter{})
	if err != nil || len(all) != 5*2*3*3 {
		t.Fatal(len(all), err)
	}
	for _, f := range []DecisionsFilter{
		{}, {Verdict: "reject"}, {Rule: "spf-fail"}, {Domain: "Example.COM."}, {Domain: "example.net"}, {Verdict: "defer", Rule: "spf-fail", Domain: "example.com"},
		{Rule: "nothere"},
	} {
		w, err := (&LiveIn{DecisionsFilter: f}).Watch()
		if err != nil {
			t.Fatal(err)
		}
		found, err := s.Decisions(t.Context(), w.f)
		if err != nil {
			t.Fatal(err)
		}
		there := map[int64]bool{}
		for i := range found {
			there[found[i].ID] = true
		}
		for i := range all {
			if w.Lets(&all[i]) != there[all[i].ID] {
				t.Errorf("%+v: %+v: the store finds it: %v", f, all[i], there[all[i].ID])
			}
		}
	}
}

func TestADecisionIsFoundByWhateverItsReferenceIs(t *testing.T) {
	for reference, want := range map[string]string{
		"4fygKcbnNKT": "/gate/decisions/4fygKcbnNKT", "": "/gate/decisions/-?id=7", "-": "/gate/decisions/-?id=7", "..": "/gate/decisions/-?id=7",
		"a/b": "/gate/decisions/-?id=7", "a?b": "/gate/decisions/-?id=7", "ä": "/gate/decisions/-?id=7",
	} {
		if got := decisionPath(reference, 7); got != want {
			t.Errorf("%q: %s, want %s", reference, got, want)
		}
	}
}
