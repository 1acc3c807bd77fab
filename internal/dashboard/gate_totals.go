package dashboard

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/story"
)

// totalDays is how many days a week has, with the present one.
const totalDays = 7

// mostRules bounds the rules that are counted by name: a policy that changes often leaves names behind.
const mostRules = 30

// GateTotals are how many messages there were, by days of UTC.
type GateTotals struct {
	Pending  bool        `json:"pending"` // they are being counted
	Day      time.Time   `json:"day"`     // the present one
	From     time.Time   `json:"from"`    // the first day of the week that ends with it
	All      GateCount   `json:"all"`
	Verdicts []GateCount `json:"verdicts"`
	Rules    []GateCount `json:"rules"` // by name, the most first; of which each decided
	Made     Made        `json:"made"`
}

// A GateCount is how many messages there were of a verdict, or of a rule.
type GateCount struct {
	Name      string `json:"name"`
	Verdict   string `json:"verdict"` // of a rule: what it decided
	Tone      string `json:"tone"`
	Today     int64  `json:"today"`
	Yesterday int64  `json:"yesterday"`
	Week      int64  `json:"week"`
	Watched   int64  `json:"watched"` // of those of the week: nothing was done about them
}

// totals counts, or tells that it is being counted.
func (d *Desk) totals(ctx context.Context) (GateTotals, error) {
	today := insight.DayOf(d.now())
	kept, err := keep.Get(ctx, d.Answers, "gate totals "+insight.Date(today), func(ctx context.Context) (GateTotals, error) {
		return countDecisions(ctx, d.Store, today)
	})
	if errors.Is(err, keep.ErrPending) {
		return GateTotals{Pending: true, Day: today, Verdicts: []GateCount{}, Rules: []GateCount{}}, nil
	}
	kept.Value.Made = Made{kept.At, kept.Anew}
	return kept.Value, err
}

func countDecisions(ctx context.Context, s store.Store, today time.Time) (GateTotals, error) {
	t := GateTotals{Day: today, From: today.AddDate(0, 0, 1-totalDays), Verdicts: []GateCount{}, Rules: []GateCount{}}
	for _, v := range Verdicts {
		t.Verdicts = append(t.Verdicts, GateCount{Name: v, Verdict: v, Tone: story.Tone(v)})
	}
	type decided struct{ rule, verdict string }
	rules := map[decided]*GateCount{}
	for c, err := range s.Observations(ctx, store.ObservationFilter{From: t.From, To: today}) {
		if err != nil {
			return t, err
		}
		t.All.add(&c, today)
		if i := slices.Index(Verdicts, c.Verdict); i >= 0 {
			t.Verdicts[i].add(&c, today)
		}
		if c.Rule == "" {
			continue // nothing had anything against it
		}
		by := decided{c.Rule, c.Verdict}
		if rules[by] == nil {
			rules[by] = &GateCount{Name: c.Rule, Verdict: c.Verdict, Tone: story.Tone(c.Verdict)}
		}
		rules[by].add(&c, today)
	}
	for _, r := range rules {
		t.Rules = append(t.Rules, *r)
	}
	slices.SortFunc(t.Rules, byCount)
	t.Rules = t.Rules[:min(len(t.Rules), mostRules)]
	return t, nil
}

func (n *GateCount) add(c *store.Count, today time.Time) {
	n.Week += c.Count
	switch {
	case c.Day.Equal(today):
		n.Today += c.Count
	case c.Day.Equal(today.AddDate(0, 0, -1)):
		n.Yesterday += c.Count
	}
	if c.Done != "" && c.Done != c.Verdict {
		n.Watched += c.Count
	}
}

func (t *GateTotals) tables() []Table {
	columns := []string{"name", "verdict", "today", "yesterday", "7 days", "only watched"}
	rows := func(all []GateCount) func(func([]string) bool) {
		return func(yield func([]string) bool) {
			for _, n := range all {
				if !yield([]string{n.Name, n.Verdict, count(n.Today), count(n.Yesterday), count(n.Week), count(n.Watched)}) {
					return
				}
			}
		}
	}
	return []Table{{Name: "verdicts", Columns: columns, Rows: rows(t.Verdicts)}, {Name: "rules", Columns: columns, Rows: rows(t.Rules)}}
}
