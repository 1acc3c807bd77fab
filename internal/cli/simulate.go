package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/whatif"
)

const simulateHelp = `Say what would have become of the mail of the last days, had a domain published
another DMARC policy or SPF record, or had the gate another policy: by what
reports and the gate have counted in the store.

Counts are of messages. What cannot be told from what was kept is counted as
undecided.

Exit status: that of the command beneath.`

func simulateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "simulate COMMAND",
		Short:   "Try a DMARC policy, SPF record or gate policy on past mail",
		Long:    simulateHelp,
		Example: "  gatepost simulate dmarc example.com --policy reject\n  gatepost simulate spf example.com \"v=spf1 include:_spf.example.net -all\"\n  gatepost simulate policy lockdown --days 7",
		Args:    noSuchCommand,
		RunE:    needCommand,
	}
	cmd.AddCommand(simulateDMARCCommand(), simulateSPFCommand(), simulatePolicyCommand())
	return cmd
}

// simulateFlags are those of all questions about past mail.
type simulateFlags struct {
	store storeFlags
	days  int
	all   bool
}

func (o *simulateFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&o.days, "days", 30, "by the mail of the last so many `DAYS`")
	f.BoolVar(&o.all, "all", false, "every line, not the first 20 of each kind")
	o.store.add(cmd)
}

// period is what the flags ask of.
func (o *simulateFlags) period(cmd *cobra.Command) (insight.Period, error) {
	if o.days < 1 || o.days > mostDays {
		return insight.Period{}, usageError(cmd, "--days %d: it must be from 1 to %d", o.days, mostDays)
	}
	today := insight.DayOf(present(cmd))
	return insight.Period{From: today.AddDate(0, 0, 1-o.days), To: today}, nil
}

// ask opens the store and hands over who asks it.
func (o *simulateFlags) ask(cmd *cobra.Command, question func(*whatif.Asker) error) error {
	s, err := o.store.open(cmd.Context(), cmd)
	if err != nil {
		return err
	}
	defer s.Close()
	asker, err := (&sourcesFlags{store: o.store}).asker(cmd, s)
	if err != nil {
		return err
	}
	return unanswered(question(&whatif.Asker{Insight: asker, Store: s}))
}

// unanswered gives an error its exit status, and says how to mend it.
func unanswered(err error) error {
	switch {
	case errors.Is(err, whatif.ErrDNS):
		return &statusError{status: StatusTemporary, err: err}
	case errors.Is(err, whatif.ErrNoReports):
		return fmt.Errorf("%w; see docs/reports.md on how to get some", err)
	}
	return err
}

// failsIf is the exit status of an answer.
func failsIf(fails bool) error {
	if fails {
		return exit(StatusFails)
	}
	return nil
}

// about writes the first line of an answer.
func (s screen) about(what string, p insight.Period) {
	s.line(s.paint(bold, what) + "  " + p.From.Format(time.DateOnly) + " to " + p.To.Format(time.DateOnly))
}

// published writes a record as it stands in a zone.
func (s screen) zoneLine(r *insight.Record) {
	s.line(fmt.Sprintf("  %s. %s %s", printable(r.Name), r.Type, strings.Join(dns.QuoteText(printable(r.Value)), " ")))
}

// tally writes a count with what it is of, at the right of a label.
func (s screen) tally(label string, n int64, text string) {
	s.known(label, strings.TrimSpace(fmt.Sprintf("%s %s", insight.Number(n), text)))
}

// kinds writes whose messages they are.
func kinds(k whatif.Kinds) string {
	parts := []string{insight.Number(k.Yours) + " yours"}
	for _, p := range []struct {
		n    int64
		what string
	}{{k.Forwarded, "forwarded"}, {k.Unknown, "unknown"}, {k.Abuse, "likely abuse"}, {k.Small, "from small sources"}} {
		if p.n > 0 {
			parts = append(parts, insight.Number(p.n)+" "+p.what)
		}
	}
	return strings.Join(parts, ", ")
}

var kindTitles = map[senders.Kind]string{
	senders.Misconfigured: "Yours", senders.Passing: "Yours", senders.Forwarded: "Forwarders", senders.Unclear: "Unknown", senders.Abuse: "Likely abuse",
}

// countLine writes a name with a count at the right of the line.
func (s screen) countLine(name, count string) {
	const indent = 2
	room := s.width - indent - len(count)
	s.line(strings.Repeat(" ", indent) + pad(elide(printable(name), room-1), room) + count)
}

// beneath writes texts under an item.
func (s screen) beneath(texts ...string) {
	const indent = 4
	for _, text := range texts {
		for i, line := range wrap(printable(text), s.width-indent-2) {
			lead := ""
			if i > 0 && strings.HasPrefix(text, "- ") {
				lead = "  "
			}
			s.line(strings.Repeat(" ", indent) + lead + line)
		}
	}
}

func (s screen) notes(notes []string) {
	if len(notes) == 0 {
		return
	}
	s.line("")
	for _, n := range notes {
		for _, line := range wrap(printable(n), s.width) {
			s.line(line)
		}
	}
}
