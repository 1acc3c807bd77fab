package store_test

import (
	"path/filepath"
	"slices"
	"testing"

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
