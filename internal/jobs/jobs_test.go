package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/jobs"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/store/pgtest"
	"github.com/gatepost-mail/gatepost/internal/testlog"
)

// queue is that of a new SQLite store.
func queue(t *testing.T) *store.Queue {
	t.Helper()
	return queueOf(t, made(t, filepath.Join(t.TempDir(), "gatepost.db")))
}

// made makes a store.
func made(t *testing.T, address string) string {
	t.Helper()
	s, err := store.Open(t.Context(), address, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return address
}

// engines are the addresses of new stores, one of each engine.
func engines(t *testing.T) map[string]string {
	return map[string]string{
		store.SQLite: made(t, filepath.Join(t.TempDir(), "gatepost.db")), store.PostgreSQL: made(t, pgtest.Database(t)),
	}
}

func queueOf(t *testing.T, address string) *store.Queue {
	t.Helper()
	q, err := store.OpenQueue(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

// run runs jobs until the test ends.
func run(t *testing.T, q *store.Queue, o jobs.Options) (stop func()) {
	t.Helper()
	o.Poll = 100 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- jobs.Run(ctx, q, o) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func within(t *testing.T, what string, d time.Duration, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(d); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, d)
		}
	}
}

func TestAJobIsDoneAtTheStartAndAgain(t *testing.T) {
	t.Parallel()
	var done atomic.Int64
	run(t, queue(t), jobs.Options{Jobs: []jobs.Job{{Name: "count", Every: time.Second, Do: func(context.Context) error {
		done.Add(1)
		return nil
	}}}})
	within(t, "done twice", time.Minute, func() bool { return done.Load() >= 2 })
}

func TestAJobOfTwoNodesIsDoneByOneAtATime(t *testing.T) {
	for engine, address := range engines(t) {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			var running, most, done atomic.Int64
			job := jobs.Job{Name: "one", Every: time.Second, Do: func(context.Context) error {
				if n := running.Add(1); n > most.Load() {
					most.Store(n)
				}
				time.Sleep(300 * time.Millisecond)
				running.Add(-1)
				done.Add(1)
				return nil
			}}
			for range 2 {
				defer run(t, queueOf(t, address), jobs.Options{Jobs: []jobs.Job{job}})()
			}
			within(t, "done three times", time.Minute, func() bool { return done.Load() >= 3 })
			if most.Load() != 1 {
				t.Errorf("%d nodes were at it at once", most.Load())
			}
		})
	}
}

// A node that died while its clock was ahead leads, and is at its jobs, until that time comes.
func TestAClockThatWasAheadStopsNoJobs(t *testing.T) {
	for engine, address := range engines(t) {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			var done atomic.Int64
			o := jobs.Options{Jobs: []jobs.Job{{Name: "one", Every: time.Second, Do: func(context.Context) error {
				done.Add(1)
				return nil
			}}}}
			q := queueOf(t, address)
			stop := run(t, q, o)
			within(t, "done", time.Minute, func() bool { return done.Load() > 0 })
			stop()
			for _, statement := range []string{
				`DELETE FROM river_leader`,
				`INSERT INTO river_leader (elected_at, expires_at, leader_id, name) VALUES ('2126-01-01 00:00:00', '2126-01-01 00:00:15', 'another', 'default')`,
				`UPDATE river_job SET state = 'running', finalized_at = NULL, attempted_at = '2126-01-01 00:00:00' WHERE id = (SELECT max(id) FROM river_job)`,
			} {
				if _, err := q.DB.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			before := done.Load()
			run(t, q, o)
			within(t, "done again", time.Minute, func() bool { return done.Load() > before })
		})
	}
}

func TestAJobThatFailsIsToldOfAndOthersGoOn(t *testing.T) {
	t.Parallel()
	var log testlog.Buffer
	var done atomic.Int64
	run(t, queue(t), jobs.Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Jobs: []jobs.Job{
		{Name: "bad", Every: time.Second, Do: func(context.Context) error { return errors.New("no such luck") }},
		{Name: "broken", Every: time.Second, Do: func(context.Context) error { panic("a fault") }},
		{Name: "good", Every: time.Second, Do: func(context.Context) error { done.Add(1); return nil }},
	}})
	within(t, "the good one", time.Minute, func() bool { return done.Load() >= 2 })
	within(t, "the log", time.Minute, func() bool {
		return strings.Contains(log.String(), "no such luck") && strings.Contains(log.String(), "a fault")
	})
}

// A large import holds the right to write for as long as it takes.
func TestWhoHoldsTheStoreForLongIsNotComplainedOf(t *testing.T) {
	t.Parallel()
	address := made(t, filepath.Join(t.TempDir(), "gatepost.db"))
	var log testlog.Buffer
	var done atomic.Int64
	run(t, queueOf(t, address), jobs.Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Jobs: []jobs.Job{{Name: "one", Every: time.Second,
		Do: func(context.Context) error { done.Add(1); return nil }}}})
	within(t, "done", time.Minute, func() bool { return done.Load() > 0 })
	tx, err := queueOf(t, address).DB.BeginTx(t.Context(), nil) // immediate
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(12 * time.Second)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	before := done.Load()
	within(t, "done again", time.Minute, func() bool { return done.Load() > before })
	if log.String() != "" {
		t.Errorf("it said\n%s", log.String())
	}
}

func TestAtTheEndAJobIsToldToStop(t *testing.T) {
	t.Parallel()
	began := make(chan struct{})
	var once sync.Once
	stop := run(t, queue(t), jobs.Options{Jobs: []jobs.Job{{Name: "long", Every: time.Second, Do: func(ctx context.Context) error {
		once.Do(func() { close(began) })
		<-ctx.Done()
		return ctx.Err()
	}}}})
	<-began
	stop()
}
