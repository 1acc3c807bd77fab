package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/notice"
	"github.com/gatepost-mail/gatepost/internal/store"
)

const noticeApproveHelp = `Let the letters of cases be sent: by the gate, as soon as the limits allow, or
by gatepost notice send. One that bounced goes to the next who may be written
to. Read it before: gatepost notice show ID.

Exit status: 0 done; 1 a case is in another state; 2 it could not be done.`

func noticeApproveCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "approve ID...",
		Short:   "Let letters be sent",
		Long:    noticeApproveHelp,
		Example: "  gatepost notice approve 3",
		Args:    arguments(1, 1000, "ID"),
	}
	author := cmd.Flags().String("author", "", "who approves (default your login `NAME`)")
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return changeCases(cmd, &o, args, *author, func(ctx context.Context, office *notice.Office, id int64, by string) (store.Notice, error) {
			return office.Approve(ctx, id, by, present(cmd))
		})
	}
	return cmd
}

const noticeDeclineHelp = `Have the letters of cases not be sent, and close them.

Exit status: 0 done; 1 a case is in another state; 2 it could not be done.`

func noticeDeclineCommand() *cobra.Command {
	return noticeEndCommand((*notice.Office).Decline, "declines", &cobra.Command{
		Use:     "decline ID... [--reason WHY]",
		Short:   "Have letters not be sent",
		Long:    noticeDeclineHelp,
		Example: "  gatepost notice decline 3 --reason \"we called them\"",
	})
}

const noticeCloseHelp = `Close cases whose letters were sent: nobody looks any more whether they are
mended. They count as closed without being mended.

Exit status: 0 done; 1 a case is in another state; 2 it could not be done.`

func noticeCloseCommand() *cobra.Command {
	return noticeEndCommand((*notice.Office).Close, "closes", &cobra.Command{
		Use:     "close ID... [--reason WHY]",
		Short:   "Look no more whether it is mended",
		Long:    noticeCloseHelp,
		Example: "  gatepost notice close 3 --reason \"they gave the domain up\"",
	})
}

// noticeEndCommand is one that ends cases, for a reason; does is what its author does.
func noticeEndCommand(end func(o *notice.Office, ctx context.Context, id int64, by, reason string, now time.Time) (store.Notice, error),
	does string, cmd *cobra.Command) *cobra.Command {
	var o storeFlags
	cmd.Args = arguments(1, 1000, "ID")
	author := cmd.Flags().String("author", "", "who "+does+" (default your login `NAME`)")
	reason := cmd.Flags().String("reason", "", "`WHY`, for whoever reads it later")
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return changeCases(cmd, &o, args, *author, func(ctx context.Context, office *notice.Office, id int64, by string) (store.Notice, error) {
			return end(office, ctx, id, by, *reason, present(cmd))
		})
	}
	return cmd
}

// changeCases gives cases another state. It takes a store and no mail server.
func changeCases(cmd *cobra.Command, o *storeFlags, args []string, author string,
	change func(ctx context.Context, office *notice.Office, id int64, by string) (store.Notice, error)) error {
	by, err := authorOf(cmd, author)
	if err != nil {
		return err
	}
	s, err := o.open(cmd.Context(), cmd)
	if err != nil {
		return err
	}
	defer s.Close()
	office := &notice.Office{Store: s}
	return eachCase(cmd, s, args, func(ctx context.Context, id int64) (store.Notice, error) { return change(ctx, office, id, by) })
}

const noticeSendHelp = `Send the letters of cases that were approved, now. The limits hold here as well:
one letter to a domain in 90 days, one to an address in a day, and so many of
all in an hour and in a day.

Exit status: 0 sent; 1 one may not be sent, or was refused; 2 it could not be
done; 3 the mail server put one off: the gate tries again.`

func noticeSendCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "send ID...",
		Short:   "Send letters that were approved",
		Long:    noticeSendHelp,
		Example: "  gatepost notice send 3",
		Args:    arguments(1, 1000, "ID"),
	}
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		d, err := openNoticeDesk(cmd, &o, true)
		if err != nil {
			return err
		}
		defer d.store.Close()
		return eachCase(cmd, d.store, args, func(ctx context.Context, id int64) (store.Notice, error) {
			n, err := d.store.Notice(ctx, id)
			if err != nil {
				return n, err
			}
			l, err := d.office.Deliver(ctx, n, present(cmd))
			switch {
			case err != nil && l.State == store.LetterFailed:
				return n, &statusError{StatusFails, err}
			case err != nil && l.State == store.LetterWaiting:
				return n, &statusError{StatusTemporary, err}
			case err != nil:
				return n, err
			}
			return d.store.Notice(ctx, id)
		})
	}
	return cmd
}

const noticeSuppressHelp = `Have nobody write to a domain and those beneath it, or to an address; without
one, list whom nobody writes to. Whoever asked for it, or whose address does not
exist, is among them by itself.

Exit status: 0 done; 1 it was not so, with --remove; 2 it could not be done.`

func noticeSuppressCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "suppress [DOMAIN|ADDRESS --reason WHY]",
		Short:   "Have nobody write to a domain or an address",
		Long:    noticeSuppressHelp,
		Example: "  gatepost notice suppress example.com --reason \"they asked by telephone\"\n  gatepost notice suppress example.com --remove",
		Args:    arguments(0, 1, "DOMAIN"),
	}
	f := cmd.Flags()
	reason := f.String("reason", "", "`WHY`, for whoever reads it later")
	author := f.String("author", "", "who says so (default your login `NAME`)")
	remove := f.Bool("remove", false, "take it back")
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := o.open(cmd.Context(), cmd)
		if err != nil {
			return err
		}
		defer s.Close()
		if len(args) == 0 {
			return printSuppressions(cmd, s)
		}
		subject, err := suppressed(cmd, args[0])
		if err != nil {
			return err
		}
		if *remove {
			was, err := s.Unsuppress(cmd.Context(), subject)
			if err == nil && !was {
				err = &statusError{StatusFails, fmt.Errorf("%s was not kept from being written to", printable(subject))}
			}
			return err
		}
		if err := require(cmd, "reason"); err != nil {
			return err
		}
		by, err := authorOf(cmd, *author)
		if err != nil {
			return err
		}
		x := store.Suppression{Subject: subject, Reason: *reason, Author: by, At: present(cmd).UTC().Truncate(time.Microsecond)}
		if err := s.Suppress(cmd.Context(), x); err != nil {
			return err
		}
		if commonFlags(cmd).JSON {
			return printJSON(cmd.OutOrStdout(), x)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "Nobody writes to %s from now on\n", printable(subject))
		return nil
	}
	return cmd
}

// suppressed reads a domain or an address.
func suppressed(cmd *cobra.Command, arg string) (string, error) {
	local, domain := "", arg
	if at := strings.LastIndexByte(arg, '@'); at >= 0 {
		local, domain = arg[:at+1], arg[at+1:]
	}
	ascii, err := dns.ToASCII(domain)
	if err != nil || local == "@" {
		return "", usageError(cmd, "%q: neither a domain nor an address", arg)
	}
	return strings.ToLower(local) + ascii, nil
}

func printSuppressions(cmd *cobra.Command, s store.Store) error {
	all, err := s.Suppressions(cmd.Context())
	if err != nil {
		return err
	}
	c := commonFlags(cmd)
	if c.JSON {
		return printJSON(cmd.OutOrStdout(), append([]store.Suppression{}, all...))
	}
	out := newScreen(cmd.OutOrStdout(), c.NoColor)
	for _, x := range all {
		out.line(printable(x.Subject))
		out.known("why", printable(fmt.Sprintf("%s (%s, %s)", x.Reason, x.Author, x.At.Format(time.DateOnly))))
	}
	if len(all) == 0 {
		out.line("Nobody is kept from being written to.")
	}
	return nil
}

const noticeBounceHelp = `Read messages that came back to the return address of letters, and obey them: a
bounce (RFC 3464), a complaint (RFC 5965), or whatever somebody wrote who wants
no more. The gate does so with what comes in among the reports; this is for a
mail server that hands messages to a command. Without the token of a letter
that we sent, a message is none of these.

Exit status: 0 read, of whatever kind; 1 one is no answer to a letter of ours; 2
it could not be done.`

func noticeBounceCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "bounce [FILE...]",
		Short:   "Read what came back to letters, and obey it",
		Long:    noticeBounceHelp,
		Example: "  gatepost notice bounce < message.eml\n  gatepost notice bounce ~/Maildir/new",
	}
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		d, err := openNoticeDesk(cmd, &o, false)
		if err != nil {
			return err
		}
		defer d.store.Close()
		in := &inputs{paths: args, stdin: cmd.InOrStdin(), most: notice.MaxAnswer << 4}
		defer in.Close()
		status := StatusFine
		for f := range in.all() {
			known, err := bounced(cmd, d, f)
			if err != nil {
				return err
			}
			if !known {
				status = StatusFails
			}
		}
		return exit(status)
	}
	return cmd
}

// An answered is what became of a message that came back, as the command prints it.
type answered struct {
	File   string `json:"file"`
	Case   int64  `json:"case"` // 0: it answers none
	Domain string `json:"domain"`
	Kind   string `json:"kind"`
	Detail string `json:"detail"`
	State  string `json:"state"` // of the case
}

func bounced(cmd *cobra.Command, d *noticeDesk, f input) (bool, error) {
	if f.err != nil {
		return false, f.err
	}
	r, err := f.open()
	if err != nil {
		return false, err
	}
	defer r.Close()
	a, ok := d.office.Tokens.Read(io.LimitReader(r, notice.MaxAnswer))
	x := answered{File: f.name, Kind: a.Kind, Detail: a.Detail}
	if ok {
		n, err := d.office.Take(cmd.Context(), a, present(cmd))
		if err != nil && !errors.Is(err, store.ErrNoNotice) {
			return false, err
		}
		ok = err == nil
		x.Case, x.Domain, x.State = n.ID, n.Domain, n.State
	}
	if commonFlags(cmd).JSON {
		return ok, printJSONLine(cmd.OutOrStdout(), x)
	}
	if !ok {
		fmt.Fprintf(cmd.OutOrStdout(), "%s: no answer to a letter of ours\n", printable(display(f.name)))
		return false, nil
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, case %d of %s is %s\n", printable(display(f.name)), x.Kind, x.Case, printable(x.Domain), x.State)
	return true, nil
}
