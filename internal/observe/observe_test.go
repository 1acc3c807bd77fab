package observe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/testlog"
)

func TestWhatIsRecordedComesIntoTheStoreByItself(t *testing.T) {
	d, dir := newDoor(t), filepath.Join(t.TempDir(), "journal")
	r := start(t, dir, Options{Store: d})
	r.Record(decision(0))
	eventually(t, "the message is in the store", func() bool { return r.Stats().Committed == 1 })
	everything(t, d, 1)
	if s := r.Stats(); s != (Stats{Committed: 1}) {
		t.Errorf("got %+v", s)
	}
	if files := journalFiles(t, dir); len(files) != 0 {
		t.Errorf("left over: %v", files)
	}
}

func TestSixteenAtOnceAreEachRecordedOnce(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	r := start(t, t.TempDir(), Options{Store: d, segmentBytes: 40_000})
	var all sync.WaitGroup
	for g := range 16 {
		all.Go(func() {
			for n := range 200 {
				r.Record(decision(g*200 + n))
			}
		})
	}
	all.Wait()
	flushed(t, r)
	everything(t, d, 3200)
	if s := r.Stats(); s != (Stats{Committed: 3200}) {
		t.Errorf("got %+v", s)
	}
}

func TestTheJournalWaitsForAStoreThatIsAway(t *testing.T) {
	var log testlog.Buffer
	d, dir := newDoor(t), t.TempDir()
	d.shut.Store(true)
	r := start(t, dir, Options{Store: d, Log: logTo(&log), segmentBytes: 2000})
	for n := range 100 {
		r.Record(decision(n))
	}
	eventually(t, "the store failed a few times", func() bool { return r.Stats().StoreFailures > 2 })
	if err := r.Flush(t.Context()); !errors.Is(err, errShut) {
		t.Errorf("Flush: %v", err)
	}
	if s := r.Stats(); s.Pending != 100 || s.Committed != 0 || !s.StoreAway || s.Dropped+s.Lost != 0 || s.Segments < 10 || s.JournalBytes < 10_000 {
		t.Errorf("got %+v", s)
	}
	if n := strings.Count(log.String(), "cannot be written"); n != 1 {
		t.Errorf("%d lines of the log say so", n)
	}
	d.shut.Store(false)
	eventually(t, "everything is in the store", func() bool { return r.Stats().Pending == 0 })
	everything(t, d, 100)
	eventually(t, "the log says that the store is back", func() bool { return strings.Count(log.String(), "the store is back") == 1 })
	if r.Stats().StoreAway {
		t.Error("the store is still said to be away")
	}
}

func TestABatchWhoseAnswerWasLostIsNotCountedTwice(t *testing.T) {
	d := newDoor(t)
	d.silent.Store(true)
	r := start(t, t.TempDir(), Options{Store: d, segmentBytes: 2000})
	for n := range 50 {
		r.Record(decision(n))
	}
	eventually(t, "the store failed a few times", func() bool { return r.Stats().StoreFailures > 3 })
	d.silent.Store(false)
	flushed(t, r)
	everything(t, d, 50)
}

func TestTheNextProgramTakesOverWhatWasLeft(t *testing.T) {
	d, dir := newDoor(t), t.TempDir()
	d.shut.Store(true)
	for run := range 3 {
		r := start(t, dir, Options{Store: d, segmentBytes: 2000})
		for n := range 20 {
			r.Record(decision(run*20 + n))
		}
		if err := r.Close(t.Context()); !errors.Is(err, errShut) {
			t.Errorf("Close: %v", err)
		}
	}
	d.shut.Store(false)
	r := start(t, dir, Options{Store: d})
	flushed(t, r)
	everything(t, d, 60)
	if files := journalFiles(t, dir); len(files) != 0 {
		t.Errorf("left over: %v", files)
	}
}

func TestCloseWritesEverything(t *testing.T) {
	d, dir := newDoor(t), t.TempDir()
	r := start(t, dir, Options{Store: d, interval: time.Hour})
	for n := range 20 {
		r.Record(decision(n))
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	everything(t, d, 20)
	r.Record(decision(20))
	if s := r.Stats(); s.Lost != 1 {
		t.Errorf("after Close: %+v", s)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Errorf("again: %v", err)
	}
	if err := r.Flush(t.Context()); err == nil {
		t.Error("Flush after Close")
	}
}

func TestTwoProgramsDoNotShareAJournal(t *testing.T) {
	d, dir := newDoor(t), t.TempDir()
	r := start(t, dir, Options{Store: d})
	if _, err := Open(dir, Options{Store: d}); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	start(t, dir, Options{Store: d})
}

func TestAJournalThatCannotBeMadeSaysWhy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil)
	if _, err := Open(filepath.Join(file, "journal"), Options{}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v", err)
	}
	if _, err := Open(t.TempDir(), Options{Sync: "often"}); err == nil || !strings.Contains(err.Error(), "second, each, never") {
		t.Errorf("got %v", err)
	}
}

func TestUsesOfAnExceptionAreCountedOnce(t *testing.T) {
	d := newDoor(t)
	e := store.Exception{Domain: "example.com", SDID: "example.net", Until: time.Now(), Reason: "r"}
	if err := d.AddException(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	d.silent.Store(true)
	r := start(t, t.TempDir(), Options{Store: d})
	for n := range 5 {
		m := decision(n)
		m.Exception = e.ID
		r.Record(m)
	}
	eventually(t, "the store failed", func() bool { return r.Stats().StoreFailures > 1 })
	d.silent.Store(false)
	flushed(t, r)
	all, err := d.Exceptions(t.Context())
	if err != nil || all[0].Uses != 5 || !all[0].LastUsed.Equal(decision(4).Time) {
		t.Errorf("got %+v, %v", all, err)
	}
}

func TestEachWayOfSyncingRecords(t *testing.T) {
	for _, way := range []Sync{SyncSecond, SyncEach, SyncNever} {
		d := newDoor(t)
		r := start(t, t.TempDir(), Options{Store: d, Sync: way, segmentBytes: 2000})
		for n := range 20 {
			r.Record(decision(n))
		}
		flushed(t, r)
		everything(t, d, 20)
	}
}

func TestOldDecisionsLeaveTheStore(t *testing.T) {
	d := newDoor(t)
	r := start(t, t.TempDir(), Options{Store: d, Retention: store.Retention{Decisions: 3}, interval: time.Millisecond})
	for n := range 10 {
		r.Record(decision(n))
		flushed(t, r)
	}
	eventually(t, "only three are logged", func() bool { return len(logged(t, d)) == 3 })
	if _, total := counted(t, d); total != 10 {
		t.Errorf("%d messages are counted, want 10", total)
	}
}

// A file where the journal would make its next segment: as good as a disk that is full.
func TestMailIsCountedInMemoryWhileTheJournalCannotBeWritten(t *testing.T) {
	var log testlog.Buffer
	d, parent := newDoor(t), t.TempDir()
	dir := filepath.Join(parent, "journal")
	r := start(t, dir, Options{Store: d, Log: logTo(&log)})
	r.Record(decision(0))
	flushed(t, r)
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Skip(err)
	}
	for n := 1; n < 100; n++ {
		r.Record(decision(n))
	}
	eventually(t, "the background tried too", func() bool { return r.Stats().JournalFailures > 3 })
	if s := r.Stats(); s.InMemory != 99 || s.Pending != 99 || s.Dropped != 99 || s.Lost != 0 {
		t.Errorf("got %+v", s)
	}
	if n := strings.Count(log.String(), "the journal cannot be written"); n != 1 {
		t.Errorf("%d lines of the log say so", n)
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the journal is written again", func() bool { return strings.Count(log.String(), "can be written again") == 1 })
	r.Record(decision(100))
	flushed(t, r)
	byDomain, total := counted(t, d)
	if total != 101 || byDomain["once50.example"] != 1 || byDomain["d7.example"] != 2 || len(logged(t, d)) != 2 {
		t.Errorf("%d messages are counted and %d logged, want 101 and 2: %v", total, len(logged(t, d)), byDomain)
	}
}

func TestMemoryThatIsFullLosesMessagesAndSaysHowMany(t *testing.T) {
	d, dir := newDoor(t), filepath.Join(t.TempDir(), "journal")
	r := start(t, dir, Options{Store: d, memoryBytes: 20_000})
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Skip(err)
	}
	for n := range 10_000 {
		m := decision(n)
		m.Rule = fmt.Sprint(n) // which nothing folds
		r.Record(m)
	}
	s := r.Stats()
	if s.Lost == 0 || s.InMemory == 0 || s.Lost+s.InMemory != 10_000 {
		t.Errorf("got %+v", s)
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what was counted is in the store", func() bool { return r.Stats().Committed == s.InMemory })
	if _, total := counted(t, d); total != s.InMemory {
		t.Errorf("%d messages are counted, want %d", total, s.InMemory)
	}
}

func TestAFloodOfNamesThatMemoryHasNoRoomForIsFoldedAndNotLost(t *testing.T) {
	d, dir := newDoor(t), filepath.Join(t.TempDir(), "journal")
	r := start(t, dir, Options{Store: d, memoryBytes: 20_000})
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Skip(err)
	}
	r.Record(decision(7))
	for n := range 10_000 {
		r.Record(made(n))
	}
	r.Record(decision(7))
	if s := r.Stats(); s.Lost != 0 || s.InMemory != 10_002 {
		t.Errorf("got %+v", s)
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what was counted is in the store", func() bool { return r.Stats().Pending == 0 })
	// The second of the known name may find memory just emptied into a journal that is there again, and so be folded like the rest.
	if byDomain, total := counted(t, d); total != 10_002 || byDomain["d7.example"] == 0 || byDomain[store.Other] == 0 || len(byDomain) > 100 {
		t.Errorf("%d messages are counted, want 10002: %v", total, byDomain)
	}
}

func TestAFullJournalKeepsCountsAndDropsTheOldestDecisions(t *testing.T) {
	var log testlog.Buffer
	d, dir := newDoor(t), t.TempDir()
	d.shut.Store(true)
	const most = 200_000
	r := start(t, dir, Options{Store: d, MaxBytes: most, Log: logTo(&log), interval: time.Millisecond})
	const n = 3000
	for i := range n {
		m := decision(i % 4) // of four Observations
		m.Reference = fmt.Sprint(i)
		r.Record(m)
		if i%50 == 0 {
			eventually(t, "there is room again", func() bool { return r.Stats().JournalBytes <= most/4*3 })
		}
	}
	var bytes int64
	for _, file := range journalFiles(t, dir) {
		info, err := os.Stat(file)
		if err != nil {
			continue // the background renamed it
		}
		bytes += info.Size()
	}
	if bytes > most {
		t.Errorf("the journal has %d bytes, want %d at most", bytes, most)
	}
	if s := r.Stats(); s.Dropped == 0 || s.Lost > 0 || s.Pending != n {
		t.Errorf("got %+v", s)
	}
	d.shut.Store(false)
	eventually(t, "everything is in the store", func() bool { return r.Stats().Pending == 0 })
	s := r.Stats()
	byDomain, total := counted(t, d)
	if total != n || byDomain["d3.example"] != n/4 {
		t.Errorf("%d messages are counted, want %d: %v", total, n, byDomain)
	}
	all := logged(t, d)
	if len(all) != n-int(s.Dropped) || all["2999"] != 1 || all["0"] != 0 {
		t.Errorf("%d decisions are logged, want %d; the last %d times, the first %d times", len(all), n-s.Dropped, all["2999"], all["0"])
	}
	if strings.Count(log.String(), "nearly full") != 1 {
		t.Error("the log does not say once that the journal is nearly full")
	}
}

func TestAJournalThatStaysFullCountsInMemory(t *testing.T) {
	d := newDoor(t)
	d.shut.Store(true)
	r := start(t, t.TempDir(), Options{Store: d, MaxBytes: 5000})
	for i := range 200 {
		m := decision(i)
		m.AuthorDomain = m.Reference + ".example" // nothing can be folded
		r.Record(m)
	}
	s := r.Stats()
	if s.InMemory == 0 || s.Pending != 200 || s.JournalBytes > 5000 {
		t.Errorf("got %+v", s)
	}
	d.shut.Store(false)
	eventually(t, "everything is in the store", func() bool { return r.Stats().Pending == 0 })
	if byDomain, total := counted(t, d); total != 200 || len(byDomain) != 200 {
		t.Errorf("%d messages are counted, of %d domains", total, len(byDomain))
	}
}

func TestWhatIsNoSegmentIsSetAside(t *testing.T) {
	var log testlog.Buffer
	d, dir := newDoor(t), t.TempDir()
	bad := filepath.Join(dir, segmentName(1, "00ff", 1))
	write(t, bad, []byte("a newer version's journal"))
	write(t, filepath.Join(dir, segmentName(1, "00ff", 2)), appendDecision([]byte(magic), decision(0)))
	write(t, filepath.Join(dir, segmentName(1, "00ff", 3))+tmpSuffix, []byte("half"))
	write(t, filepath.Join(dir, "README"), []byte("somebody else's"))
	r := start(t, dir, Options{Store: d, Log: logTo(&log)})
	flushed(t, r)
	everything(t, d, 1)
	if files := journalFiles(t, dir); len(files) != 1 || files[0] != bad+badSuffix {
		t.Errorf("got the files %v", files)
	}
	if r.Stats().Unreadable != 1 || strings.Count(log.String(), "set aside") != 1 {
		t.Errorf("got %+v", r.Stats())
	}
}

func TestATornEndIsCutAndTheRestCounts(t *testing.T) {
	whole := appendDecision(appendDecision([]byte(magic), decision(0)), decision(1))
	third := appendDecision(nil, decision(2))
	for name, end := range map[string][]byte{
		"nothing": nil, "a length": third[:3], "a head": third[:8], "half": third[:len(third)/2], "all but a byte": third[:len(third)-1],
		"zeros": make([]byte, 4096), "a flipped bit": append(append([]byte{}, third[:20]...), append([]byte{third[20] ^ 1}, third[21:]...)...),
		"a long length": {0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0},
	} {
		d, dir := newDoor(t), t.TempDir()
		d.shut.Store(true)
		write(t, filepath.Join(dir, segmentName(1, "00ff", 1)), append(append([]byte{}, whole...), end...))
		r := start(t, dir, Options{Store: d})
		eventually(t, "the store failed", func() bool { return r.Stats().StoreFailures > 2 })
		d.shut.Store(false)
		flushed(t, r)
		everything(t, d, 2)
		want := int64(1)
		if end == nil {
			want = 0
		}
		if s := r.Stats(); s.Torn != want || s.Unreadable != 0 || s.JournalBytes != 0 {
			t.Errorf("%s: got %+v", name, s)
		}
	}
}

func TestASegmentThatHadJustBegunIsNoTrouble(t *testing.T) {
	d, dir := newDoor(t), t.TempDir()
	for i := range len(magic) + 1 {
		write(t, filepath.Join(dir, segmentName(1, "00ff", int64(i+1))), []byte(magic[:i]))
	}
	r := start(t, dir, Options{Store: d})
	flushed(t, r)
	if s := r.Stats(); s.Unreadable != 0 || s.Segments != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestFlushEndsWithItsContext(t *testing.T) {
	d := newDoor(t)
	r := start(t, t.TempDir(), Options{Store: d, interval: time.Hour})
	r.Record(decision(0))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Flush(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	flushed(t, r)
	everything(t, d, 1)
}
