package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/people"
)

const usersSessionsHelp = `List where users are signed in, or end that with --end.

Exit status: 0 listed or ended, though there be none; 2 it could not be done.`

func usersSessionsCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "sessions [NAME] [--end]",
		Short:   "List where users are signed in",
		Long:    usersSessionsHelp,
		Example: "  gatepost users sessions\n  gatepost users sessions bob --end",
		Args:    arguments(0, 1, "NAME"),
	}
	end := cmd.Flags().Bool("end", false, "end all sessions of the user")
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *end && len(args) == 0 {
			return usageError(cmd, "--end needs the NAME of a user")
		}
		return o.at(func(d *usersDesk, args []string) error { return d.sessions(args, *end) })(cmd, args)
	}
	return cmd
}

// A session is one as JSON has it.
type session struct {
	User    string    `json:"user"`
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`
	Address string    `json:"address"`
	Agent   string    `json:"agent"`
	Method  string    `json:"method"`
}

// whose are the users that are meant: one, or all.
func (d *usersDesk) whose(args []string) ([]people.Person, error) {
	if len(args) == 0 {
		return d.store.People(d.cmd.Context())
	}
	p, err := d.person(args[0])
	return []people.Person{p}, err
}

func (d *usersDesk) sessions(args []string, end bool) error {
	users, err := d.whose(args)
	if err != nil {
		return err
	}
	all := []session{}
	for _, p := range users {
		some, err := d.office.Sessions(d.cmd.Context(), p.ID)
		if err != nil {
			return err
		}
		for _, s := range some {
			all = append(all, session{p.Name, s.Created, s.Seen, s.Address, s.Agent, s.Method})
		}
	}
	if end {
		p := users[0]
		if err := d.store.RemoveSessions(d.cmd.Context(), p.ID, people.Hash{}); err != nil {
			return err
		}
		d.event("end-sessions", p.Name, "")
		return d.say(map[string]any{"name": p.Name, "ended": len(all)}, "%s of %s ended", plural(len(all), "session"), printable(p.Name))
	}
	if d.json() {
		return printJSON(d.cmd.OutOrStdout(), all)
	}
	out := newScreen(d.cmd.OutOrStdout(), commonFlags(d.cmd).NoColor)
	for _, s := range all {
		out.line(out.paint(bold, printable(s.User)) + " by " + printable(s.Method) + " from " + printable(s.Address))
		for _, line := range wrap(fmt.Sprintf("since %s, seen last on %s; %s", moment(s.Created), moment(s.Seen), printable(s.Agent)), out.width-4) {
			out.line("    " + line)
		}
	}
	if len(all) == 0 {
		out.line("Nobody is signed in.")
	}
	return nil
}

const usersTokensHelp = `List the tokens by which programs use the API, or remove one. Tokens are made on
the dashboard, by whose they are.

Exit status: 0 listed or removed; 2 it could not be done.`

func usersTokensCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "tokens [NAME] [--remove ID]",
		Short:   "List the tokens of programs",
		Long:    usersTokensHelp,
		Example: "  gatepost users tokens\n  gatepost users tokens --remove 3",
		Args:    arguments(0, 1, "NAME"),
	}
	remove := cmd.Flags().Int64("remove", 0, "remove the token with this `ID`")
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("remove") && (*remove < 1 || len(args) > 0) {
			return usageError(cmd, "--remove takes the ID of a token alone; \"gatepost users tokens\" shows them")
		}
		return o.at(func(d *usersDesk, args []string) error {
			if *remove > 0 {
				return d.removeToken(*remove)
			}
			return d.tokens(args)
		})(cmd, args)
	}
	return cmd
}

// A token is one as JSON has it.
type token struct {
	ID      int64       `json:"id"`
	Name    string      `json:"name"`
	User    string      `json:"user"`
	Role    people.Role `json:"role"`
	Over    string      `json:"over"`
	Created time.Time   `json:"created"`
	Used    time.Time   `json:"used,omitzero"`
	Expires time.Time   `json:"expires,omitzero"`
}

func (d *usersDesk) removeToken(id int64) error {
	t, err := d.office.RemoveAnyToken(d.cmd.Context(), id)
	if err != nil {
		return removedToken(err, id)
	}
	name := ""
	if p, err := d.store.PersonByID(d.cmd.Context(), t.Person); err == nil {
		name = p.Name
	}
	d.event("remove-token", name, t.Name)
	return d.say(map[string]any{"id": t.ID, "name": t.Name, "user": name, "removed": true}, "%d removed: %s of %s", t.ID, printable(t.Name), printable(name))
}

func (d *usersDesk) tokens(args []string) error {
	users, err := d.whose(args)
	if err != nil {
		return err
	}
	all := []token{}
	for _, p := range users {
		some, err := d.store.Tokens(d.cmd.Context(), p.ID)
		if err != nil {
			return err
		}
		for _, t := range some {
			all = append(all, token{t.ID, t.Name, p.Name, t.Role, t.Over, t.Created, t.Used, t.Expires})
		}
	}
	if d.json() {
		return printJSON(d.cmd.OutOrStdout(), all)
	}
	out := newScreen(d.cmd.OutOrStdout(), commonFlags(d.cmd).NoColor)
	now := d.office.Now()
	for _, t := range all {
		const idColumn = 5
		out.line(pad(fmt.Sprint(t.ID), idColumn) + out.paint(bold, printable(t.Name)) + " of " + printable(t.User))
		used, ends := "not used yet", "no end"
		if !t.Used.IsZero() {
			used = "used last on " + moment(t.Used)
		}
		if !t.Expires.IsZero() {
			ends = "until " + moment(t.Expires)
			if !t.Expires.After(now) {
				ends = "ended on " + moment(t.Expires)
			}
		}
		may := people.Describe([]people.Grant{{Over: t.Over, Role: t.Role}})
		for _, line := range wrap(printable(may)+" at the most; "+ends+"; "+used, out.width-idColumn) {
			out.line(pad("", idColumn) + line)
		}
	}
	if len(all) == 0 {
		out.line("There are no tokens.")
	}
	return nil
}

const usersLogHelp = `Show the audit log, the latest last: who signed in, who failed to, and all that
somebody changed on the dashboard or by gatepost users. It goes back 400 days.

Exit status: 0 shown, though there be nothing; 2 it could not be done.`

func usersLogCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "log [-n N]",
		Short:   "Show who did what",
		Long:    usersLogHelp,
		Example: "  gatepost users log -n 20\n  gatepost users log --json",
		Args:    noArguments,
	}
	last := cmd.Flags().IntP("last", "n", 50, "the last `N` lines")
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *last < 1 || *last > maxLast {
			return usageError(cmd, "-n %d: it takes 1 to %d", *last, maxLast)
		}
		return o.at(func(d *usersDesk, _ []string) error { return d.log(*last) })(cmd, args)
	}
	return cmd
}

func (d *usersDesk) log(last int) error {
	all, err := d.store.Events(d.cmd.Context(), 0, last)
	if err != nil {
		return err
	}
	out := newScreen(d.cmd.OutOrStdout(), commonFlags(d.cmd).NoColor)
	for i := len(all) - 1; i >= 0; i-- {
		e := all[i]
		if d.json() {
			if err := printJSONLine(d.cmd.OutOrStdout(), e); err != nil {
				return err
			}
			continue
		}
		out.event(&e)
	}
	if len(all) == 0 && !d.json() {
		out.line("Nothing was done yet.")
	}
	return nil
}

// event writes one on a line, and more where it is long.
func (s screen) event(e *people.Event) {
	who := e.Who
	if who == "" {
		who = "somebody"
	}
	text := who + ": " + e.What
	if e.About != "" && e.About != e.Who {
		text += " " + e.About
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Address != "" {
		text += " (from " + e.Address + ")"
	}
	head := moment(e.At) + "  "
	for _, line := range wrap(printable(text), s.width-len(head)) {
		s.line(head + line)
		head = pad("", len(head))
	}
}
