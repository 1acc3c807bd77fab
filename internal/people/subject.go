package people

import (
	"context"
	"errors"
	"fmt"
)

const mostAlike = 999 // names of which only the number behind differs

// Subject is who a provider of OpenID says that somebody is, with the grants that the groups there give. One who was not here before is
// made, with the name or one like it; but not without a grant, for that would be everybody whom the provider knows. It wraps ErrRefused,
// also for who is locked out here, or ErrLast.
func (o *Office) Subject(ctx context.Context, subject, name string, grants []Grant) (Person, error) {
	if subject == "" {
		return Person{}, ErrRefused
	}
	p, err := o.Store.PersonBySubject(ctx, subject)
	if errors.Is(err, ErrNoPerson) {
		if len(grants) == 0 {
			return Person{}, ErrRefused
		}
		return o.addSubject(ctx, subject, name, grants)
	}
	if err != nil {
		return Person{}, err
	}
	if p.Disabled {
		return p, ErrRefused
	}
	return o.change(ctx, p.ID, func(p *Person) error {
		p.Grants = sorted(grants)
		return nil
	})
}

func (o *Office) addSubject(ctx context.Context, subject, name string, grants []Grant) (Person, error) {
	stem := nameOf(name)
	name = stem
	for n := 2; n <= mostAlike; n++ {
		id, err := o.Store.AddPerson(ctx, Person{Name: name, Subject: subject, Grants: sorted(grants), Created: o.now()})
		switch {
		case err == nil:
			o.Event(ctx, Event{Who: name, What: "add-user", About: name, Detail: "by the provider, " + Describe(grants)})
			return o.Store.PersonByID(ctx, id)
		case !errors.Is(err, ErrTaken):
			return Person{}, err
		}
		if p, err := o.Store.PersonBySubject(ctx, subject); err == nil { // in another tab, at the same time
			return p, nil
		}
		name = fmt.Sprintf("%s-%d", stem, n)
	}
	return Person{}, fmt.Errorf("%s: %w", stem, ErrTaken)
}
