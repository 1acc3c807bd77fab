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
)

// queue is that of a new SQLite store.
func queue(t *testing.T) *store.Queue {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gatepost.db")
	s, err := store.Open(t.Context(), path, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	q, err := store.OpenQueue(t.Context(), path)
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
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gatepost.db")
	s, err := store.Open(t.Context(), path, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
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
		q, err := store.OpenQueue(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		defer run(t, q, jobs.Options{Jobs: []jobs.Job{job}})()
	}
	within(t, "done three times", time.Minute, func() bool { return done.Load() >= 3 })
	if most.Load() != 1 {
		t.Errorf("%d nodes were at it at once", most.Load())
	}
}

func TestAJobThatFailsIsToldOfAndOthersGoOn(t *testing.T) {
	t.Parallel()
	var log lines
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

// lines are what was logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
