package observe

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/raced"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// The test binary, started again with these in its environment, is a program that records messages until somebody kills it.
const (
	victimDir   = "GATEPOST_TEST_VICTIM"       // where its journal and its store are
	victimFirst = "GATEPOST_TEST_VICTIM_FIRST" // the number of its first message
	victimTight = "GATEPOST_TEST_VICTIM_TIGHT" // a journal so small that segments are boiled down
)

func TestMain(m *testing.M) {
	if os.Getenv(victimDir) != "" {
		victim()
	}
	os.Exit(m.Run())
}

// victim says the number of each message on standard output after Record has returned.
func victim() {
	dir := os.Getenv(victimDir)
	first, err := strconv.Atoi(os.Getenv(victimFirst))
	if err != nil {
		panic(err)
	}
	o := Options{Store: store.Keep(filepath.Join(dir, "store", "gatepost.db"), store.Options{Create: true}), interval: time.Millisecond, segmentBytes: 20_000}
	if os.Getenv(victimTight) != "" {
		o.MaxBytes, o.segmentBytes = 1_000_000, 20_000
	}
	r, err := Open(filepath.Join(dir, "journal"), o)
	if err != nil {
		panic(err)
	}
	for n := first; ; n++ {
		d := decision(n)
		d.AuthorDomain = fmt.Sprintf("m%d.example", n) // so that the counts tell each message too
		if os.Getenv(victimTight) != "" {
			for r.Stats().JournalBytes > 900_000 { // what comes faster than the journal is boiled goes to memory, which dies
				time.Sleep(time.Millisecond)
			}
			*d = store.Decision{
				AuthorDomain: d.AuthorDomain, Reference: d.Reference, Time: d.Time,
				Recipients: slices.Repeat([]string{strings.Repeat("long", 75)}, 10), // of which a count keeps nothing
			}
		}
		r.Record(d)
		fmt.Println(n)
	}
}

// kill starts a victim, kills it at a random moment, and gives the number of the message after the last that it said.
func kill(t *testing.T, dir string, first int, more ...string) (next int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), victimDir+"="+dir, victimFirst+"="+strconv.Itoa(first)), more...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	timer := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	last := first - 1
	for wanted := 1 + rand.IntN(200); lines.Scan(); { // it dies while it goes on, somewhere behind this message
		if last, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
		if last == first+wanted {
			pause := time.Duration(rand.IntN(15_000)) * time.Microsecond
			time.AfterFunc(pause, func() { cmd.Process.Kill() })
		}
	}
	if !timer.Stop() || cmd.Wait() == nil {
		t.Fatal("it ended by itself, or not at all")
	}
	return last + 1
}

// settle brings all that is in the journal into the store.
func settle(t *testing.T, dir string) store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(dir, "store", "gatepost.db"), store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	r, err := Open(filepath.Join(dir, "journal"), Options{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := r.Stats(); st.Unreadable+st.Lost != 0 || st.Segments != 0 {
		t.Errorf("got %+v", st)
	}
	return s
}

func rounds() int {
	if testing.Short() || raced.On {
		return 12
	}
	return 36
}

// each holds a count of every message that was said to be recorded to one, and of those that only began to at most one. Each round
// begins a thousand numbers later, so that what a victim recorded and could not say stays below.
func each(t *testing.T, what string, count func(n int) int64, said [][2]int) {
	t.Helper()
	for _, r := range said {
		for n := r[0]; n < r[1]+100; n++ {
			c := count(n)
			if n < r[1] && c != 1 || c > 1 {
				t.Errorf("the message %d is %s %d times", n, what, c)
			}
		}
	}
}

func TestWhatWasRecordedBeforeASIGKILLIsInTheStoreOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	home, away := filepath.Join(dir, "store"), filepath.Join(dir, "away")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	var said [][2]int // from, and the one after the last
	for round, first := 0, 0; round < rounds(); round++ {
		var next int
		switch round % 4 {
		case 1: // no store
			if err := os.Rename(home, away); err != nil {
				t.Fatal(err)
			}
			next = kill(t, dir, first)
			if err := os.Rename(away, home); err != nil {
				t.Fatal(err)
			}
		case 3: // a store that is held locked by another
			unlock := hold(t, filepath.Join(home, "gatepost.db"))
			next = kill(t, dir, first)
			unlock()
		default:
			next = kill(t, dir, first)
		}
		said = append(said, [2]int{first, next})
		first = next + 10_000
	}
	s := settle(t, dir)
	all := logged(t, s)
	byDomain, total := counted(t, s)
	each(t, "logged", func(n int) int64 { return int64(all[fmt.Sprint(n)]) }, said)
	each(t, "counted", func(n int) int64 { return byDomain[fmt.Sprintf("m%d.example", n)] }, said)
	messages := 0
	for _, r := range said {
		messages += r[1] - r[0]
	}
	if total < int64(messages) || int(total) != len(all) {
		t.Errorf("%d messages are counted and %d logged, of %d that were recorded", total, len(all), messages)
	}
	t.Logf("%d messages, %d kills", total, len(said))
}

func TestWhatWasRecordedBeforeASIGKILLIsCountedOnceByAJournalThatIsFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	home, away := filepath.Join(dir, "store"), filepath.Join(dir, "away")
	if err := os.Mkdir(away, 0o700); err != nil {
		t.Fatal(err)
	}
	var said [][2]int
	for round, first := 0, 0; round < rounds()/3; round++ {
		there := round%3 == 2
		if there {
			if err := os.Rename(away, home); err != nil {
				t.Fatal(err)
			}
		}
		next := kill(t, dir, first, victimTight+"=1")
		if there {
			if err := os.Rename(home, away); err != nil {
				t.Fatal(err)
			}
		}
		said = append(said, [2]int{first, next})
		first = next + 10_000
	}
	if err := os.Rename(away, home); err != nil {
		t.Fatal(err)
	}
	s := settle(t, dir)
	byDomain, total := counted(t, s)
	each(t, "counted", func(n int) int64 { return byDomain[fmt.Sprintf("m%d.example", n)] }, said)
	t.Logf("%d messages, %d decisions, %d kills", total, len(logged(t, s)), len(said))
}

// hold locks a store as a long transaction of another program does, until it is let go of.
func hold(t *testing.T, path string) (release func()) {
	t.Helper()
	s, err := store.Open(t.Context(), path, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		close(started)
		for number := int64(1); ctx.Err() == nil; number++ { // batches upon batches
			b := store.Batch{Source: fmt.Sprintf("busy%p", done), Number: number}
			b.Uses = make([]store.Use, 20_000)
			_ = s.AddBatch(ctx, b)
		}
	}()
	<-started
	return func() { cancel(); <-done; s.Close() }
}
