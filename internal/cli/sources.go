package cli

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/letters"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

const sourcesHelp = `Show who sends mail in the name of a domain, as the reports in the store have
it: what is its own, what fails in that and how to mend it, who passes its mail
on, who is unknown, and who pretends to be it.

Exit status: that of the command beneath.`

func sourcesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "sources COMMAND",
		Short:   "Show who sends in a domain's name, and what each has to mend",
		Long:    sourcesHelp,
		Example: "  gatepost sources list example.com",
		Args:    noSuchCommand,
		RunE:    needCommand,
	}
	cmd.AddCommand(sourcesListCommand(), sourcesMarkCommand(), sourcesUnmarkCommand(), sourcesMarksCommand())
	return cmd
}

const sourcesListHelp = `List the sources of mail that bears DOMAIN in its From field, those that belong
together as one, the most messages first, each with its class and the reason:

  passing        its own, and it authenticates
  misconfigured  its own, and it does not, or not always
  forwarder      passes on what the domain sent
  unknown        could be its own or a stranger's
  abuse          a stranger's, most likely

It ends with the one thing to do next. Counts are of messages.

Exit status: 0 listed; 1 there are no reports about it; 2 it could not be done.`

type sourcesFlags struct {
	store storeFlags
	days  int
	class string
	all   bool
}

const mostDays = 3660

func sourcesListCommand() *cobra.Command {
	var o sourcesFlags
	cmd := &cobra.Command{
		Use:     "list DOMAIN",
		Short:   "List the sources of a domain's mail by what they are to it",
		Long:    sourcesListHelp,
		Example: "  gatepost sources list example.com --days 7\n  gatepost sources list example.com --class misconfigured",
		Args:    arguments(1, 1, "DOMAIN"),
		RunE:    func(cmd *cobra.Command, args []string) error { return runSourcesList(cmd, args[0], &o) },
	}
	f := cmd.Flags()
	f.IntVar(&o.days, "days", 30, "of the last so many `DAYS`")
	f.StringVar(&o.class, "class", "", "only those of a `CLASS`")
	f.BoolVar(&o.all, "all", false, "every source, not the 20 with the most messages of each class")
	o.store.add(cmd)
	return cmd
}

func runSourcesList(cmd *cobra.Command, name string, o *sourcesFlags) error {
	domain, err := dns.ToASCII(name)
	if err != nil {
		return usageError(cmd, "%q is no domain", name)
	}
	if o.days < 1 || o.days > mostDays {
		return usageError(cmd, "--days %d: it must be from 1 to %d", o.days, mostDays)
	}
	if err := checkClass(cmd, "--class ", o.class, true); err != nil {
		return err
	}
	s, err := o.store.open(cmd.Context(), cmd)
	if err != nil {
		return err
	}
	defer s.Close()
	asker, err := o.asker(cmd, s)
	if err != nil {
		return err
	}
	today := insight.DayOf(present(cmd))
	answer, err := asker.Ask(cmd.Context(), []string{domain}, insight.Period{From: today.AddDate(0, 0, 1-o.days), To: today})
	if err != nil {
		return err
	}
	d := &answer.Domains[0]
	if o.class != "" {
		d.Groups = ofClass(d.Groups, senders.Kind(o.class))
	}
	if d.First.IsZero() {
		err = &statusError{status: StatusFails, err: fmt.Errorf("%s: no report in the store is about it; see docs/reports.md on how to get some", printable(domain))}
	}
	c := commonFlags(cmd)
	if c.JSON {
		if printErr := printJSON(cmd.OutOrStdout(), d); printErr != nil {
			return printErr
		}
		return err
	}
	if err == nil {
		newScreen(cmd.OutOrStdout(), c.NoColor).domainSources(d, answer.Period, o.all)
	}
	return err
}

// asker is who asks, as the configuration says.
func (o *sourcesFlags) asker(cmd *cobra.Command, s store.Store) (*insight.Asker, error) {
	file, err := configured(cmd, o.store.config)
	if err != nil && o.store.store == "" {
		return nil, err
	}
	if err != nil {
		file = config.Default()
	}
	c := commonFlags(cmd)
	resolver, err := c.resolverOf(file)
	if err != nil {
		return nil, err
	}
	return letters.Asker(letters.Options{Config: file, Store: s, DNS: patient{resolver, c.Timeout}})
}

func checkClass(cmd *cobra.Command, what, class string, empty bool) error {
	if class == "" && empty {
		return nil
	}
	var words []string
	for _, k := range insight.Classes {
		if string(k) == class {
			return nil
		}
		words = append(words, string(k))
	}
	return usageError(cmd, "%s%q: there are %s", what, class, strings.Join(words, ", "))
}

func ofClass(groups []insight.Group, kind senders.Kind) []insight.Group {
	kept := []insight.Group{}
	for i := range groups {
		if groups[i].Class.Kind == kind {
			kept = append(kept, groups[i])
		}
	}
	return kept
}

// mostOfClass are the sources of a class that people see unless they ask for all.
const mostOfClass = 20

// domainSources writes a domain's sources, what is to be mended first.
func (s screen) domainSources(d *insight.Domain, p insight.Period, all bool) {
	s.line(s.paint(bold, printable(d.Name)) + "  " + p.From.Format(time.DateOnly) + " to " + p.To.Format(time.DateOnly))
	messages := insight.Number(d.Now.Messages) + " messages"
	if d.Now.Messages > 0 {
		messages += ", " + insight.Percent(insight.Share(d.Now)) + " passed"
	}
	if d.Policy.P != "" {
		messages += "; the policy is p=" + d.Policy.P
	}
	s.known("reports", messages)
	titles := map[senders.Kind]string{
		senders.Misconfigured: "Yours, to be mended", senders.Passing: "Yours, and well", senders.Forwarded: "Forwarders",
		senders.Unclear: "Unknown", senders.Abuse: "Likely abuse",
	}
	for _, kind := range insight.Classes {
		groups := ofClass(d.Groups, kind)
		if len(groups) == 0 {
			continue
		}
		s.line("")
		s.line(s.paint(bold, titles[kind]))
		for i := range groups {
			if i == mostOfClass && !all {
				s.line(fmt.Sprintf("  and %d more; --all has them", len(groups)-i))
				break
			}
			s.group(&groups[i])
		}
	}
	if d.Next.Text != "" {
		s.line("")
		s.known("next", printable(d.Next.Text))
		if r := d.Next.Record; r != nil {
			s.line("")
			s.line(fmt.Sprintf("  %s. %s %s", printable(r.Name), printable(r.Type), strings.Join(dns.QuoteText(r.Value), " ")))
		}
	}
}

// group writes one source with its reason.
func (s screen) group(g *insight.Group) {
	const indent, counts = 2, 24
	name := printable(g.Name)
	if g.New {
		name += " (new)"
	}
	count := insight.Number(g.Messages) + ", " + insight.Percent(insight.Share(g.Figures)) + " pass"
	s.line(strings.Repeat(" ", indent) + pad(elide(name, s.width-indent-counts-1), s.width-indent-counts) + fmt.Sprintf("%*s", counts, count))
	for _, text := range []string{hosts(g.IPs, name), g.Class.Reason, mend(g), seeDocs(g)} {
		for _, line := range wrap(printable(text), s.width-2*indent-2) {
			s.line(strings.Repeat(" ", 2*indent) + line)
		}
	}
}

func mend(g *insight.Group) string {
	if !g.Mend() {
		return ""
	}
	return "To mend: " + g.Class.Advice
}

func seeDocs(g *insight.Group) string {
	if !g.Mend() || g.Docs == "" {
		return ""
	}
	return "See " + g.Docs
}

// hosts are the addresses of a source, but where its name says so already.
func hosts(ips []netip.Addr, name string) string {
	const most = 4
	var words []string
	for i, ip := range ips {
		if i == most {
			words = append(words, fmt.Sprintf("and %d more", len(ips)-i))
			break
		}
		words = append(words, ip.String())
	}
	if len(ips) == 1 && words[0] == name {
		return ""
	}
	return strings.Join(words, ", ")
}
