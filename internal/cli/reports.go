package cli

import "github.com/spf13/cobra"

const reportsHelp = `Work with the reports that the world sends about a domain: DMARC aggregate and
failure reports, and TLS reports.

Exit status: that of the command beneath.`

func reportsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reports COMMAND",
		Short: "Work with the reports that others send about a domain",
		Long:  reportsHelp,
		Example: `  gatepost reports parse report.eml
  gatepost reports import ~/Maildir`,
		Args: noSuchCommand,
		RunE: needCommand,
	}
	cmd.AddCommand(reportsParseCommand(), reportsImportCommand(), reportsListCommand(), reportsShowCommand(), reportsExportCommand(),
		reportsReparseCommand(), reportsRedactCommand(), reportsAddressCommand())
	return cmd
}
