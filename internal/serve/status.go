package serve

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/gatepost-mail/gatepost/internal/control"
	"github.com/gatepost-mail/gatepost/internal/exceptions"
	"github.com/gatepost-mail/gatepost/internal/metrics"
	"github.com/gatepost-mail/gatepost/internal/signing"
	"github.com/gatepost-mail/gatepost/internal/web"
)

// Status implements [control.Handler].
func (s *Server) Status(ctx context.Context) control.Status {
	s.mu.Lock()
	running, read, failed := s.running, s.read, s.failed
	s.mu.Unlock()
	g := s.gate.Stats()
	status := control.Status{
		Version: version(), PID: s.pid, Started: s.started, Config: s.o.Path, ConfigRead: read, Listening: s.listening,
		Policy: running.config.Policy, Mode: running.config.Mode, Sessions: g.Sessions, MaxSessions: running.config.MaxSessions,
		Messages: g.Messages, Refused: g.Refused, Signing: running.config.Signing.Domains, Pending: s.back.recorder.Stats().Pending,
	}
	if failed != nil {
		status.ConfigError = failed.Error()
	}
	for _, check := range s.checks() {
		if err := check.Look(ctx); err != nil {
			status.Problems = append(status.Problems, check.Name+": "+err.Error())
		}
	}
	return status
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return ""
}

// checks are what must be well for mail to be judged, and for nothing to be lost of what was.
func (s *Server) checks() []web.Check {
	return []web.Check{
		{Name: "listeners", Look: func(context.Context) error { return s.stopped() }},
		{Name: "dns", Look: func(ctx context.Context) error { return web.DNS(s.state().dns).Look(ctx) }},
		{Name: "journal", Look: func(context.Context) error { return s.back.journalTrouble() }},
		{Name: "store", Look: func(context.Context) error { return s.back.storeTrouble() }},
		{Name: "keys", Look: func(context.Context) error { return s.back.keyTrouble() }},
	}
}

func (b *back) journalTrouble() error {
	stats := b.recorder.Stats()
	switch {
	case stats.Lost > 0:
		return fmt.Errorf("%d messages were not counted: the journal could not be written, and memory had no room", stats.Lost)
	case stats.InMemory > 0:
		return web.Degraded("the journal cannot be written: messages are counted in memory")
	}
	return nil
}

func (b *back) storeTrouble() error {
	if err := b.store.down(); err != nil {
		return web.Degraded(fmt.Sprintf("%v: %d decisions wait in the journal", err, b.recorder.Stats().Pending))
	}
	return nil
}

// keyTrouble names a key that signs, or should, and is not in DNS as it must be.
func (b *back) keyTrouble() error {
	if b.rotor == nil {
		return nil
	}
	var problems []error
	for _, k := range b.rotor.States() {
		if k.Configured && k.State == signing.Signing && !k.InUse {
			problems = append(problems, web.Degraded(fmt.Sprintf("the key %s does not sign: DNS says %s", k.Name(k.Domain), k.Check)))
		}
	}
	return errors.Join(problems...)
}

// sources are what the gauges of the metrics show.
func (s *Server) sources() metrics.Sources {
	b := s.back
	sources := metrics.Sources{Journal: func() metrics.Journal {
		stats := b.recorder.Stats()
		return metrics.Journal{
			Bytes: stats.JournalBytes, Segments: stats.Segments, Pending: stats.Pending, InMemory: stats.InMemory,
			Committed: stats.Committed, Dropped: stats.Dropped, Lost: stats.Lost, StoreFailures: stats.StoreFailures,
			JournalFailures: stats.JournalFailures, StoreUp: b.store.down() == nil,
		}
	}}
	sources.Exceptions = func() metrics.Exceptions {
		now := time.Now()
		return metrics.Exceptions{Active: b.allowed.Active(now), Ending: len(b.allowed.Ending(now, exceptions.Soon))}
	}
	if b.rotor != nil {
		sources.Keys = func() []metrics.Key {
			var keys []metrics.Key
			for _, k := range b.rotor.States() {
				keys = append(keys, metrics.Key{
					Domain: k.Domain, Selector: k.Selector, Algorithm: string(k.Algorithm), State: string(k.State), Published: k.Check == signing.OK,
				})
			}
			return keys
		}
	}
	return sources
}
