package observe

import (
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/raced"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// An hour at 500 messages a second. It takes minutes; GATEPOST_FULL=1 asks for it.
const anHour = 3600 * 500

func TestMemoryStaysFlatWhileTheStoreIsAway(t *testing.T) {
	messages, segment := 60_000, int64(0)
	switch {
	case os.Getenv("GATEPOST_FULL") != "":
		messages = anHour
	case testing.Short() || raced.On:
		messages, segment = 4_000, 200_000
	}
	home := filepath.Join(t.TempDir(), "store")
	r := start(t, t.TempDir(), Options{Store: store.Keep(filepath.Join(home, "gatepost.db"), store.Options{Create: true}), segmentBytes: segment})
	before := memory()
	record(r, messages)
	eventually(t, "a first failure of the store", func() bool { return r.Stats().StoreFailures > 0 }) // it may come after the last message
	during := memory()
	if s := r.Stats(); s.Pending != int64(messages) || s.Committed+s.Dropped+s.Lost != 0 {
		t.Fatalf("got %+v", s)
	}
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	flushed(t, r)
	after := memory()
	t.Logf("%d messages; memory %d MiB at first, %d with the store away, %d when it had caught up", messages, before>>20, during>>20, after>>20)
	const most = 200 << 20 // of which the test's own decisions are a part
	if during > most || after > most {
		t.Errorf("memory grew from %d MiB to %d, then %d; want less than %d", before>>20, during>>20, after>>20, most>>20)
	}
	s, err := store.Open(t.Context(), filepath.Join(home, "gatepost.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if messages < anHour {
		everything(t, s, messages)
		return
	}
	if _, total := counted(t, s); total != int64(messages) {
		t.Errorf("%d messages are counted, want %d", total, messages)
	}
	last, err := s.Decisions(t.Context(), store.DecisionFilter{Limit: 1})
	if err != nil || last[0].ID != int64(messages) {
		t.Errorf("the last decision is %+v, %v, want the number %d", last, err, messages)
	}
}

// record records messages from sixteen sessions at once.
func record(r *Recorder, messages int) {
	var all sync.WaitGroup
	for g := range 16 {
		all.Go(func() {
			for n := g; n < messages; n += 16 {
				r.Record(decision(n))
			}
		})
	}
	all.Wait()
}

// memory is what the program holds of the system's.
func memory() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys - m.HeapReleased
}
