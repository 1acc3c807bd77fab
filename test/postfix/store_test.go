//go:build linux

package postfix

import (
	"database/sql"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite"
)

// storeUp waits until the gate thinks so of its store; want is 1 or 0.
func (p *process) storeUp(t *testing.T, want float64) {
	t.Helper()
	waitFor(t, "the gate to notice its store", func() bool { return p.metric(t, "gatepost_store_up") == want })
}

// A trouble is how a store goes, and comes back.
type trouble struct {
	name, reason string
	begin, end   func(t *testing.T, path string)
}

var troubles = []trouble{
	{"its directory is gone", "there is no directory",
		func(t *testing.T, path string) { rename(t, filepath.Dir(path), filepath.Dir(path)+".away") },
		func(t *testing.T, path string) { rename(t, filepath.Dir(path)+".away", filepath.Dir(path)) }},
	{"a directory stands in its place", "it is a directory",
		func(t *testing.T, path string) {
			if err := os.Mkdir(path+".dir", 0o755); err != nil {
				t.Fatal(err)
			}
			exchange(t, path, path+".dir")
		},
		func(t *testing.T, path string) { exchange(t, path, path+".dir") }},
	{"another program has it locked", "another program holds it locked", lock, unlock},
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// exchange lets two files change places in one step.
func exchange(t *testing.T, a, b string) {
	t.Helper()
	if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
		t.Fatal(err)
	}
}

// locker is who has the store locked.
var locker *sql.DB

func lock(t *testing.T, path string) {
	t.Helper()
	var err error
	if locker, err = sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)"); err != nil {
		t.Fatal(err)
	}
	locker.SetMaxOpenConns(1)
	if _, err := locker.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
}

func unlock(t *testing.T, _ string) {
	t.Helper()
	if _, err := locker.Exec("ROLLBACK"); err != nil {
		t.Error(err)
	}
	locker.Close()
}

// While the store is away, mail flows as before and the journal grows; afterwards nothing is missing in the store and nothing is there
// twice, though a store that was moved away for good is followed by a new one.
func TestMailFlowsWithoutTheStoreWhichMissesNothingAfterwards(t *testing.T) {
	sideBySide(t)
	b := prepare(t, "")
	dir := filepath.Join(shortDir(t, "gatepost-store-"), "db")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "gatepost.db")
	b.gate.configure(t, b.dns.Addr, "[store]\nurl = \"sqlite:"+path+"\"")
	b.open(t)
	l := startLoad(b.mta.address, 4, 0, mixed("store"))
	l.wait(t, 2, 50)
	b.gate.storeUp(t, 1)
	for _, tr := range troubles {
		before, begun := len(l.all()), time.Now()
		tr.begin(t, path)
		b.gate.storeUp(t, 0)
		away, gone := len(l.all()), time.Now()
		l.wait(t, 2, 50)
		waitFor(t, "/readyz to tell why: "+tr.reason, func() bool {
			status, ready := b.gate.page(t, "/readyz")
			if status != 200 {
				t.Errorf("%s: /readyz answers %d, though mail flows", tr.name, status)
			}
			return strings.Contains(ready, tr.reason) && strings.Contains(ready, "decisions wait in the journal")
		})
		if said := b.gate.run(t, 1, "status"); !strings.Contains(said, tr.reason) {
			t.Errorf("%s: gatepost status does not say so:\n%s", tr.name, said)
		}
		after, now := len(l.all()), time.Now()
		tr.end(t, path)
		b.gate.storeUp(t, 1)
		t.Logf("%s: noticed after %v; %.0f messages a second before, %.0f without the store", tr.name, gone.Sub(begun).Round(time.Millisecond),
			float64(before)/begun.Sub(l.begun).Seconds(), float64(after-away)/now.Sub(gone).Seconds())
	}
	old := filepath.Join(dir, "old.db")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		os.Rename(path+suffix, old+suffix) // where it is there
	}
	waitFor(t, "a new store", func() bool { _, err := os.Stat(path); return err == nil })
	l.wait(t, 2, 50)
	l.stop()
	b.gate.terminate(t)

	l.checkAll(t, b.sink)
	if n := l.codes()[4]; n != 0 {
		t.Errorf("%d messages were put off, since the store was away", n)
	}
	all, err := readBooks(old)
	if err != nil {
		t.Fatal(err)
	}
	later, err := readBooks(path)
	if err != nil {
		t.Fatal(err)
	}
	for id := range later.decisions {
		if _, known := all.decisions[id]; known {
			t.Errorf("%s is in both stores", id)
		}
	}
	maps.Copy(all.decisions, later.decisions)
	all.counted += later.counted
	if unanswered := checkDecisions(t, all, l, b.mta); unanswered != 0 {
		t.Errorf("%d decisions without an answer, though nothing was killed", unanswered)
	}
	if left := b.gate.journal(t); len(left) != 0 {
		t.Errorf("left in the journal: %q", left)
	}
	t.Logf("%d messages, of which %d are in the second store", len(all.decisions), len(later.decisions))
}

// journal lists the segments that wait.
func (p *process) journal(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(p.state, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if strings.Contains(e.Name(), ".journal") {
			names = append(names, e.Name())
		}
	}
	return names
}
