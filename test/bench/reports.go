package main

import (
	"compress/gzip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/test/massreports"
)

const (
	importRounds   = 3
	reportsFolder  = "GATEPOST_BENCH_REPORTS" // for the floor
	floorOfReports = "reports"
)

func init() { roles[floorOfReports] = readWithLibrary }

// readWithLibrary is the least that a reader of reports can do with Go's own library: it unpacks them and takes the XML apart.
func readWithLibrary() {
	files, err := filepath.Glob(filepath.Join(os.Getenv(reportsFolder), "*.gz"))
	for _, file := range files {
		err = errors.Join(err, readTokens(file))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: floor:", err)
		os.Exit(2)
	}
}

func readTokens(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for d := xml.NewDecoder(z); ; {
		if _, err := d.RawToken(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// A took is what a process took.
type took struct{ wall, cpu time.Duration }

// measure runs a command to its end.
func measure(cmd *exec.Cmd) (took, error) {
	var text strings.Builder
	cmd.Stdout, cmd.Stderr = &text, &text
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return took{}, fmt.Errorf("%w\n%s", err, text.String())
	}
	return took{time.Since(began), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, nil
}

// benchReports imports reports into a new store, by turns with the floor.
func benchReports() error {
	dir, err := os.MkdirTemp("", "gatepost-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "gatepost")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/gatepost-mail/gatepost/cmd/gatepost").CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	folder := filepath.Join(dir, "reports")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	mix := massreports.Usual
	_, rows, err := mix.Files(folder)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var imports, floors []took
	var ratios []float64
	for round := range importRounds {
		floor := exec.Command(self)
		floor.Env = append(os.Environ(), roleVariable+"="+floorOfReports, reportsFolder+"="+folder)
		least, err := measure(floor)
		if err != nil {
			return err
		}
		db := filepath.Join(dir, fmt.Sprintf("%d.db", round))
		all, err := measure(exec.Command(program, "reports", "import", "--quiet", "--create", "--store", db, folder))
		if err != nil {
			return err
		}
		imports, floors, ratios = append(imports, all), append(floors, least), append(ratios, float64(all.cpu)/float64(least.cpu))
	}
	byCPU := func(a, b took) int { return int(a.cpu - b.cpu) }
	slices.SortFunc(imports, byCPU)
	slices.SortFunc(floors, byCPU)
	slices.Sort(ratios)
	middle := importRounds / 2
	fmt.Printf("\nImport of %d reports with %d records, gzip, into SQLite with all figures, on the disk:\n", mix.Reports, rows)
	fmt.Printf("  %-34s %6s %6s %6s\n", "", "s", "CPU s", "ratio")
	fmt.Printf("  %-34s %6.2f %6.2f %6.2f\n", "floor: gunzip and encoding/xml", floors[middle].wall.Seconds(), floors[middle].cpu.Seconds(), 1.0)
	fmt.Printf("  %-34s %6.2f %6.2f %6.2f\n", "gatepost reports import", imports[middle].wall.Seconds(), imports[middle].cpu.Seconds(), ratios[middle])
	return nil
}
