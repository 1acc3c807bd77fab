package intake_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A memory is a store that keeps what it is given, or is away.
type memory struct {
	mu       sync.Mutex
	arrivals []store.Arrival
	batches  []int
	away     error
}

func (m *memory) AddArrivals(_ context.Context, all []store.Arrival) ([]store.Added, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away != nil {
		return nil, m.away
	}
	for _, a := range all {
		r, err := a.Raw.Open()
		if err == nil {
			hash := sha256.New()
			_, err = io.Copy(hash, r)
			r.Close()
			if err == nil && store.Hash(hash.Sum(nil)) != a.Raw.Hash {
				err = errors.New("it changed")
			}
		}
		if err != nil {
			return nil, &store.ArrivalError{Name: a.Raw.Name, Err: err}
		}
	}
	added := make([]store.Added, len(all))
	for i, a := range all {
		for range a.Reports {
			added[i].Reports = append(added[i].Reports, store.ReportNew)
		}
	}
	m.arrivals = append(m.arrivals, all...)
	m.batches = append(m.batches, len(all))
	return added, nil
}

// read takes each line for a report; "bad" for something else.
func read(_ context.Context, r io.Reader) (intake.Contents, error) {
	b, err := io.ReadAll(r)
	var c intake.Contents
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "bad") {
			c.Refusals = append(c.Refusals, "no report")
			continue
		}
		c.Reports = append(c.Reports, store.Report{ReportID: line})
	}
	return c, err
}

func item(name, text string) intake.Item {
	return intake.Item{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}

func items(all ...intake.Item) iter.Seq[intake.Item] {
	return func(yield func(intake.Item) bool) {
		for _, i := range all {
			if !yield(i) {
				return
			}
		}
	}
}

// told is what done was called with, shortly.
type told []string

func (t *told) done(i intake.Item, o intake.Outcome) error {
	*t = append(*t, fmt.Sprintf("%s %d %d %v", i.Name, o.New, len(o.Refused), o.Failed))
	return nil
}

func TestEachItemIsToldOfInOrderAfterItWasWritten(t *testing.T) {
	m := &memory{}
	importer := &intake.Importer{Store: m, Read: read, Items: 3}
	var all []intake.Item
	for n := range 10 {
		all = append(all, item(fmt.Sprint(n), fmt.Sprintf("report %d\n", n)))
	}
	next := 0
	err := importer.Import(t.Context(), items(all...), func(i intake.Item, o intake.Outcome) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if i.Name != fmt.Sprint(next) || o.New != 1 || len(m.arrivals) <= next {
			t.Errorf("told of %s with %+v after %d were written; %d was next", i.Name, o, len(m.arrivals), next)
		}
		next++
		return nil
	})
	if err != nil || next != 10 {
		t.Errorf("%d, %v", next, err)
	}
	if len(m.batches) != 4 {
		t.Errorf("batches of %v", m.batches)
	}
}

func TestWhatHoldsNoReportIsWrittenWithTheReason(t *testing.T) {
	m := &memory{}
	var got told
	importer := &intake.Importer{Store: m, Read: read}
	if err := importer.Import(t.Context(), items(item("a", "bad\n"), item("b", ""), item("c", "one\ntwo\nbad\n")), got.done); err != nil {
		t.Fatal(err)
	}
	if want := "[a 0 1 <nil> b 0 1 <nil> c 2 1 <nil>]"; fmt.Sprint(got) != want {
		t.Errorf("%v, %v expected", got, want)
	}
	if len(m.arrivals) != 3 || m.arrivals[1].Refusals[0] != "there is no report in it" {
		t.Errorf("%+v", m.arrivals)
	}
}

func TestOneThatCannotBeReadDoesNotStopTheOthers(t *testing.T) {
	m := &memory{}
	broken := intake.Item{Name: "broken", Open: func() (io.ReadCloser, error) { return nil, errors.New("gone") }}
	var opened atomic.Int64
	changing := intake.Item{Name: "changing", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(fmt.Sprint("a report", opened.Add(1)))), nil
	}}
	var got told
	importer := &intake.Importer{Store: m, Read: read}
	if err := importer.Import(t.Context(), items(item("a", "one\n"), broken, changing, item("b", "two\n")), got.done); err != nil {
		t.Fatal(err)
	}
	want := "[a 1 0 <nil> broken 0 0 gone changing 0 0 changing: it changed b 1 0 <nil>]"
	if fmt.Sprint(got) != want {
		t.Errorf("%v, %v expected", got, want)
	}
}

func TestWithTheStoreAwayNothingIsToldOf(t *testing.T) {
	m := &memory{away: errors.New("away")}
	var got told
	importer := &intake.Importer{Store: m, Read: read}
	if err := importer.Import(t.Context(), items(item("a", "one\n"), item("b", "two\n")), got.done); !errors.Is(err, m.away) {
		t.Errorf("%v", err)
	}
	if len(got) != 0 {
		t.Errorf("told of %v", got)
	}
}

func TestWhoeverStopsGetsNothingMoreAndNothingStaysOpen(t *testing.T) {
	var open atomic.Int64
	var all []intake.Item
	for n := range 1000 {
		all = append(all, intake.Item{Name: fmt.Sprint(n), Open: func() (io.ReadCloser, error) {
			open.Add(1)
			return closing{bytes.NewReader([]byte("report\n")), func() { open.Add(-1) }}, nil
		}})
	}
	stop := errors.New("stop")
	importer := &intake.Importer{Store: &memory{}, Read: read, Items: 10}
	told := 0
	err := importer.Import(t.Context(), items(all...), func(intake.Item, intake.Outcome) error {
		if told++; told == 25 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || told != 25 || open.Load() != 0 {
		t.Errorf("%v after %d; %d are open", err, told, open.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = importer.Import(ctx, items(all...), func(intake.Item, intake.Outcome) error {
		t.Error("told of one after the end")
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

type closing struct {
	io.Reader
	close func()
}

func (c closing) Close() error {
	c.close()
	return nil
}

func TestALoneItemDoesNotWaitForOthers(t *testing.T) {
	more := make(chan struct{})
	importer := &intake.Importer{Store: &memory{}, Read: read, Wait: time.Millisecond}
	err := importer.Import(t.Context(), func(yield func(intake.Item) bool) {
		if yield(item("a", "one\n")) {
			<-more
		}
	}, func(intake.Item, intake.Outcome) error {
		close(more)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A slow store is told when it may go on.
type slow struct {
	memory
	writing func()
}

func (s *slow) AddArrivals(ctx context.Context, all []store.Arrival) ([]store.Added, error) {
	s.writing()
	return s.memory.AddArrivals(ctx, all)
}

func TestReadingGoesOnWhileAGroupIsWrittenAndNoFurtherThanAnother(t *testing.T) {
	const group, held = 10, 50 // of each item
	for _, c := range []struct {
		name        string
		items, rows int
	}{
		{"counted in items", group, 1 << 20},
		{"counted in rows", 1000, group * held},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The memory store opens each item once more.
			var opened, written, most atomic.Int64
			more := make(chan struct{}, 1000)
			var all []intake.Item
			for n := range 10 * group {
				all = append(all, intake.Item{Name: fmt.Sprint(n), Open: func() (io.ReadCloser, error) {
					opened.Add(1)
					more <- struct{}{}
					return io.NopCloser(strings.NewReader("report\n")), nil
				}})
			}
			s := &slow{}
			s.writing = func() {
				ahead := func() int64 { return opened.Load() - 2*written.Load() - group }
				for ahead() < group && opened.Load()-written.Load() < int64(len(all)) {
					<-more
				}
				most.Store(max(most.Load(), ahead()))
				written.Add(group)
			}
			importer := &intake.Importer{Store: s, Items: c.items, Rows: c.rows, Wait: time.Hour,
				Read: func(_ context.Context, r io.Reader) (intake.Contents, error) {
					return intake.Contents{Reports: []store.Report{{Held: held}}}, nil
				}}
			var got told
			if err := importer.Import(t.Context(), items(all...), got.done); err != nil || len(got) != len(all) {
				t.Fatalf("told of %d: %v", len(got), err)
			}
			// What was under way when the bound was reached: one a reader, one on its way to them, and one that waits to be in order.
			if bound := group + int64(2*runtime.GOMAXPROCS(0)) + 2; most.Load() > bound {
				t.Errorf("%d were read ahead, %d expected at most", most.Load(), bound)
			}
		})
	}
}

// A group is bounded by what its reports take, whether they have records or not.
func TestLongDocumentsMakeAGroupSmaller(t *testing.T) {
	s := &memory{}
	m := &intake.Importer{Store: s, Wait: time.Minute, Read: func(_ context.Context, r io.Reader) (intake.Contents, error) {
		_, err := io.Copy(io.Discard, r)
		return intake.Contents{Reports: []store.Report{{Document: bytes.Repeat([]byte{' '}, 4<<20)}}}, err
	}}
	var all []intake.Item
	for i := range 50 {
		all = append(all, item(fmt.Sprint(i), "x"))
	}
	if err := m.Import(t.Context(), items(all...), func(intake.Item, intake.Outcome) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for _, n := range s.batches {
		if n > 5 {
			t.Errorf("groups of %v items with 4 MiB each", s.batches)
			break
		}
	}
}

// What was read and waits to be written is bounded too, and nothing comes to a standstill where each item fills the bound.
func TestNothingMoreIsReadThanIsSoonWritten(t *testing.T) {
	var read, written atomic.Int64
	most := int64(0)
	var mu sync.Mutex
	s := &memory{}
	m := &intake.Importer{Store: s, Rows: 1000, Wait: time.Minute, Read: func(_ context.Context, r io.Reader) (intake.Contents, error) {
		mu.Lock()
		most = max(most, read.Add(1)-written.Load())
		mu.Unlock()
		_, err := io.Copy(io.Discard, r)
		return intake.Contents{Reports: []store.Report{{Document: bytes.Repeat([]byte{' '}, 4<<20)}}}, err
	}}
	var all []intake.Item
	for i := range 200 {
		all = append(all, item(fmt.Sprint(i), "x"))
	}
	if err := m.Import(t.Context(), items(all...), func(intake.Item, intake.Outcome) error { written.Add(1); return nil }); err != nil {
		t.Fatal(err)
	}
	if limit := int64(2*runtime.GOMAXPROCS(0) + 1); most > limit || written.Load() != 200 {
		t.Errorf("%d were read and not written, want %d at most; %d were written", most, limit, written.Load())
	}
}
