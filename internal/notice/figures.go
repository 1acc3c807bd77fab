package notice

import (
	"context"
	"slices"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// Figures are what came of the letters.
type Figures struct {
	Cases    int `json:"cases"`
	Proposed int `json:"proposed"` // wait for somebody
	Declined int `json:"declined"`
	Written  int `json:"written"` // domains that a letter went to
	Bounced  int `json:"bounced"` // of these
	Mended   int `json:"mended"`  // of these
	Closed   int `json:"closed"`  // of these, without being mended
	Open     int `json:"open"`    // of these
	Unasked  int `json:"unasked"` // mended before anybody wrote

	// Days from the letter to the mending: of the quickest quarter, half and three quarters of those that mended it.
	Days   [3]int         `json:"days"`
	Faults []FaultFigures `json:"faults"`
}

// FaultFigures are those of one fault.
type FaultFigures struct {
	Fault   string `json:"fault"`
	Written int    `json:"written"`
	Mended  int    `json:"mended"`
}

const mostCases = 100_000

// Figures counts the cases that were opened since a time.
func (o *Office) Figures(ctx context.Context, since time.Time) (Figures, error) {
	all, err := o.Store.Notices(ctx, store.NoticeFilter{Limit: mostCases})
	if err != nil {
		return Figures{}, err
	}
	return Count(all, since), nil
}

// Count counts those of some cases that were opened since a time.
func Count(all []store.Notice, since time.Time) Figures {
	f := Figures{Faults: []FaultFigures{}}
	var days []int
	for i := range all {
		n := &all[i]
		if n.Opened.Before(since) {
			continue
		}
		f.Cases++
		sent := written(n)
		switch n.State {
		case store.NoticeProposed:
			f.Proposed++
		case store.NoticeDeclined:
			f.Declined++
		case store.NoticeMended:
			if sent.IsZero() {
				f.Unasked++
			}
		}
		if sent.IsZero() {
			continue
		}
		f.Written++
		mended := n.State == store.NoticeMended
		switch {
		case mended:
			f.Mended++
			days = append(days, int(n.Mended.Sub(sent)/day))
		case n.State == store.NoticeBounced:
			f.Bounced++
		case n.State == store.NoticeClosed:
			f.Closed++
		default:
			f.Open++
		}
		for _, id := range n.Faults {
			f.fault(id, mended)
		}
	}
	if len(days) > 0 {
		slices.Sort(days)
		for i, part := range []int{1, 2, 3} {
			f.Days[i] = days[(len(days)*part-1)/4]
		}
	}
	slices.SortFunc(f.Faults, func(a, b FaultFigures) int { return b.Written - a.Written })
	return f
}

func (f *Figures) fault(id string, mended bool) {
	i := slices.IndexFunc(f.Faults, func(x FaultFigures) bool { return x.Fault == id })
	if i < 0 {
		i = len(f.Faults)
		f.Faults = append(f.Faults, FaultFigures{Fault: id})
	}
	f.Faults[i].Written++
	if mended {
		f.Faults[i].Mended++
	}
}

// written is when the first letter of a case went out; zero if none did.
func written(n *store.Notice) time.Time {
	var first time.Time
	for _, l := range n.Letters {
		if (l.State == store.LetterSent || l.State == store.LetterBounced) && (first.IsZero() || l.At.Before(first)) {
			first = l.At
		}
	}
	return first
}
