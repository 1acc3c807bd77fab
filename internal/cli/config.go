package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/serve"
)

// defaultConfig is where the package of a distribution puts the file.
const defaultConfig = "/etc/gatepost/gatepost.toml"

func configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config COMMAND",
		Short:   "Check, show and explain the configuration",
		Long:    "Check, show and explain the configuration.\n\nExit status: that of the command beneath.",
		Example: "  gatepost config check --config /etc/gatepost/gatepost.toml",
		Args:    noSuchCommand,
		RunE:    needCommand,
	}
	cmd.AddCommand(configCheckCommand(), configExampleCommand(), configShowCommand())
	return cmd
}

const configCheckHelp = `Tell whether a gate could run with a configuration: every key, the policy, and
the files that it names are read. Nothing is changed, and no gate is asked.

Exit status: 0 it is good; 1 it is not, and one line says where and why;
2 the file could not be read.`

func configCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "check [--config FILE]",
		Short:   "Tell whether a configuration is good",
		Long:    configCheckHelp,
		Example: "  gatepost config check --config /etc/gatepost/gatepost.toml",
		Args:    noArguments,
	}
	path := configFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if f, err := openFile(*path); err != nil {
			return err
		} else {
			f.Close()
		}
		if err := serve.Check(serve.Options{Path: *path, Override: overrides(cmd), Log: cmd.ErrOrStderr()}); err != nil {
			return &statusError{StatusFails, err}
		}
		if commonFlags(cmd).JSON {
			return printJSON(cmd.OutOrStdout(), map[string]any{"file": *path, "good": true})
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: good\n", *path)
		return nil
	}
	return cmd
}

func configFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("config", defaultConfig, "the configuration `FILE`")
}

func configExampleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "example [--commented]",
		Short: "Print a configuration with every key, its default and what it does",
		Long: `Print a configuration with every key, its default and what it does.

Exit status: 0; 2 if it could not be printed.`,
		Example: "  gatepost config example > gatepost.toml",
		Args:    noArguments,
	}
	commented := cmd.Flags().Bool("commented", false, "comment every setting out")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return config.Example(cmd.OutOrStdout(), *commented) }
	return cmd
}

const configShowHelp = `Print the configuration as a gate takes it: what the file says, and the default
of each key that it leaves out. Secrets are not shown.

Exit status: 0; 1 the configuration is not good; 2 the file could not be read.`

func configShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show [--config FILE]",
		Short:   "Print a configuration with its defaults, without its secrets",
		Long:    configShowHelp,
		Example: "  gatepost config show --config /etc/gatepost/gatepost.toml",
		Args:    noArguments,
	}
	path := configFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := config.Load(*path)
		var bad *config.Error
		switch {
		case errors.As(err, &bad):
			return &statusError{StatusFails, err}
		case err != nil:
			return err
		}
		if !commonFlags(cmd).JSON {
			return c.Write(cmd.OutOrStdout())
		}
		var text bytes.Buffer
		if err := c.Write(&text); err != nil {
			return err
		}
		tree := map[string]any{}
		if err := toml.Unmarshal(text.Bytes(), &tree); err != nil {
			return err
		}
		return printJSON(cmd.OutOrStdout(), tree)
	}
	return cmd
}

// configured reads a configuration that need not be there: without a file at the usual place, the defaults hold.
func configured(cmd *cobra.Command, path string) (*config.Config, error) {
	c, err := config.Load(path)
	if errors.Is(err, fs.ErrNotExist) && !cmd.Flags().Changed("config") {
		return config.Default(), nil
	}
	return c, err
}
