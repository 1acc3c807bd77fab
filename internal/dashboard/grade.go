package dashboard

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/watch"
)

// A Grade is the letter that an audit of a domain gave it.
type Grade struct {
	Letter  string    `json:"letter"`  // "?" where too little could be had; empty while it is worked out
	First   string    `json:"first"`   // what would raise it
	Pending bool      `json:"pending"` // it is being worked out
	At      time.Time `json:"at,omitzero"`
}

// How audits are made: they ask DNS and wait for it, so that none is made while answers from the store wait, and rarely anew.
const (
	gradesAtOnce = 4
	gradesKept   = 2000
	gradeFresh   = time.Hour
	gradeLongest = time.Minute
)

// grades keeps those of domains.
type grades struct {
	mu     sync.Mutex
	keeper *keep.Keeper
}

func (d *Desk) gradeKeeper() *keep.Keeper {
	d.graded.mu.Lock()
	defer d.graded.mu.Unlock()
	if d.graded.keeper == nil {
		d.graded.keeper = keep.New(keep.Options{Workers: gradesAtOnce, Room: gradesKept, Fresh: gradeFresh, Longest: gradeLongest, Log: d.Log})
	}
	return d.graded.keeper
}

// grade is that of a domain.
func (d *Desk) grade(ctx context.Context, domain string) (Grade, error) {
	kept, err := keep.Get(ctx, d.gradeKeeper(), "domain "+domain+" grade", func(ctx context.Context) (Grade, error) {
		if g, err := d.watched(ctx, domain); err != nil || g.Letter != "" {
			return g, err
		}
		r, err := d.run(ctx, domain, true, true)
		if err != nil {
			return Grade{}, err
		}
		return Grade{Letter: string(r.Grade), First: r.First, At: r.CheckedAt}, nil
	})
	if errors.Is(err, keep.ErrPending) {
		return Grade{Pending: true}, nil
	}
	return kept.Value, err
}

// watched is the grade that the watch gave a domain, if it has looked at it not longer ago than it does.
func (d *Desk) watched(ctx context.Context, domain string) (Grade, error) {
	every := time.Duration(d.Config().Watch.Every)
	all, err := d.Store.Published(ctx, domain)
	if err != nil {
		return Grade{}, err
	}
	if letter, at := watch.LastGrade(all); d.now().Sub(at) < every+every/4 {
		return Grade{Letter: letter, At: at}, nil
	}
	return Grade{}, nil
}
