package store_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/store/pgtest"
	"github.com/gatepost-mail/gatepost/internal/store/storetest"
)

// An op is 2000 reports of 150,000 rows, written a hundred reports at a time.
func BenchmarkAddArrivals(b *testing.B) {
	mix := storetest.Mix{Domains: 20, Reporters: 20, Sources: 20_000, Days: 100, RowsADay: 30_000, Last: storetest.Years.Last}
	var all []store.Arrival
	rows := 0
	for a := range mix.Arrivals() {
		if len(all) == 2000 {
			break
		}
		all = append(all, a)
		for range a.Reports[0].Rows {
			rows++
		}
	}
	for _, engine := range []struct {
		name string
		at   func() string
	}{
		{"SQLite", func() string { return filepath.Join(b.TempDir(), "gatepost.db") }},
		{"PostgreSQL", func() string { return pgtest.Database(b) }},
	} {
		b.Run(engine.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s := opened(b, engine.at(), store.Options{Create: true})
				for some := range slices.Chunk(all, 100) {
					if _, err := s.AddArrivals(b.Context(), some); err != nil {
						b.Fatal(err)
					}
				}
				s.Close()
			}
			b.ReportMetric(float64(rows), "rows/op")
			b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// What a dashboard asks, of a store with millions of rows:
//
//	GATEPOST_BENCH_STORE=/tmp/years.db go test -run '^$' -bench Questions -timeout 0 ./internal/store
//
// The store is filled where it is empty; GATEPOST_BENCH_DAYS bounds how far, of 730 days with 13,700 rows each.
func BenchmarkQuestions(b *testing.B) {
	address := os.Getenv("GATEPOST_BENCH_STORE")
	if address == "" {
		b.Skip("GATEPOST_BENCH_STORE names no store")
	}
	mix := storetest.Years
	if n, err := strconv.Atoi(os.Getenv("GATEPOST_BENCH_DAYS")); err == nil {
		mix.Days = n
	}
	s := opened(b, address, store.Options{Create: true})
	fill(b, s, mix)
	latest, err := s.Reports(b.Context(), store.ReportFilter{Limit: 1})
	if err != nil {
		b.Fatal(err)
	}
	mix.Last = latest[0].Day
	period := func(days int) store.Question {
		// Most who ask have a large domain.
		n := min(int(rand.ExpFloat64()*3), mix.Domains-1)
		back := rand.IntN(max(mix.Days-days, 1))
		if rand.IntN(2) == 0 {
			back = 0
		}
		to := mix.Last.AddDate(0, 0, -back)
		return store.Question{Domains: []string{mix.Domain(n)}, From: to.AddDate(0, 0, 1-days), To: to, Verified: rand.IntN(4) == 0}
	}
	ctx := b.Context()
	for _, q := range []struct {
		name string
		ask  func() error
	}{
		{"days of 90", func() error { _, err := s.ReportDays(ctx, period(90)); return err }},
		{"days of 365", func() error { _, err := s.ReportDays(ctx, period(365)); return err }},
		{"days of a reporter", func() error {
			q := period(90)
			q.Reporter = fmt.Sprintf("Reporter %d", rand.IntN(mix.Reporters))
			_, err := s.ReportDays(ctx, q)
			return err
		}},
		{"top 20 of 90", func() error { _, err := s.TopSources(ctx, period(90), 20); return err }},
		{"top 100 of 90", func() error { _, err := s.TopSources(ctx, period(90), 100); return err }},
		{"top 20 of 365", func() error { _, err := s.TopSources(ctx, period(365), 20); return err }},
		{"top 20 of the largest", func() error {
			q := period(90)
			q.Domains = []string{mix.Domain(0)}
			_, err := s.TopSources(ctx, q, 20)
			return err
		}},
		{"source of 90", func() error {
			_, err := s.Source(ctx, period(90), mix.IP(int(rand.ExpFloat64()*200)))
			return err
		}},
		{"first source of the largest", func() error {
			q := period(90)
			q.Domains = []string{mix.Domain(0)}
			_, err := s.Source(ctx, q, mix.IP(rand.IntN(5)))
			return err
		}},
		{"source of 365", func() error {
			_, err := s.Source(ctx, period(365), mix.IP(int(rand.ExpFloat64()*200)))
			return err
		}},
		{"new sources of 7", func() error { _, err := s.NewSources(ctx, period(7), 100); return err }},
		{"reporters of 90", func() error { _, err := s.Reporters(ctx, period(90)); return err }},
		{"policies of 90", func() error { _, err := s.Policies(ctx, period(90)); return err }},
		{"all domains of 90", func() error { _, err := s.Domains(ctx, period(90)); return err }},
		{"reports of a domain", func() error {
			_, err := s.Reports(ctx, store.ReportFilter{Domain: period(90).Domains[0], Limit: 50})
			return err
		}},
	} {
		b.Run(q.name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				if err := q.ask(); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			slices.SortFunc(took, cmp.Compare)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
		})
	}
}

func fill(b *testing.B, s store.Store, mix storetest.Mix) {
	if there, err := s.Reports(b.Context(), store.ReportFilter{Limit: 1}); err != nil || len(there) > 0 {
		if err != nil {
			b.Fatal(err)
		}
		return
	}
	began, rows, reports := time.Now(), 0, 0
	var some []store.Arrival
	add := func() {
		if _, err := s.AddArrivals(b.Context(), some); err != nil {
			b.Fatal(err)
		}
		some = some[:0]
	}
	for a := range mix.Arrivals() {
		some = append(some, a)
		for range a.Reports[0].Rows {
			rows++
		}
		if reports++; reports%20_000 == 0 {
			fmt.Fprintf(os.Stderr, "%d reports, %d rows, %.0f rows/s\n", reports, rows, float64(rows)/time.Since(began).Seconds())
		}
		if len(some) == 4000 {
			add()
		}
	}
	add()
	fmt.Fprintf(os.Stderr, "filled with %d reports, %d rows in %v\n", reports, rows, time.Since(began).Round(time.Second))
}
