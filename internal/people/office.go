package people

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// An Office knows people by a store. Its zero value with a Store is ready; it is not copied once it is used.
type Office struct {
	Store  Store
	Groups func() []Group   // of domains, that roles are held over; none if nil
	Now    func() time.Time // time.Now if nil
	Log    *slog.Logger     // none if nil

	limits Limits
	once   sync.Once
	hashes chan struct{}  // one for each hash of a password that is being made
	line   *line          // of passwords that are to be looked at
	crowd  rate.Sometimes // that the line is full is said
	codes  buckets        // of wrong codes, by person
}

func (o *Office) now() time.Time {
	if o.Now == nil {
		return time.Now().UTC()
	}
	return o.Now().UTC()
}

func (o *Office) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

func (o *Office) groups() []Group {
	if o.Groups == nil {
		return nil
	}
	return o.Groups()
}

// access is what a person may do now. It is made for each request, so that a role that is taken away is gone at once.
func (o *Office) access(p *Person) *Access {
	a := NewAccess(p.Name, p.Grants, o.groups())
	a.Person = p.ID
	return a
}

// changes is how often a change is tried that others are in the way of.
const changes = 10

// change changes a person as the store has it now.
func (o *Office) change(ctx context.Context, id int64, how func(*Person) error) (Person, error) {
	for attempt := 1; ; attempt++ {
		p, err := o.Store.PersonByID(ctx, id)
		if err != nil {
			return Person{}, err
		}
		if err := how(&p); err != nil {
			return Person{}, err
		}
		err = o.Store.PutPerson(ctx, p)
		if err == nil {
			p.Version++
			return p, nil
		}
		if !errors.Is(err, ErrChanged) || attempt == changes {
			return Person{}, err
		}
	}
}

// Event leaves a line in the audit log. That it cannot be left stops nobody, and is in the other log.
func (o *Office) Event(ctx context.Context, e Event) {
	if e.At.IsZero() {
		e.At = o.now()
	}
	if err := o.Store.AddEvent(context.WithoutCancel(ctx), e); err != nil {
		o.log().Error("the audit log has no line of what was done", "who", e.Who, "what", e.What, "about", e.About, "detail", e.Detail, "error", err.Error())
	}
}
