package people

import (
	"context"
	"time"
)

// A Store keeps people. All of it must be as durable as mail is: package store has it for every engine.
type Store interface {
	// AddPerson gives a new person an ID; it wraps ErrTaken. PutPerson changes one whose Version is what the store has, and wraps ErrChanged,
	// ErrTaken or ErrNoPerson. RemovePerson deletes one with its sessions and tokens, and the links for and by it, so that
	// whoever has the name next is not taken for who made them. Where the last who [Person.Rules] would cease to, both wrap ErrLast,
	// whoever else asks at the same time.
	AddPerson(ctx context.Context, p Person) (int64, error)
	PutPerson(ctx context.Context, p Person) error
	RemovePerson(ctx context.Context, id int64) error
	People(ctx context.Context) ([]Person, error) // by name
	PersonByID(ctx context.Context, id int64) (Person, error)
	PersonByName(ctx context.Context, name string) (Person, error)
	PersonBySubject(ctx context.Context, subject string) (Person, error)

	AddSession(ctx context.Context, s Session) error
	Session(ctx context.Context, h Hash, now time.Time) (Session, error) // wraps ErrNobody; one that expired is not there
	TouchSession(ctx context.Context, h Hash, seen time.Time) error
	Sessions(ctx context.Context, person int64, now time.Time) ([]Session, error) // the latest first
	RemoveSession(ctx context.Context, h Hash) error
	RemoveSessions(ctx context.Context, person int64, but Hash) error

	AddLink(ctx context.Context, l Link) error
	Link(ctx context.Context, h Hash, now time.Time) (Link, error) // wraps ErrNoLink
	// TakeLink deletes a link that is there, and gives it to one of those who ask at the same time. It wraps ErrNoLink.
	TakeLink(ctx context.Context, h Hash, now time.Time) (Link, error)
	Links(ctx context.Context, now time.Time) ([]Link, error) // the latest first
	RemoveLink(ctx context.Context, h Hash) error

	AddToken(ctx context.Context, t Token) (int64, error)
	TokenByHash(ctx context.Context, h Hash, now time.Time) (Token, error) // wraps ErrNobody
	TouchToken(ctx context.Context, id int64, used time.Time) error
	Tokens(ctx context.Context, person int64) ([]Token, error) // of all if 0
	RemoveToken(ctx context.Context, id int64) error

	AddEvent(ctx context.Context, e Event) error
	// Events gives the latest first, older than the event of an ID unless it is 0. Those before a time are deleted by Prune.
	Events(ctx context.Context, before int64, limit int) ([]Event, error)
}
