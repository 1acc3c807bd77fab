package cli

import "github.com/spf13/cobra"

const reportsHelp = `Work with the reports that the world sends about a domain: DMARC aggregate and
failure reports, and reports about TLS.

Exit status: that of the command beneath.`

func reportsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "reports COMMAND",
		Short:   "Read the reports that others send about a domain",
		Long:    reportsHelp,
		Example: "  gatepost reports address example.com",
		Args:    noSuchCommand,
		RunE:    needCommand,
	}
	cmd.AddCommand(reportsAddressCommand())
	return cmd
}
