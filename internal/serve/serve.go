// Package serve runs what a configuration names: the gate, and everything behind it.
//
//	s, err := serve.New(serve.Options{Path: "/etc/gatepost/gatepost.toml", Log: os.Stderr})
//	err = s.Run(ctx, signals)
package serve

import (
	"context"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/gate"
)

// Options say what to run.
type Options struct {
	Path     string               // the configuration; the defaults if empty
	Override func(*config.Config) // what the command line says in its place; may be nil
	Log      io.Writer
}

// A Server is the gate with everything behind it.
type Server struct {
	o    Options
	gate *gate.Gate

	mu      sync.Mutex // held while the configuration is read again
	running *state
}

// A state is a configuration, and what was made of it.
type state struct {
	config   *config.Config
	settings gate.Settings
	log      *slog.Logger
}

// Check reads the configuration and says what is wrong with it. Nothing is started, and nothing is written.
func Check(o Options) error {
	_, err := load(o)
	return err
}

// drainTimeout bounds how long the messages that are under way are waited for.
const drainTimeout = 30 * time.Second

// Run serves until it is told to end: by a signal, or by ctx. SIGHUP reads the configuration again.
func Run(ctx context.Context, o Options, signals <-chan os.Signal) error {
	first, err := load(o)
	if err != nil {
		return err
	}
	listeners, err := listen(first.config)
	if err != nil {
		return err
	}
	s := &Server{o: o, running: first}
	slog.SetDefault(first.log) // for what the libraries have to say
	s.gate = gate.New(gate.Options{
		MaxSessions: first.config.MaxSessions, IdleTimeout: time.Duration(first.config.IdleTimeout),
	}, first.settings)
	failed := make(chan error, len(listeners))
	for _, ln := range listeners {
		go func() { failed <- s.gate.Serve(ln) }()
	}
	first.started(listeners)
	err = s.wait(ctx, signals, failed)

	drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	s.gate.Shutdown(drain)
	s.log().Info("stopped")
	return err
}

// wait returns when it is time to stop.
func (s *Server) wait(ctx context.Context, signals <-chan os.Signal, failed <-chan error) error {
	for {
		select {
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				s.log().Info("stopping", "signal", sig.String())
				return nil
			}
			s.Reload(ctx)
		case <-ctx.Done():
			s.log().Info("stopping")
			return nil
		case err := <-failed:
			return err
		}
	}
}

func (s *Server) log() *slog.Logger {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running.log
}

func listen(c *config.Config) ([]net.Listener, error) {
	var listeners []net.Listener
	for _, a := range c.Listen {
		ln, err := gate.Listen(a.Network, a.Address, fs.FileMode(c.SocketMode))
		if err != nil {
			for _, open := range listeners {
				open.Close()
			}
			return nil, err
		}
		listeners = append(listeners, ln)
	}
	return listeners, nil
}

func (s *state) started(listeners []net.Listener) {
	var addresses []string
	for _, ln := range listeners {
		addresses = append(addresses, ln.Addr().Network()+":"+ln.Addr().String())
	}
	s.log.Info("listening", "milter", addresses, "policy", s.config.Policy, "mode", s.config.Mode, "authserv_id", s.config.AuthservID, "pid", os.Getpid())
}

// Reload reads the configuration again: all of it, or none. The error says what is wrong with it, and is in the log too.
func (s *Server) Reload(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.running
	next, err := load(s.o)
	if err != nil {
		old.log.Error("the configuration was not read again: the one before stays", "error", err.Error())
		return err
	}
	if !slices.Equal(next.config.Listen, old.config.Listen) || next.config.SocketMode != old.config.SocketMode ||
		next.config.MaxSessions != old.config.MaxSessions || next.config.IdleTimeout != old.config.IdleTimeout {
		next.log.Warn("listen, socket_mode, max_sessions and idle_timeout change only when gatepost is started again")
	}
	slog.SetDefault(next.log)
	s.gate.Reload(next.settings)
	s.running = next
	next.log.Info("configuration read again", "policy", next.config.Policy, "mode", next.config.Mode, "authserv_id", next.config.AuthservID)
	return nil
}
