package cli

import (
	"context"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/gate"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/verify"
	"github.com/gatepost-mail/gatepost/message"
)

const serveHelp = `Serve runs the gate: a milter that a mail server such as Postfix asks about
every message. It verifies SPF, DKIM, ARC and DMARC, adds what it found, and
refuses what its policy does not let in, with a reason that helps the sender.

Without a file it listens on 127.0.0.1:8891 and enforces the policy "strict".
SIGHUP reads the file again; one that is in error changes nothing. SIGTERM lets
the messages that are under way come to their end, for 30 seconds at most.`

// drainTimeout bounds how long the messages that are under way are waited for.
const drainTimeout = 30 * time.Second

func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "serve [--config FILE] [--check]",
		Short:   "Run the gate that a mail server asks about every message",
		Long:    serveHelp,
		Example: "  gatepost serve --config /etc/gatepost/gatepost.toml",
		Args:    noArguments,
	}
	path := cmd.Flags().String("config", "", "read this configuration `FILE`")
	check := cmd.Flags().Bool("check", false, "only tell whether the configuration is good")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if cmd.Flags().Changed("at") {
			return usageError(cmd, "--at: a gate that runs lives in the present")
		}
		s := &server{path: *path, flags: commonFlags(cmd), cmd: cmd, log: cmd.ErrOrStderr()}
		if *check {
			_, _, err := s.load()
			return err
		}
		signals := make(chan os.Signal, 4)
		signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
		defer signal.Stop(signals)
		return s.run(cmd.Context(), signals)
	}
	return cmd
}

// server is the gate with its configuration.
type server struct {
	path  string
	flags common
	cmd   *cobra.Command
	log   io.Writer
}

// load reads the configuration and makes of it what the gate works with.
func (s *server) load() (*config.Config, gate.Settings, error) {
	c := config.Default()
	if s.path != "" {
		var err error
		if c, err = config.Load(s.path); err != nil {
			return nil, gate.Settings{}, err
		}
	}
	s.override(c)
	settings, err := s.settings(c)
	return c, settings, err
}

// override puts the common flags in the place of what the file says.
func (s *server) override(c *config.Config) {
	if len(s.flags.Resolvers) > 0 {
		c.Resolver.Servers = s.flags.Resolvers
	}
	if s.flags.Zone != "" {
		c.Resolver.Zone = s.flags.Zone
	}
	if s.cmd.Flags().Changed("timeout") {
		c.Limits.Time = config.Duration(s.flags.Timeout)
	}
	if s.flags.JSON {
		c.Log.Format = config.JSON
	}
}

func (s *server) settings(c *config.Config) (gate.Settings, error) {
	p, err := policy.Preset(c.Policy)
	if err != nil {
		return gate.Settings{}, err
	}
	resolver, err := common{Resolvers: c.Resolver.Servers, Zone: c.Resolver.Zone}.resolver()
	if err != nil {
		return gate.Settings{}, err
	}
	limits := message.Limits{HeaderBytes: int(c.Limits.HeaderBytes), Fields: c.Limits.Fields}
	return gate.Settings{
		Verifier: verify.New(verify.Options{
			Resolver: resolver, AuthservID: c.AuthservID, Timeout: time.Duration(c.Limits.Time), MaxQueries: c.Limits.Queries,
			MaxBytes: int64(c.Limits.Bytes), Limits: limits, MaxSignatures: c.Limits.Signatures, Method: c.DMARC.Method, Now: s.flags.At,
		}),
		Policy: p, Monitor: c.Mode == config.Monitor, AuthservID: c.AuthservID, OwnNetworks: c.OwnNetworks,
		TrustAuthenticated: c.TrustAuthenticated, ReceivedSPF: c.ReceivedSPF, Limits: limits, Log: logger(s.log, c.Log),
	}, nil
}

// logValue writes durations as seconds, with which programs can reckon.
func logValue(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.Float64(a.Key, a.Value.Duration().Seconds())
	}
	return a
}

func logger(w io.Writer, l config.Log) *slog.Logger {
	o := &slog.HandlerOptions{Level: l.Level}
	if l.Format == config.JSON {
		o.ReplaceAttr = logValue
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// run serves until it is told to end.
func (s *server) run(ctx context.Context, signals <-chan os.Signal) error {
	c, settings, err := s.load()
	if err != nil {
		return err
	}
	listeners, err := listen(c)
	if err != nil {
		return err
	}
	slog.SetDefault(settings.Log) // for what the libraries have to say
	g := gate.New(gate.Options{MaxSessions: c.MaxSessions, IdleTimeout: time.Duration(c.IdleTimeout)}, settings)
	failed := make(chan error, len(listeners))
	for _, ln := range listeners {
		go func() { failed <- g.Serve(ln) }()
	}
	started(settings.Log, c, listeners)

	for {
		select {
		case sig := <-signals:
			if sig == syscall.SIGHUP {
				c, settings = s.reload(g, c, settings)
				continue
			}
			settings.Log.Info("stopping", "signal", sig.String())
		case <-ctx.Done():
			settings.Log.Info("stopping")
		case err = <-failed:
		}
		break
	}
	drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	g.Shutdown(drain)
	settings.Log.Info("stopped")
	return err
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

func started(log *slog.Logger, c *config.Config, listeners []net.Listener) {
	var addresses []string
	for _, ln := range listeners {
		addresses = append(addresses, ln.Addr().Network()+":"+ln.Addr().String())
	}
	log.Info("listening", "milter", addresses, "policy", c.Policy, "mode", c.Mode, "authserv_id", c.AuthservID, "pid", os.Getpid())
}

// reload reads the configuration again. One that is in error changes nothing.
func (s *server) reload(g *gate.Gate, old *config.Config, present gate.Settings) (*config.Config, gate.Settings) {
	c, settings, err := s.load()
	if err != nil {
		present.Log.Error("the configuration was not read again: the one before stays", "error", describe(err))
		return old, present
	}
	if !slices.Equal(c.Listen, old.Listen) || c.SocketMode != old.SocketMode || c.MaxSessions != old.MaxSessions || c.IdleTimeout != old.IdleTimeout {
		settings.Log.Warn("listen, socket_mode, max_sessions and idle_timeout change only when gatepost is started again")
	}
	slog.SetDefault(settings.Log)
	g.Reload(settings)
	settings.Log.Info("configuration read again", "policy", c.Policy, "mode", c.Mode, "authserv_id", c.AuthservID)
	return c, settings
}
