package serve

import (
	"context"
	"log/slog"
	"reflect"

	"github.com/gatepost-mail/gatepost/internal/config"
)

// Reload implements [control.Handler]: it reads the configuration again, all of it or none. The error says what is wrong with it, and is
// in the log too.
func (s *Server) Reload(context.Context) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	s.notify.Reloading()
	defer s.notify.Ready("")
	err := s.reload()
	s.back.metrics.Reloaded(err)
	if err != nil {
		s.mu.Lock()
		s.failed = err
		s.mu.Unlock()
		s.log().Error("the configuration was not read again: the one before stays", "error", err.Error())
	}
	return err
}

func (s *Server) reload() error {
	next, err := load(s.o, s.back.metrics)
	if err != nil {
		return err
	}
	old := s.state()
	var anew *reception
	if s.back.importer != nil && receivesOtherwise(old.config, next.config) {
		if anew, err = newReception(next, s.back.importer, s.back.leases, s.back.answers); err != nil {
			return err
		}
	}
	if err := s.back.rotor.Reload(next.rotorOptions(s.back.keys)); err != nil { // the last that can go wrong
		anew.stop(context.Background())
		return err
	}
	for _, key := range fixed(old.config, next.config) {
		next.log.Warn("this changes only when gatepost is started again", "key", key)
	}
	slog.SetDefault(next.log)
	s.take(next)
	if s.back.answers != nil {
		if err := s.back.answers.follow(next); err != nil {
			next.log.Warn("answers to letters are known as before", "error", err.Error())
		}
	}
	s.gate.Reload(s.settings(next))
	if anew != nil {
		s.back.receiveAnew(s, anew)
	}
	next.log.Info("configuration read again", "policy", next.config.Policy, "mode", next.config.Mode, "authserv_id", next.config.AuthservID)
	return nil
}

// receivesOtherwise tells whether reports are to be taken in by other ways: connections that can stay are left alone.
func receivesOtherwise(old, next *config.Config) bool {
	return !reflect.DeepEqual(old.Reports, next.Reports) || !reflect.DeepEqual(old.Digests, next.Digests) ||
		!reflect.DeepEqual(old.Mail, next.Mail) || !reflect.DeepEqual(old.Alerts, next.Alerts) ||
		!reflect.DeepEqual(old.Watch, next.Watch) || !reflect.DeepEqual(old.Notice, next.Notice) || old.ReportHost() != next.ReportHost() ||
		!reflect.DeepEqual(old.Resolver, next.Resolver) || !reflect.DeepEqual(old.Limits, next.Limits) || old.DMARC != next.DMARC
}

// fixed names the keys that differ and are read at the start only.
func fixed(old, next *config.Config) []string {
	var keys []string
	for _, k := range []struct {
		key       string
		old, next any
	}{
		{"listen", old.Listen, next.Listen},
		{"socket_mode", old.SocketMode, next.SocketMode},
		{"max_sessions", old.MaxSessions, next.MaxSessions},
		{"idle_timeout", old.IdleTimeout, next.IdleTimeout},
		{"state_dir", old.StateDir, next.StateDir},
		{"store", old.Store, next.Store},
		{"web.listen", old.Web.Listen, next.Web.Listen},
		{"web.tls", old.Web.TLS, next.Web.TLS},
		{"signing.keys", old.KeyDir(), next.KeyDir()},
	} {
		if !reflect.DeepEqual(k.old, k.next) {
			keys = append(keys, k.key)
		}
	}
	return keys
}
