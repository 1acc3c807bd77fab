package dashboard

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
)

// UserIn names a user.
type UserIn struct {
	Name string `path:"name" doc:"Of the user"`
}

// User is one user with all that lets in.
type User struct {
	UserLine
	Over     []RoleOver    `json:"over"` // the role over each group
	Sessions []SessionLine `json:"sessions"`
	Tokens   []TokenLine   `json:"tokens"`
	You      bool          `json:"you"`
}

// A RoleOver is a role over one group.
type RoleOver struct {
	Group string      `json:"group"` // "*" is everything
	Role  people.Role `json:"role"`
	Gone  bool        `json:"gone"` // the configuration does not name the group any more
}

// A SessionLine is a browser that is signed in.
type SessionLine struct {
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`
	Address string    `json:"address"`
	Agent   string    `json:"agent"`
	Method  string    `json:"method"`
}

// Title is the page's.
func (u *User) Title() string { return u.Name }

// Crumbs lead to it.
func (u *User) Crumbs() []Crumb {
	return []Crumb{{"Settings", "/settings"}, {"Users", "/settings/users"}}
}

func (d *Desk) person(ctx context.Context, name string) (people.Person, error) {
	p, err := d.Store.PersonByName(ctx, name)
	return p, refused(err)
}

// User shows one user.
func (d *Desk) User(ctx context.Context, who *people.Access, in *UserIn) (*User, error) {
	p, err := d.person(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	sessions, err := d.office().Sessions(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	tokens, err := d.Store.Tokens(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	u := &User{UserLine: userLine(&p), Over: []RoleOver{}, Sessions: []SessionLine{}, You: p.ID == who.Person}
	groups := d.groups()
	for _, g := range groups {
		u.Over = append(u.Over, RoleOver{Group: g, Role: roleOver(&p, g)})
	}
	for _, g := range p.Grants {
		if !slices.Contains(groups, g.Over) {
			u.Over = append(u.Over, RoleOver{g.Over, g.Role, true})
		}
	}
	for _, s := range sessions {
		u.Sessions = append(u.Sessions, SessionLine{s.Created, s.Seen, s.Address, s.Agent, s.Method})
	}
	u.Tokens = tokenLines(tokens, map[int64]string{p.ID: p.Name}, d.now())
	return u, nil
}

func roleOver(p *people.Person, group string) people.Role {
	for _, g := range p.Grants {
		if g.Over == group {
			return g.Role
		}
	}
	return people.Nobody
}

// RoleIn says what a user may do over a group.
type RoleIn struct {
	Name string `path:"name" doc:"Of the user"`
	Body struct {
		Over string `json:"over" required:"false" doc:"A group of domains, or * for everything"`
		Role string `json:"role" required:"false" doc:"viewer, analyst, owner, or none"`
	}
}

func userPath(name string) string { return "/settings/users/" + url.PathEscape(name) }

// DoRole gives a user a role over a group, or takes it away.
func (d *Desk) DoRole(ctx context.Context, who *people.Access, in *RoleIn) (*Done, error) {
	role := people.Nobody
	if in.Body.Role != people.Nobody.String() {
		var err error
		if role, err = people.ParseRole(in.Body.Role); err != nil {
			return nil, invalid("role", "There are none, viewer, analyst and owner.")
		}
	}
	p, err := d.person(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	if p.Elsewhere() {
		return nil, invalid("role", "%s comes by the provider, and the groups there give the role at each sign-in.", p.Name)
	}
	p, err = d.office().SetRole(ctx, p.ID, in.Body.Over, role)
	if err != nil {
		return nil, refused(err)
	}
	d.event(ctx, who, "set-role", p.Name, people.Describe([]people.Grant{{Over: in.Body.Over, Role: role}}))
	return &Done{To: userPath(p.Name), Text: p.Says() + " now."}, nil
}

// DoLink makes a link by which a user chooses another password, once.
func (d *Desk) DoLink(ctx context.Context, who *people.Access, in *UserIn) (*Done, error) {
	p, err := d.person(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	token, err := d.office().Invite(ctx, who.Name, people.Link{Person: p.ID})
	if err != nil {
		return nil, refused(err)
	}
	d.event(ctx, who, "link-user", p.Name, "to choose another password")
	return &Done{To: userPath(p.Name), Secret: d.welcome(token),
		Text: "Send this link to " + p.Name + ", by a way that nobody else reads. Whoever opens it chooses another password, and is signed in. It is good once, for 72 hours."}, nil
}

// DoDisable locks a user out.
func (d *Desk) DoDisable(ctx context.Context, who *people.Access, in *UserIn) (*Done, error) {
	return d.changeUser(ctx, who, in.Name, "disable-user", "%s is locked out. Sessions have ended, and tokens are good for nothing meanwhile.",
		func(o *people.Office, id int64) error {
			_, err := o.Disable(ctx, id)
			return err
		})
}

// DoEnable lets a user in again.
func (d *Desk) DoEnable(ctx context.Context, who *people.Access, in *UserIn) (*Done, error) {
	return d.changeUser(ctx, who, in.Name, "enable-user", "%s may sign in again.", func(o *people.Office, id int64) error {
		_, err := o.Enable(ctx, id)
		return err
	})
}

// DoEndSessions ends all sessions of a user.
func (d *Desk) DoEndSessions(ctx context.Context, who *people.Access, in *UserIn) (*Done, error) {
	return d.changeUser(ctx, who, in.Name, "end-sessions", "%s is signed out everywhere.", func(_ *people.Office, id int64) error {
		return d.Store.RemoveSessions(ctx, id, people.Hash{})
	})
}

func (d *Desk) changeUser(ctx context.Context, who *people.Access, name, what, text string, change func(*people.Office, int64) error) (*Done, error) {
	p, err := d.person(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := change(d.office(), p.ID); err != nil {
		return nil, refused(err)
	}
	d.event(ctx, who, what, p.Name, "")
	return &Done{To: userPath(p.Name), Text: fmt.Sprintf(text, p.Name)}, nil
}

// DoRemove deletes a user.
func (d *Desk) DoRemove(ctx context.Context, who *people.Access, in *UserIn) (*Done, error) {
	done, err := d.changeUser(ctx, who, in.Name, "remove-user", "%s is removed, with sessions and tokens.", func(o *people.Office, id int64) error { return o.Remove(ctx, id) })
	if err == nil {
		done.To = "/settings/users"
	}
	return done, err
}
