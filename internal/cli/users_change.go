package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/nearest"
	"github.com/gatepost-mail/gatepost/internal/people"
)

// roleOf reads a role, or with none that there is to be none.
func roleOf(cmd *cobra.Command, text string, none bool) (people.Role, error) {
	var words []string
	if none {
		words = append(words, people.Nobody.String())
	}
	for _, r := range people.Roles {
		words = append(words, r.String())
	}
	for _, r := range append([]people.Role{people.Nobody}, people.Roles...) {
		if text == r.String() && (none || r != people.Nobody) {
			return r, nil
		}
	}
	return people.Nobody, usageError(cmd, "role %q: there are %s%s", text, strings.Join(words, ", "), didYouMean("", nearest.Word(text, words)))
}

// A link is one as it is printed, once.
type link struct {
	Name    string         `json:"name"`
	Roles   []people.Grant `json:"roles"`
	Link    string         `json:"link"`
	Expires time.Time      `json:"expires"`
}

// invite makes a link and prints it, with what it is for on standard error: the link alone can go to another program.
func (d *usersDesk) invite(l people.Link, name, what string) error {
	l.Expires = d.office.Now().Add(people.LinkLife)
	token, err := d.office.Invite(d.cmd.Context(), commandLine, l)
	if err != nil {
		return err
	}
	made := link{name, append([]people.Grant{}, l.Grants...), d.config.Web.Address() + people.WelcomePath + token, l.Expires}
	if d.json() {
		return printJSON(d.cmd.OutOrStdout(), made)
	}
	whom := name
	if whom == "" {
		whom = "whoever has it"
	}
	fmt.Fprintf(d.cmd.ErrOrStderr(), "A link for %s, %s. It is good once, until %s:\n", printable(whom), what, moment(made.Expires))
	_, err = fmt.Fprintln(d.cmd.OutOrStdout(), made.Link)
	return err
}

const usersInviteHelp = `Make a link by which somebody new signs in, and chooses a password. It is good
once, and for 72 hours. Without NAME, whoever has the link chooses one.

The link begins with web.url of the configuration, or where it listens.

Exit status: 0 made; 2 it could not be done.`

func usersInviteCommand() *cobra.Command {
	var o storeFlags
	var role, over string
	cmd := &cobra.Command{
		Use:     "invite [NAME] --role ROLE [--over GROUP]",
		Short:   "Make a link for somebody new",
		Long:    usersInviteHelp,
		Example: "  gatepost users invite bob --role analyst --over shop\n  gatepost users invite ada --role owner",
		Args:    arguments(0, 1, "NAME"),
	}
	cmd.Flags().StringVar(&role, "role", "", "what the user may do: the `ROLE` viewer, analyst or owner")
	cmd.Flags().StringVar(&over, "over", people.Everything, "over the domains of a `GROUP`, or * for everything")
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := require(cmd, "role"); err != nil {
			return err
		}
		may, err := roleOf(cmd, role, false)
		if err != nil {
			return err
		}
		return o.at(func(d *usersDesk, args []string) error {
			name := strings.ToLower(optional(args))
			grants := []people.Grant{{Over: over, Role: may}}
			if err := d.invite(people.Link{Name: name, Grants: grants}, name, people.Describe(grants)); err != nil {
				return err
			}
			d.event("invite-user", name, people.Describe(grants))
			return nil
		})(cmd, args)
	}
	return cmd
}

const usersLinkHelp = `Make a link by which a user chooses another password, and is signed in: for who
lost the password, or what the code comes from. It is good once, and for 72
hours. When it is used, all other sessions of the user end.

With --without-code, no code is asked for any more, until the user sets it up
anew.

Exit status: 0 made; 2 it could not be done.`

func usersLinkCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "link NAME [--without-code]",
		Short:   "Make a link for who lost the password",
		Long:    usersLinkHelp,
		Example: "  gatepost users link ada",
		Args:    arguments(1, 1, "NAME"),
	}
	without := cmd.Flags().Bool("without-code", false, "ask for no code any more")
	o.add(cmd)
	cmd.RunE = o.at(func(d *usersDesk, args []string) error {
		p, err := d.person(args[0])
		if err != nil {
			return err
		}
		if err := d.invite(people.Link{Person: p.ID}, p.Name, "to choose another password"); err != nil {
			return err
		}
		detail := "to choose another password"
		if *without {
			if err := d.office.DisableTOTP(d.cmd.Context(), p.ID); err != nil {
				return err
			}
			detail += ", and without a code"
		}
		d.event("link-user", p.Name, detail)
		return nil
	})
	return cmd
}

const usersWithdrawHelp = `Take back a link that nobody used yet: it is good for nothing then. The ID is
what "gatepost users list" has in parentheses.

Exit status: 0 done; 2 it could not be done, such as where there is no such
link any more.`

func usersWithdrawCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "withdraw ID",
		Short:   "Take back a link that nobody used",
		Long:    usersWithdrawHelp,
		Example: "  gatepost users withdraw 5d41402abc4b2a76",
		Args:    arguments(1, 1, "ID"),
		RunE: o.at(func(d *usersDesk, args []string) error {
			l, err := d.office.Withdraw(d.cmd.Context(), args[0])
			if errors.Is(err, people.ErrNoLink) {
				return fmt.Errorf("there is no link %q; \"gatepost users list\" shows those that wait", args[0])
			}
			if err != nil {
				return err
			}
			d.event("withdraw-link", l.Name, "made by "+l.Author)
			return d.say(map[string]any{"id": l.ID(), "name": l.Name, "withdrawn": true}, "The link %s is good no more", l.ID())
		}),
	}
	o.add(cmd)
	return cmd
}

const usersRoleHelp = `Give a user a role over everything, or over a group of domains; none takes it
away. It holds from the next request on, also where the user is signed in. Who
comes by a provider (web.oidc) has the roles of the groups there.

Exit status: 0 done; 2 it could not be done, such as to take it from the last
owner.`

func usersRoleCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "role NAME ROLE [--over GROUP]",
		Short:   "Give a user another role",
		Long:    usersRoleHelp,
		Example: "  gatepost users role bob analyst\n  gatepost users role bob none --over shop",
		Args:    arguments(2, 2, "NAME ROLE"),
	}
	over := cmd.Flags().String("over", people.Everything, "over the domains of a `GROUP`, or * for everything")
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		role, err := roleOf(cmd, args[1], true)
		if err != nil {
			return err
		}
		return o.at(func(d *usersDesk, args []string) error {
			p, err := d.person(args[0])
			if err != nil {
				return err
			}
			if p.Elsewhere() {
				return fmt.Errorf("%s comes by the provider, and the groups there give the role; see web.oidc.role", printable(p.Name))
			}
			if p, err = d.office.SetRole(d.cmd.Context(), p.ID, *over, role); err != nil {
				return err
			}
			d.event("set-role", p.Name, people.Describe([]people.Grant{{Over: *over, Role: role}}))
			return d.say(newAccount(&p), "%s", printable(p.Says()))
		})(cmd, args)
	}
	return cmd
}

// eachUser makes a command that does something to each user that is named.
func eachUser(use, short, help, what, done string, do func(context.Context, *people.Office, int64) error) *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use: use + " NAME...", Short: short, Long: help, Example: "  gatepost users " + use + " bob", Args: arguments(1, 1000, "NAME"),
		RunE: o.at(func(d *usersDesk, args []string) error {
			for _, arg := range args {
				p, err := d.person(arg)
				if err != nil {
					return err
				}
				if err := do(d.cmd.Context(), d.office, p.ID); err != nil {
					return err
				}
				d.event(what, p.Name, "")
				if d.json() {
					err = printJSONLine(d.cmd.OutOrStdout(), map[string]any{"name": p.Name, "done": what})
				} else {
					_, err = fmt.Fprintf(d.cmd.OutOrStdout(), "%s %s\n", printable(p.Name), done)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}),
	}
	o.add(cmd)
	return cmd
}

const usersDisableHelp = `Lock users out, at once: sessions end, and tokens are good for nothing. Roles
and tokens are kept, for when they are let in again.

Exit status: 0 done; 2 it could not be done, such as to the last owner.`

func usersDisableCommand() *cobra.Command {
	return eachUser("disable", "Lock users out", usersDisableHelp, "disable-user", "is locked out", func(ctx context.Context, o *people.Office, id int64) error {
		_, err := o.Disable(ctx, id)
		return err
	})
}

const usersEnableHelp = `Let users in again who were locked out.

Exit status: 0 done; 2 it could not be done.`

func usersEnableCommand() *cobra.Command {
	return eachUser("enable", "Let users in again", usersEnableHelp, "enable-user", "may sign in again", func(ctx context.Context, o *people.Office, id int64) error {
		_, err := o.Enable(ctx, id)
		return err
	})
}

const usersRemoveHelp = `Delete users, with their sessions, links and tokens. What they did stays in the
audit log.

Exit status: 0 done; 2 it could not be done, such as to the last owner.`

func usersRemoveCommand() *cobra.Command {
	return eachUser("remove", "Delete users", usersRemoveHelp, "remove-user", "removed", func(ctx context.Context, o *people.Office, id int64) error { return o.Remove(ctx, id) })
}

// removedToken tells of a token that is not there in words for people.
func removedToken(err error, id int64) error {
	if errors.Is(err, people.ErrNoToken) {
		return fmt.Errorf("there is no token %d; \"gatepost users tokens\" shows those that there are", id)
	}
	return err
}
