package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/store"
)

func batchOnce(t *testing.T, open Place) {
	s := open(t)
	e := exception("example.com")
	if err := s.AddException(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	first, second := batch("a", 1, decision(1)), batch("a", 2, decision(2), decision(3))
	second.Uses = []store.Use{{Exception: e.ID, Count: 2, Last: noon}}
	other := open(t)
	for range 3 {
		add(t, s, first)
		add(t, other, second)
		add(t, s, second)
	}
	if got := references(find(t, s, store.DecisionFilter{})); got != "ref1 ref2 ref3" {
		t.Errorf("got the decisions %q", got)
	}
	if n := total(t, s); n != 3 {
		t.Errorf("got %d messages, want 3", n)
	}
	if all, err := s.Exceptions(t.Context()); err != nil || all[0].Uses != 2 {
		t.Errorf("got %+v, %v, want 2 uses", all, err)
	}
}

func batchWhole(t *testing.T, open Place) {
	s := open(t)
	for _, bad := range []store.Batch{batch("", 1, decision(1)), batch("a", 0, decision(1))} {
		if err := s.AddBatch(t.Context(), bad); err == nil {
			t.Errorf("a batch of source %q with number %d was taken", bad.Source, bad.Number)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	large := store.Batch{Source: "a", Number: 1}
	for n := range 400 {
		large.Decisions = append(large.Decisions, decision(n))
	}
	large.Counts = counts(large.Decisions...)
	done := make(chan error)
	go func() { done <- s.AddBatch(ctx, large) }()
	cancel()
	err := <-done
	found := len(find(t, s, store.DecisionFilter{Limit: 10_000}))
	if n := total(t, s); err != nil && (found != 0 || n != 0) || err == nil && (found != 400 || n != 400) {
		t.Errorf("after %v: %d decisions, %d messages", err, found, n)
	}
	add(t, s, large) // may be the second time
	if n := total(t, s); n != 400 {
		t.Errorf("got %d messages, want 400", n)
	}
}

func sourcesApart(t *testing.T, open Place) {
	s := open(t)
	add(t, s, batch("a", 5, decision(1)))
	add(t, s, batch("b", 1, decision(2)))
	add(t, s, batch("b", 5, decision(3)))
	if n := total(t, s); n != 3 {
		t.Errorf("got %d messages, want 3", n)
	}
}

func writers(t *testing.T, open Place) {
	const handles, batches = 4, 10
	var all sync.WaitGroup
	for h := range handles {
		s := open(t)
		all.Go(func() {
			for b := range batches {
				if err := s.AddBatch(t.Context(), batch(fmt.Sprint(h), int64(b+1), decision(1), decision(2))); err != nil {
					t.Errorf("writer %d: %v", h, err)
				}
			}
		})
	}
	all.Wait()
	s := open(t)
	if n := total(t, s); n != handles*batches*2 {
		t.Errorf("got %d messages, want %d", n, handles*batches*2)
	}
	ids := map[int64]bool{}
	for _, d := range find(t, s, store.DecisionFilter{}) {
		ids[d.ID] = true
	}
	if len(ids) != handles*batches*2 {
		t.Errorf("got %d numbers for %d decisions", len(ids), handles*batches*2)
	}
}

func readers(t *testing.T, open Place) {
	s, reader := open(t), open(t)
	add(t, s, batch("a", 1, decision(1)))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range 20 {
			if err := s.AddBatch(t.Context(), batch("a", int64(n+2), decision(n))); err != nil {
				t.Error(err)
			}
		}
	}()
	for last := int64(1); ; {
		n := total(t, reader)
		if n < last {
			t.Fatalf("%d messages, after %d", n, last)
		}
		last = n
		select {
		case <-done:
			if n := total(t, reader); n != 21 {
				t.Errorf("got %d messages, want 21", n)
			}
			return
		default:
		}
	}
}

func durable(t *testing.T, open Place) {
	s := open(t)
	add(t, s, batch("a", 1, decision(1)))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t)
	add(t, s, batch("a", 1, decision(1)))
	if n := total(t, s); n != 1 {
		t.Errorf("got %d messages, want 1", n)
	}
}

func closed(t *testing.T, open Place) {
	s := open(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, decisions := s.Decisions(t.Context(), store.DecisionFilter{})
	_, exceptions := s.Exceptions(t.Context())
	_, version := s.ExceptionsVersion(t.Context())
	_, prune := s.Prune(t.Context(), store.Retention{}, noon)
	var observations error
	for _, err := range s.Observations(t.Context(), store.ObservationFilter{}) {
		observations = err
	}
	for what, err := range map[string]error{
		"AddBatch": s.AddBatch(t.Context(), batch("a", 1)), "Decisions": decisions, "Observations": observations, "Exceptions": exceptions,
		"ExceptionsVersion": version, "Prune": prune, "RemoveException": s.RemoveException(t.Context(), 1),
	} {
		if err == nil || errors.Is(err, store.ErrNoException) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func contextEnds(t *testing.T, open Place) {
	s := open(t)
	add(t, s, batch("a", 1, decision(1)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.AddBatch(ctx, batch("a", 2, decision(2))); !errors.Is(err, context.Canceled) {
		t.Errorf("AddBatch: %v", err)
	}
	if _, err := s.Decisions(ctx, store.DecisionFilter{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Decisions: %v", err)
	}
	add(t, s, batch("a", 2, decision(2)))
	if n := total(t, s); n != 2 {
		t.Errorf("got %d messages, want 2", n)
	}
}
