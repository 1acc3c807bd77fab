package batch

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/intake"
)

type importer func(ctx context.Context, items iter.Seq[intake.Item], done func(intake.Item, intake.Outcome) error) error

func (f importer) Import(ctx context.Context, items iter.Seq[intake.Item], done func(intake.Item, intake.Outcome) error) error {
	return f(ctx, items, done)
}

func TestEachGetsItsOwnOutcomeAndSeveralAreImportedTogether(t *testing.T) {
	var calls atomic.Int64
	b := New(importer(func(_ context.Context, items iter.Seq[intake.Item], done func(intake.Item, intake.Outcome) error) error {
		calls.Add(1)
		for item := range items {
			if err := done(item, intake.Outcome{New: len(item.Name), Refused: []string{item.Name}}); err != nil {
				return err
			}
		}
		return nil
	}), Options{Most: 10, Wait: 20 * time.Millisecond})
	defer b.Close()
	const n = 200
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			name := strings.Repeat("x", i%7) + fmt.Sprint(i)
			o, err := b.Import(t.Context(), intake.Item{Name: name})
			if err != nil || o.New != len(name) || o.Refused[0] != name {
				t.Errorf("%s: %+v, %v", name, o, err)
			}
		})
	}
	all.Wait()
	if c := calls.Load(); c < n/10 || c > n/2 {
		t.Errorf("%d calls for %d items", c, n)
	}
}

func TestWhatTheImporterDoesNotAnswerIsAnError(t *testing.T) {
	away := errors.New("the store is away")
	for name, c := range map[string]struct {
		importer importer
		want     string
	}{
		"error": {func(context.Context, iter.Seq[intake.Item], func(intake.Item, intake.Outcome) error) error {
			return away
		}, "away"},
		"silence": {func(context.Context, iter.Seq[intake.Item], func(intake.Item, intake.Outcome) error) error {
			return nil
		},
			"did not say"},
		"panic": {func(context.Context, iter.Seq[intake.Item], func(intake.Item, intake.Outcome) error) error {
			panic("odd mail")
		},
			"odd mail"},
		"failed": {func(_ context.Context, items iter.Seq[intake.Item], done func(intake.Item, intake.Outcome) error) error {
			for item := range items {
				done(item, intake.Outcome{Failed: away})
			}
			return nil
		}, "away"},
	} {
		b := New(c.importer, Options{})
		if _, err := b.Import(t.Context(), intake.Item{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", name, err)
		}
		b.Close()
	}
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	began := make(chan struct{})
	b := New(importer(func(ctx context.Context, _ iter.Seq[intake.Item], _ func(intake.Item, intake.Outcome) error) error {
		close(began)
		<-ctx.Done()
		return ctx.Err()
	}), Options{})
	failed := make(chan error, 1)
	go func() {
		_, err := b.Import(context.Background(), intake.Item{})
		failed <- err
	}()
	<-began
	b.Close()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := b.Import(context.Background(), intake.Item{}); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}
