package dashboard

import (
	"context"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
)

// UsersIn asks for the users.
type UsersIn struct{}

// Users are those who may sign in, and those who are invited.
type Users struct {
	Users    []UserLine `json:"users"`
	Links    []LinkLine `json:"links"`
	Groups   []string   `json:"groups"`   // that roles are held over: "*", which is everything, and those that the configuration names
	Provider string     `json:"provider"` // the issuer of OpenID by which people may come too; empty: none
}

// A UserLine is a user in a list.
type UserLine struct {
	Name     string         `json:"name"`
	Roles    []people.Grant `json:"roles"`
	Password bool           `json:"password"` // signs in by one
	Passkeys int            `json:"passkeys"`
	Code     bool           `json:"code"`     // of a second factor is asked for
	Provider bool           `json:"provider"` // signs in by OpenID, where the roles come from
	Disabled bool           `json:"disabled"` // locked out
	Created  time.Time      `json:"created"`
	Seen     time.Time      `json:"seen,omitzero"` // signed in last
}

// Says says the roles in words.
func (u *UserLine) Says() string { return people.Describe(u.Roles) }

// A LinkLine is a link that nobody used yet.
type LinkLine struct {
	ID      string         `json:"id"`
	Name    string         `json:"name"` // of whom it is for; empty: whoever has it chooses one
	New     bool           `json:"new"`  // for somebody who is not here yet
	Roles   []people.Grant `json:"roles"`
	Author  string         `json:"author"`
	Created time.Time      `json:"created"`
	Expires time.Time      `json:"expires"`
}

// Says says the roles in words.
func (l *LinkLine) Says() string { return people.Describe(l.Roles) }

func userLine(p *people.Person) UserLine {
	return UserLine{
		Name: p.Name, Roles: append([]people.Grant{}, p.Grants...), Password: p.Password != "", Passkeys: len(p.Passkeys), Code: p.TOTP != "",
		Provider: p.Subject != "", Disabled: p.Disabled, Created: p.Created, Seen: p.Seen,
	}
}

// Users lists the users.
func (d *Desk) Users(ctx context.Context, _ *people.Access, _ *UsersIn) (*Users, error) {
	all, err := d.Store.People(ctx)
	if err != nil {
		return nil, err
	}
	links, err := d.Store.Links(ctx, d.now())
	if err != nil {
		return nil, err
	}
	answer := &Users{Users: []UserLine{}, Links: []LinkLine{}, Groups: d.groups(), Provider: d.Config().Web.OIDC.Issuer}
	names := map[int64]string{}
	for i := range all {
		names[all[i].ID] = all[i].Name
		answer.Users = append(answer.Users, userLine(&all[i]))
	}
	for i := range links {
		l := &links[i]
		line := LinkLine{ID: l.ID(), Name: l.Name, New: l.Person == 0, Roles: append([]people.Grant{}, l.Grants...), Author: l.Author, Created: l.Created, Expires: l.Expires}
		if !line.New {
			line.Name = names[l.Person]
		}
		answer.Links = append(answer.Links, line)
	}
	return answer, nil
}

// groups are what roles are held over.
func (d *Desk) groups() []string {
	all := []string{people.Everything}
	for _, g := range d.Config().Web.Groups {
		all = append(all, g.Name)
	}
	return all
}

// Tables has the users.
func (u *Users) Tables() []Table {
	return []Table{{
		Name: "users", Columns: []string{"name", "roles", "password", "passkeys", "code", "provider", "locked out", "created", "signed in last"},
		Rows: func(yield func([]string) bool) {
			for i := range u.Users {
				l := &u.Users[i]
				if !yield([]string{l.Name, l.Says(), yes(l.Password), count(int64(l.Passkeys)), yes(l.Code), yes(l.Provider), yes(l.Disabled), stamp(l.Created), stamp(l.Seen)}) {
					return
				}
			}
		},
	}}
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

// stamp is a moment in a table; empty for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// InviteIn asks for a link for somebody new.
type InviteIn struct {
	Body struct {
		Name string `json:"name" required:"false" doc:"To sign in with. Whoever has the link chooses one if it is empty."`
		Role string `json:"role" required:"false" doc:"viewer, analyst or owner"`
		Over string `json:"over" required:"false" doc:"A group of domains, or * for everything"`
	}
}

// DoInvite makes a link that lets somebody new in, once.
func (d *Desk) DoInvite(ctx context.Context, who *people.Access, in *InviteIn) (*Done, error) {
	role, err := people.ParseRole(in.Body.Role)
	if err != nil {
		return nil, invalid("role", "Choose what the user may do.")
	}
	over := in.Body.Over
	if over == "" {
		over = people.Everything
	}
	l := people.Link{Name: in.Body.Name, Grants: []people.Grant{{Over: over, Role: role}}}
	token, err := d.office().Invite(ctx, who.Name, l)
	if err != nil {
		return nil, refused(err)
	}
	d.event(ctx, who, "invite-user", strings.ToLower(in.Body.Name), people.Describe(l.Grants))
	return &Done{To: "/settings/users", Secret: d.welcome(token), Text: "Send this link to whom it is for, by a way that nobody else reads. It is good once, for 72 hours."}, nil
}

// welcome is a link with its token.
func (d *Desk) welcome(token string) string {
	return d.Config().Web.Address() + people.WelcomePath + token
}

// WithdrawIn names a link.
type WithdrawIn struct {
	ID string `path:"id" doc:"As the list of users has it"`
}

// DoWithdraw makes a link good for nothing.
func (d *Desk) DoWithdraw(ctx context.Context, who *people.Access, in *WithdrawIn) (*Done, error) {
	l, err := d.office().Withdraw(ctx, in.ID)
	if err != nil {
		return nil, refused(err)
	}
	d.event(ctx, who, "withdraw-link", l.Name, "made by "+l.Author)
	return &Done{To: "/settings/users", Text: "The link is good no more."}, nil
}
