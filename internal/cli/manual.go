package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manualCommand prints the manual page; the packages have it.
func manualCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "manual", Short: "Print the manual page", Long: "Print the manual page, in roff.\n\nExit status: 0; 2 if it could not be printed.",
		Example: "  gatepost manual | man -l -", Hidden: true, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			printManual(cmd.OutOrStdout(), root)
			return nil
		},
	}
}

func printManual(w io.Writer, root *cobra.Command) {
	fmt.Fprintf(w, ".TH GATEPOST 1 \"\" \"gatepost %s\" \"\"\n", readVersion().Version)
	fmt.Fprintf(w, ".SH NAME\ngatepost \\- verify the mail that arrives, sign the mail that leaves, and say why\n")
	fmt.Fprintf(w, ".SH SYNOPSIS\n.B gatepost\nCOMMAND [FLAG...]\n.SH DESCRIPTION\n")
	prose(w, root.Long)
	fmt.Fprint(w, ".SH COMMANDS\n")
	manualOf(w, root)
	fmt.Fprint(w, ".SH COMMON FLAGS\n")
	manualFlags(w, root.PersistentFlags())
	fmt.Fprint(w, ".SH FILES\n.TP\n.I "+defaultConfig+"\nthe configuration: see \\fBgatepost config example\\fR\n")
	fmt.Fprint(w, ".TP\n.I /var/lib/gatepost\nkeys, observations, and the control socket\n")
}

// manualOf prints the commands beneath one, those beneath them included; there are two levels.
func manualOf(w io.Writer, parent *cobra.Command) {
	for _, cmd := range parent.Commands() {
		switch {
		case !cmd.IsAvailableCommand():
		case cmd.HasAvailableSubCommands() && cmd.Name() != "completion":
			for _, sub := range cmd.Commands() {
				manualEntry(w, sub)
			}
		default:
			manualEntry(w, cmd)
		}
	}
}

func manualEntry(w io.Writer, cmd *cobra.Command) {
	if !cmd.IsAvailableCommand() {
		return
	}
	fmt.Fprintf(w, ".SS %s\n", roff(cmd.UseLine()))
	prose(w, cmd.Long)
	manualFlags(w, cmd.LocalNonPersistentFlags())
	if cmd.HasExample() {
		fmt.Fprint(w, ".PP\nExample:\n.PP\n.nf\n")
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			fmt.Fprintln(w, roff(line))
		}
		fmt.Fprint(w, ".fi\n")
	}
}

func manualFlags(w io.Writer, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" || f.Hidden {
			return
		}
		value, text := pflag.UnquoteUsage(f)
		fmt.Fprintf(w, ".TP\n\\fB\\-\\-%s\\fR %s\n%s\n", roff(f.Name), roff(value), roff(text))
	})
}

// prose prints text; indented lines keep their ends.
func prose(w io.Writer, text string) {
	plain := true
	for line := range strings.SplitSeq(text, "\n") {
		if indented := strings.HasPrefix(line, " "); indented == plain && line != "" {
			fmt.Fprintln(w, map[bool]string{true: ".nf", false: ".fi"}[indented])
			plain = !indented
		}
		if line == "" {
			fmt.Fprintln(w, ".PP")
			continue
		}
		fmt.Fprintln(w, roff(line))
	}
	if !plain {
		fmt.Fprintln(w, ".fi")
	}
}

// roff escapes what has a meaning to it.
func roff(line string) string {
	line = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(line)
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		line = `\&` + line
	}
	return line
}
