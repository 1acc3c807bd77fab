package cli

import "github.com/spf13/cobra"

const reportsHelp = `Read the reports that others send about a domain: DMARC aggregate and failure
reports, and TLS reports.

Exit status: that of the command beneath.`

func reportsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "reports COMMAND",
		Short:   "Read DMARC and TLS reports",
		Long:    reportsHelp,
		Example: "  gatepost reports parse report.eml",
		Args:    noSuchCommand,
		RunE:    needCommand,
	}
	cmd.AddCommand(reportsParseCommand())
	return cmd
}
