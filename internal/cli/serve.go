package cli

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/serve"
)

const serveHelp = `Serve runs the gate: a milter that a mail server such as Postfix asks about
every message. It verifies SPF, DKIM, ARC and DMARC, adds what it found, and
refuses what its policy does not let in, with a reason that helps the sender.

Without a file it listens on 127.0.0.1:8891 and enforces the policy "strict".
Its dashboard is at http://127.0.0.1:8080; the log has a link for the first
user.

SIGHUP reads the file again; one that is in error changes nothing. SIGTERM lets
the messages that are under way come to their end, for 30 seconds at most.

Exit status: 0 it was told to end; 2 it could not run.`

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
		o := serve.Options{Path: *path, Override: overrides(cmd), Log: cmd.ErrOrStderr()}
		if *check {
			return serve.Check(o)
		}
		reload, stop := make(chan os.Signal, 1), make(chan os.Signal, 1)
		signal.Notify(reload, syscall.SIGHUP)
		signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
		defer signal.Stop(reload)
		defer signal.Stop(stop)
		return serve.Run(cmd.Context(), o, serve.Signals{Reload: reload, Stop: stop})
	}
	return cmd
}

// overrides puts the common flags in the place of what the file says.
func overrides(cmd *cobra.Command) func(*config.Config) {
	flags := commonFlags(cmd)
	return func(c *config.Config) {
		if len(flags.Resolvers) > 0 {
			c.Resolver.Servers = flags.Resolvers
		}
		if flags.Zone != "" {
			c.Resolver.Zone = flags.Zone
		}
		if cmd.Flags().Changed("timeout") {
			c.Limits.Time = config.Duration(flags.Timeout)
		}
		if flags.JSON {
			c.Log.Format = config.JSON
		}
	}
}
