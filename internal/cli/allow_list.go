package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/exceptions"
	"github.com/gatepost-mail/gatepost/internal/store"
)

const allowListHelp = `List the exceptions: what each covers, until when, why, by whom, and how often
it was used. Those that end within a week are marked, and those that have
ended.

Exit status: 0 listed, though there be none; 2 it could not be done.`

func allowListCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the exceptions",
		Long:    allowListHelp,
		Example: "  gatepost allow list --json | jq '.[] | select(.state == \"ending\")'",
		Args:    noArguments,
	}
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := o.open(cmd.Context(), cmd)
		if err != nil {
			return err
		}
		defer s.Close()
		all, err := s.Exceptions(cmd.Context())
		if err != nil {
			return err
		}
		c, now := commonFlags(cmd), present(cmd)
		list := []allowed{}
		for i := range all {
			list = append(list, newAllowed(&all[i], now))
		}
		if c.JSON {
			return printJSON(cmd.OutOrStdout(), list)
		}
		out := newScreen(cmd.OutOrStdout(), c.NoColor)
		for i := range list {
			out.exception(&list[i])
		}
		if len(list) == 0 {
			out.line("There are no exceptions.")
		}
		return nil
	}
	return cmd
}

// An allowed is an exception as the commands print it.
type allowed struct {
	store.Exception
	State string `json:"state"` // holds, ending, ended
}

func newAllowed(x *store.Exception, now time.Time) allowed {
	return allowed{*x, exceptions.State(x, now)}
}

// exception writes what an administrator wants to know of one.
func (s screen) exception(x *allowed) {
	const indent = 5
	until, color := "until "+end(x.Until), green
	switch x.State {
	case exceptions.Ends:
		until, color = until+": ends soon", yellow
	case exceptions.Ended:
		until, color = "ended "+end(x.Until), dim
	}
	used := "not used yet"
	if x.Uses > 0 {
		used = fmt.Sprintf("used %s, last %s", plural(int(x.Uses), "time"), moment(x.LastUsed))
	}
	head := pad(fmt.Sprint(x.ID), indent)
	for i, text := range []string{
		printable(x.Domain) + ", " + printable(exceptions.Way(&x.Exception)),
		until,
		printable(x.Reason),
		"by " + printable(x.Author) + " on " + moment(x.Created) + "; " + used,
	} {
		for _, line := range wrap(text, s.width-len(head)) {
			if i == 1 {
				line = s.paint(color, line)
			}
			s.line(head + line)
			head = strings.Repeat(" ", indent)
		}
	}
}
