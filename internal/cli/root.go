package cli

import (
	"github.com/spf13/cobra"
)

const rootHelp = `Gatepost verifies the mail that arrives, signs the mail that leaves, finds what
domains publish wrongly, reads the reports that come back, and says why.

Exit status, of every command:
  0  fine
  1  the thing asked about fails: a message refused, a domain with a fault
  2  it could not be done; one line on standard error says what, and how to
     mend it
  3  a temporary failure, such as DNS; try again later`

const rootExample = `  gatepost verify --ip 192.0.2.1 --helo mx.example.net \
      --mail-from a@example.com message.eml
  gatepost check example.com
  gatepost setup example.com`

// usage keeps within 80 columns, which cobra's own does not.
const usage = `Usage:
  {{.UseLine}}{{if .HasAvailableSubCommands}}

{{if not .Groups}}Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{else}}{{$all := .Commands}}{{range $i, $group := .Groups}}{{if $i}}

{{end}}{{$group.Title}}{{range $all}}{{if and .IsAvailableCommand (eq .GroupID $group.ID)}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{end}}{{end}}{{if .HasExample}}

Example:
{{.Example}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsagesWrapped 79 | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Common flags:
{{.InheritedFlags.FlagUsagesWrapped 79 | trimTrailingWhitespaces}}{{end}}
`

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "gatepost COMMAND",
		Short:         "E-mail authentication: verify, sign, say why",
		Long:          rootHelp,
		Example:       rootExample,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE:          needCommand,
	}
	root.SetUsageTemplate(usage)
	root.SetFlagErrorFunc(flagError)
	addCommonFlags(root.PersistentFlags())
	addGroup(root, "Mail that arrives:", verifyCommand(), spfCommand(), policyCommand(), allowCommand(), logCommand())
	addGroup(root, "Mail that leaves:", signCommand(), sealCommand(), keysCommand())
	addGroup(root, "What domains publish:", checkCommand(), setupCommand(), recordCommand(), historyCommand(), noticeCommand())
	addGroup(root, "Reports that come back:", reportsCommand(), sourcesCommand(), sendersCommand(), digestCommand(), simulateCommand(),
		readinessCommand())
	addGroup(root, "The gate:", serveCommand(), statusCommand(), reloadCommand(), configCommand(), postfixCommand(), importCommand(),
		storeCommand(), usersCommand())
	addGroup(root, "More:", demoCommand(), apiCommand(), versionCommand())
	root.AddCommand(manualCommand(root))
	root.SetHelpCommand(helpCommand(root))
	completeShells(root)
	plainUsage(root)
	for _, cmd := range root.Commands() {
		plainUsage(cmd)
		for _, sub := range cmd.Commands() {
			plainUsage(sub)
		}
	}
	return root
}

// addGroup adds commands that the help shows together.
func addGroup(root *cobra.Command, title string, all ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title})
	for _, cmd := range all {
		cmd.GroupID = title
	}
	root.AddCommand(all...)
}

// helpCommand makes "gatepost help verify" the same as "gatepost verify --help".
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:    "help [COMMAND]",
		Short:  "Print the help of a command",
		Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return noSuchCommand(cmd, rest)
			}
			return cmd.Help()
		},
	}
}

// plainUsage leaves "[flags]" out of a line that names them.
func plainUsage(cmd *cobra.Command) { cmd.DisableFlagsInUseLine = true }

// completeShells adds cobra's command for shell completion, which is to speak of errors as the others do.
func completeShells(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Short = "Print a script that completes commands in a shell"
		cmd.Long = cmd.Short + ".\n\nExit status: 0; 2 if it could not be printed."
		cmd.Example = "  source <(gatepost completion bash)"
		cmd.Args, cmd.RunE, cmd.GroupID = noSuchCommand, needCommand, "More:"
	}
}
