package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

func leases(t *testing.T, place Place) {
	a, b := place(t), place(t)
	lease := func(s store.Store, name, holder string, ttl time.Duration, want bool) {
		t.Helper()
		got, err := s.Lease(t.Context(), name, holder, ttl)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("the lease %s is %s's: %t, want %t", name, holder, got, want)
		}
	}
	lease(a, "imap", "one", time.Hour, true)
	lease(b, "imap", "two", time.Hour, false)
	lease(b, "graph", "two", time.Hour, true) // another lease
	lease(a, "imap", "one", time.Hour, true)  // renewed
	lease(b, "imap", "one", time.Hour, true)  // the holder by another connection, as after a restart
	lease(a, "graph", "one", time.Hour, false)

	if err := b.Release(t.Context(), "imap", "two"); err != nil { // not the holder's
		t.Fatal(err)
	}
	lease(b, "imap", "two", time.Hour, false)
	if err := a.Release(t.Context(), "imap", "one"); err != nil {
		t.Fatal(err)
	}
	lease(b, "imap", "two", 50*time.Millisecond, true)
	for held := false; !held; time.Sleep(10 * time.Millisecond) { // two is not heard of any more
		var err error
		if held, err = a.Lease(t.Context(), "imap", "one", time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	lease(b, "imap", "two", time.Hour, false)
	lease(a, "'; DROP TABLE leases; --", "\x00\xff", time.Hour, true)
}

func leaseRace(t *testing.T, place Place) {
	nodes := []store.Store{place(t), place(t), place(t)}
	for round := range 5 {
		var held atomic.Int64
		var all sync.WaitGroup
		for i, s := range nodes {
			all.Go(func() {
				got, err := s.Lease(t.Context(), fmt.Sprintf("round %d", round), fmt.Sprintf("node %d", i), time.Hour)
				if err != nil {
					t.Error(err)
				}
				if got {
					held.Add(1)
				}
			})
		}
		all.Wait()
		if held.Load() != 1 {
			t.Errorf("%d have the lease, want 1", held.Load())
		}
	}
}
