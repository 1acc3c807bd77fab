package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/gatepost-mail/gatepost/internal/store/pgtest"
	"github.com/gatepost-mail/gatepost/test/bench/lab"
)

const largeRows = 1_000_000

// The roles that import one report each in a process of its own, so that its memory can be told apart.
const (
	largeFile  = "GATEPOST_BENCH_FILE"
	largeStore = "GATEPOST_BENCH_INTO"
)

// benchLarge shows how much more memory one report of a million rows takes than one of ten.
func benchLarge() error {
	dir, err := os.MkdirTemp("", "gatepost-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, err := pgtest.Begin(postgresDefaults)
	if err != nil {
		return err
	}
	defer server.Remove()
	peaks := map[string][]float64{}
	names := []string{"sqlite", "postgresql"}
	for i, rows := range []int{10, largeRows} {
		path := filepath.Join(dir, fmt.Sprintf("%d.xml.gz", rows))
		if err := saveLarge(path, rows); err != nil {
			return err
		}
		for _, name := range names {
			address := path + ".db"
			if name == "postgresql" {
				if address, err = server.Make(context.Background(), fmt.Sprintf("large%d", i)); err != nil {
					return err
				}
			}
			peak, err := importApart(path, address)
			if err != nil {
				return fmt.Errorf("%d rows into %s: %w", rows, name, err)
			}
			peaks[name] = append(peaks[name], float64(peak)/(1<<20))
		}
	}
	fmt.Printf("\nOne report of %d rows: the largest resident set of a process that imports it\n", largeRows)
	fmt.Printf("  %-12s %14s %14s %14s\n", "", "10 rows, MiB", "all, MiB", "above, MiB")
	for _, name := range names {
		p := peaks[name]
		fmt.Printf("  %-12s %14.1f %14.1f %14.1f\n", name, p[0], p[1], p[1]-p[0])
	}
	return nil
}

func saveLarge(path string, rows int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if err := writeReport(z, rows, rows, rand.New(rand.NewPCG(9990, uint64(rows)))); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return f.Close()
}

// importApart imports one file in a process of its own and gives the largest resident set.
func importApart(path, address string) (int64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleVariable+"=import", largeFile+"="+path, largeStore+"="+address)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
}

// importOne is the role: it prints the bytes of the largest resident set that it had.
func importOne() {
	_, err := importInto(os.Getenv(largeStore), []string{os.Getenv(largeFile)})
	peak, peakErr := lab.PeakMemory(os.Getpid())
	for _, err := range []error{err, peakErr} {
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench: import:", err)
			os.Exit(2)
		}
	}
	fmt.Println(peak)
}
