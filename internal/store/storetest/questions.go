package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// An Asking is something that a dashboard asks, of another domain and period each time.
type Asking struct {
	Name string
	Ask  func(ctx context.Context, s store.Store) error
}

// Askings are the questions of a dashboard to a store that is filled with the mix up to its last day.
func (m Mix) Askings() []Asking {
	random := rand.New(rand.NewPCG(3, 4))
	period := func(days int) store.Question {
		n := min(int(random.ExpFloat64()*3), m.Domains-1) // most who ask have a large domain
		back := 0
		if random.IntN(2) == 0 {
			back = random.IntN(max(m.Days-days, 1))
		}
		to := m.Last.AddDate(0, 0, -back)
		return store.Question{Domains: []string{m.Domain(n)}, From: to.AddDate(0, 0, 1-days), To: to, Verified: random.IntN(4) == 0}
	}
	largest := func(days int) store.Question {
		q := period(days)
		q.Domains = []string{m.Domain(0)}
		return q
	}
	days := func(q func(int) store.Question, n int) func(context.Context, store.Store) error {
		return func(ctx context.Context, s store.Store) error { _, err := s.ReportDays(ctx, q(n)); return err }
	}
	top := func(q func(int) store.Question, n, limit int) func(context.Context, store.Store) error {
		return func(ctx context.Context, s store.Store) error { _, err := s.TopSources(ctx, q(n), limit); return err }
	}
	source := func(q func(int) store.Question, n int, rank func() int) func(context.Context, store.Store) error {
		return func(ctx context.Context, s store.Store) error {
			_, err := s.Source(ctx, q(n), m.IP(rank()))
			return err
		}
	}
	some := func() int { return int(random.ExpFloat64() * 200) }
	first := func() int { return random.IntN(5) }
	return []Asking{
		{"90 days of a domain by day", days(period, 90)},
		{"365 days of a domain by day", days(period, 365)},
		{"90 days of a domain by day, one reporter", func(ctx context.Context, s store.Store) error {
			q := period(90)
			q.Reporter = fmt.Sprintf("Reporter %d", random.IntN(m.Reporters))
			_, err := s.ReportDays(ctx, q)
			return err
		}},
		{"top 20 sources in 90 days", top(period, 90, 20)},
		{"top 20 sources in 90 days, largest domain", top(largest, 90, 20)},
		{"top 100 sources in 90 days", top(period, 90, 100)},
		{"top 20 sources in 365 days", top(period, 365, 20)},
		{"one source in detail, 90 days", source(period, 90, some)},
		{"one of the first sources, largest domain", source(largest, 90, first)},
		{"one source in detail, 365 days", source(period, 365, some)},
		{"new sources of 7 days", func(ctx context.Context, s store.Store) error {
			_, err := s.NewSources(ctx, period(7), 100)
			return err
		}},
		{"reporters of 90 days", func(ctx context.Context, s store.Store) error { _, err := s.Reporters(ctx, period(90)); return err }},
		{"policies seen in 90 days", func(ctx context.Context, s store.Store) error { _, err := s.Policies(ctx, period(90)); return err }},
		{"all domains, 90 days", func(ctx context.Context, s store.Store) error { _, err := s.Domains(ctx, period(90)); return err }},
		{"the last 50 reports of a domain", func(ctx context.Context, s store.Store) error {
			_, err := s.Reports(ctx, store.ReportFilter{Domain: period(90).Domains[0], Limit: 50})
			return err
		}},
	}
}
