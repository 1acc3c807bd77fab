package serve

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/gatepost-mail/gatepost/internal/control"
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
		Policy: running.config.Policy, Mode: running.config.Mode, Sessions: g.Sessions, MaxSessions: s.sessions,
		Messages: g.Messages, Refused: g.Refused, Signing: running.config.Signing.Domains, Pending: s.back.memory.pending(),
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
	checks := []web.Check{
		{Name: "listeners", Look: func(context.Context) error { return s.stopped() }},
		{Name: "dns", Look: func(ctx context.Context) error { return web.DNS(s.state().dns).Look(ctx) }},
		{Name: "keys", Look: func(context.Context) error { return s.back.keyTrouble(s.state().sdids) }},
	}
	checks = append(append(checks, s.back.memory.checks()...), s.back.reportChecks()...)
	if s.webSettings().TLS.Speaks() {
		checks = append(checks, web.Check{Name: "https", Look: func(context.Context) error { return s.back.httpsTrouble() }})
	}
	return checks
}

// httpsTrouble says why browsers find no certificate, or soon will not.
func (b *back) httpsTrouble() error {
	secure := b.https.Load()
	if secure == nil {
		return web.Degraded("HTTPS cannot be spoken; the log says why")
	}
	if err := secure.Trouble(); err != nil {
		return web.Degraded(fmt.Sprintf("the certificate of the dashboard: %v", err))
	}
	return nil
}

// keyTrouble names a domain whose mail leaves without a signature, and a key that signs, or should, and is not in DNS as it must be.
func (b *back) keyTrouble(sdids []string) error {
	var problems []error
	signed := map[string]bool{}
	for _, k := range b.rotor.States() {
		signed[k.Domain] = signed[k.Domain] || k.InUse
		if k.Configured && k.State == signing.Signing && !k.InUse {
			problems = append(problems, web.Degraded(fmt.Sprintf("the key %s does not sign: DNS says %s", k.Name(k.Domain), k.Check)))
		}
	}
	for _, domain := range sdids {
		if !signed[domain] {
			problems = append(problems, web.Degraded(fmt.Sprintf("no key signs for %s; see gatepost keys status", domain)))
		}
	}
	return errors.Join(problems...)
}

// sources are what the gauges of the metrics show.
func (s *Server) sources() metrics.Sources {
	sources := s.back.memory.sources()
	sources.Keys = s.back.keyStates
	if s.back.importer != nil {
		sources.Intake = func() metrics.Intake { return s.back.reports().intake() }
	}
	return sources
}

func (b *back) keyStates() []metrics.Key {
	var keys []metrics.Key
	for _, k := range b.rotor.States() {
		keys = append(keys, metrics.Key{
			Domain: k.Domain, Selector: k.Selector, Algorithm: string(k.Algorithm), State: string(k.State), Published: k.Check == signing.OK,
		})
	}
	return keys
}
