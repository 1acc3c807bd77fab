package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/store/pgtest"
	"github.com/gatepost-mail/gatepost/test/bench/lab"
)

const (
	importReports = 2000
	importRows    = 150_000
	importRounds  = 5
)

// benchImport brings reports from files into a new store by the whole way: read, unwrap, parse, store with roll-ups, in transactions that
// are on the disk before the next begins.
func benchImport() error {
	dir, err := os.MkdirTemp("", "gatepost-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c, err := makeCorpus(importReports, importRows)
	if err != nil {
		return err
	}
	files, packed, err := c.save(dir)
	if err != nil {
		return err
	}
	program, err := buildGatepost(dir)
	if err != nil {
		return err
	}
	server, err := pgtest.Begin(postgresDefaults)
	if err != nil {
		return err
	}
	defer server.Remove()

	var reading, syncing []float64
	var byCommand []imported
	into := map[string]*[]imported{}
	for round := range importRounds {
		took, err := readAll(files)
		if err != nil {
			return err
		}
		reading = append(reading, took.Seconds())
		if took, err = syncAlone(dir, importReports/100, packed/(importReports/100)); err != nil {
			return err
		}
		syncing = append(syncing, took.Seconds())
		one, err := importByCommand(program, filepath.Join(dir, fmt.Sprintf("command%d.db", round)), files)
		if err != nil {
			return err
		}
		byCommand = append(byCommand, one)
		for _, engine := range []string{store.SQLite, store.PostgreSQL} {
			address := filepath.Join(dir, fmt.Sprintf("%d.db", round))
			if engine == store.PostgreSQL {
				if address, err = server.Make(context.Background(), fmt.Sprintf("bench%d", round)); err != nil {
					return err
				}
			}
			before, err := lab.FamilyCPU(server.PID())
			if err != nil {
				return err
			}
			one, err := importInto(address, files)
			if err != nil {
				return fmt.Errorf("%s: %w", engine, err)
			}
			after, err := lab.FamilyCPU(server.PID())
			if err != nil {
				return err
			}
			one.server = after - before
			if into[engine] == nil {
				into[engine] = new([]imported)
			}
			*into[engine] = append(*into[engine], one)
		}
	}
	fmt.Printf("\nImport of %d gzipped reports with %d rows, by the whole way; durable, with roll-ups; %d rounds by turns\n", importReports,
		importRows, importRounds)
	fmt.Printf("  %-38s %8s %10s %16s %12s %12s\n", "", "seconds", "rows/s", "reading alone", "our CPU s", "server's")
	fmt.Printf("  %-38s %8.2f %10.0f %14.1f x\n", "reading alone, all processors", median(reading), importRows/median(reading), 1.0)
	fmt.Printf("  %-38s %8.2f\n", fmt.Sprintf("writing and syncing them, %d times", importReports/100), median(syncing))
	line := func(name string, all []imported) {
		var seconds, cpu, servers, ratios []float64
		for round, one := range all {
			seconds, cpu = append(seconds, one.took.Seconds()), append(cpu, one.cpu.Seconds())
			servers = append(servers, one.server.Seconds())
			ratios = append(ratios, one.took.Seconds()/reading[round])
		}
		fmt.Printf("  %-38s %8.2f %10.0f %14.1f x %12.2f %12.2f\n", name, median(seconds), importRows/median(seconds), median(ratios), median(cpu),
			median(servers))
	}
	line("SQLite", *into[store.SQLite])
	line("SQLite, gatepost reports import", byCommand)
	line("PostgreSQL", *into[store.PostgreSQL])
	fmt.Printf("  load of the machine in the last minute: %s\n", load1())
	return nil
}

// What pgtest changes is as PostgreSQL comes.
const postgresDefaults = `
shared_buffers = 128MB
wal_buffers = -1
autovacuum_naptime = 1min
`

// save writes each report to a file.
func (c *corpus) save(dir string) (files []string, packed int, err error) {
	for i, report := range c.reports {
		path := filepath.Join(dir, fmt.Sprintf("%d.xml.gz", i))
		if err := os.WriteFile(path, report, 0o600); err != nil {
			return nil, 0, err
		}
		files = append(files, path)
		packed += len(report)
	}
	return files, packed, nil
}

// readAll reads files as an import does, and stores nothing.
func readAll(files []string) (time.Duration, error) {
	began := time.Now()
	var next, rows atomic.Int64
	var failed atomic.Value
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(files)); i = next.Add(1) - 1 {
				f, err := os.Open(files[i])
				if err != nil {
					failed.Store(err)
					return
				}
				all, err := intake.Read(context.Background(), f)
				f.Close()
				if err != nil {
					failed.Store(err)
					return
				}
				for _, r := range all.Reports {
					rows.Add(int64(r.Held))
				}
				all.Release()
			}
		})
	}
	wg.Wait()
	if err, ok := failed.Load().(error); ok {
		return 0, err
	}
	if rows.Load() != importRows {
		return 0, fmt.Errorf("%d rows of %d", rows.Load(), importRows)
	}
	return time.Since(began), nil
}

// syncAlone writes a file in so many parts, each of which is on the disk before the next.
func syncAlone(dir string, parts, size int) (time.Duration, error) {
	f, err := os.CreateTemp(dir, "sync")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	b := make([]byte, size)
	began := time.Now()
	for range parts {
		if _, err := f.Write(b); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

// An imported is what an import took, in all and of processors.
type imported struct{ took, cpu, server time.Duration }

// importInto fills a new store and takes the time, from the first file to the last commit.
func importInto(address string, files []string) (imported, error) {
	ctx := context.Background()
	s, err := store.Open(ctx, address, store.Options{Create: true})
	if err != nil {
		return imported{}, err
	}
	defer s.Close()
	before, err := lab.CPU(os.Getpid())
	if err != nil {
		return imported{}, err
	}
	began, fresh := time.Now(), 0
	importer := &intake.Importer{Store: s, Read: intake.Read}
	err = importer.Import(ctx, func(yield func(intake.Item) bool) {
		for _, path := range files {
			item := intake.Item{Name: path, Input: "file", Received: traffic.Last.AddDate(0, 0, 1),
				Open: func() (io.ReadCloser, error) { return os.Open(path) }}
			if !yield(item) {
				return
			}
		}
	}, func(i intake.Item, o intake.Outcome) error {
		fresh += o.New
		if o.Failed != nil {
			return o.Failed
		}
		return nil
	})
	took := time.Since(began)
	if err != nil {
		return imported{}, err
	}
	if fresh != len(files) {
		return imported{}, fmt.Errorf("%d new of %d: %s", fresh, len(files), address)
	}
	after, err := lab.CPU(os.Getpid())
	return imported{took: took, cpu: after - before}, err
}

// importByCommand has the program do it, from its start to its end.
func importByCommand(program, address string, files []string) (imported, error) {
	cmd := exec.Command(program, append([]string{"reports", "import", "--quiet", "--create", "--store", address}, files...)...)
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return imported{}, fmt.Errorf("gatepost reports import: %w\n%s", err, out)
	}
	return imported{took: time.Since(began), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, nil
}

// load1 is how many processes wanted a processor, as the kernel averages it over a minute.
func load1() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil || len(text) < 4 {
		return strconv.Quote("unknown")
	}
	return string(text[:4])
}
