package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/nearest"
	"github.com/gatepost-mail/gatepost/internal/notice"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/when"
)

const noticeListHelp = `List cases, the latest first: which domain, since when, and what came of it.

  proposed  it waits for gatepost notice approve or decline
  approved  it is sent as soon as the limits allow
  sent      it was, and is looked at until it is mended
  bounced   the letter did not arrive; approve sends it to the next address
  mended    the fault is gone
  declined, closed

Exit status: 0 listed, though there be none; 2 it could not be done.`

var noticeStates = []string{store.NoticeProposed, store.NoticeApproved, store.NoticeSent, store.NoticeBounced, store.NoticeMended, store.NoticeDeclined, store.NoticeClosed}

func noticeListCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "list [--state S] [--domain D]",
		Short:   "List the cases",
		Long:    noticeListHelp,
		Example: "  gatepost notice list --state proposed",
		Args:    noArguments,
	}
	f := cmd.Flags()
	states := f.StringSlice("state", nil, "only those in a `STATE`; may be repeated")
	name := f.String("domain", "", "only those of a `DOMAIN`")
	last := f.IntP("last", "n", 50, "the last `N` of them")
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		filter := store.NoticeFilter{States: *states, Limit: *last}
		for _, state := range *states {
			if !slices.Contains(noticeStates, state) {
				return usageError(cmd, "--state %q: there are %s%s", state, strings.Join(noticeStates, ", "), didYouMean("", nearest.Word(state, noticeStates)))
			}
		}
		if *last < 1 || *last > maxLast {
			return usageError(cmd, "-n %d: it takes 1 to %d", *last, maxLast)
		}
		if *name != "" {
			domain, err := dns.ToASCII(*name)
			if err != nil {
				return usageError(cmd, "--domain %q: not a domain name", *name)
			}
			filter.Domain = domain
		}
		s, err := o.open(cmd.Context(), cmd)
		if err != nil {
			return err
		}
		defer s.Close()
		all, err := s.Notices(cmd.Context(), filter)
		if err != nil {
			return err
		}
		c := commonFlags(cmd)
		if c.JSON {
			return printJSON(cmd.OutOrStdout(), append([]store.Notice{}, all...))
		}
		out := newScreen(cmd.OutOrStdout(), c.NoColor)
		for i := range all {
			out.notice(&all[i])
		}
		if len(all) == 0 {
			out.line("There are no cases.")
		}
		return nil
	}
	return cmd
}

// notice writes a case on two lines.
func (s screen) notice(n *store.Notice) {
	const idColumn, stateColumn = 6, 10
	color := dim
	switch n.State {
	case store.NoticeProposed, store.NoticeApproved:
		color = yellow
	case store.NoticeMended:
		color = green
	case store.NoticeBounced:
		color = red
	}
	s.line(pad(fmt.Sprint(n.ID), idColumn) + s.paint(color, pad(n.State, stateColumn)) + printable(n.Domain))
	text := strings.Join(n.Faults, ", ") + "; since " + moment(n.Changed)
	if n.Author != "" {
		text += " by " + n.Author
	}
	if n.Detail != "" {
		text += ": " + n.Detail
	}
	for _, line := range wrap(printable(text), s.width-idColumn-stateColumn) {
		s.line(strings.Repeat(" ", idColumn+stateColumn) + line)
	}
}

const noticeShowHelp = `Show a case: what it is about, whom the letter goes to, what became of it, and
the letter itself.

Exit status: 0 shown; 2 it could not be done.`

func noticeShowCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show a case and its letter",
		Long:    noticeShowHelp,
		Example: "  gatepost notice show 3",
		Args:    arguments(1, 1, "ID"),
	}
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		id, err := caseOf(cmd, args[0])
		if err != nil {
			return err
		}
		s, err := o.open(cmd.Context(), cmd)
		if err != nil {
			return err
		}
		defer s.Close()
		n, err := s.Notice(cmd.Context(), id)
		if errors.Is(err, store.ErrNoNotice) {
			return fmt.Errorf("there is no case %d; \"gatepost notice list\" shows those that there are", id)
		}
		if err != nil {
			return err
		}
		c := commonFlags(cmd)
		if c.JSON {
			return printJSON(cmd.OutOrStdout(), n)
		}
		newScreen(cmd.OutOrStdout(), c.NoColor).wholeNotice(&n)
		return nil
	}
	return cmd
}

func (s screen) wholeNotice(n *store.Notice) {
	s.notice(n)
	s.known("opened", moment(n.Opened))
	if n.Checked.After(n.Opened) {
		s.known("checked", moment(n.Checked))
	}
	if !n.Mended.IsZero() {
		s.known("mended", moment(n.Mended))
	}
	if n.Draft.Reference != "" {
		s.known("message", printable(n.Draft.Reference))
	}
	for _, r := range n.Draft.Recipients {
		s.known("to", printable(r.Address)+" ("+r.Source+")")
	}
	for _, l := range n.Letters {
		text := l.State + " to " + l.Recipient + " on " + moment(l.At)
		if l.State == store.LetterSending {
			text += "; if the program ended then, nobody knows whether it was sent"
		}
		if l.Detail != "" {
			text += ": " + l.Detail
		}
		s.known("letter", printable(text))
	}
	s.known("subject", printable(n.Draft.Subject))
	s.line("")
	for line := range strings.Lines(n.Draft.Text) {
		s.line(printable(strings.TrimSuffix(line, "\n")))
	}
}

const noticeFiguresHelp = `Show what came of the letters: how many domains were written to, how many of
them mended it, and how fast.

Exit status: 0 shown; 2 it could not be done.`

func noticeFiguresCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "figures [--since T]",
		Short:   "Show how many mended it, and how fast",
		Long:    noticeFiguresHelp,
		Example: "  gatepost notice figures --since 365d",
		Args:    noArguments,
	}
	since := cmd.Flags().String("since", "3650d", "cases that were opened from this `TIME` on: a duration back, a date or a time")
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		from, err := when.Since(*since, present(cmd))
		if err != nil {
			return usageError(cmd, "--since %q: %v", *since, err)
		}
		s, err := o.open(cmd.Context(), cmd)
		if err != nil {
			return err
		}
		defer s.Close()
		office := &notice.Office{Store: s}
		f, err := office.Figures(cmd.Context(), from)
		if err != nil {
			return err
		}
		c := commonFlags(cmd)
		if c.JSON {
			return printJSON(cmd.OutOrStdout(), f)
		}
		newScreen(cmd.OutOrStdout(), c.NoColor).noticeFigures(&f)
		return nil
	}
	return cmd
}

func (s screen) noticeFigures(f *notice.Figures) {
	s.line(s.paint(bold, plural(f.Written, "domain")+" written to"))
	part := func(n int) string {
		return fmt.Sprintf("%d (%s)", n, insight.Percent(100*float64(n)/float64(max(1, f.Written))))
	}
	s.known("mended", part(f.Mended))
	if f.Mended > 0 {
		s.known("days", fmt.Sprintf("half of them within %d, a quarter within %d, three quarters within %d", f.Days[1], f.Days[0], f.Days[2]))
	}
	s.known("open", part(f.Open))
	s.known("bounced", part(f.Bounced))
	s.known("closed", part(f.Closed))
	s.line("")
	s.line(fmt.Sprintf("Not written to: %d proposed, %d declined, %d mended by themselves", f.Proposed, f.Declined, f.Unasked))
	for _, x := range f.Faults {
		s.line(fmt.Sprintf("  %s: %d of %d mended", pad(printable(x.Fault), 28), x.Mended, x.Written))
	}
}
