package cli

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/raced"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/test/massreports"
)

// kills is how often the program is killed: GATEPOST_KILLS, or few enough for a test of every day.
func kills(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("GATEPOST_KILLS"))
	switch {
	case os.Getenv("GATEPOST_KILLS") == "":
		return 50
	case err != nil || n < 1:
		t.Fatalf("GATEPOST_KILLS: %q", os.Getenv("GATEPOST_KILLS"))
	}
	return n
}

func TestWhoeverIsKilledWhileItImportsGoesOnAndCountsEachReportOnce(t *testing.T) {
	raced.Skip(t)
	t.Parallel()
	path := program(t)
	dir := t.TempDir()
	reports := filepath.Join(dir, "reports")
	if err := os.Mkdir(reports, 0o700); err != nil {
		t.Fatal(err)
	}
	mix := massreports.Usual
	mix.Reports, mix.Rows = 400, 12_000
	sums, rows, err := mix.Files(reports)
	if err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(dir, "gatepost.db")
	said := map[string]bool{}
	for killed, whole := 0, time.Second; killed < kills(t); {
		began := time.Now()
		done := importAndKill(t, path, db, reports, time.Duration(rand.Int64N(int64(whole))), said)
		if !done {
			killed++
			continue
		}
		whole = (whole + time.Since(began)) / 2
		countAgain(t, db, mix, sums, rows)
		for file := range said {
			delete(said, file)
		}
		for _, f := range []string{db, db + "-wal", db + "-shm"} {
			if err := os.Remove(f); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
	}
	if !importAndKill(t, path, db, reports, time.Minute, said) {
		t.Fatal("it did not come to its end")
	}
	countAgain(t, db, mix, sums, rows)
}

// importAndKill imports for so long, and tells whether it came to its end. What is said to be new must not have been said before.
func importAndKill(t *testing.T, path, db, dir string, after time.Duration, said map[string]bool) bool {
	t.Helper()
	cmd := exec.Command(path, "reports", "import", "--create", "--store", db, dir)
	cmd.Env = append(os.Environ(), "COLUMNS=120")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer timer.Stop()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		word, file, _ := strings.Cut(lines.Text(), " ")
		if word != "new" {
			continue
		}
		if file = strings.TrimSpace(file); said[file] {
			t.Errorf("%s is new a second time", file)
		}
		said[file] = true
	}
	err = cmd.Wait()
	if err == nil {
		return true
	}
	if cmd.ProcessState.ExitCode() >= 0 {
		t.Fatalf("exit status %d\n%s", cmd.ProcessState.ExitCode(), errs.String())
	}
	return false
}

// countAgain holds the store against what was made.
func countAgain(t *testing.T, db string, mix massreports.Mix, sums map[string]massreports.Sum, rows int) {
	t.Helper()
	s, err := store.Open(t.Context(), db, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ids := map[string]int{}
	records := map[string]massreports.Sum{}
	n := 0
	for r, err := range eachReport(t.Context(), s, store.ReportFilter{}, 0) {
		if err != nil {
			t.Fatal(err)
		}
		ids[r.ReportID]++
		for row, err := range s.ReportRows(t.Context(), r.ID) {
			if err != nil {
				t.Fatal(err)
			}
			sum := records[r.Domain]
			sum.Messages += row.Count
			if row.Passes() {
				sum.Passed += row.Count
			}
			records[r.Domain] = sum
			n++
		}
	}
	for i := range mix.Reports {
		if id := mix.Report(i).ID; ids[id] != 1 {
			t.Errorf("report %s is there %d times", id, ids[id])
		}
	}
	if len(ids) != mix.Reports || n != rows {
		t.Errorf("%d reports with %d records, want %d with %d", len(ids), n, mix.Reports, rows)
	}
	all, err := s.Domains(t.Context(), store.Question{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		if got := (massreports.Sum{Messages: d.Messages, Passed: d.Passed}); got != sums[d.Domain] || records[d.Domain] != got {
			t.Errorf("%s: the figures are %+v, the records %+v, want %+v", d.Domain, got, records[d.Domain], sums[d.Domain])
		}
	}
	if len(all) != len(sums) {
		t.Errorf("%d domains, want %d", len(all), len(sums))
	}
}
