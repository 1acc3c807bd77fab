package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/nearest"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
)

const usersHelp = `Say who may sign in at the dashboard, and what they may do there: a viewer sees;
an analyst also says whose sources are, makes exceptions and approves letters;
an owner also says who may do what. A role is held over everything, or over a
group of domains that the configuration names ([[web.group]]).

These work on the store itself: they help where nobody can sign in any more.

Exit status: that of the command beneath.`

func usersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "users COMMAND",
		Short:   "Say who may sign in at the dashboard",
		Long:    usersHelp,
		Example: "  gatepost users invite bob --role analyst --over shop\n  gatepost users link ada\n  gatepost users list",
		Args:    noSuchCommand,
		RunE:    needCommand,
	}
	cmd.AddCommand(usersListCommand(), usersInviteCommand(), usersLinkCommand(), usersWithdrawCommand(), usersRoleCommand(), usersDisableCommand(), usersEnableCommand(),
		usersRemoveCommand(), usersSessionsCommand(), usersTokensCommand(), usersLogCommand())
	return cmd
}

// commandLine is who does it, in the audit log.
const commandLine = people.CommandLine

// A usersDesk is where people are looked after.
type usersDesk struct {
	cmd    *cobra.Command
	config *config.Config
	store  store.Store
	office *people.Office
}

// openUsersDesk reads the configuration and opens the store.
func openUsersDesk(cmd *cobra.Command, o *storeFlags) (*usersDesk, error) {
	c, err := configured(cmd, o.config)
	switch {
	case err != nil && o.store == "":
		return nil, err
	case err != nil: // somebody must get in to mend it
		c = config.Default()
	}
	s, err := o.open(cmd.Context(), cmd)
	if err != nil {
		return nil, err
	}
	now := func() time.Time { return present(cmd).UTC().Truncate(time.Microsecond) }
	return &usersDesk{cmd, c, s, &people.Office{Store: s, Groups: c.Web.PeopleGroups, Now: now}}, nil
}

// at runs a command at the desk.
func (s *storeFlags) at(do func(*usersDesk, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		d, err := openUsersDesk(cmd, s)
		if err != nil {
			return err
		}
		defer d.store.Close()
		return d.explain(do(d, args))
	}
}

// event leaves a line in the audit log.
func (d *usersDesk) event(what, about, detail string) {
	d.office.Event(d.cmd.Context(), people.Event{Who: commandLine, What: what, About: about, Detail: detail})
}

// explain says how to mend what was wrong.
func (d *usersDesk) explain(err error) error {
	var unfit *people.Unfit
	switch {
	case errors.As(err, &unfit):
		return errors.New(strings.ToLower(unfit.Text[:1]) + strings.TrimSuffix(unfit.Text[1:], "."))
	case errors.Is(err, people.ErrTaken):
		return fmt.Errorf(`%w; "gatepost users role" gives somebody another role, "gatepost users link" another password`, err)
	case errors.Is(err, people.ErrLast):
		return fmt.Errorf(`%w; make another the owner first, with "gatepost users invite NAME --role owner" or "gatepost users role NAME owner"`, err)
	}
	return err
}

// person finds who is meant.
func (d *usersDesk) person(name string) (people.Person, error) {
	p, err := d.store.PersonByName(d.cmd.Context(), strings.ToLower(name))
	if !errors.Is(err, people.ErrNoPerson) {
		return p, err
	}
	all, err := d.store.People(d.cmd.Context())
	if err != nil {
		return p, err
	}
	var names []string
	for _, other := range all {
		names = append(names, other.Name)
	}
	if meant := nearest.Word(name, names); meant != "" {
		return p, fmt.Errorf("there is no user %q%s", name, didYouMean("", meant))
	}
	return p, fmt.Errorf("there is no user %q; \"gatepost users list\" shows those that there are", name)
}

// json tells whether JSON is to be printed.
func (d *usersDesk) json() bool { return commonFlags(d.cmd).JSON }

// say prints one line, or a value in the place of it.
func (d *usersDesk) say(v any, format string, a ...any) error {
	if d.json() {
		return printJSON(d.cmd.OutOrStdout(), v)
	}
	_, err := fmt.Fprintf(d.cmd.OutOrStdout(), format+"\n", a...)
	return err
}

// An account is a user as JSON has it.
type account struct {
	Name     string         `json:"name"`
	Roles    []people.Grant `json:"roles"`
	Password bool           `json:"password"`
	Passkeys int            `json:"passkeys"`
	Code     bool           `json:"code"`
	Provider string         `json:"provider"`
	Disabled bool           `json:"disabled"`
	Created  time.Time      `json:"created"`
	Seen     time.Time      `json:"seen,omitzero"`
}

func newAccount(p *people.Person) account {
	return account{p.Name, append([]people.Grant{}, p.Grants...), p.Password != "", len(p.Passkeys), p.TOTP != "", p.Subject, p.Disabled, p.Created, p.Seen}
}

// ways say how somebody signs in.
func (u *account) ways() string {
	var ways []string
	if u.Password {
		way := "password"
		if u.Code {
			way += " and code"
		}
		ways = append(ways, way)
	}
	if u.Passkeys > 0 {
		ways = append(ways, plural(u.Passkeys, "passkey"))
	}
	if u.Provider != "" {
		ways = append(ways, "provider")
	}
	if len(ways) == 0 {
		return "no way to sign in"
	}
	return strings.Join(ways, ", ")
}

const usersListHelp = `List the users, and the links that nobody used yet.

Exit status: 0 listed, though there be none; 2 it could not be done.`

func usersListCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the users",
		Long:    usersListHelp,
		Example: "  gatepost users list\n  gatepost users list --json",
		Args:    noArguments,
		RunE:    o.at(func(d *usersDesk, _ []string) error { return d.list() }),
	}
	o.add(cmd)
	return cmd
}

// An invitation is a link as JSON has it.
type invitation struct {
	ID      string         `json:"id"`
	Name    string         `json:"name"` // empty: whoever has it chooses
	New     bool           `json:"new"`
	Roles   []people.Grant `json:"roles"`
	Author  string         `json:"author"`
	Expires time.Time      `json:"expires"`
}

func (d *usersDesk) list() error {
	all, err := d.store.People(d.cmd.Context())
	if err != nil {
		return err
	}
	links, err := d.store.Links(d.cmd.Context(), d.office.Now())
	if err != nil {
		return err
	}
	users, invitations := []account{}, []invitation{}
	names := map[int64]string{}
	for i := range all {
		users = append(users, newAccount(&all[i]))
		names[all[i].ID] = all[i].Name
	}
	for _, l := range links {
		name := l.Name
		if l.Person != 0 {
			name = names[l.Person]
		}
		invitations = append(invitations, invitation{l.ID(), name, l.Person == 0, append([]people.Grant{}, l.Grants...), l.Author, l.Expires})
	}
	if d.json() {
		return printJSON(d.cmd.OutOrStdout(), map[string]any{"users": users, "links": invitations})
	}
	out := newScreen(d.cmd.OutOrStdout(), commonFlags(d.cmd).NoColor)
	for i := range users {
		out.account(&users[i])
	}
	if len(users) == 0 {
		out.line(`There are no users. "gatepost users invite NAME --role owner" makes a link for the first.`)
	}
	for _, l := range invitations {
		whom, what := l.Name, "to choose another password"
		if whom == "" {
			whom = "whoever has it"
		}
		if l.New {
			what = people.Describe(l.Roles)
		}
		out.line(fmt.Sprintf("A link for %s (%s): %s; by %s, until %s", printable(whom), l.ID, printable(what), printable(l.Author), moment(l.Expires)))
	}
	return nil
}

// account writes one on two lines.
func (s screen) account(u *account) {
	head := s.paint(bold, printable(u.Name))
	if u.Disabled {
		head += s.paint(red, " locked out")
	}
	s.line(head)
	seen := "never signed in"
	if !u.Seen.IsZero() {
		seen = "signed in last on " + moment(u.Seen)
	}
	for _, line := range wrap(printable(people.Describe(u.Roles)+"; "+u.ways()+"; "+seen), s.width-4) {
		s.line("    " + line)
	}
}
