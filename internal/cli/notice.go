package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/fetch"
	"github.com/gatepost-mail/gatepost/internal/letters"
	"github.com/gatepost-mail/gatepost/internal/notice"
	"github.com/gatepost-mail/gatepost/internal/signing"
	"github.com/gatepost-mail/gatepost/internal/store"
)

const noticeHelp = `Write to the owner of a domain whose records have its mail refused: what is
wrong, the record to publish, and how to check it. A letter is sent only after
somebody approved it, or a rule of the configuration that somebody wrote;
docs/notice.md says how it goes on from there.

Exit status: that of the command beneath.`

func noticeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "notice COMMAND",
		Short:   "Write to the owners of domains that have something to mend",
		Long:    noticeHelp,
		Example: "  gatepost notice draft example.com --language de\n  gatepost notice draft --ref k3tqmzv2 --open\n  gatepost notice approve 3",
		Args:    noSuchCommand,
		RunE:    needCommand,
	}
	cmd.AddCommand(noticeDraftCommand(), noticeListCommand(), noticeShowCommand(), noticeApproveCommand(), noticeDeclineCommand(), noticeCloseCommand(),
		noticeSendCommand(), noticeSuppressCommand(), noticeBounceCommand(), noticeFiguresCommand())
	return cmd
}

// A noticeDesk is where such letters are written.
type noticeDesk struct {
	config *config.Config
	store  store.Store
	office *notice.Office
}

// openNoticeDesk reads the configuration, and opens the store and who answers DNS.
func openNoticeDesk(cmd *cobra.Command, o *storeFlags, sign bool) (*noticeDesk, error) {
	c, err := configured(cmd, o.config)
	if err != nil {
		return nil, err
	}
	if !c.Notice.Enabled() {
		return nil, fmt.Errorf("letters need an address that they come from; write [notice] into %s: from, return_address and organization (docs/notice.md)", o.config)
	}
	flags := commonFlags(cmd)
	resolver, err := flags.resolverOf(c)
	if err != nil {
		return nil, err
	}
	var signers func(string) []dkim.Signer
	if sign {
		if signers, err = noticeSigners(c); err != nil {
			return nil, err
		}
	}
	s, err := o.open(cmd.Context(), cmd)
	if err != nil {
		return nil, err
	}
	office, err := letters.Office(letters.NoticeOptions{
		Options: letters.Options{Config: c, Store: s, DNS: patient{resolver, flags.Timeout}}, Signers: signers,
		Web: fetch.New(fetch.Options{Resolver: resolver}),
	})
	if err != nil {
		s.Close()
		return nil, err
	}
	return &noticeDesk{config: c, store: s, office: office}, nil
}

// noticeSigners are the keys that the gate signs with, if there are any.
func noticeSigners(c *config.Config) (func(string) []dkim.Signer, error) {
	settings, _, err := c.Signing.Settings()
	if err != nil || len(settings.SDIDs()) == 0 {
		return nil, err
	}
	if _, err := os.Stat(c.KeyDir()); err != nil {
		return nil, nil // none yet
	}
	dir, err := signing.OpenDirectory(c.KeyDir())
	if err != nil {
		return nil, err
	}
	rotor, err := signing.NewRotor(signing.Options{Directory: dir, Settings: settings})
	if err != nil {
		return nil, err
	}
	return rotor.Keyring().Signers, nil
}

const noticeDraftHelp = `Print the letter about DOMAIN, or about the message that was stopped under a
reference, and whom it would go to. Nothing is kept and nothing sent, unless
--open opens a case with it, which waits for gatepost notice approve.

Addresses are looked for in the domain's security.txt, in the SOA of its zone,
and at postmaster@; never is the MAIL FROM one of them.

Exit status: 0 printed; 1 there is no fault to write about, or nobody may be
written to; 2 it could not be done; 3 DNS did not answer, and no fault was seen.`

// draftFlags are the flags of notice draft.
type draftFlags struct {
	store    storeFlags
	ref      string
	language string
	format   string
	open     bool
	author   string
}

func noticeDraftCommand() *cobra.Command {
	var o draftFlags
	cmd := &cobra.Command{
		Use:     "draft DOMAIN|--ref REF [--language L] [--format F] [--open]",
		Short:   "Print the letter about a domain, or about a message",
		Long:    noticeDraftHelp,
		Example: "  gatepost notice draft example.com\n  gatepost notice draft --ref k3tqmzv2 --format html > letter.html\n  gatepost notice draft --ref k3tqmzv2 --open",
		Args:    arguments(0, 1, "DOMAIN"),
		RunE:    func(cmd *cobra.Command, args []string) error { return runNoticeDraft(cmd, &o, optional(args)) },
	}
	f := cmd.Flags()
	f.StringVar(&o.ref, "ref", "", "about the message with this `REFERENCE` in gatepost log")
	f.StringVar(&o.language, "language", "", "in this `LANGUAGE`: en, de, fr, es, nl, pt (default as the domain suggests)")
	f.StringVar(&o.format, "format", "text", "print it as `FORMAT`: text, html or eml")
	f.BoolVar(&o.open, "open", false, "open a case, whose letter somebody may then approve")
	f.StringVar(&o.author, "author", "", "who opens it (default your login `NAME`)")
	o.store.add(cmd)
	return cmd
}

func runNoticeDraft(cmd *cobra.Command, o *draftFlags, name string) error {
	if (name == "") == (o.ref == "") {
		return usageError(cmd, "name a DOMAIN, or a message with --ref")
	}
	if o.format != "text" && o.format != "html" && o.format != "eml" {
		return usageError(cmd, "--format %q: there are text, html and eml", o.format)
	}
	if name != "" {
		var err error
		if name, err = domainArgument(cmd, name); err != nil {
			return err
		}
	}
	d, err := openNoticeDesk(cmd, &o.store, false)
	if err != nil {
		return err
	}
	defer d.store.Close()
	if o.language != "" && !d.office.Languages.Has(o.language) {
		return usageError(cmd, "--language %q: there are %s", o.language, strings.Join(d.office.Languages.Names(), ", "))
	}
	about, err := o.subject(cmd, d.store, name)
	if err != nil {
		return err
	}
	now := present(cmd)
	var n store.Notice
	opened := false
	if o.open {
		if o.author, err = authorOf(cmd, o.author); err != nil {
			return err
		}
		n, opened, err = d.office.Propose(cmd.Context(), about, o.author, now)
	} else {
		n, err = d.office.Draft(cmd.Context(), about, now)
	}
	if err != nil {
		return noticeError(err)
	}
	if err := printDraft(cmd, d, n, o.format, now); err != nil {
		return err
	}
	switch {
	case opened:
		fmt.Fprintf(cmd.ErrOrStderr(), "Case %d opened; it waits for: gatepost notice approve %d\n", n.ID, n.ID)
	case o.open:
		fmt.Fprintf(cmd.ErrOrStderr(), "%s has an open case already: %d, which is %s\n", printable(n.Domain), n.ID, n.State)
	case len(n.Draft.Recipients) == 0:
		fmt.Fprintln(cmd.ErrOrStderr(), "Nobody was found to write to who accepts mail.")
	}
	return nil
}

// subject is the domain, or the message.
func (o *draftFlags) subject(cmd *cobra.Command, s store.Store, name string) (notice.Subject, error) {
	about := notice.Subject{Language: o.language}
	if o.ref == "" {
		about.Domain = name
		return about, nil
	}
	found, err := s.Decisions(cmd.Context(), store.DecisionFilter{Reference: o.ref, Limit: 1})
	if err != nil {
		return about, err
	}
	if len(found) == 0 {
		return about, fmt.Errorf("there is no message %s in the store; \"gatepost log\" shows those that there are", printable(o.ref))
	}
	about.Decision = &found[0]
	return about, nil
}

// noticeError gives what keeps a letter from being written or sent its status.
func noticeError(err error) error {
	for _, no := range []error{notice.ErrNoFault, notice.ErrNobody, notice.ErrExcept, store.ErrNoticeHeld, store.ErrNoticeState} {
		if errors.Is(err, no) {
			return &statusError{StatusFails, err}
		}
	}
	if errors.Is(err, notice.ErrUnseen) {
		return &statusError{StatusTemporary, err}
	}
	return err
}

// authorOf is who does it: as a flag says, or the login.
func authorOf(cmd *cobra.Command, flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if name := login(); name != "" {
		return name, nil
	}
	return "", usageError(cmd, "--author is missing, and your login is not known")
}

// printDraft prints the letter of a case.
func printDraft(cmd *cobra.Command, d *noticeDesk, n store.Notice, format string, now time.Time) error {
	w := cmd.OutOrStdout()
	if commonFlags(cmd).JSON {
		return printJSON(w, n)
	}
	to := "postmaster@" + n.Domain
	if len(n.Draft.Recipients) > 0 {
		to = n.Draft.Recipients[0].Address
	}
	switch format {
	case "html":
		_, err := io.WriteString(w, n.Draft.HTML)
		return err
	case "eml":
		server := d.config.Mail.Outbox()
		server.From = d.config.Notice.From
		return server.Write(w, d.office.Mail(n, to, "draft@localhost", now))
	}
	s := newScreen(w, commonFlags(cmd).NoColor)
	for _, r := range n.Draft.Recipients {
		s.known("to", printable(r.Address)+" ("+r.Source+")")
	}
	s.known("subject", printable(n.Draft.Subject))
	s.line("")
	for line := range strings.Lines(n.Draft.Text) {
		s.line(printable(strings.TrimSuffix(line, "\n")))
	}
	return nil
}

// caseOf reads the number of a case.
func caseOf(cmd *cobra.Command, arg string) (int64, error) {
	id, err := strconv.ParseInt(arg, 10, 64)
	if err != nil || id < 1 {
		return 0, usageError(cmd, "%q: not the number of a case; \"gatepost notice list\" shows them", arg)
	}
	return id, nil
}

// eachCase does something to each case that is named.
func eachCase(cmd *cobra.Command, s store.Store, args []string, do func(context.Context, int64) (store.Notice, error)) error {
	var ids []int64
	for _, arg := range args {
		id, err := caseOf(cmd, arg)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	for _, id := range ids {
		n, err := do(cmd.Context(), id)
		if errors.Is(err, store.ErrNoNotice) {
			return fmt.Errorf("there is no case %d; \"gatepost notice list\" shows those that there are", id)
		}
		if err != nil {
			return noticeError(err)
		}
		if commonFlags(cmd).JSON {
			if err := printJSONLine(cmd.OutOrStdout(), n); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%d %s: %s\n", n.ID, n.State, printable(n.Domain))
	}
	return nil
}
