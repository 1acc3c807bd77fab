package cli

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/test/massreports"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADirectoryIsWalkedInTheOrderOfItsNamesAndSaysWhatItPassedOver(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"b.xml": "1", "a.xml.gz": "2", "sub/c.zip": "3", "README": "4", "Maildir/cur/1.host:2,S": "5", "Maildir/tmp/2.host": "6", ".hidden.xml": "7",
		"Maildir/new/3.host": "8",
	})
	if runtime.GOOS != "windows" {
		if err := os.Symlink(dir, filepath.Join(dir, "sub", "round")); err != nil {
			t.Fatal(err)
		}
	}
	in := &inputs{paths: []string{dir}, wanted: isReportName, none: errNoReports}
	var got []string
	for f := range in.all() {
		if f.err != nil {
			t.Error(f.err)
		}
		name, _ := filepath.Rel(dir, f.name)
		got = append(got, filepath.ToSlash(name))
	}
	want := []string{"Maildir/cur/1.host:2,S", "Maildir/new/3.host", "a.xml.gz", "b.xml", "sub/c.zip"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if in.passed < 3 {
		t.Errorf("passed over %d", in.passed)
	}
}

func TestWhatIsTooLargeIsAnErrorAndNotTheFirstPartOfIt(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.xml": strings.Repeat("x", 100), "b.xml": strings.Repeat("x", 101)})
	in := &inputs{paths: []string{dir, stdinName}, stdin: strings.NewReader(strings.Repeat("x", 101)), wanted: isReportName, again: true, most: 100}
	defer in.Close()
	var got []string
	for f := range in.all() {
		err := f.err
		if err == nil {
			r, open := f.open()
			if open != nil {
				t.Fatal(open)
			}
			_, err = io.Copy(io.Discard, r)
			r.Close()
		}
		if err != nil {
			got = append(got, filepath.Base(f.name))
		}
	}
	if !slices.Equal(got, []string{"b.xml", "-"}) {
		t.Errorf("too large are %q", got)
	}
}

// Ctrl-C: what was begun is committed, and the next run goes on.
func TestAnInterruptedImportStopsAfterWhatItHasBegun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs signals")
	}
	dir := t.TempDir()
	reports, db := filepath.Join(dir, "reports"), filepath.Join(dir, "g.db")
	if err := os.Mkdir(reports, 0o700); err != nil {
		t.Fatal(err)
	}
	mix := massreports.Usual
	mix.Reports, mix.Rows = 500, 5_000
	sums, rows, err := mix.Files(reports)
	if err != nil {
		t.Fatal(err)
	}
	path := program(t)
	cmd := exec.Command(path, "reports", "import", "--create", "--store", db, reports)
	cmd.Env = append(os.Environ(), "COLUMNS=120")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	said := 0
	for lines.Scan() {
		if said++; said == 1 {
			cmd.Process.Signal(os.Interrupt)
		}
	}
	cmd.Wait()
	if cmd.ProcessState.ExitCode() != 2 || strings.Count(errs.String(), "\n") != 1 || !strings.Contains(errs.String(), "the same command goes on") {
		t.Errorf("exit status %d after %d lines\n%s", cmd.ProcessState.ExitCode(), said, errs.String())
	}
	list, _, _ := run(t, "", "reports", "list", "--store", db, "--limit", "0", "--json")
	if n := strings.Count(list, "\n"); n == 0 || n >= mix.Reports || n != said-1 { // the last line is the sum
		t.Errorf("%d are in the store, and %d lines were said", n, said)
	}
	if out, err := exec.Command(path, "reports", "import", "--store", db, reports).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	countAgain(t, db, mix, sums, rows)
}
