//go:build linux

package postfix

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A full disk takes the details of messages, and never a count; the mail goes on.
func TestFullDiskStopsNoMailAndLosesNoCount(t *testing.T) {
	sideBySide(t)
	b := prepare(t, "")
	if err := os.MkdirAll(b.gate.state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", b.gate.state, "tmpfs", 0, "size=24m"); err != nil {
		without(t, "mounting a small disk: "+err.Error())
	}
	t.Cleanup(func() {
		b.gate.kill()
		unix.Unmount(b.gate.state, unix.MNT_DETACH)
	})
	full := filepath.Join(b.gate.state, "full")
	fill(t, full)
	b.open(t) // a gate that starts so takes mail too
	l := startLoad(b.mta.address, 4, 0, mixed("disk"))
	l.wait(t, 2, 50)
	b.gate.storeUp(t, 0)
	if err := os.Remove(full); err != nil {
		t.Fatal(err)
	}
	b.gate.storeUp(t, 1)
	fill(t, full)
	waitFor(t, "the gate to notice", func() bool { return b.gate.metric(t, "gatepost_journal_in_memory") > 0 })
	l.wait(t, 2, 200)
	fill(t, full) // what was given back meanwhile
	const counted = "the journal cannot be written: messages are counted in memory"
	waitFor(t, "/readyz to say so", func() bool {
		status, ready := b.gate.page(t, "/readyz")
		return status == 200 && strings.Contains(ready, counted)
	})
	if !strings.Contains(b.gate.log.String(), counted) {
		t.Error("the log does not say that the journal cannot be written")
	}
	if err := os.Remove(full); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "room again", func() bool { return b.gate.metric(t, "gatepost_journal_in_memory") == 0 })
	b.gate.storeUp(t, 1)
	l.wait(t, 2, 50)
	l.stop()
	waitFor(t, "the store to have everything", func() bool { return b.gate.metric(t, "gatepost_journal_pending") == 0 })
	dropped, lost := b.gate.metric(t, "gatepost_journal_dropped_total"), b.gate.metric(t, "gatepost_journal_lost_total")
	waitFor(t, "/readyz to say that all is well", func() bool {
		status, ready := b.gate.page(t, "/readyz")
		return status == 200 && !strings.Contains(ready, "degraded")
	})
	b.gate.terminate(t)

	l.checkAll(t, b.sink)
	if n := l.codes()[4]; n != 0 {
		t.Errorf("%d messages were put off, since the disk was full", n)
	}
	books := b.gate.books(t)
	if unanswered := checkCounts(t, books, l); unanswered != 0 || lost != 0 {
		t.Errorf("%d counted too many, and %g lost", unanswered, lost)
	}
	if missing := books.counted - int64(len(books.decisions)); missing != int64(dropped) || dropped == 0 {
		t.Errorf("%d are counted and not written down, and %g were told to be", missing, dropped)
	}
	if !strings.Contains(b.gate.log.String(), "the journal can be written again") {
		t.Error("the log does not say that there is room again")
	}
	t.Logf("%d messages counted, %g of them without their details", books.counted, dropped)
}

// fill writes until there is no room left.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(slices.Repeat([]byte{'x'}, size)); err != nil {
			size /= 2
		}
	}
}

// checkCounts wants every message counted that got an answer from the gate. What was counted beyond that are messages whose answer was
// lost on its way, since the gate was killed; they are given.
func checkCounts(t *testing.T, b books, l *load) (unanswered int64) {
	t.Helper()
	decided := l.decided()
	unanswered = b.counted - int64(len(decided))
	if unanswered < 0 {
		t.Errorf("%d messages are counted, and %d got an answer", b.counted, len(decided))
	}
	return unanswered
}
