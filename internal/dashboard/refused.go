package dashboard

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// RefusedIn asks for what could not be read.
type RefusedIn struct {
	Before int64 `query:"before" doc:"Only what came before that of this number"`
}

// Refused is what arrived and could not be read, or not as a whole. What it is about, nobody can tell: it is for who sees everything.
type Refused struct {
	Refused []RefusedLine `json:"refused"` // the latest first
	Next    int64         `json:"next"`    // the value of before for those that follow; 0: there are no more
	Saves   bool          `json:"saves"`   // who asks may have the bytes
	Age     string        `json:"age"`     // for how long bytes are kept, in words
}

// A RefusedLine is something that arrived.
type RefusedLine struct {
	ID int64 `json:"id"`
	ReportArrival
	Reasons []string `json:"reasons"`
	Settled bool     `json:"settled"` // it was no report, but something else that was seen to
}

// RefusedRawIn asks for the bytes of what could not be read.
type RefusedRawIn struct {
	ID int64 `path:"id" doc:"Its number"`
}

const refusedOnPage = 50

// Title is what the page is called.
func (r *Refused) Title() string { return "What could not be read" }

// Crumbs lead back.
func (r *Refused) Crumbs() []Crumb { return []Crumb{{"Reports", "/reports"}} }

// Refused lists what could not be read.
func (d *Desk) Refused(ctx context.Context, who *people.Access, in *RefusedIn) (*Refused, error) {
	if d.Store == nil {
		return nil, ErrNoStore
	}
	out := &Refused{Refused: []RefusedLine{}, Saves: who.Everywhere() >= people.Analyst, Age: howLong(time.Duration(d.Config().Reports.RawAge))}
	f := store.RawFilter{Refusals: true, Latest: true, Before: max(in.Before, 0), Limit: refusedOnPage + 1}
	for raw, err := range d.Store.Raws(ctx, f) {
		if err != nil {
			return nil, err
		}
		if len(out.Refused) == refusedOnPage {
			out.Next = out.Refused[refusedOnPage-1].ID
			break
		}
		out.Refused = append(out.Refused, RefusedLine{raw.ID, arrivalOf(&raw), append([]string{}, raw.Refusals...), intake.IsSettled(raw.Refusals)})
	}
	return out, nil
}

// RefusedRaw gives the bytes of something that could not be read.
func (d *Desk) RefusedRaw(ctx context.Context, _ *people.Access, in *RefusedRawIn) (*Download, error) {
	if d.Store == nil {
		return nil, ErrNoStore
	}
	if in.ID > 0 {
		for raw, err := range d.Store.Raws(ctx, store.RawFilter{Refusals: true, After: in.ID - 1, Limit: 1}) {
			if err != nil {
				return nil, err
			}
			if raw.ID == in.ID {
				return d.file(ctx, &raw)
			}
		}
	}
	return nil, fmt.Errorf("what arrived as %d: %w", in.ID, ErrNotFound)
}

// howLong says for how long something is kept.
func howLong(d time.Duration) string {
	switch {
	case d == 0:
		return "for ever"
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("for %d days", d/(24*time.Hour))
	}
	return "for " + strings.TrimSuffix(d.String(), "0m0s")
}

// Tables has what could not be read.
func (r *Refused) Tables() []Table {
	return []Table{{
		Name: "refused", Columns: []string{"came", "input", "name", "hash", "bytes", "reports", "reasons"},
		Rows: func(yield func([]string) bool) {
			for _, l := range r.Refused {
				if !yield([]string{l.At.UTC().Format(time.RFC3339), l.Input, l.Name, l.Hash, count(l.Size), fmt.Sprint(l.Reports), strings.Join(l.Reasons, "; ")}) {
					return
				}
			}
		},
	}}
}
