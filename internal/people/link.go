package people

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

const (
	// LinkLife is how long a link is good that nobody used.
	LinkLife = 72 * time.Hour

	// WelcomePath is where a link leads, with its token behind.
	WelcomePath = "/welcome/"

	// CommandLine is the author of what is done on the server, which needs nobody's leave. No person has such a name.
	CommandLine = "command line"

	firstAuthor = "first user" // likewise
)

// Invite makes a link that is good once, and gives its token. It is for a new person, with a name or not, who gets the grants of it; or for
// somebody who is there, to choose another password. One that is for the same person and older is good no more. The author is the name of a
// person, who must own everything as long as the link is to be good, or CommandLine. It wraps ErrTaken, ErrNoPerson or an Unfit.
func (o *Office) Invite(ctx context.Context, author string, l Link) (token string, err error) {
	if l.Person == 0 {
		err = o.checkNew(ctx, &l)
	} else {
		err = o.checkKnown(ctx, &l)
	}
	if err != nil {
		return "", err
	}
	if err := o.withdraw(ctx, func(old *Link) bool {
		return !old.Enters && old.Person == l.Person && old.Name == l.Name && (l.Person != 0 || l.Name != "")
	}); err != nil {
		return "", err
	}
	return o.addLink(ctx, author, l)
}

func (o *Office) addLink(ctx context.Context, author string, l Link) (token string, err error) {
	l.Author, l.Created = author, o.now()
	if l.Expires.IsZero() {
		l.Expires = l.Created.Add(LinkLife)
	}
	token, l.Hash = newSecret("")
	if err := o.Store.AddLink(ctx, l); err != nil {
		return "", err
	}
	return token, nil
}

func (o *Office) checkNew(ctx context.Context, l *Link) error {
	var err error
	if l.Grants, err = checkGrants(l.Grants, o.groups()); err != nil {
		return err
	}
	if len(l.Grants) == 0 {
		return &Unfit{"role", "Somebody who is invited needs a role."}
	}
	if l.Name == "" {
		return nil
	}
	if l.Name, err = CheckName(l.Name); err != nil {
		return err
	}
	switch _, err := o.Store.PersonByName(ctx, l.Name); {
	case err == nil:
		return fmt.Errorf("%s: %w", l.Name, ErrTaken)
	case !errors.Is(err, ErrNoPerson):
		return err
	}
	return nil
}

func (o *Office) checkKnown(ctx context.Context, l *Link) error {
	p, err := o.Store.PersonByID(ctx, l.Person)
	if err != nil {
		return err
	}
	if p.Elsewhere() && !l.Enters {
		return &Unfit{"name", p.Name + " signs in by the provider, and has no password here."}
	}
	if p.Disabled {
		return &Unfit{"name", p.Name + " is locked out; let in again first."}
	}
	return nil
}

// authorized tells whether who made a link could make it now: who may not let people in any more must not have left a way in behind.
func (o *Office) authorized(ctx context.Context, l *Link) (bool, error) {
	if l.Author == CommandLine || l.Author == firstAuthor {
		return true, nil
	}
	p, err := o.Store.PersonByName(ctx, l.Author)
	if errors.Is(err, ErrNoPerson) {
		return false, nil
	}
	return err == nil && !p.Disabled && o.access(&p).Everywhere() >= Owner, err
}

// withdraw removes links.
func (o *Office) withdraw(ctx context.Context, which func(*Link) bool) error {
	all, err := o.Store.Links(ctx, o.now())
	if err != nil {
		return err
	}
	for i := range all {
		if which(&all[i]) {
			if err := o.Store.RemoveLink(ctx, all[i].Hash); err != nil {
				return err
			}
		}
	}
	return nil
}

// ID names a link to who may take it back: of what is kept of it, which is no secret, the beginning.
func (l *Link) ID() string { return hex.EncodeToString(l.Hash[:8]) }

// Withdraw makes a link good for nothing, and says which it was. It wraps ErrNoLink.
func (o *Office) Withdraw(ctx context.Context, id string) (Link, error) {
	all, err := o.Store.Links(ctx, o.now())
	if err != nil {
		return Link{}, err
	}
	for i := range all {
		if all[i].ID() == id {
			return all[i], o.Store.RemoveLink(ctx, all[i].Hash)
		}
	}
	return Link{}, fmt.Errorf("%q: %w", id, ErrNoLink)
}

// FirstLink makes the link for the first person, who will own everything; there is no other way in. The one before is good no more. Where
// somebody is there already, it gives none.
func (o *Office) FirstLink(ctx context.Context) (token string, err error) {
	all, err := o.Store.People(ctx)
	if err != nil || len(all) > 0 {
		return "", err
	}
	if err := o.withdraw(ctx, func(old *Link) bool { return old.Author == firstAuthor }); err != nil {
		return "", err
	}
	return o.addLink(ctx, firstAuthor, Link{Grants: []Grant{{Everything, Owner}}})
}

// Welcome looks at a link without using it. It wraps ErrNoLink, also where the author is gone or could not make it any more.
func (o *Office) Welcome(ctx context.Context, token string) (Link, error) {
	h, ok := readSecret("", token)
	if !ok {
		return Link{}, ErrNoLink
	}
	l, err := o.Store.Link(ctx, h, o.now())
	if err != nil {
		return Link{}, err
	}
	if ok, err := o.authorized(ctx, &l); err != nil {
		return Link{}, err
	} else if !ok {
		return Link{}, ErrNoLink
	}
	switch {
	case l.Person != 0:
		if _, err := o.present(ctx, l.Person); errors.Is(err, ErrNobody) {
			return Link{}, ErrNoLink
		} else if err != nil {
			return Link{}, err
		}
	case l.Author == firstAuthor:
		all, err := o.Store.People(ctx)
		if err != nil {
			return Link{}, err
		}
		if len(all) > 0 { // somebody came another way
			return Link{}, ErrNoLink
		}
	}
	return l, nil
}

// Accept uses a link: it makes the new person with a password, or gives another to who is there already, whose sessions end. A link that
// enters is not used up, and needs neither name nor password. It wraps ErrNoLink, ErrTaken or an Unfit; after the latter two, the link is
// as good as before.
func (o *Office) Accept(ctx context.Context, token, name, password string) (Person, error) {
	l, err := o.Welcome(ctx, token)
	switch {
	case err != nil:
		return Person{}, err
	case l.Enters && l.Person != 0:
		return o.Store.PersonByID(ctx, l.Person)
	case l.Person != 0:
		return o.acceptAgain(ctx, l, password)
	}
	return o.acceptNew(ctx, l, name, password)
}

func (o *Office) acceptAgain(ctx context.Context, l Link, password string) (Person, error) {
	p, err := o.Store.PersonByID(ctx, l.Person)
	if err != nil {
		return Person{}, err
	}
	if err := checkPassword(p.Name, password); err != nil {
		return Person{}, err
	}
	text, err := o.newHash(ctx, password)
	if err != nil {
		return Person{}, err
	}
	if _, err := o.Store.TakeLink(ctx, l.Hash, o.now()); err != nil {
		return Person{}, err
	}
	if p, err = o.putPassword(ctx, p.ID, text); err != nil {
		return Person{}, err
	}
	if err := o.Store.RemoveSessions(ctx, p.ID, Hash{}); err != nil {
		return Person{}, err
	}
	o.Event(ctx, Event{Who: p.Name, What: "accept-link", About: p.Name, Detail: "another password; the link is of " + l.Author})
	return p, nil
}

func (o *Office) acceptNew(ctx context.Context, l Link, name, password string) (Person, error) {
	if l.Name != "" {
		name = l.Name
	}
	name, err := CheckName(name)
	if err != nil {
		return Person{}, err
	}
	if _, err := o.Store.PersonByName(ctx, name); err == nil {
		return Person{}, fmt.Errorf("%s: %w", name, ErrTaken)
	}
	if err := checkPassword(name, password); err != nil {
		return Person{}, err
	}
	p := Person{Name: name, Grants: l.Grants, Created: o.now()}
	if p.Password, err = o.newHash(ctx, password); err != nil {
		return Person{}, err
	}
	if _, err := o.Store.TakeLink(ctx, l.Hash, o.now()); err != nil {
		return Person{}, err
	}
	id, err := o.Store.AddPerson(ctx, p)
	if err != nil { // nobody came in: somebody else has the name by now, or the store is away
		return Person{}, errors.Join(err, o.Store.AddLink(context.WithoutCancel(ctx), l))
	}
	o.Event(ctx, Event{Who: name, What: "accept-link", About: name, Detail: "new, " + Describe(p.Grants) + "; the link is of " + l.Author})
	return o.Store.PersonByID(ctx, id)
}
