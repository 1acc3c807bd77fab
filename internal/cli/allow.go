package cli

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/user"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/exceptions"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/when"
)

const allowHelp = `Exceptions: let in mail that the policy would not, of a domain that you know,
by one way in, until a date.

An exception holds within a second in a gate that runs, and every message that
it lets in is counted. It covers no forged From: another Author Domain, or
several, or mail that came another way is judged as before.

Exit status: that of the command beneath.`

func allowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "allow COMMAND",
		Short: "Make exceptions that end",
		Long:  allowHelp,
		Example: `  gatepost allow add example.com --network 192.0.2.0/24 --until 2026-12-31 \
      --reason "their new server is not in SPF yet"`,
		Args: noSuchCommand,
		RunE: needCommand,
	}
	cmd.AddCommand(allowAddCommand(), allowListCommand(), allowExtendCommand(), allowRemoveCommand())
	return cmd
}

const allowAddHelp = `Let in mail with the Author Domain DOMAIN that comes from a network, or that
bears a good DKIM signature of a domain (d=), whatever else the policy says.

DOMAIN is covered without its sub-domains; *.DOMAIN covers all beneath it.
With --dkim, whoever that domain signs for can write as DOMAIN: name one that
signs for nobody else.

The end is a day (2026-12-31, to its end in UTC), a time (RFC 3339) or a
duration (30d), and a year away at most.

Exit status: 0 added; 2 it could not be done.`

// allowFlags are the flags of allow add.
type allowFlags struct {
	store   storeFlags
	network networkValue
	sdid    string
	until   string
	reason  string
	author  string
}

func allowAddCommand() *cobra.Command {
	var o allowFlags
	cmd := &cobra.Command{
		Use:   "add DOMAIN --network CIDR|--dkim SDID --until DATE --reason WHY",
		Short: "Add an exception",
		Long:  allowAddHelp,
		Example: `  gatepost allow add example.com --network 192.0.2.0/24 --until 2026-12-31 \
      --reason "their new server is not in SPF yet"
  gatepost allow add example.com --dkim lists.example.net --until 30d \
      --reason "their list rewrites subjects"`,
		Args: arguments(1, 1, "DOMAIN"),
		RunE: func(cmd *cobra.Command, args []string) error { return runAllowAdd(cmd, args[0], &o) },
	}
	f := cmd.Flags()
	f.Var(&o.network, "network", "mail that comes from here: 192.0.2.0/24, 2001:db8::/48 or one address")
	f.StringVar(&o.sdid, "dkim", "", "mail that the domain `SDID` (d=) signed")
	f.StringVar(&o.until, "until", "", "the end: a `DATE`, a time or a duration")
	f.StringVar(&o.reason, "reason", "", "`WHY`, for whoever finds it later")
	f.StringVar(&o.author, "author", "", "who made it (default your login `NAME`)")
	o.store.add(cmd)
	return cmd
}

func runAllowAdd(cmd *cobra.Command, domain string, o *allowFlags) error {
	if err := require(cmd, "until", "reason"); err != nil {
		return err
	}
	if !o.network.IsValid() && o.sdid == "" {
		return usageError(cmd, "--network or --dkim is missing: without one, whoever forges %s would get in", domain)
	}
	now := present(cmd)
	until, err := when.Until(o.until, now)
	if err != nil {
		return usageError(cmd, "--until %q: %v", o.until, err)
	}
	if o.author == "" {
		if o.author = login(); o.author == "" {
			return usageError(cmd, "--author is missing, and your login is not known")
		}
	}
	x := store.Exception{
		Domain: domain, Network: o.network.Prefix, SDID: o.sdid, Until: until, Reason: o.reason, Author: o.author, Created: now.UTC().Truncate(time.Microsecond),
	}
	if err := exceptions.Check(&x, earlier(now)); err != nil {
		return err
	}
	s, err := o.store.open(cmd.Context(), cmd)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.AddException(cmd.Context(), &x); err != nil {
		return err
	}
	if commonFlags(cmd).JSON {
		return printJSON(cmd.OutOrStdout(), newAllowed(&x, now))
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d added: %s, %s, until %s\n", x.ID, printable(x.Domain), printable(exceptions.Way(&x)), end(x.Until))
	return nil
}

const allowRemoveHelp = `Remove exceptions. What they let in stays in the log.

Exit status: 0 removed; 2 it could not be done.`

func allowRemoveCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "remove ID...",
		Short:   "Remove exceptions",
		Long:    allowRemoveHelp,
		Example: "  gatepost allow remove 3",
		Args:    arguments(1, 1000, "ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return changeExceptions(cmd, &o, args, func(s store.Store, id int64) error {
				if err := s.RemoveException(cmd.Context(), id); err != nil {
					return err
				}
				if commonFlags(cmd).JSON {
					return printJSONLine(cmd.OutOrStdout(), map[string]any{"id": id, "removed": true})
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%d removed\n", id)
				return nil
			})
		},
	}
	o.add(cmd)
	return cmd
}

const allowExtendHelp = `Give exceptions another end, later or earlier: a day (2026-12-31), a time or a
duration from now, and a year away at most.

Exit status: 0 done; 2 it could not be done.`

func allowExtendCommand() *cobra.Command {
	var o storeFlags
	var date string
	cmd := &cobra.Command{
		Use:     "extend ID... --until DATE",
		Short:   "Give exceptions another end",
		Long:    allowExtendHelp,
		Example: "  gatepost allow extend 3 --until 60d",
		Args:    arguments(1, 1000, "ID"),
	}
	cmd.Flags().StringVar(&date, "until", "", "the end: a `DATE`, a time or a duration")
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := require(cmd, "until"); err != nil {
			return err
		}
		now := present(cmd)
		until, err := when.Until(date, now)
		if err != nil {
			return usageError(cmd, "--until %q: %v", date, err)
		}
		if err := exceptions.CheckUntil(until, earlier(now)); err != nil {
			return err
		}
		return changeExceptions(cmd, &o, args, func(s store.Store, id int64) error {
			if err := s.ExtendException(cmd.Context(), id, until); err != nil {
				return err
			}
			if commonFlags(cmd).JSON {
				return printJSONLine(cmd.OutOrStdout(), map[string]any{"id": id, "until": until})
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d holds until %s\n", id, end(until))
			return nil
		})
	}
	return cmd
}

// earlier is from when the longest time of an exception counts, though --at may lie ahead.
func earlier(now time.Time) time.Time {
	if real := time.Now(); real.Before(now) {
		return real
	}
	return now
}

// changeExceptions does something to each exception that is named.
func changeExceptions(cmd *cobra.Command, o *storeFlags, args []string, change func(store.Store, int64) error) error {
	var ids []int64
	for _, arg := range args {
		id, err := strconv.ParseInt(arg, 10, 64)
		if err != nil || id < 1 {
			return usageError(cmd, "%q: not the number of an exception; \"gatepost allow list\" shows them", arg)
		}
		ids = append(ids, id)
	}
	s, err := o.open(cmd.Context(), cmd)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, id := range ids {
		err := change(s, id)
		if errors.Is(err, store.ErrNoException) {
			return fmt.Errorf("there is no exception %d; \"gatepost allow list\" shows those that there are", id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// networkValue is a network, or one address.
type networkValue struct{ netip.Prefix }

func (v *networkValue) Set(s string) error {
	p, err := exceptions.ParseNetwork(s)
	if err != nil {
		return err
	}
	v.Prefix = p
	return nil
}

func (v *networkValue) Type() string { return "CIDR" }

func (v *networkValue) String() string {
	if !v.IsValid() {
		return ""
	}
	return v.Prefix.String()
}

// end writes the last moment of something; only the day where it is meant to the day's end.
func end(t time.Time) string { return cmp.Or(when.End(t), moment(t)) }

// login is who runs the command, and behind sudo who called that.
func login() string {
	if name := os.Getenv("SUDO_USER"); name != "" && os.Geteuid() == 0 {
		return name
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return os.Getenv("USER")
}
