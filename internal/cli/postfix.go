package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/postfix"
)

func postfixCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "postfix COMMAND",
		Short:   "Hook the gate up to Postfix, or take it out",
		Long:    "Hook the gate up to Postfix, or take it out.\n\nExit status: that of the command beneath.",
		Example: "  gatepost postfix enable --print",
		Args:    noSuchCommand,
		RunE:    needCommand,
	}
	cmd.AddCommand(postfixEnableCommand(), postfixDisableCommand())
	return cmd
}

const enableHelp = `Make Postfix ask the gate about every message. The gate is put before the
milters that are there already, which keep their order and their settings. Run
twice, it changes nothing the second time.

While the gate is away, mail is deferred; with --monitor it passes. With --sign
the gate is asked too about what this host submits without SMTP, so as to sign
it.

Postfix's own commands make the change: what will be run is printed first, and
on a terminal asked about. "postfix check" has the last word: if it finds fault,
main.cf is put back. --print only prints the commands.

Exit status: 0; 2 it could not be done, and nothing was changed.`

const disableHelp = `Make Postfix not ask the gate any more. Other milters stay.

Exit status: 0; 2 it could not be done, and nothing was changed.`

// A postfixFlags says what to change of which Postfix.
type postfixFlags struct {
	config, socket, postfix string
	print, yes              bool
	monitor, sign           bool
}

func (o *postfixFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.config, "config", defaultConfig, "the configuration `FILE` that says where the gate listens")
	f.StringVar(&o.socket, "socket", "", "where the gate listens, an `ADDRESS`: HOST:PORT or unix:PATH (default: as --config says)")
	f.StringVar(&o.postfix, "postfix-config", "", "the `FOLDER` of main.cf (default: Postfix's own)")
	f.BoolVar(&o.print, "print", false, "only print the commands")
	f.BoolVar(&o.yes, "yes", false, "do not ask")
}

func postfixEnableCommand() *cobra.Command {
	var o postfixFlags
	cmd := &cobra.Command{
		Use:   "enable [--print] [--monitor] [--sign] [--socket ADDRESS]",
		Short: "Make Postfix ask the gate about every message",
		Long:  enableHelp,
		Example: `  gatepost postfix enable --print
  gatepost postfix enable --socket unix:/var/spool/postfix/gatepost/milter --yes`,
		Args: noArguments,
	}
	o.add(cmd)
	cmd.Flags().BoolVar(&o.monitor, "monitor", false, "let mail pass while the gate is away")
	cmd.Flags().BoolVar(&o.sign, "sign", false, "ask about mail that is submitted on this host without SMTP too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		p, g, err := o.parties(cmd)
		if err != nil {
			return err
		}
		changes, notes, err := p.Enable(cmd.Context(), g)
		if errors.Is(err, postfix.ErrNone) && o.print {
			fmt.Fprintln(cmd.ErrOrStderr(), "# There is no Postfix here: this is for one without other milters.")
			changes, err = postfix.EnableNew(g), nil
		}
		if err != nil {
			return err
		}
		for _, n := range notes {
			fmt.Fprintf(cmd.ErrOrStderr(), "# %s\n", printable(n))
		}
		return o.carryOut(cmd, p, changes, "Postfix asks the gate already")
	}
	return cmd
}

func postfixDisableCommand() *cobra.Command {
	var o postfixFlags
	cmd := &cobra.Command{
		Use:     "disable [--print] [--socket ADDRESS]",
		Short:   "Make Postfix not ask the gate any more",
		Long:    disableHelp,
		Example: "  gatepost postfix disable --yes",
		Args:    noArguments,
	}
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		p, g, err := o.parties(cmd)
		if err != nil {
			return err
		}
		changes, err := p.Disable(cmd.Context(), g)
		if err != nil {
			return err
		}
		return o.carryOut(cmd, p, changes, "Postfix does not ask the gate")
	}
	return cmd
}

// parties are the Postfix and the gate that it is about.
func (o *postfixFlags) parties(cmd *cobra.Command) (postfix.Postfix, postfix.Gate, error) {
	p, g := postfix.Postfix{ConfigDir: o.postfix}, postfix.Gate{Monitor: o.monitor, Sign: o.sign}
	var a config.Address
	if o.socket != "" {
		text := o.socket
		if rest, ok := strings.CutPrefix(text, "inet:"); ok && !strings.Contains(rest, "@") {
			text = rest // as Postfix writes it
		}
		if err := a.UnmarshalText([]byte(text)); err != nil {
			return p, g, usageError(cmd, "--socket: %v", err)
		}
	} else {
		c, err := configured(cmd, o.config)
		if err != nil {
			return p, g, err
		}
		a = c.Listen[0]
	}
	g.Address = milterAddress(a)
	return p, g, nil
}

// milterAddress is an address to listen on as Postfix connects to it.
func milterAddress(a config.Address) string {
	if a.Network == "unix" {
		return "unix:" + a.Address
	}
	host, port, _ := net.SplitHostPort(a.Address)
	switch {
	case host == "::" || host == "" && a.Network == "tcp6":
		host = "::1"
	case host == "" || host == "0.0.0.0":
		host = "127.0.0.1"
	}
	return "inet:" + net.JoinHostPort(host, port)
}

// postfixTimeout bounds Postfix's commands together.
const postfixTimeout = 2 * time.Minute

func (o *postfixFlags) carryOut(cmd *cobra.Command, p postfix.Postfix, changes []postfix.Change, nothing string) error {
	out := cmd.OutOrStdout()
	if len(changes) == 0 {
		if !o.print {
			fmt.Fprintln(out, nothing)
		}
		return nil
	}
	for _, c := range changes {
		fmt.Fprintln(out, c.Command(p))
	}
	if o.print {
		return nil
	}
	if !o.yes {
		if err := o.ask(cmd); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), postfixTimeout)
	defer cancel()
	running, err := p.Apply(ctx, changes)
	if err != nil {
		return err
	}
	if running {
		fmt.Fprintln(out, "done, and Postfix has read it")
	} else {
		fmt.Fprintln(out, "done; Postfix does not run, and reads it when it starts")
	}
	return nil
}

// ask wants a yes of the person at the terminal.
func (o *postfixFlags) ask(cmd *cobra.Command) error {
	if terminal(cmd.OutOrStdout()) == nil {
		return errors.New("nobody is there to ask; nothing was changed; run it with --yes")
	}
	fmt.Fprint(cmd.OutOrStdout(), "Run this, check it and reload Postfix? [y/N] ")
	line, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return errors.New("nothing was changed")
	}
	return nil
}
