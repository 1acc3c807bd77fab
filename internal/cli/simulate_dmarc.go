package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/whatif"
)

const simulateDMARCHelp = `Say which messages of the last days would have been lost, had DOMAIN published
this DMARC policy: those that fail now, by whose they are, why each source
fails and what mends it.

The record that is published is edited as the flags say. A stricter alignment
(--adkim s, --aspf s) is evaluated anew from what reporters told of each
message; where they told nothing, it is undecided.

Exit status: 0 nothing of yours would be lost; 1 something would; 2 it could not
be done; 3 DNS did not tell what is published.`

type simulateDMARCFlags struct {
	simulateFlags
	policy, sp, adkim, aspf string
}

func simulateDMARCCommand() *cobra.Command {
	var o simulateDMARCFlags
	cmd := &cobra.Command{
		Use:     "dmarc DOMAIN --policy quarantine|reject",
		Short:   "Say what would be lost by a DMARC policy",
		Long:    simulateDMARCHelp,
		Example: "  gatepost simulate dmarc example.com --policy reject\n  gatepost simulate dmarc example.com --policy quarantine --sp none --adkim s",
		Args:    arguments(1, 1, "DOMAIN"),
		RunE:    func(cmd *cobra.Command, args []string) error { return runSimulateDMARC(cmd, args[0], &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.policy, "policy", "", "the `POLICY`: quarantine or reject")
	f.StringVar(&o.sp, "sp", "", "the `POLICY` for subdomains: none, quarantine or reject (default as published)")
	f.StringVar(&o.adkim, "adkim", "", "how DKIM is to align: r or s (default as published)")
	f.StringVar(&o.aspf, "aspf", "", "how SPF is to align: r or s (default as published)")
	o.add(cmd)
	return cmd
}

func runSimulateDMARC(cmd *cobra.Command, name string, o *simulateDMARCFlags) error {
	domain, err := domainArgument(cmd, name)
	if err != nil {
		return err
	}
	if err := require(cmd, "policy"); err != nil {
		return err
	}
	for _, flag := range []struct {
		name, value string
		words       []string
	}{{"policy", o.policy, []string{"quarantine", "reject"}}, {"sp", o.sp, []string{"", "none", "quarantine", "reject"}},
		{"adkim", o.adkim, []string{"", "r", "s"}}, {"aspf", o.aspf, []string{"", "r", "s"}}} {
		if !slices.Contains(flag.words, flag.value) {
			words := slices.DeleteFunc(flag.words, func(w string) bool { return w == "" })
			return usageError(cmd, "--%s %q: it is %s", flag.name, flag.value, orList(words))
		}
	}
	p, err := o.period(cmd)
	if err != nil {
		return err
	}
	change := whatif.DMARCChange{Domain: domain, Period: p, Policy: dmarc.Disposition(o.policy), Subdomains: dmarc.Disposition(o.sp), DKIM: o.adkim, SPF: o.aspf}
	return o.ask(cmd, func(a *whatif.Asker) error {
		answer, err := a.DMARC(cmd.Context(), change)
		if err != nil {
			return err
		}
		if c := commonFlags(cmd); c.JSON {
			err = printJSON(cmd.OutOrStdout(), answer)
		} else {
			newScreen(cmd.OutOrStdout(), c.NoColor).wouldDMARC(answer, o.all)
		}
		if err != nil {
			return err
		}
		return failsIf(answer.Lost.Yours > 0)
	})
}

// orList is "a, b or c".
func orList(words []string) string {
	text := ""
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			text += " or "
		default:
			text += ", "
		}
		text += w
	}
	return text
}

func (s screen) wouldDMARC(a *whatif.DMARC, all bool) {
	s.about(printable(a.Domain), a.Period)
	s.zoneLine(&a.Record)
	s.line("")
	s.tally("messages", a.Messages, "")
	s.tally("lost", a.Lost.Messages, "would be: "+kinds(a.Lost))
	if a.Already > 0 {
		s.tally("already", a.Already, "of them are quarantined or rejected as it is")
	}
	if a.Broken > 0 {
		s.tally("broken", a.Broken, "of them pass as it is, and not by the new alignment")
	}
	if a.Mended > 0 {
		s.tally("mended", a.Mended, "fail as it is, and would pass by the new alignment")
	}
	if a.Spared > 0 {
		s.tally("spared", a.Spared, "fail, and the policy asks nothing for them")
	}
	if a.Undecided > 0 {
		s.tally("undecided", a.Undecided, "for which reporters told too little")
	}
	s.known("evidence", printable(a.Confidence.Text))
	title, shown := "", 0
	for i := range a.Sources {
		l := &a.Sources[i]
		if t := kindTitles[l.Kind]; t != title {
			title, shown = t, 0
			s.line("")
			s.line(s.paint(bold, t))
		}
		if shown++; shown > mostOfClass && !all {
			if shown == mostOfClass+1 {
				s.line("  and more; --all has them")
			}
			continue
		}
		s.loser(l)
	}
	s.notes(a.Notes)
}

func (s screen) loser(l *whatif.Loser) {
	count := insight.Number(l.Lost) + " of " + insight.Number(l.Messages)
	if l.Undecided > 0 {
		count += ", " + insight.Number(l.Undecided) + " undecided"
	}
	s.countLine(l.Name, count)
	texts := []string{hosts(l.IPs, l.Name), l.Why}
	for _, c := range l.Causes {
		texts = append(texts, fmt.Sprintf("- %s: %s", insight.Number(c.Messages), c.Text))
	}
	if l.Mend != "" {
		texts = append(texts, "To mend: "+l.Mend)
	}
	if l.Own() && l.Docs != "" && !strings.Contains(l.Mend, l.Docs) {
		texts = append(texts, "See "+l.Docs)
	}
	s.beneath(texts...)
}
