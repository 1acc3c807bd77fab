package serve

import (
	"context"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// lateStore is a store that is opened when it is first needed, and again where it could not be: a gate starts and runs without it.
type lateStore struct {
	address string

	mu   sync.Mutex
	open store.Store // nil until it could be opened
	err  error       // of the last attempt at anything
}

// get gives the store, or says why there is none.
func (l *lateStore) get(ctx context.Context) (store.Store, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open != nil {
		return l.open, nil
	}
	s, err := store.Open(ctx, l.address, store.Options{Create: true})
	if err != nil {
		l.err = err
		return nil, err
	}
	l.open = s
	return s, nil
}

// did remembers how the last attempt went.
func (l *lateStore) did(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	return err
}

// down says why the store could not be used when that was last tried; nil if it could.
func (l *lateStore) down() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// AddBatch implements [observe.Store].
func (l *lateStore) AddBatch(ctx context.Context, b store.Batch) error {
	s, err := l.get(ctx)
	if err != nil {
		return err
	}
	return l.did(s.AddBatch(ctx, b))
}

// Prune implements [observe.Store].
func (l *lateStore) Prune(ctx context.Context, r store.Retention, now time.Time) (bool, error) {
	s, err := l.get(ctx)
	if err != nil {
		return true, err
	}
	done, err := s.Prune(ctx, r, now)
	return done, l.did(err)
}

// Exceptions implements [exceptions.Source].
func (l *lateStore) Exceptions(ctx context.Context) ([]store.Exception, error) {
	s, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.Exceptions(ctx)
	return all, l.did(err)
}

// ExceptionsVersion implements [exceptions.Source].
func (l *lateStore) ExceptionsVersion(ctx context.Context) (int64, error) {
	s, err := l.get(ctx)
	if err != nil {
		return 0, err
	}
	version, err := s.ExceptionsVersion(ctx)
	return version, l.did(err)
}

func (l *lateStore) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		return nil
	}
	return l.open.Close()
}
