package store

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"
)

// Keep gives a store that is opened when it is asked for something, and anew after it broke or was moved away. It is for a program
// that goes on without its store, and that asks again later: an error is that of this moment.
func Keep(address string, o Options) Store { return &kept{address: address, options: o} }

type kept struct {
	address string
	options Options

	mu     sync.Mutex
	open   Store // nil where it could not be opened
	closed bool
}

var errClosed = errors.New("store: closed")

// store gives the store that is open.
func (k *kept) store(ctx context.Context) (Store, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.closed:
		return nil, errClosed
	case k.open != nil:
		return k.open, nil
	}
	s, err := Open(ctx, k.address, k.options)
	if err != nil {
		return nil, err
	}
	k.open = s
	return s, nil
}

// drop closes a store that broke, unless somebody did.
func (k *kept) drop(s Store) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open == s {
		k.open = nil
		s.Close()
	}
}

// broken tells whether it is better to open the store anew than to go on with it.
func broken(err error) bool { return brokenSQLite(err) || brokenPostgres(err) }

func ask[T any](ctx context.Context, k *kept, question func(Store) (T, error)) (answer T, err error) {
	s, err := k.store(ctx)
	if err != nil {
		return answer, err
	}
	answer, err = question(s)
	if err != nil && broken(err) {
		k.drop(s)
	}
	return answer, err
}

func tell(ctx context.Context, k *kept, order func(Store) error) error {
	_, err := ask(ctx, k, func(s Store) (struct{}, error) { return struct{}{}, order(s) })
	return err
}

func each[T any](ctx context.Context, k *kept, question func(Store) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		s, err := k.store(ctx)
		if err != nil {
			yield(none, err)
			return
		}
		for v, err := range question(s) {
			if err != nil && broken(err) {
				k.drop(s)
			}
			if !yield(v, err) {
				return
			}
		}
	}
}

func (k *kept) AddBatch(ctx context.Context, b Batch) error {
	return tell(ctx, k, func(s Store) error { return s.AddBatch(ctx, b) })
}

func (k *kept) Decisions(ctx context.Context, f DecisionFilter) ([]Decision, error) {
	return ask(ctx, k, func(s Store) ([]Decision, error) { return s.Decisions(ctx, f) })
}

func (k *kept) Observations(ctx context.Context, f ObservationFilter) iter.Seq2[Count, error] {
	return each(ctx, k, func(s Store) iter.Seq2[Count, error] { return s.Observations(ctx, f) })
}

func (k *kept) Prune(ctx context.Context, r Retention, now time.Time) (bool, error) {
	return ask(ctx, k, func(s Store) (bool, error) { return s.Prune(ctx, r, now) })
}

func (k *kept) Exceptions(ctx context.Context) ([]Exception, error) {
	return ask(ctx, k, func(s Store) ([]Exception, error) { return s.Exceptions(ctx) })
}

func (k *kept) ExceptionsVersion(ctx context.Context) (int64, error) {
	return ask(ctx, k, func(s Store) (int64, error) { return s.ExceptionsVersion(ctx) })
}

func (k *kept) AddException(ctx context.Context, e *Exception) error {
	return tell(ctx, k, func(s Store) error { return s.AddException(ctx, e) })
}

func (k *kept) ExtendException(ctx context.Context, id int64, until time.Time) error {
	return tell(ctx, k, func(s Store) error { return s.ExtendException(ctx, id, until) })
}

func (k *kept) RemoveException(ctx context.Context, id int64) error {
	return tell(ctx, k, func(s Store) error { return s.RemoveException(ctx, id) })
}

func (k *kept) Size(ctx context.Context) (Size, error) {
	return ask(ctx, k, func(s Store) (Size, error) { return s.Size(ctx) })
}

func (k *kept) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	if k.open == nil {
		return nil
	}
	s := k.open
	k.open = nil
	return s.Close()
}
