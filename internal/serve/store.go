package serve

import (
	"context"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// A watchedStore remembers how the last attempt to write went. A gate starts and runs without its store.
type watchedStore struct {
	store.Store // opened when it is needed, and anew after it broke or was moved away

	mu  sync.Mutex
	err error
}

func newStore(address string) *watchedStore {
	return &watchedStore{Store: store.Keep(address, store.Options{Create: true})}
}

// did remembers how an attempt went.
func (w *watchedStore) did(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
	return err
}

// down says why the store could not be written when that was last tried; nil if it could. It does not wait for the store.
func (w *watchedStore) down() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// AddBatch implements [observe.Store].
func (w *watchedStore) AddBatch(ctx context.Context, b store.Batch) error {
	return w.did(w.Store.AddBatch(ctx, b))
}

// Prune implements [observe.Store].
func (w *watchedStore) Prune(ctx context.Context, r store.Retention, now time.Time) (bool, error) {
	done, err := w.Store.Prune(ctx, r, now)
	return done, w.did(err)
}
