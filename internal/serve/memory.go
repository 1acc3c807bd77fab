package serve

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/exceptions"
	"github.com/gatepost-mail/gatepost/internal/metrics"
	"github.com/gatepost-mail/gatepost/internal/observe"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/web"
)

// A memory is what Gatepost remembers of mail, and what it was told about senders. A nil memory remembers nothing.
type memory struct {
	store    *watchedStore
	recorder *observe.Recorder
	allowed  *exceptions.Set
}

// openMemory takes over the journal. That the store is away does not matter yet.
func openMemory(c *config.Config, log *slog.Logger) (*memory, error) {
	if !c.Store.Enabled {
		return nil, nil
	}
	kept := store.Keep(c.StoreURL(), store.Options{Create: true, Observations: c.Store.Observations})
	m := &memory{store: &watchedStore{kept: kept}}
	var err error
	m.recorder, err = observe.Open(filepath.Join(c.StateDir, "journal"), observe.Options{
		Store: m.store, Retention: retention(c), MaxBytes: int64(c.Store.JournalBytes), Sync: observe.Sync(c.Store.Sync), Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("state_dir: %w", err)
	}
	m.allowed = exceptions.New(m.store, log)
	if err := m.allowed.Refresh(context.Background()); err != nil {
		log.Warn("exceptions are not known yet", "error", err.Error())
	}
	return m, nil
}

// retention is what the recorder sees to: of what mail brings. See [Server.retain] for reports.
func retention(c *config.Config) store.Retention {
	return store.Retention{
		Decisions: c.Store.Messages, DecisionAge: time.Duration(c.Store.MessageAge), Observations: time.Duration(c.Store.ObservationAge),
	}
}

// exceptions are those in force.
func (m *memory) exceptions() *exceptions.Set {
	if m == nil {
		return nil
	}
	return m.allowed
}

// pending is how many decisions are not in the store yet.
func (m *memory) pending() int64 {
	if m == nil {
		return 0
	}
	return m.recorder.Stats().Pending
}

// checks are what must be well for nothing to be lost.
func (m *memory) checks() []web.Check {
	if m == nil {
		return nil
	}
	return []web.Check{
		{Name: "journal", Look: func(context.Context) error { return m.journalTrouble() }},
		{Name: "store", Look: func(context.Context) error { return m.storeTrouble() }},
	}
}

func (m *memory) journalTrouble() error {
	stats := m.recorder.Stats()
	switch {
	case stats.Lost > 0:
		return fmt.Errorf("%d messages were not counted: the journal could not be written, and memory had no room", stats.Lost)
	case stats.InMemory > 0:
		return web.Degraded("the journal cannot be written: messages are counted in memory")
	}
	return nil
}

func (m *memory) storeTrouble() error {
	if err := m.store.down(); err != nil {
		return web.Degraded(fmt.Sprintf("%v: %d decisions wait in the journal", err, m.pending()))
	}
	return nil
}

// sources are what the gauges of the metrics show of it.
func (m *memory) sources() metrics.Sources {
	if m == nil {
		return metrics.Sources{}
	}
	return metrics.Sources{
		Journal: func() metrics.Journal {
			stats := m.recorder.Stats()
			return metrics.Journal{
				Bytes: stats.JournalBytes, Segments: stats.Segments, Pending: stats.Pending, InMemory: stats.InMemory,
				Committed: stats.Committed, Dropped: stats.Dropped, Lost: stats.Lost, StoreFailures: stats.StoreFailures,
				JournalFailures: stats.JournalFailures, StoreUp: m.store.down() == nil,
			}
		},
		Exceptions: func() metrics.Exceptions {
			now := time.Now()
			return metrics.Exceptions{Active: m.allowed.Active(now), Ending: len(m.allowed.Ending(now, exceptions.Soon))}
		},
	}
}

// close ends it when everything is in the store, or the context ended.
func (m *memory) close(ctx context.Context) error {
	if m == nil {
		return nil
	}
	err := m.recorder.Close(ctx)
	m.store.close()
	return err
}
