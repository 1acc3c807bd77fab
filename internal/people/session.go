package people

import (
	"context"
	"errors"
	"slices"
	"time"
)

// How long a session lasts.
const (
	SessionLife = 30 * 24 * time.Hour // at the most
	SessionIdle = 12 * time.Hour      // without being used

	// SessionOIDC is how long one lasts that began by a provider of OpenID: nobody tells us who leaves there, until the next sign-in.
	SessionOIDC = 12 * time.Hour
)

// MethodOIDC is the method of a sign-in by a provider of OpenID.
const MethodOIDC = "oidc"

// FreshFor is how long after a sign-in it may be changed who comes in, and how: a session that somebody got hold of, or a browser that was
// left open, must not become more than it is.
const FreshFor = 15 * time.Minute

const touchEvery = time.Minute

// Session is who has a cookie. It wraps ErrNobody.
func (o *Office) Session(ctx context.Context, cookie string) (*Access, error) {
	h, ok := readSecret("", cookie)
	if !ok {
		return nil, ErrNobody
	}
	now := o.now()
	s, err := o.Store.Session(ctx, h, now)
	if err != nil {
		return nil, err
	}
	if idle(&s, now) {
		if err := o.Store.RemoveSession(ctx, h); err != nil {
			o.log().Warn("a session that ended could not be deleted", "error", err.Error())
		}
		return nil, ErrNobody
	}
	p, err := o.present(ctx, s.Person)
	if err != nil {
		return nil, err
	}
	if now.Sub(s.Seen) >= touchEvery {
		if err := o.Store.TouchSession(ctx, h, now); err != nil { // it ends earlier then
			o.log().Warn("when a session was used could not be noted", "person", p.Name, "error", err.Error())
		}
	}
	a := o.access(&p)
	a.Session, a.Address, a.Fresh = h, s.Address, now.Sub(s.Created) < FreshFor
	return a, nil
}

func idle(s *Session, now time.Time) bool { return now.Sub(s.Seen) >= SessionIdle }

// present is a person who is let in.
func (o *Office) present(ctx context.Context, id int64) (Person, error) {
	p, err := o.Store.PersonByID(ctx, id)
	if errors.Is(err, ErrNoPerson) || err == nil && p.Disabled {
		return Person{}, ErrNobody
	}
	return p, err
}

// Begin begins a session of somebody who has shown who it is, and gives the cookie for it.
func (o *Office) Begin(ctx context.Context, p Person, method, address, agent string) (cookie string, err error) {
	now := o.now()
	p, err = o.change(ctx, p.ID, func(p *Person) error {
		if p.Disabled {
			return ErrRefused
		}
		p.Seen = now
		return nil
	})
	if err != nil {
		return "", err
	}
	cookie, h := newSecret("")
	life := SessionLife
	if method == MethodOIDC {
		life = SessionOIDC
	}
	s := Session{Hash: h, Person: p.ID, Created: now, Seen: now, Expires: now.Add(life), Address: address, Agent: agent, Method: method}
	if err := o.Store.AddSession(ctx, s); err != nil {
		return "", err
	}
	o.Event(ctx, Event{Who: p.Name, Address: address, What: "sign-in", About: p.Name, Detail: method})
	return cookie, nil
}

// End ends the session of who asks.
func (o *Office) End(ctx context.Context, who *Access) error {
	if who.Session == (Hash{}) {
		return nil
	}
	if err := o.Store.RemoveSession(ctx, who.Session); err != nil {
		return err
	}
	o.Event(ctx, Event{Who: who.Name, Address: who.Address, What: "sign-out", About: who.Name})
	return nil
}

// EndOthers ends all other sessions of who asks.
func (o *Office) EndOthers(ctx context.Context, who *Access) error {
	return o.Store.RemoveSessions(ctx, who.Person, who.Session)
}

// Sessions are those of a person that have not ended, the latest first.
func (o *Office) Sessions(ctx context.Context, person int64) ([]Session, error) {
	now := o.now()
	all, err := o.Store.Sessions(ctx, person, now)
	return slices.DeleteFunc(all, func(s Session) bool { return idle(&s, now) }), err
}
