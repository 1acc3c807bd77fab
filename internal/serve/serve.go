// Package serve runs what a configuration names: the gate, and everything behind it.
//
//	err := serve.Run(ctx, serve.Options{Path: "/etc/gatepost/gatepost.toml", Log: os.Stderr}, serve.Signals{Reload: hup, Stop: term})
package serve

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/internal/activation"
	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/gate"
	"github.com/gatepost-mail/gatepost/internal/listen"
	"github.com/gatepost-mail/gatepost/internal/metrics"
	"github.com/gatepost-mail/gatepost/internal/notify"
	"github.com/gatepost-mail/gatepost/internal/web/https"
)

// Options say what to run.
type Options struct {
	Path     string               // the configuration; the defaults if empty
	Override func(*config.Config) // what the command line says in its place; may be nil
	Log      io.Writer
}

// A Server is the gate with everything behind it.
type Server struct {
	o         Options
	gate      *gate.Gate
	back      *back
	notify    *notify.Notifier
	pid       int
	started   time.Time
	listening []string
	sessions  int // at once, at most

	reloading sync.Mutex // one at a time

	mu      sync.Mutex
	running *state
	read    time.Time // when running was
	failed  error     // why the configuration could not be read since; nil if it could
	ended   error     // why no more mail is taken; nil while it is
}

// Check reads the configuration and says what is wrong with it. Nothing is started, and nothing is written.
func Check(o Options) error {
	s, err := load(o, nil)
	if err != nil {
		return err
	}
	if c := s.config.Web.TLS; c.CertFile != "" {
		if _, err := https.New(httpsOptions(s)); err != nil {
			return o.at("web.tls.cert_file", fmt.Errorf("web.tls: %w", err))
		}
	}
	return nil
}

// How long is waited at the end.
const (
	drainTimeout = 30 * time.Second // for messages that are under way
	flushTimeout = 10 * time.Second // for what was decided to get into the store; the rest stays in the journal
)

// gcPercent is how much garbage may gather, in parts of what is alive, before it is collected: little is alive, and collecting it was a
// tenth of the processor time of a message. GOGC in the environment says otherwise.
const gcPercent = 200

// Signals are how the operating system speaks to a server. They come by two channels, so that any number of those that ask for the
// configuration to be read again leaves room for the one that ends it.
type Signals struct {
	Reload, Stop <-chan os.Signal
}

// Run serves until it is told to end, by a signal or by ctx.
func Run(ctx context.Context, o Options, signals Signals) error {
	s := &Server{o: o, notify: notify.New(), pid: os.Getpid(), started: time.Now()}
	defer s.notify.Close()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	listeners, err := passedOn()
	if err != nil {
		return err
	}
	m := metrics.New()
	first, err := load(o, m)
	if err != nil {
		return err
	}
	slog.SetDefault(first.log) // for what the libraries have to say
	if len(listeners) == 0 {
		if listeners, err = doors(first.config); err != nil {
			return err
		}
	}
	if s.back, err = openBack(first, m); err != nil {
		closeAll(listeners)
		return err
	}
	s.take(first)
	s.sessions = first.config.MaxSessions
	options := gate.Options{MaxSessions: first.config.MaxSessions, IdleTimeout: time.Duration(first.config.IdleTimeout), Metrics: m}
	if s.back.memory != nil {
		options.Recorder = s.back.memory.recorder
	}
	s.gate = gate.New(options, s.settings(first))
	ended := make(chan error, len(listeners))
	for _, ln := range listeners {
		s.listening = append(s.listening, ln.Addr().Network()+":"+ln.Addr().String())
		go func() { ended <- s.gate.Serve(ln) }()
	}
	s.back.start(ctx, s)
	first.log.Info("listening", "milter", s.listening, "policy", first.config.Policy, "mode", first.config.Mode,
		"authserv_id", first.config.AuthservID, "pid", s.pid)
	s.notify.Ready(fmt.Sprintf("listening on %v", s.listening))
	go s.notify.Watch(ctx, func() bool { return s.stopped() == nil })

	err = s.wait(ctx, signals, ended)
	return s.shutdown(err)
}

// wait returns when it is time to stop.
func (s *Server) wait(ctx context.Context, signals Signals, ended <-chan error) error {
	for {
		select {
		case sig := <-signals.Stop:
			s.log().Info("stopping", "signal", sig.String())
			return nil
		case <-signals.Reload:
			s.Reload(ctx)
		case <-ctx.Done():
			s.log().Info("stopping")
			return nil
		case err := <-ended:
			return err
		}
	}
}

// shutdown ends the gate first, and then what is behind it.
func (s *Server) shutdown(why error) error {
	s.mu.Lock()
	s.ended = errStopping
	s.mu.Unlock()
	s.notify.Stopping()
	drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	s.gate.Shutdown(drain)
	flush, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := s.back.close(flush); err != nil {
		s.log().Warn("not everything is in the store: it stays in the journal for the next start", "error", err.Error())
	}
	s.log().Info("stopped")
	return why
}

var errStopping = fmt.Errorf("the gate is stopping")

// stopped says why no more mail is taken, or nil.
func (s *Server) stopped() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// state is what is in force.
func (s *Server) state() *state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}

func (s *Server) log() *slog.Logger { return s.state().log }

// take puts a state in force.
func (s *Server) take(next *state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.read, s.failed = next, time.Now(), nil
}

// settings are those of the gate, with what is behind it.
func (s *Server) settings(next *state) gate.Settings {
	settings := next.settings
	settings.Exceptions = s.back.memory.exceptions()
	if len(next.config.Signing.Domains) > 0 {
		settings.Signers = signers{s.back.rotor.Keyring()}
	}
	return settings
}

// passedOn are the sockets that systemd opened for us. One that we do not know what to do with is an error: mail servers would connect to
// it, and wait for ever.
func passedOn() ([]net.Listener, error) {
	sockets, err := activation.Listeners()
	if err != nil {
		return nil, err
	}
	for name := range sockets {
		if name != milterSocket {
			return nil, fmt.Errorf("a socket from systemd is named %q: write FileDescriptorName=%s in its unit", name, milterSocket)
		}
	}
	return sockets[milterSocket], nil
}

// milterSocket is what FileDescriptorName= calls a socket that mail servers connect to.
const milterSocket = "milter"

// doors are where mail servers find us.
func doors(c *config.Config) ([]net.Listener, error) {
	var listeners []net.Listener
	for _, a := range c.Listen {
		ln, err := listen.On(a.Network, a.Address, fs.FileMode(c.SocketMode))
		if err != nil {
			closeAll(listeners)
			return nil, err
		}
		listeners = append(listeners, ln)
	}
	return listeners, nil
}

func closeAll(listeners []net.Listener) {
	for _, ln := range listeners {
		ln.Close()
	}
}
