package serve

import (
	"context"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// A watchedStore remembers how the last attempt to use the store went.
type watchedStore struct {
	kept store.Store

	mu  sync.Mutex
	err error
}

func (w *watchedStore) did(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
	return err
}

// down says why the store could not be used when that was last tried; nil if it could.
func (w *watchedStore) down() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// AddBatch implements [observe.Store].
func (w *watchedStore) AddBatch(ctx context.Context, b store.Batch) error {
	return w.did(w.kept.AddBatch(ctx, b))
}

// Prune implements [observe.Store].
func (w *watchedStore) Prune(ctx context.Context, r store.Retention, now time.Time) (bool, error) {
	done, err := w.kept.Prune(ctx, r, now)
	return done, w.did(err)
}

// Exceptions implements [exceptions.Source].
func (w *watchedStore) Exceptions(ctx context.Context) ([]store.Exception, error) {
	all, err := w.kept.Exceptions(ctx)
	return all, w.did(err)
}

// ExceptionsVersion implements [exceptions.Source].
func (w *watchedStore) ExceptionsVersion(ctx context.Context) (int64, error) {
	version, err := w.kept.ExceptionsVersion(ctx)
	return version, w.did(err)
}

func (w *watchedStore) close() error { return w.kept.Close() }
