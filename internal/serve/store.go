package serve

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatepost-mail/gatepost/internal/metrics"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A watchedStore remembers how the last attempts to use the store went.
type watchedStore struct {
	kept    store.Store
	metrics *metrics.Metrics                       // of reports; may be nil
	retain  atomic.Pointer[func(*store.Retention)] // what else is kept no longer; nil until it is known

	mu      sync.Mutex
	writing error // a store that can be read may not be one that can be written
	reading error
}

func (w *watchedStore) wrote(err error) error {
	if errors.Is(err, context.Canceled) { // who asked did not wait for the answer
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writing = err
	return err
}

func (w *watchedStore) read(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reading = err
	return err
}

// down says why the store could not be used when that was last tried; nil if it could.
func (w *watchedStore) down() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return cmp.Or(w.writing, w.reading)
}

// AddBatch implements [observe.Store].
func (w *watchedStore) AddBatch(ctx context.Context, b store.Batch) error {
	return w.wrote(w.kept.AddBatch(ctx, b))
}

// Prune implements [observe.Store].
func (w *watchedStore) Prune(ctx context.Context, r store.Retention, now time.Time) (bool, error) {
	if retain := w.retain.Load(); retain != nil {
		(*retain)(&r)
	}
	done, err := w.kept.Prune(ctx, r, now)
	return done, w.wrote(err)
}

// AddArrivals implements [intake.Store], and counts what came of it.
func (w *watchedStore) AddArrivals(ctx context.Context, all []store.Arrival) ([]store.Added, error) {
	added, err := w.kept.AddArrivals(ctx, all)
	var own *store.ArrivalError
	switch {
	case errors.As(err, &own): // no fault of the store
		return added, err
	case err != nil:
		w.metrics.ReportsPutOff(len(all))
		return added, w.wrote(err)
	}
	for i := range added {
		for j, outcome := range added[i].Reports {
			w.metrics.Report(all[i].Reports[j].Kind, outcome)
		}
		if len(all[i].Reports) == 0 && !added[i].Known {
			w.metrics.ReportSetAside()
		}
	}
	return added, w.wrote(nil)
}

// Lease implements leaseStore. It says nothing of whether the store can be written that others do not say.
func (w *watchedStore) Lease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	return w.kept.Lease(ctx, name, holder, ttl)
}

// Release implements leaseStore.
func (w *watchedStore) Release(ctx context.Context, name, holder string) error {
	return w.kept.Release(ctx, name, holder)
}

// Exceptions implements [exceptions.Source].
func (w *watchedStore) Exceptions(ctx context.Context) ([]store.Exception, error) {
	all, err := w.kept.Exceptions(ctx)
	return all, w.read(err)
}

// ExceptionsVersion implements [exceptions.Source].
func (w *watchedStore) ExceptionsVersion(ctx context.Context) (int64, error) {
	version, err := w.kept.ExceptionsVersion(ctx)
	return version, w.read(err)
}

func (w *watchedStore) close() error { return w.kept.Close() }
