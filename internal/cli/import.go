package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/signing/moving"
)

const importHelp = `Take over how another program signs mail: its keys, and who is signed for.

The keys are copied into the key directory. The lines for gatepost.toml are
printed, and everything that has no counterpart, with its place. Nothing of
the other program is changed.

Exit status: that of the command beneath.`

func importCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "import COMMAND",
		Short:   "Take over keys and settings of OpenDKIM or rspamd",
		Long:    importHelp,
		Example: "  gatepost import opendkim --dry-run /etc/opendkim.conf",
		Args:    noSuchCommand,
		RunE:    needCommand,
	}
	cmd.AddCommand(
		moveCommand("opendkim", "opendkim.conf", "/etc/opendkim.conf", importOpenDKIMHelp, moving.OpenDKIM),
		moveCommand("rspamd", "dkim_signing.conf", "/etc/rspamd/local.d/dkim_signing.conf", importRspamdHelp, moving.Rspamd),
	)
	return cmd
}

const importOpenDKIMHelp = `Take over OpenDKIM's configuration: opendkim.conf with what it includes, the
KeyTable and SigningTable in files, and the private keys.

The keys go into the key directory. The lines for gatepost.toml are printed as
TOML, with what has no counterpart as comments. With --dry-run no key is
copied.

Exit status: 0 everything that was signed will be; 1 something will not be, as
is printed; 2 it could not be done.`

const importRspamdHelp = `Take over the configuration of rspamd's dkim_signing: the file, its maps in
files, and the private keys. Domains that are not named are taken from the
keys that lie where rspamd looks for them.

The keys go into the key directory. The lines for gatepost.toml are printed as
TOML, with what has no counterpart as comments. With --dry-run no key is
copied.

Exit status: 0 everything that was signed will be; 1 something will not be, as
is printed; 2 it could not be done.`

func moveCommand(name, file, path, help string, read func(string) (*moving.Move, error)) *cobra.Command {
	var ring keyRing
	cmd := &cobra.Command{
		Use:     name + " [--dry-run] PATH/" + file,
		Short:   "Take over the keys and settings of " + map[string]string{"opendkim": "OpenDKIM", "rspamd": "rspamd"}[name],
		Long:    help,
		Example: "  gatepost import " + name + " --dry-run " + path,
		Args:    arguments(1, 1, file),
	}
	ring.add(cmd)
	dry := cmd.Flags().Bool("dry-run", false, "only say what would be done")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		m, err := read(args[0])
		if err != nil {
			return err
		}
		if !*dry {
			if err := takeKeys(cmd, &ring, m); err != nil {
				return err
			}
		}
		if err := printMove(cmd, m, *dry); err != nil {
			return err
		}
		if m.Lost() {
			return exit(StatusFails)
		}
		return nil
	}
	return cmd
}

// takeKeys copies the keys. Done twice, it changes nothing.
func takeKeys(cmd *cobra.Command, ring *keyRing, m *moving.Move) error {
	shop, err := ring.open(cmd, true)
	if err != nil {
		return err
	}
	for _, k := range m.Keys {
		if err := shop.dir.Add(cmd.Context(), k.Domain, k.Selector, k.Signer, k.Second, present(cmd)); err != nil {
			return err
		}
	}
	return shop.Refresh()
}

// A moveReport is an import as JSON.
type moveReport struct {
	*moving.Move
	TOML string `json:"toml"`
}

func printMove(cmd *cobra.Command, m *moving.Move, dry bool) error {
	w := cmd.OutOrStdout()
	if commonFlags(cmd).JSON {
		return printJSON(w, moveReport{m, m.TOML()})
	}
	verb := "are in the key directory"
	if dry {
		verb = "would be copied into the key directory"
	}
	fmt.Fprintf(w, "# Keys that %s:\n", verb)
	if len(m.Keys) == 0 {
		fmt.Fprintln(w, "#   none")
	}
	for _, k := range m.Keys {
		key, _ := dkim.ParseKey(dkim.Record(k.Signer.Public()))
		fmt.Fprintf(w, "#   %s, selector %s, %s with %d bits: %s\n", k.Domain, k.Selector, key.Type, key.Bits, printable(k.File))
	}
	if len(m.Notes) > 0 {
		fmt.Fprintln(w, "#\n# What is different, or has no counterpart (!: mail that was signed will not be):")
		for _, n := range m.Notes {
			mark := " "
			if n.Lost {
				mark = "!"
			}
			fmt.Fprintf(w, "# %s %s: %s\n", mark, printable(n.Place), printable(n.Text))
		}
	}
	fmt.Fprintf(w, "#\n# For gatepost.toml:\n\n%s", m.TOML())
	return nil
}
