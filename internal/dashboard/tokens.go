package dashboard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
)

// TokensIn asks for tokens.
type TokensIn struct{}

// Tokens are what lets programs in.
type Tokens struct {
	Tokens []TokenLine `json:"tokens"`
	Own    []RoleOver  `json:"own"` // what a new one may do at the most, over each group; none: no new one here
	API    string      `json:"api"` // where the API is
}

// A TokenLine is a token in a list. What it is is not kept.
type TokenLine struct {
	ID      int64       `json:"id"`
	Name    string      `json:"name"`
	User    string      `json:"user"` // whose it is
	Role    people.Role `json:"role"`
	Over    string      `json:"over"` // "*" is everything
	Created time.Time   `json:"created"`
	Used    time.Time   `json:"used,omitzero"`
	Expires time.Time   `json:"expires,omitzero"` // none: never
	Ended   bool        `json:"ended"`
}

// Says says in words what it may do.
func (t *TokenLine) Says() string {
	return people.Describe([]people.Grant{{Over: t.Over, Role: t.Role}})
}

func tokenLines(all []people.Token, names map[int64]string, now time.Time) []TokenLine {
	lines := []TokenLine{}
	for _, t := range all {
		lines = append(lines, TokenLine{t.ID, t.Name, names[t.Person], t.Role, t.Over, t.Created, t.Used, t.Expires, !t.Expires.IsZero() && !t.Expires.After(now)})
	}
	return lines
}

// AllTokens lists everybody's.
func (d *Desk) AllTokens(ctx context.Context, _ *people.Access, _ *TokensIn) (*Tokens, error) {
	all, err := d.Store.People(ctx)
	if err != nil {
		return nil, err
	}
	names := map[int64]string{}
	for _, p := range all {
		names[p.ID] = p.Name
	}
	tokens, err := d.Store.Tokens(ctx, 0)
	if err != nil {
		return nil, err
	}
	return &Tokens{Tokens: tokenLines(tokens, names, d.now()), Own: []RoleOver{}, API: d.api()}, nil
}

func (d *Desk) api() string { return d.Config().Web.Address() + "/api/v1" }

// OwnTokens are Tokens, on one's own page.
type OwnTokens struct{ Tokens }

// Crumbs lead to it.
func (*OwnTokens) Crumbs() []Crumb { return []Crumb{{"Your account", "/account"}} }

// OwnTokens lists those of who asks.
func (d *Desk) OwnTokens(ctx context.Context, who *people.Access, _ *TokensIn) (*OwnTokens, error) {
	answer := &OwnTokens{Tokens{Tokens: []TokenLine{}, Own: []RoleOver{}, API: d.api()}}
	if who.Person == 0 { // 0 would be everybody
		return answer, nil
	}
	tokens, err := d.Store.Tokens(ctx, who.Person)
	if err != nil {
		return nil, err
	}
	p, err := d.Store.PersonByID(ctx, who.Person)
	if err != nil {
		return nil, refused(err)
	}
	answer.Tokens.Tokens = tokenLines(tokens, map[int64]string{p.ID: p.Name}, d.now())
	for _, g := range d.groups() {
		if role := who.Holds(g); role >= people.Viewer && who.Token == 0 {
			answer.Own = append(answer.Own, RoleOver{Group: g, Role: role})
		}
	}
	return answer, nil
}

// Tables has the tokens.
func (t *Tokens) Tables() []Table {
	return []Table{{
		Name: "tokens", Columns: []string{"name", "user", "may", "created", "used last", "expires"},
		Rows: func(yield func([]string) bool) {
			for i := range t.Tokens {
				l := &t.Tokens[i]
				if !yield([]string{l.Name, l.User, l.Says(), stamp(l.Created), stamp(l.Used), stamp(l.Expires)}) {
					return
				}
			}
		},
	}}
}

// NewTokenIn asks for a token.
type NewTokenIn struct {
	Body struct {
		Name string `json:"name" required:"false" doc:"Of the program that will use it"`
		Role string `json:"role" required:"false" doc:"viewer, analyst or owner; no more than one's own"`
		Over string `json:"over" required:"false" doc:"A group of domains, or * for everything"`
		Days int    `json:"days" required:"false" doc:"After which it ends; 0: never"`
	}
}

const mostTokenDays = 3650

// DoNewToken makes a token of who asks.
func (d *Desk) DoNewToken(ctx context.Context, who *people.Access, in *NewTokenIn) (*Done, error) {
	role, err := people.ParseRole(in.Body.Role)
	if err != nil {
		return nil, invalid("role", "Choose what the program may do.")
	}
	if in.Body.Days < 0 || in.Body.Days > mostTokenDays {
		return nil, invalid("days", "Choose 0 to %d days; 0 is for ever.", mostTokenDays)
	}
	var expires time.Time
	if in.Body.Days > 0 {
		expires = d.now().AddDate(0, 0, in.Body.Days)
	}
	token, err := d.office().NewToken(ctx, who, in.Body.Name, role, in.Body.Over, expires)
	switch {
	case errors.Is(err, people.ErrRefused):
		return nil, invalid("", "Tokens are made by who has signed in, not by another token.")
	case err != nil:
		return nil, refused(err)
	}
	d.event(ctx, who, "add-token", who.Name, fmt.Sprintf("%s: %s", strings.TrimSpace(in.Body.Name), people.Describe([]people.Grant{{Over: in.Body.Over, Role: role}})))
	return &Done{To: "/account/tokens", Secret: token, Text: "Give this token to the program now. It is not shown again; whoever has it may do what it may."}, nil
}

// TokenIn names a token.
type TokenIn struct {
	ID int64 `path:"id" doc:"As the list of tokens has it"`
}

// DoRemoveToken removes a token of anybody.
func (d *Desk) DoRemoveToken(ctx context.Context, who *people.Access, in *TokenIn) (*Done, error) {
	return d.removeToken(ctx, who, in.ID, "/settings/tokens")
}

// DoRemoveOwnToken removes a token of who asks.
func (d *Desk) DoRemoveOwnToken(ctx context.Context, who *people.Access, in *TokenIn) (*Done, error) {
	return d.removeToken(ctx, who, in.ID, "/account/tokens")
}

func (d *Desk) removeToken(ctx context.Context, who *people.Access, id int64, to string) (*Done, error) {
	t, err := d.office().RemoveToken(ctx, who, id)
	if err != nil {
		return nil, refused(err)
	}
	owner := ""
	if p, err := d.Store.PersonByID(ctx, t.Person); err == nil {
		owner = p.Name
	}
	d.event(ctx, who, "remove-token", owner, t.Name)
	return &Done{To: to, Text: "The token " + t.Name + " is good for nothing any more."}, nil
}
