package inbox

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// A Backoff is how long to wait between attempts: ever longer, up to a bound, and never in step with others. The zero value waits 1 s
// first and 5 min at most.
type Backoff struct {
	First, Most time.Duration

	pause time.Duration
}

// Next is the pause before the next attempt.
func (b *Backoff) Next() time.Duration {
	first, most := b.First, b.Most
	if first <= 0 {
		first = time.Second
	}
	if most <= 0 {
		most = 5 * time.Minute
	}
	b.pause = min(max(2*b.pause, first), most)
	return b.pause/2 + rand.N(b.pause/2+1)
}

// Reset is for when an attempt succeeded.
func (b *Backoff) Reset() { b.pause = 0 }

// Wait ends an attempt that is not to be repeated before some time has passed: the other side said so, or would lock us out.
func Wait(err error, least time.Duration) error { return &waitError{err, least} }

type waitError struct {
	error
	least time.Duration
}

func (e *waitError) Unwrap() error { return e.error }

// leastWait is what Wait asked for.
func leastWait(err error) time.Duration {
	var w *waitError
	if errors.As(err, &w) {
		return w.least
	}
	return 0
}

// Repeat does f again and again until ctx ends, with pauses in between. An f that returns nil had only to begin anew.
func (s *Status) Repeat(ctx context.Context, b Backoff, f func(context.Context) error) {
	defer s.Down()
	for ctx.Err() == nil {
		before := s.State().LastSuccess
		err := f(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.Failed(err)
		}
		if s.State().LastSuccess.After(before) {
			b.Reset()
		}
		Sleep(ctx, max(b.Next(), leastWait(err)))
	}
}

// Sleep waits for d, or less if ctx ends.
func Sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

var errEnded = errors.New("it ended by itself")

// Supervise runs inputs until ctx ends, each by itself, and starts anew what ends before. It returns when all have ended.
func Supervise(ctx context.Context, im Importer, log *slog.Logger, inputs ...Input) {
	supervise(ctx, im, log, Backoff{}, inputs)
}

func supervise(ctx context.Context, im Importer, log *slog.Logger, b Backoff, inputs []Input) {
	var running sync.WaitGroup
	for _, in := range inputs {
		running.Go(func() {
			status := NewStatus(in.Name(), log)
			status.Repeat(ctx, b, func(ctx context.Context) error {
				started := time.Now()
				err := in.Run(ctx, im)
				if err == nil {
					err = errEnded
				}
				if in.State().LastSuccess.After(started) {
					status.Succeeded()
				}
				return err
			})
		})
	}
	running.Wait()
}
