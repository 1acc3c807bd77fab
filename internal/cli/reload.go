package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/control"
)

const reloadHelp = `Make the running gate read its configuration again, all or nothing, and say
what came of it. A configuration with an error changes nothing. Messages that
are under way end by the one that they began with.

The gate is found by the socket "control" in the state_dir that the
configuration names.

Exit status: 0 read again; 1 the configuration is bad, and one line says where
and why; 2 no gate answers.`

// A gateFlags says which gate is spoken to.
type gateFlags struct{ config, socket string }

func addGateFlags(cmd *cobra.Command) *gateFlags {
	var o gateFlags
	f := cmd.Flags()
	f.StringVar(&o.config, "config", defaultConfig, "the configuration `FILE` of the gate")
	f.StringVar(&o.socket, "socket", "", "the control `SOCKET` of the gate (default STATE_DIR/control)")
	return &o
}

// path is that of the control socket.
func (o *gateFlags) path(cmd *cobra.Command) (string, error) {
	if o.socket != "" {
		return o.socket, nil
	}
	dir, err := stateDir(cmd, o.config)
	return filepath.Join(dir, control.SocketName), err
}

// stateDir is what a configuration says of the state directory, though it be in error otherwise: what is wrong with it is for the gate
// to tell. Without a configuration it is the default, unless one was named.
func stateDir(cmd *cobra.Command, path string) (string, error) {
	dir, err := config.StateDirOf(path)
	if errors.Is(err, fs.ErrNotExist) && !cmd.Flags().Changed("config") {
		return config.DefaultStateDir(), nil
	}
	return dir, err
}

// answerTimeout is how long a gate is waited for; a large policy takes a while to compile.
const answerTimeout = time.Minute

func reloadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "reload [--config FILE] [--socket SOCKET]",
		Short:   "Make the running gate read its configuration again",
		Long:    reloadHelp,
		Example: "  gatepost reload",
		Args:    noArguments,
	}
	o := addGateFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		path, err := o.path(cmd)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), answerTimeout)
		defer cancel()
		err = control.NewClient(path).Reload(ctx)
		var refused *control.Refusal
		switch {
		case errors.As(err, &refused):
			return &statusError{StatusFails, err}
		case err != nil:
			return err
		case commonFlags(cmd).JSON:
			return printJSON(cmd.OutOrStdout(), map[string]any{"reloaded": true})
		}
		fmt.Fprintln(cmd.OutOrStdout(), "configuration read again")
		return nil
	}
	return cmd
}

const statusHelp = `Tell how the running gate is: since when, where it listens, by which policy,
and what is wrong.

Exit status: 0 all is well; 1 something is wrong, which is printed; 2 no gate
answers.`

func statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "status [--config FILE] [--socket SOCKET]",
		Short:   "Tell how the running gate is",
		Long:    statusHelp,
		Example: "  gatepost status --json",
		Args:    noArguments,
	}
	o := addGateFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		path, err := o.path(cmd)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), answerTimeout)
		defer cancel()
		s, err := control.NewClient(path).Status(ctx)
		if err != nil {
			return err
		}
		if commonFlags(cmd).JSON {
			err = printJSON(cmd.OutOrStdout(), s)
		} else {
			printStatus(cmd.OutOrStdout(), s, time.Now())
		}
		if err == nil && (len(s.Problems) > 0 || s.ConfigError != "") {
			return exit(StatusFails)
		}
		return err
	}
	return cmd
}

func printStatus(w io.Writer, s control.Status, now time.Time) {
	row := func(label, text string) {
		if text != "" {
			fmt.Fprintf(w, "%-14s%s\n", label, printable(text))
		}
	}
	row("gatepost", fmt.Sprintf("%s, process %d, for %s", s.Version, s.PID, age(now.Sub(s.Started))))
	row("configuration", cmp.Or(s.Config, "none: defaults")+", read "+s.ConfigRead.UTC().Format(time.RFC3339))
	row("listening", strings.Join(s.Listening, ", "))
	row("policy", s.Policy+", mode "+s.Mode)
	row("connections", fmt.Sprintf("%d of %d", s.Sessions, s.MaxSessions))
	row("messages", fmt.Sprintf("%d, of these %d refused", s.Messages, s.Refused))
	row("signing", strings.Join(s.Signing, ", "))
	if s.Pending > 0 {
		row("journal", fmt.Sprintf("%d decisions are not in the store yet", s.Pending))
	}
	if s.ConfigError != "" {
		row("problem", "the configuration could not be read again: "+s.ConfigError)
	}
	for _, p := range s.Problems {
		row("problem", p)
	}
}

// age is a stretch of time in the unit that people would say it in.
func age(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d seconds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
