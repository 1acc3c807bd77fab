package observe

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/raced"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// Nothing that a sender can make up decides how much room it takes.
func TestRowsAndMemoryStayFlatInAFloodOfNames(t *testing.T) {
	messages, most := 20_000, 2_000
	switch {
	case os.Getenv("GATEPOST_FULL") != "":
		messages, most = anHour, store.DefaultObservations
	case testing.Short() || raced.On:
		messages, most = 1_500, 300
	}
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatepost.db"), store.Options{Create: true, Observations: most})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	r := start(t, t.TempDir(), Options{Store: s, Retention: store.Retention{Decisions: 1000}, MaxBytes: 64 << 30})
	before, largest := memory(), uint64(0)
	for n := range messages {
		r.Record(made(n))
		if n%10_000 == 0 {
			largest = max(largest, memory())
		}
	}
	flushed(t, r)
	largest = max(largest, memory())
	rows, refused, total := 0, int64(0), int64(0)
	for n, err := range s.Observations(t.Context(), store.ObservationFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		rows++
		total += n.Count
		if n.Verdict == "reject" && n.Rule == "spf-softfail" && n.Done == "reject" {
			refused += n.Count
		}
	}
	t.Logf("%d messages in %d rows; memory %d MiB at first, %d at most", messages, rows, before>>20, largest>>20)
	if rows > most || rows < most*9/10 {
		t.Errorf("%d messages have %d rows, of %d that there may be", messages, rows, most)
	}
	if want := (messages + 2) / 3; total != int64(messages) || refused != int64(want) {
		t.Errorf("%d messages are counted, %d as refused; want %d and %d", total, refused, messages, want)
	}
	if largest > 200<<20 {
		t.Errorf("memory grew from %d MiB to %d", before>>20, largest>>20)
	}
}
