package observe

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/testlog"
)

func TestADiskThatIsFullCostsDecisionsAndNoCount(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	var log testlog.Buffer
	d, dir := newDoor(t), filepath.Join(t.TempDir(), "journal")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	mount := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("mount %v: %s", args, out)
			}
			t.Skipf("mount %v: %s", args, out)
		}
	}
	mount("-t", "tmpfs", "-o", "size=128k", "tmpfs", dir)
	t.Cleanup(func() { exec.Command("umount", "-l", dir).Run() })
	d.shut.Store(true)
	r := start(t, dir, Options{Store: d, Log: logTo(&log)})
	const n = 2000
	for i := range n {
		m := decision(i % 40)
		m.Reference = fmt.Sprint(i)
		r.Record(m)
	}
	s := r.Stats()
	if s.InMemory == 0 || s.Lost != 0 || s.Pending != n || s.JournalFailures == 0 || s.JournalBytes > 128<<10 {
		t.Errorf("got %+v", s)
	}
	if c := strings.Count(log.String(), "the journal cannot be written"); c != 1 {
		t.Errorf("%d lines of the log say so", c)
	}
	mount("-o", "remount,size=8m", dir)
	d.shut.Store(false)
	eventually(t, "everything is in the store", func() bool { return r.Stats().Pending == 0 })
	byDomain, total := counted(t, d)
	if total != n || byDomain["d7.example"] != n/40 {
		t.Errorf("%d messages are counted, want %d: %v", total, n, byDomain)
	}
	s = r.Stats()
	if all := logged(t, d); len(all) != n-int(s.Dropped) || all["0"] != 1 || s.Torn != 0 {
		t.Errorf("%d decisions are logged, %d were dropped, the first is there %d times; %+v", len(all), s.Dropped, all["0"], s)
	}
}
