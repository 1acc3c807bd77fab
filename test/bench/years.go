package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/store/pgtest"
	"github.com/gatepost-mail/gatepost/internal/store/storetest"
)

// Stores that are kept from one run to the next, and filled where they are empty.
const (
	yearsSQLite   = "GATEPOST_BENCH_SQLITE"     // a file
	yearsPostgres = "GATEPOST_BENCH_POSTGRESQL" // an address
	yearsDays     = "GATEPOST_BENCH_DAYS"       // fewer days than 730
)

const (
	asksEach  = 200
	fillGroup = 1000 // reports in a transaction
)

// benchYears fills a store of each kind with ten million rows, two years of a site with 300 domains, and asks what a dashboard asks.
func benchYears() error {
	mix := storetest.Years
	if n, err := strconv.Atoi(os.Getenv(yearsDays)); err == nil {
		mix.Days = n
	}
	dir, err := os.MkdirTemp("", "gatepost-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	all := []*yearsStore{{name: store.SQLite, address: os.Getenv(yearsSQLite)}, {name: store.PostgreSQL, address: os.Getenv(yearsPostgres)}}
	if all[0].address == "" {
		all[0].address = filepath.Join(dir, "gatepost.db")
	}
	if all[1].address == "" {
		server, err := pgtest.Begin(postgresDefaults)
		if err != nil {
			return err
		}
		defer server.Remove()
		all[1].files = filepath.Join(server.Dir(), "data", "base")
		if all[1].address, err = server.Make(context.Background(), "years"); err != nil {
			return err
		}
	}
	for _, y := range all {
		if err := y.prepare(mix); err != nil {
			return fmt.Errorf("%s: %w", y.name, err)
		}
		defer y.s.Close()
	}
	fmt.Printf("\nWhat a dashboard asks, %d times each, by turns, of another domain and time each time\n", asksEach)
	fmt.Printf("  %-42s %24s %24s\n", "", all[0].name+", ms", all[1].name+", ms")
	fmt.Printf("  %-42s %12s %11s %12s %11s\n", "", "median", "95 %", "median", "95 %")
	for _, q := range mix.Askings() {
		took := make([][]float64, len(all))
		for n := range asksEach + 1 {
			for i, y := range all {
				began := time.Now()
				if err := q.Ask(context.Background(), y.s); err != nil {
					return fmt.Errorf("%s: %s: %w", y.name, q.Name, err)
				}
				if n > 0 { // the first makes connections
					took[i] = append(took[i], millis(time.Since(began)))
				}
			}
		}
		fmt.Printf("  %-42s %12.1f %11.1f %12.1f %11.1f\n", q.Name, median(took[0]), percentile(took[0], 95), median(took[1]), percentile(took[1], 95))
	}
	fmt.Printf("  load of the machine in the last minute: %s\n", load1())
	return nil
}

// A yearsStore is one that is filled.
type yearsStore struct {
	name    string
	address string
	files   string // the directory with its files; empty if that is not known
	s       store.Store
}

// prepare opens a store, and fills it if it is empty.
func (y *yearsStore) prepare(mix storetest.Mix) (err error) {
	ctx := context.Background()
	if y.s, err = store.Open(ctx, y.address, store.Options{Create: true}); err != nil {
		return err
	}
	there, err := y.s.Reports(ctx, store.ReportFilter{Limit: 1})
	if err != nil {
		return err
	}
	if len(there) > 0 {
		fmt.Printf("\n%s: filled before\n", y.name)
		return nil
	}
	began, rows, reports, last := time.Now(), 0, 0, 0
	lastAt := began
	var some []store.Arrival
	add := func() error {
		_, err := y.s.AddArrivals(ctx, some)
		some = some[:0]
		return err
	}
	for a := range mix.Arrivals() {
		some = append(some, a)
		for range a.Reports[0].Rows {
			rows++
		}
		if reports++; len(some) == fillGroup {
			if err := add(); err != nil {
				return err
			}
		}
		if reports%50_000 == 0 {
			fmt.Fprintf(os.Stderr, "%s: %d reports, %d rows, %.0f rows a second since %d\n", y.name, reports, rows,
				float64(rows-last)/time.Since(lastAt).Seconds(), last)
			last, lastAt = rows, time.Now()
		}
	}
	if err := add(); err != nil {
		return err
	}
	took := time.Since(began)
	fmt.Printf("\n%s: %d reports with %d rows in %v, %.0f rows a second", y.name, reports, rows, took.Round(time.Second), float64(rows)/took.Seconds())
	if size := y.size(); size > 0 {
		fmt.Printf("; %.0f MiB on disk, %d bytes a row", float64(size)/(1<<20), size/int64(rows))
	}
	fmt.Println()
	return nil
}

// size is what the store takes on the disk; 0 if that is not known.
func (y *yearsStore) size() (bytes int64) {
	root := y.files
	if y.name == store.SQLite {
		root = filepath.Dir(y.address)
	}
	if root == "" {
		return 0
	}
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || y.name == store.SQLite && !strings.HasPrefix(path, y.address) {
			return nil
		}
		if info, err := d.Info(); err == nil {
			bytes += info.Size()
		}
		return nil
	})
	return bytes
}
