package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/whatif"
	"github.com/gatepost-mail/gatepost/spf"
)

const simulateSPFHelp = `Say for which addresses that sent mail in the last days this SPF record would
give another result than the one that DOMAIN publishes, and what DMARC would
make of that. Both records are evaluated for each address and envelope domain
that reports told of; a message whose DKIM signature passes goes on to pass.

Exit status: 0 nothing of yours would fail; 1 something would; 2 it could not be
done; 3 DNS did not answer.`

func simulateSPFCommand() *cobra.Command {
	var o simulateFlags
	cmd := &cobra.Command{
		Use:     "spf DOMAIN RECORD",
		Short:   "Say which addresses would fail by an SPF record",
		Long:    simulateSPFHelp,
		Example: "  gatepost simulate spf example.com \"v=spf1 ip4:192.0.2.0/24 -all\"",
		Args:    arguments(2, 2, "DOMAIN RECORD"),
		RunE:    func(cmd *cobra.Command, args []string) error { return runSimulateSPF(cmd, args[0], args[1], &o) },
	}
	o.add(cmd)
	return cmd
}

func runSimulateSPF(cmd *cobra.Command, name, record string, o *simulateFlags) error {
	domain, err := domainArgument(cmd, name)
	if err != nil {
		return err
	}
	if _, err := spf.Parse(record); err != nil {
		return usageError(cmd, "the record cannot be read: %v", err)
	}
	p, err := o.period(cmd)
	if err != nil {
		return err
	}
	return o.ask(cmd, func(a *whatif.Asker) error {
		answer, err := a.SPF(cmd.Context(), whatif.SPFChange{Domain: domain, Period: p, Record: record})
		if err != nil {
			return err
		}
		if answer.AllFailed() {
			return &statusError{status: StatusTemporary, err: errors.New("DNS did not answer for what the records ask; try again later")}
		}
		if c := commonFlags(cmd); c.JSON {
			err = printJSON(cmd.OutOrStdout(), answer)
		} else {
			newScreen(cmd.OutOrStdout(), c.NoColor).wouldSPF(answer, o.all)
		}
		if err != nil {
			return err
		}
		return failsIf(answer.Fewer.Yours+answer.Lost.Yours > 0)
	})
}

func (s screen) wouldSPF(a *whatif.SPF, all bool) {
	s.about(printable(a.Domain), a.Period)
	s.zoneLine(&a.Record)
	s.line("")
	s.tally("messages", a.Messages, "")
	s.tally("asked", a.Asked, "of them ask for this record, and "+insight.Number(a.Same)+" get the same result")
	s.tally("fewer", a.Fewer.Messages, "would pass SPF no more: "+kinds(a.Fewer))
	if a.Lost.Messages > 0 {
		s.tally("lost", a.Lost.Messages, "would thereby fail DMARC: "+kinds(a.Lost))
	}
	if a.More.Messages > 0 {
		s.tally("more", a.More.Messages, "would pass SPF: "+kinds(a.More))
	}
	if a.Gained.Messages > 0 {
		s.tally("gained", a.Gained.Messages, "would thereby pass DMARC: "+kinds(a.Gained))
	}
	if a.Undecided > 0 {
		s.tally("undecided", a.Undecided, "")
	}
	if a.Small > 0 {
		s.tally("small", a.Small, "are from sources that were too many to look at")
	}
	s.known("look-ups", lookups(&a.Lookups))
	s.known("evidence", printable(a.Confidence.Text))
	if len(a.Changes) > 0 {
		s.line("")
	}
	for i := range a.Changes {
		if i == mostOfClass && !all {
			s.line(fmt.Sprintf("  and %d more; --all has them", len(a.Changes)-i))
			break
		}
		s.changed(&a.Changes[i])
	}
	s.notes(a.Notes)
}

// lookups writes what a record costs those who evaluate it.
func lookups(l *whatif.SPFLookups) string {
	text := fmt.Sprintf("%d of %d that are allowed; %d as it is", l.Then, l.Most, l.Now)
	if l.Partly {
		text = "at least " + text
	}
	if l.Then > l.Most {
		text += ": receivers may take that for an error"
	}
	return text
}

func (s screen) changed(c *whatif.SPFSource) {
	s.countLine(fmt.Sprintf("%s  %s to %s", c.IP, c.Now, c.Then), insight.Number(c.Messages))
	what := kindTitles[c.Kind]
	if c.Name != c.IP.String() {
		what += ", " + c.Name
	}
	what += "; envelope " + c.Envelope
	if c.Term != "" {
		what += "; " + c.Term + " matches"
	}
	switch {
	case c.Lost > 0:
		what += fmt.Sprintf("; %s would fail DMARC", insight.Number(c.Lost))
	case c.Gained > 0:
		what += fmt.Sprintf("; %s would pass DMARC", insight.Number(c.Gained))
	}
	s.beneath(what, c.Reason)
}
