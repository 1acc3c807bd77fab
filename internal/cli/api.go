package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/web"
)

const apiHelp = `Print the description of the dashboard's HTTP API, as OpenAPI 3.1 in JSON: what
can be asked and done, with the shape of each answer. It is made from the same
table as the API itself, and a gate that runs has it at /api/v1/openapi.json.

Exit status: 0 printed; 2 it could not be.`

func apiCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "api",
		Short:   "Print the description of the HTTP API (OpenAPI)",
		Long:    apiHelp,
		Example: "  gatepost api > gatepost-openapi.json",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := web.Describe()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), string(text))
			return err
		},
	}
}
