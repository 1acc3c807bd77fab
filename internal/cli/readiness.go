package cli

import (
	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/whatif"
)

const readinessHelp = `Show how far DOMAIN is on the way to p=reject: each step with what shows that it
is done, what is in the way of the next, when it can be taken, and the record to
publish for it.

Exit status: 0 p=reject is reached, or the next policy can be published today; 1
something is in the way; 2 it could not be done; 3 DNS did not tell what is
published.`

func readinessCommand() *cobra.Command {
	var o simulateFlags
	cmd := &cobra.Command{
		Use:     "readiness DOMAIN",
		Short:   "Show how far a domain is on the way to p=reject",
		Long:    readinessHelp,
		Example: "  gatepost readiness example.com",
		Args:    arguments(1, 1, "DOMAIN"),
		RunE:    func(cmd *cobra.Command, args []string) error { return runReadiness(cmd, args[0], &o) },
	}
	cmd.Flags().IntVar(&o.days, "days", 30, "by the reports of the last so many `DAYS`")
	o.store.add(cmd)
	return cmd
}

func runReadiness(cmd *cobra.Command, name string, o *simulateFlags) error {
	domain, err := domainArgument(cmd, name)
	if err != nil {
		return err
	}
	p, err := o.period(cmd)
	if err != nil {
		return err
	}
	return o.ask(cmd, func(a *whatif.Asker) error {
		facts, err := a.Insight.Fetch(cmd.Context(), []string{domain}, p)
		if err != nil {
			return err
		}
		answer := facts.Readiness(0)
		if c := commonFlags(cmd); c.JSON {
			err = printJSON(cmd.OutOrStdout(), answer)
		} else {
			newScreen(cmd.OutOrStdout(), c.NoColor).readiness(&answer)
		}
		switch {
		case err != nil:
			return err
		case !facts.Domains[0].Published.Known:
			return exit(StatusTemporary)
		}
		return failsIf(!answer.Ready)
	})
}

var stateColors = map[insight.State]string{insight.Reached: green, insight.Now: yellow, insight.Blocked: red, insight.Waiting: yellow, insight.Later: dim}

func (s screen) readiness(r *insight.Readiness) {
	s.about(printable(r.Domain), r.Period)
	for _, m := range r.Steps {
		s.line("")
		s.line("  " + s.paint(stateColors[m.State], pad(string(m.State), 9)) + m.Title)
		for _, list := range [][]string{m.Evidence, m.Blocks} {
			for _, text := range list {
				if m.State == insight.Later {
					continue
				}
				for _, line := range wrap(printable(text), s.width-12) {
					s.line("           " + line)
				}
			}
		}
	}
	s.line("")
	for _, line := range wrap(printable(r.Text), s.width) {
		s.line(line)
	}
	if r.Record != nil {
		s.line("")
		s.zoneLine(r.Record)
	}
}
