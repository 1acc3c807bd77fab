package cli

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/raced"
	"github.com/gatepost-mail/gatepost/test/massreports"
)

// maxImport is what the import of one report may take, however many records it has, beyond what the program takes before it.
const maxImport = 64 << 20

// peakOf is the largest resident set of a running process so far; 0 once it has ended.
func peakOf(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}

// GATEPOST_ROWS is how many records the report has; a million were measured.
func TestAReportOfAnyNumberOfRecordsIsImportedInBoundedMemory(t *testing.T) {
	raced.Skip(t)
	rows := 120_000
	if text := os.Getenv("GATEPOST_ROWS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("GATEPOST_ROWS: %v", err)
		}
		rows = n
	}
	path := program(t)
	db := filepath.Join(t.TempDir(), "gatepost.db")
	mix := massreports.Mix{Reports: 1, Rows: rows, Most: rows, Domains: 1, Days: 1, Last: massreports.Usual.Last}
	cmd := exec.Command(path, "reports", "import", "--create", "--store", db, "-")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	peak := make(chan int64)
	go func() {
		var last int64
		for {
			now := peakOf(cmd.Process.Pid)
			if now == 0 {
				break
			}
			last = now
			time.Sleep(5 * time.Millisecond)
		}
		peak <- last
	}()
	for range 1000 { // it opens the store before it reads
		if info, err := os.Stat(db + "-wal"); err == nil && info.Size() > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	base := peakOf(cmd.Process.Pid)
	z := gzip.NewWriter(in)
	if _, err := mix.Report(0).Write(z); err != nil {
		t.Error(err)
	}
	if err := z.Close(); err != nil {
		t.Error(err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	took := <-peak
	t.Logf("%d records: %d MiB, %d of them before it began\n%s", mix.Report(0).Rows, took>>20, base>>20, out.String())
	if took-base > maxImport || base == 0 {
		t.Errorf("it took %d MiB, and %d before it began; want %d more at most", took>>20, base>>20, maxImport>>20)
	}
}
