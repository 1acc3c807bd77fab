package people

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	mostTokens   = 50 // of a person
	maxTokenName = 64 // characters
)

// TokenAbsence is how long tokens are good after the last sign-in of somebody who signs in by a provider of OpenID alone. The provider
// tells nobody who leaves, and a token asks it nothing.
const TokenAbsence = 30 * 24 * time.Hour

// Errors of tokens that callers tell apart.
var (
	ErrNoToken = errors.New("no such token")
	ErrMore    = errors.New("nobody gives more than the own role")
)

// Token is who has a token. It wraps ErrNobody.
func (o *Office) Token(ctx context.Context, bearer string) (*Access, error) {
	h, ok := readSecret(tokenPrefix, bearer)
	if !ok {
		return nil, ErrNobody
	}
	now := o.now()
	t, err := o.Store.TokenByHash(ctx, h, now)
	if err != nil {
		return nil, err
	}
	p, err := o.present(ctx, t.Person)
	if err != nil {
		return nil, err
	}
	if p.Elsewhere() && now.Sub(p.Seen) >= TokenAbsence { // Seen is of sign-ins, and no token changes it
		return nil, ErrNobody
	}
	if now.Sub(t.Used) >= touchEvery {
		if err := o.Store.TouchToken(ctx, t.ID, now); err != nil {
			o.log().Warn("when a token was used could not be noted", "token", t.Name, "error", err.Error())
		}
	}
	a := o.access(&p).Within(t.Role, t.Over)
	a.Name, a.Token = "token "+t.Name+" of "+p.Name, t.ID
	return a, nil
}

// NewToken makes a token of who asks, which may do no more than a role over a group, nor ever more than that person may. It wraps ErrMore
// where that is more than who asks may now, an Unfit, or ErrRefused for a token that asks for another.
func (o *Office) NewToken(ctx context.Context, who *Access, name string, role Role, over string, expires time.Time) (token string, err error) {
	now := o.now()
	name, err = tokenName(name)
	switch {
	case err != nil:
		return "", err
	case who.Token != 0 || who.Person == 0: // one that leaked must not outlive its end
		return "", fmt.Errorf("tokens are made by who has signed in: %w", ErrRefused)
	case role < Viewer || role > who.Holds(over):
		return "", ErrMore
	case !expires.IsZero() && !expires.After(now):
		return "", &Unfit{"expires", "That is over already."}
	}
	own, err := o.Store.Tokens(ctx, who.Person)
	if err != nil {
		return "", err
	}
	if len(own) >= mostTokens {
		return "", &Unfit{"name", fmt.Sprintf("You have %d tokens, and no more are kept. Remove those that are not used.", len(own))}
	}
	for _, t := range own {
		if t.Name == name {
			return "", &Unfit{"name", "You have a token of that name."}
		}
	}
	token, h := newSecret(tokenPrefix)
	_, err = o.Store.AddToken(ctx, Token{Hash: h, Name: name, Person: who.Person, Role: role, Over: over, Created: now, Expires: expires})
	if err != nil {
		return "", err
	}
	return token, nil
}

func tokenName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > maxTokenName || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", &Unfit{"name", fmt.Sprintf("Name the program that will use it, in 1 to %d letters.", maxTokenName)}
	}
	return name, nil
}

// RemoveToken removes a token of who asks, or anybody's if who asks owns everything. It wraps ErrNoToken.
func (o *Office) RemoveToken(ctx context.Context, who *Access, id int64) (Token, error) {
	owner := who.Person
	if who.Everywhere() >= Owner {
		owner = 0
	} else if owner == 0 || who.Token != 0 {
		return Token{}, ErrNoToken
	}
	return o.removeToken(ctx, owner, id)
}

// RemoveAnyToken removes a token of anybody.
func (o *Office) RemoveAnyToken(ctx context.Context, id int64) (Token, error) {
	return o.removeToken(ctx, 0, id)
}

func (o *Office) removeToken(ctx context.Context, person, id int64) (Token, error) {
	all, err := o.Store.Tokens(ctx, person)
	if err != nil {
		return Token{}, err
	}
	for _, t := range all {
		if t.ID == id {
			return t, o.Store.RemoveToken(ctx, id)
		}
	}
	return Token{}, ErrNoToken
}
