package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/nearest"
	"github.com/gatepost-mail/gatepost/internal/store"
)

const historyHelp = `Show what the records of a watched domain were and are, each text with the time
that it was seen: SPF and what it includes, DKIM keys, DMARC, MX, MTA-STS,
TLS-RPT, BIMI, and what was wrong. gatepost serve looks at the domains that
[watch] or [reports] of the configuration name.

Exit status: 0 shown; 1 the domain was never looked at, or had nothing of the
kind; 2 it could not be done.`

// publishedKinds are the kinds of what is watched.
var publishedKinds = []string{"spf", "include", "dkim", "dmarc", "mx", "mta-sts", "mta-sts-policy", "tls-rpt", "bimi", "finding", "audit"}

func historyCommand() *cobra.Command {
	var o struct {
		store storeFlags
		kind  string
	}
	cmd := &cobra.Command{
		Use:     "history DOMAIN [--kind KIND] [--store FILE|URL]",
		Short:   "Show what the records of a watched domain were and are",
		Long:    historyHelp,
		Example: "  gatepost history example.com\n  gatepost history example.com --kind include",
		Args:    arguments(1, 1, "DOMAIN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			domain, err := domainArgument(cmd, args[0])
			if err != nil {
				return err
			}
			if guess := nearest.Word(o.kind, publishedKinds); o.kind != "" && !slices.Contains(publishedKinds, o.kind) {
				return usageError(cmd, "--kind %q: there are %s%s", o.kind, strings.Join(publishedKinds, ", "), didYouMean("", guess))
			}
			s, err := o.store.open(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			defer s.Close()
			all, err := s.Published(cmd.Context(), domain)
			if err != nil {
				return err
			}
			if len(all) == 0 {
				return &statusError{StatusFails, fmt.Errorf("%s was never looked at; gatepost serve looks at the domains of [watch]", printable(domain))}
			}
			if o.kind != "" {
				all = slices.DeleteFunc(all, func(p store.Published) bool { return p.Kind != o.kind })
				if len(all) == 0 {
					return &statusError{StatusFails, fmt.Errorf("%s was looked at, and nothing of the kind %s was ever seen", printable(domain), o.kind)}
				}
			}
			return printHistory(cmd, all)
		},
	}
	cmd.Flags().StringVar(&o.kind, "kind", "", "only `KIND`: "+strings.Join(publishedKinds, ", "))
	o.store.add(cmd)
	return cmd
}

func printHistory(cmd *cobra.Command, all []store.Published) error {
	c := commonFlags(cmd)
	if c.JSON {
		return printJSON(cmd.OutOrStdout(), all)
	}
	const when = "2006-01-02 15:04"
	s := newScreen(cmd.OutOrStdout(), c.NoColor)
	head := ""
	for _, p := range all {
		if p.Kind == "area" {
			continue // what the alerts need to know
		}
		if h := printable(strings.TrimSpace(p.Kind + "  " + p.Name)); h != head {
			head = h
			s.line(h)
		}
		period := fmt.Sprintf("%s to %s", p.First.Format(when), p.Last.Format(when))
		if p.Present {
			period = "now, since " + p.Since.Format(when)
		}
		text := printable(strings.ReplaceAll(strings.TrimSpace(p.Text), "\n", " / "))
		if text == "" {
			text = "none"
		}
		s.line("  " + period)
		for _, l := range wrap(text, s.width-4) {
			s.line("    " + l)
		}
	}
	return nil
}
