package dashboard

import (
	"context"
	"errors"

	"github.com/gatepost-mail/gatepost/internal/people"
)

// event leaves a line in the audit log: who did what, about what. What is always the same words for the same.
func (d *Desk) event(ctx context.Context, who *people.Access, what, about, detail string) {
	d.office().Event(ctx, people.Event{Who: who.Name, Address: who.Address, What: what, About: about, Detail: detail})
}

// office knows people as the configuration in force says. It lasts for one question.
func (d *Desk) office() *people.Office {
	return &people.Office{Store: d.Store, Groups: d.Config().Web.PeopleGroups, Now: d.now, Log: d.log()}
}

// refused is what an office says, as a form says it.
func refused(err error) error {
	var unfit *people.Unfit
	switch {
	case errors.As(err, &unfit):
		return invalid(unfit.Field, "%s", unfit.Text)
	case errors.Is(err, people.ErrTaken):
		return invalid("name", "Somebody has that name.")
	case errors.Is(err, people.ErrMore):
		return invalid("role", "Nobody gives more than the own role.")
	case errors.Is(err, people.ErrLast):
		return invalid("", "Somebody must be left who owns everything, and signs in by a password or a passkey. Make another the owner first.")
	case errors.Is(err, people.ErrNoPerson), errors.Is(err, people.ErrNoToken), errors.Is(err, people.ErrNoLink):
		return errors.Join(ErrNotFound, err)
	}
	return err
}
