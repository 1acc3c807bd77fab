package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/nearest"
	"github.com/gatepost-mail/gatepost/internal/policy"
)

const policyHelp = `Show, check and test policies: the rules that decide on a message.

A policy is a TOML file of rules in order, of which the first that matches
decides; docs/policy.md says how to write one, by example. The presets are such
files.

Exit status: that of the command below it.`

func policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "policy COMMAND",
		Short:   "Show, check and test policies",
		Long:    policyHelp,
		Example: "  gatepost policy show strict\n  gatepost policy test policy.toml --expect expectations.toml",
		Args:    noSuchCommand,
		RunE:    needCommand,
	}
	cmd.AddCommand(policyListCommand(), policyShowCommand(), policyCheckCommand(), policyTestCommand())
	return cmd
}

// readPolicy gives the policy that a flag or an argument, which is named in errors, names: a preset or a file.
func readPolicy(cmd *cobra.Command, flag, name string) (*policy.Policy, error) {
	p, err := policy.Named(name)
	var at *policy.Error
	switch {
	case err == nil, errors.As(err, &at):
		return p, err
	case errors.Is(err, os.ErrNotExist) || strings.ContainsAny(name, `/\.`):
		return nil, err
	}
	return nil, noSuchPreset(cmd, flag, name)
}

func noSuchPreset(cmd *cobra.Command, flag, name string) error {
	return usageError(cmd, "%s%q: no such preset or file; the presets are %s%s", flag, name, strings.Join(policy.Names(), ", "),
		didYouMean("", nearest.Word(name, policy.Names())))
}

const policyListHelp = `List the presets, the most lenient first.

Exit status: 0; 2 if it could not be printed.`

func policyListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the presets",
		Long:    policyListHelp,
		Example: "  gatepost policy list",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if commonFlags(cmd).JSON {
				return printJSON(cmd.OutOrStdout(), policy.Names())
			}
			s := newScreen(cmd.OutOrStdout(), commonFlags(cmd).NoColor)
			for _, name := range policy.Names() {
				for i, line := range wrap(policy.About(name), s.width-12) {
					if i > 0 {
						name = ""
					}
					s.line(pad(name, 12) + line)
				}
			}
			return nil
		},
	}
}

const policyShowHelp = `Print the text of a preset, to read, copy and change.

Exit status: 0; 2 if there is no such preset.`

func policyShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Print the text of a preset",
		Long:    policyShowHelp,
		Example: "  gatepost policy show strict > policy.toml",
		Args:    onePolicy,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := policy.Source(args[0])
			if err != nil {
				return noSuchPreset(cmd, "", args[0])
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
}

const policyCheckHelp = `Say whether a policy can be read, and list its rules.

Exit status: 0 it can; 1 it cannot: where and why is on standard error; 2 there
is no such file.`

func policyCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "check FILE",
		Short:   "Say whether a policy can be read",
		Long:    policyCheckHelp,
		Example: "  gatepost policy check /etc/gatepost/policy.toml",
		Args:    onePolicy,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := readPolicy(cmd, "", args[0])
			var at *policy.Error
			if errors.As(err, &at) {
				return &statusError{status: StatusFails, err: err}
			}
			if err != nil {
				return err
			}
			if commonFlags(cmd).JSON {
				return printJSON(cmd.OutOrStdout(), p.Rules())
			}
			s := newScreen(cmd.OutOrStdout(), commonFlags(cmd).NoColor)
			s.line(fmt.Sprintf("%s: %s, tried in this order", printable(args[0]), plural(len(p.Rules()), "rule")))
			for _, name := range p.Rules() {
				s.line("  " + name)
			}
			return nil
		},
	}
}

// onePolicy is the Args of a command that works on a single policy.
func onePolicy(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError(cmd, "name one policy: %s, or a file", strings.Join(policy.Names(), ", "))
	}
	return nil
}
