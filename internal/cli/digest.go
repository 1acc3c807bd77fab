package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/digest"
	"github.com/gatepost-mail/gatepost/internal/letters"
	"github.com/gatepost-mail/gatepost/internal/store"
)

const digestHelp = `Show, list and send the letters that sum up what reports say of a domain. The
gate sends them by itself, when they are due; docs/digest.md says how.

Exit status: that of the command beneath.`

func digestCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "digest COMMAND",
		Short:   "Show, list and send letters about a domain's mail",
		Long:    digestHelp,
		Example: "  gatepost digest preview --domain example.com",
		Args:    noSuchCommand,
		RunE:    needCommand,
	}
	cmd.AddCommand(digestPreviewCommand(), digestListCommand(), digestSendCommand())
	return cmd
}

// A desk is where letters are written.
type desk struct {
	config  *config.Config
	store   store.Store
	letters *letters.Letters
}

// openDesk reads the configuration, and opens the store and who answers DNS.
func openDesk(cmd *cobra.Command, o *storeFlags) (*desk, error) {
	c, err := configured(cmd, o.config)
	if err != nil {
		return nil, err
	}
	flags := commonFlags(cmd)
	resolver, err := flags.resolverOf(c)
	if err != nil {
		return nil, err
	}
	s, err := o.open(cmd.Context(), cmd)
	if err != nil {
		return nil, err
	}
	l, err := letters.New(letters.Options{Config: c, Store: s, DNS: patient{resolver, flags.Timeout}})
	if err != nil {
		s.Close()
		return nil, err
	}
	return &desk{config: c, store: s, letters: l}, nil
}

// letterPeriod reads --period: the last that was due, or one by its name.
func letterPeriod(c *digest.Config, text string, now time.Time) (string, error) {
	if text == "last" {
		_, p, err := c.Due(now)
		return p, err
	}
	if _, err := digest.ParsePeriod(text); err != nil {
		return "", err
	}
	return text, nil
}

const digestPreviewHelp = `Print the letter of a period as it would be sent. Nothing is sent, and nothing
is noted.

NAME is that of a [[digest]] of the configuration, and may be left out if there
is only one. With --domain no digest needs to be configured. The period is a day
(2026-11-24), a week (2026-W47) or a month (2026-11); without one it is the last
that a letter was due for.

Exit status: 0 printed; 2 it could not be done.`

// previewFlags are the flags of digest preview.
type previewFlags struct {
	store   storeFlags
	domains []string
	every   string
	period  string
	html    string
	text    bool
	eml     bool
}

func digestPreviewCommand() *cobra.Command {
	var o previewFlags
	cmd := &cobra.Command{
		Use:   "preview [NAME | --domain D] [--period P] [--html FILE | --eml]",
		Short: "Print a letter as it would be sent",
		Long:  digestPreviewHelp,
		Example: `  gatepost digest preview weekly --html letter.html
  gatepost digest preview --domain example.com --period 2026-11`,
		Args: arguments(0, 1, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error { return runPreview(cmd, &o, args) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.domains, "domain", nil, "about this `DOMAIN`; may be repeated")
	f.StringVar(&o.every, "every", "", "with --domain: `HOW` often, daily, weekly or monthly (default weekly)")
	f.StringVar(&o.period, "period", "last", "of this `PERIOD`: 2026-11-24, 2026-W47, 2026-11 or last")
	f.StringVar(&o.html, "html", "", "write the HTML to this `FILE`, and its picture beside it")
	f.BoolVar(&o.text, "text", false, "print the text; this is the default")
	f.BoolVar(&o.eml, "eml", false, "print the mail, with all its parts")
	o.store.add(cmd)
	cmd.MarkFlagsMutuallyExclusive("html", "text", "eml")
	return cmd
}

func runPreview(cmd *cobra.Command, o *previewFlags, args []string) error {
	d, err := openDesk(cmd, &o.store)
	if err != nil {
		return err
	}
	defer d.store.Close()
	c, err := o.digest(cmd, d.config, args)
	if err != nil {
		return err
	}
	name, err := letterPeriod(c, o.period, present(cmd))
	if err != nil {
		return usageError(cmd, "--period: %v", err)
	}
	l, quiet, err := d.letters.Digests.Write(cmd.Context(), c, name)
	if err != nil {
		return err
	}
	if quiet && c.Quiet == digest.QuietNothing {
		fmt.Fprintln(cmd.ErrOrStderr(), "Nothing happened: this letter would not be sent.")
	}
	switch {
	case o.html != "":
		text := l.HTML
		for _, image := range l.Inline { // only mail programs know what cid: is
			text = strings.ReplaceAll(text, "cid:"+image.Name, image.Name)
		}
		if err := os.WriteFile(o.html, []byte(text), 0o644); err != nil {
			return err
		}
		for _, image := range l.Inline {
			if err := os.WriteFile(filepath.Join(filepath.Dir(o.html), image.Name), image.PNG, 0o644); err != nil {
				return err
			}
		}
		return nil
	case o.eml:
		server := d.config.Mail.Outbox()
		if server.From == "" {
			server.From = "gatepost@localhost"
		}
		l.Date = present(cmd)
		if len(l.To) == 0 {
			l.To = []string{"postmaster@localhost"}
		}
		return server.Write(cmd.OutOrStdout(), l)
	case commonFlags(cmd).JSON:
		return printJSON(cmd.OutOrStdout(), map[string]any{"name": c.Name, "period": name, "subject": l.Subject, "text": l.Text, "nothing_happened": quiet})
	}
	_, err = io.WriteString(cmd.OutOrStdout(), l.Text)
	return err
}

// digest is the one that is named, or one for the domains that are.
func (o *previewFlags) digest(cmd *cobra.Command, c *config.Config, args []string) (*digest.Config, error) {
	if len(o.domains) == 0 {
		if o.every != "" {
			return nil, usageError(cmd, "--every goes with --domain; a digest that has a name says itself how often it comes")
		}
		found, err := digest.Digest(c.Digests, optional(args))
		if err != nil {
			return nil, fmt.Errorf("%w; or name a domain with --domain", err)
		}
		return found, nil
	}
	if len(args) > 0 {
		return nil, usageError(cmd, "a name and --domain exclude each other")
	}
	made := &digest.Config{Name: "preview", Domains: o.domains, Every: o.every, To: []string{"postmaster@localhost"}}
	if _, err := made.Check(); err != nil {
		return nil, usageError(cmd, "%v", err)
	}
	return made, nil
}

func optional(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

const digestListHelp = `List the letters that were sent or are to be, the last first.

A letter that is sending for more than ten minutes is one of which nobody knows:
the program ended while it was sent. See whether it arrived, or have it sent
again: gatepost digest send NAME --period P --again.

Exit status: 0 listed; 1 there is one of which nobody knows, or that was
refused; 2 it could not be done.`

func digestListCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the letters that were sent",
		Long:    digestListHelp,
		Example: "  gatepost digest list --json",
		Args:    noArguments,
	}
	last := cmd.Flags().IntP("last", "n", 20, "the last `N` of them")
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := o.open(cmd.Context(), cmd)
		if err != nil {
			return err
		}
		defer s.Close()
		all, err := s.Letters(cmd.Context(), "", *last)
		if err != nil {
			return err
		}
		c, now := commonFlags(cmd), present(cmd)
		status := StatusFine
		list := []listedLetter{}
		for _, l := range all {
			x := listedLetter{l, l.State == store.LetterSending && now.Sub(l.At) > digest.Stuck}
			if x.Unknown || l.State == store.LetterFailed {
				status = StatusFails
			}
			list = append(list, x)
		}
		if c.JSON {
			if err := printJSON(cmd.OutOrStdout(), list); err != nil {
				return err
			}
			return exit(status)
		}
		out := newScreen(cmd.OutOrStdout(), c.NoColor)
		for i := range list {
			out.letter(&list[i])
		}
		if len(list) == 0 {
			out.line("No letter was sent yet.")
		}
		return exit(status)
	}
	return cmd
}

// A listedLetter is a letter as the commands print it.
type listedLetter struct {
	store.Letter
	Unknown bool `json:"unknown"` // whether it was sent
}

func (s screen) letter(l *listedLetter) {
	state, color := l.State, green
	switch {
	case l.Unknown:
		state, color = "unknown", red
	case l.State == store.LetterFailed:
		color = red
	case l.State == store.LetterWaiting, l.State == store.LetterSending:
		color = yellow
	case l.State == store.LetterNothing:
		color = dim
	}
	const stateColumn, periodColumn, timeColumn = 9, 12, 22
	s.line(s.paint(color, pad(state, stateColumn)) + pad(printable(l.Period), periodColumn) + pad(moment(l.At), timeColumn) + printable(l.Name))
	detail := printable(l.Detail)
	if l.Unknown {
		detail = fmt.Sprintf("Nobody knows whether it was sent. See whether it arrived, or send it again: gatepost digest send %s --period %s --again",
			printable(l.Name), printable(l.Period))
	}
	for _, line := range wrap(detail, s.width-stateColumn) {
		s.line(strings.Repeat(" ", stateColumn) + line)
	}
}

const digestSendHelp = `Send a letter now, and note that it was sent. One that was sent, or of which
nobody knows whether it was, is sent only with --again: as another message, with
another Message-ID.

Exit status: 0 sent; 1 it was sent before, or the mail server refused it; 2 it
could not be done; 3 the mail server put it off: the gate tries again.`

func digestSendCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "send NAME [--period P] [--again]",
		Short:   "Send a letter now",
		Long:    digestSendHelp,
		Example: "  gatepost digest send weekly --again",
		Args:    arguments(1, 1, "NAME"),
	}
	f := cmd.Flags()
	text := f.String("period", "last", "of this `PERIOD`: 2026-11-24, 2026-W47, 2026-11 or last")
	again := f.Bool("again", false, "though it was sent before")
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		d, err := openDesk(cmd, &o)
		if err != nil {
			return err
		}
		defer d.store.Close()
		c, err := digest.Digest(d.config.Digests, args[0])
		if err != nil {
			return err
		}
		name, err := letterPeriod(c, *text, present(cmd))
		if err != nil {
			return usageError(cmd, "--period: %v", err)
		}
		l, err := d.letters.Digests.Deliver(cmd.Context(), c, name, present(cmd), *again)
		switch {
		case errors.Is(err, digest.ErrNotSent):
			return &statusError{StatusFails, fmt.Errorf("%w; --again sends it in any case", err)}
		case err != nil && l.State == store.LetterFailed:
			return &statusError{StatusFails, err}
		case err != nil && l.State == store.LetterWaiting:
			return &statusError{StatusTemporary, err}
		case err != nil:
			return err
		}
		if commonFlags(cmd).JSON {
			return printJSON(cmd.OutOrStdout(), l)
		}
		if l.State == store.LetterNothing {
			fmt.Fprintf(cmd.OutOrStdout(), "%s of %s: nothing happened, and so nothing was sent\n", l.Name, l.Period)
			return nil
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s of %s: sent\n", l.Name, l.Period)
		return nil
	}
	return cmd
}
