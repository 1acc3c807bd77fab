package store

import (
	"context"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
)

func (k *kept) AddPerson(ctx context.Context, p people.Person) (int64, error) {
	return ask(ctx, k, func(s Store) (int64, error) { return s.AddPerson(ctx, p) })
}

func (k *kept) PutPerson(ctx context.Context, p people.Person) error {
	return tell(ctx, k, func(s Store) error { return s.PutPerson(ctx, p) })
}

func (k *kept) RemovePerson(ctx context.Context, id int64) error {
	return tell(ctx, k, func(s Store) error { return s.RemovePerson(ctx, id) })
}

func (k *kept) People(ctx context.Context) ([]people.Person, error) {
	return ask(ctx, k, func(s Store) ([]people.Person, error) { return s.People(ctx) })
}

func (k *kept) PersonByID(ctx context.Context, id int64) (people.Person, error) {
	return ask(ctx, k, func(s Store) (people.Person, error) { return s.PersonByID(ctx, id) })
}

func (k *kept) PersonByName(ctx context.Context, name string) (people.Person, error) {
	return ask(ctx, k, func(s Store) (people.Person, error) { return s.PersonByName(ctx, name) })
}

func (k *kept) PersonBySubject(ctx context.Context, subject string) (people.Person, error) {
	return ask(ctx, k, func(s Store) (people.Person, error) { return s.PersonBySubject(ctx, subject) })
}

func (k *kept) AddSession(ctx context.Context, session people.Session) error {
	return tell(ctx, k, func(s Store) error { return s.AddSession(ctx, session) })
}

func (k *kept) Session(ctx context.Context, h people.Hash, now time.Time) (people.Session, error) {
	return ask(ctx, k, func(s Store) (people.Session, error) { return s.Session(ctx, h, now) })
}

func (k *kept) TouchSession(ctx context.Context, h people.Hash, seen time.Time) error {
	return tell(ctx, k, func(s Store) error { return s.TouchSession(ctx, h, seen) })
}

func (k *kept) Sessions(ctx context.Context, person int64, now time.Time) ([]people.Session, error) {
	return ask(ctx, k, func(s Store) ([]people.Session, error) { return s.Sessions(ctx, person, now) })
}

func (k *kept) RemoveSession(ctx context.Context, h people.Hash) error {
	return tell(ctx, k, func(s Store) error { return s.RemoveSession(ctx, h) })
}

func (k *kept) RemoveSessions(ctx context.Context, person int64, but people.Hash) error {
	return tell(ctx, k, func(s Store) error { return s.RemoveSessions(ctx, person, but) })
}

func (k *kept) AddLink(ctx context.Context, l people.Link) error {
	return tell(ctx, k, func(s Store) error { return s.AddLink(ctx, l) })
}

func (k *kept) Link(ctx context.Context, h people.Hash, now time.Time) (people.Link, error) {
	return ask(ctx, k, func(s Store) (people.Link, error) { return s.Link(ctx, h, now) })
}

func (k *kept) TakeLink(ctx context.Context, h people.Hash, now time.Time) (people.Link, error) {
	return ask(ctx, k, func(s Store) (people.Link, error) { return s.TakeLink(ctx, h, now) })
}

func (k *kept) Links(ctx context.Context, now time.Time) ([]people.Link, error) {
	return ask(ctx, k, func(s Store) ([]people.Link, error) { return s.Links(ctx, now) })
}

func (k *kept) RemoveLink(ctx context.Context, h people.Hash) error {
	return tell(ctx, k, func(s Store) error { return s.RemoveLink(ctx, h) })
}

func (k *kept) AddToken(ctx context.Context, t people.Token) (int64, error) {
	return ask(ctx, k, func(s Store) (int64, error) { return s.AddToken(ctx, t) })
}

func (k *kept) TokenByHash(ctx context.Context, h people.Hash, now time.Time) (people.Token, error) {
	return ask(ctx, k, func(s Store) (people.Token, error) { return s.TokenByHash(ctx, h, now) })
}

func (k *kept) TouchToken(ctx context.Context, id int64, used time.Time) error {
	return tell(ctx, k, func(s Store) error { return s.TouchToken(ctx, id, used) })
}

func (k *kept) Tokens(ctx context.Context, person int64) ([]people.Token, error) {
	return ask(ctx, k, func(s Store) ([]people.Token, error) { return s.Tokens(ctx, person) })
}

func (k *kept) RemoveToken(ctx context.Context, id int64) error {
	return tell(ctx, k, func(s Store) error { return s.RemoveToken(ctx, id) })
}

func (k *kept) AddEvent(ctx context.Context, e people.Event) error {
	return tell(ctx, k, func(s Store) error { return s.AddEvent(ctx, e) })
}

func (k *kept) Events(ctx context.Context, before int64, limit int) ([]people.Event, error) {
	return ask(ctx, k, func(s Store) ([]people.Event, error) { return s.Events(ctx, before, limit) })
}
