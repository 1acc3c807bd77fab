package keep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// taking is an answer that takes so long, and counts how often it is made.
func taking(d time.Duration, made *atomic.Int64) func(context.Context) (int64, error) {
	return func(context.Context) (int64, error) {
		time.Sleep(d)
		return made.Add(1), nil
	}
}

// in runs a test in a bubble, in which nothing but sleeping takes time.
func in(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t)
		time.Sleep(time.Hour) // what is under way comes to its end
	})
}

func want[T comparable](t *testing.T, what string, got Kept[T], err error, value T, anew bool) {
	t.Helper()
	if err != nil || got.Value != value || got.Anew != anew {
		t.Errorf("%s: got %v, anew %v, error %v; want %v, anew %v", what, got.Value, got.Anew, err, value, anew)
	}
}

func pending(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, ErrPending) {
		t.Errorf("%s: error %v, want ErrPending", what, err)
	}
}

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

func TestAnAnswerThatComesInTimeIsGivenAtOnce(t *testing.T) {
	in(t, func(t *testing.T) {
		k, made := New(Options{}), atomic.Int64{}
		got, err := Get(t.Context(), k, "a", taking(50*time.Millisecond, &made))
		want(t, "after 50 ms", got, err, 1, false)
		if !k.Has("a") || k.Has("b") {
			t.Error("it is not told what is there")
		}
	})
}

func TestWhoeverIsHurriedHearsThatItIsUnderWay(t *testing.T) {
	in(t, func(t *testing.T) {
		k, made := New(Options{}), atomic.Int64{}
		began := time.Now()
		_, err := Get(t.Context(), k, "a", taking(10*time.Second, &made))
		pending(t, "at first", err)
		if took := time.Since(began); took != 80*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		_, err = Get(Hurried(t.Context(), time.Now().Add(-time.Second)), k, "a", taking(10*time.Second, &made))
		pending(t, "with no time left", err)
		got, err := Get(Patient(t.Context()), k, "a", taking(10*time.Second, &made))
		want(t, "patiently", got, err, 1, false)
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestOneAnswerIsMadeForAllWhoAsk(t *testing.T) {
	in(t, func(t *testing.T) {
		k, made := New(Options{Workers: 8}), atomic.Int64{}
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				got, err := Get(Patient(t.Context()), k, "a", taking(time.Second, &made))
				want(t, "one of many", got, err, 1, false)
			})
		}
		wg.Wait()
	})
}

func TestWhoGoesAwayEndsNothingForOthers(t *testing.T) {
	in(t, func(t *testing.T) {
		k, made := New(Options{}), atomic.Int64{}
		ctx, cancel := context.WithCancel(Patient(t.Context()))
		time.AfterFunc(time.Millisecond, cancel)
		answer := func(ctx context.Context) (int64, error) {
			if v, err := taking(time.Second, &made)(ctx); ctx.Err() == nil {
				return v, err
			}
			return 0, ctx.Err()
		}
		if _, err := Get(ctx, k, "a", answer); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		got, err := Get(Patient(t.Context()), k, "a", answer)
		want(t, "another", got, err, 1, false)
	})
}

func TestAnOldAnswerIsGivenWhileANewOneIsMade(t *testing.T) {
	in(t, func(t *testing.T) {
		k, made := New(Options{}), atomic.Int64{}
		ask := func() (Kept[int64], error) { return Get(t.Context(), k, "a", taking(500*time.Millisecond, &made)) }
		Get(Patient(t.Context()), k, "a", taking(500*time.Millisecond, &made))
		time.Sleep(9 * time.Second) // of 20 × 0.5 s
		got, err := ask()
		want(t, "fresh", got, err, 1, false)
		time.Sleep(2 * time.Second)
		began := time.Now()
		got, err = ask()
		want(t, "old", got, err, 1, true)
		if took := time.Since(began); took != 0 {
			t.Errorf("it was waited for %v", took)
		}
		time.Sleep(time.Second)
		got, err = ask()
		want(t, "new", got, err, 2, false)
		time.Sleep(time.Hour)
		got, err = Get(Patient(t.Context()), k, "a", taking(500*time.Millisecond, &made))
		want(t, "after an hour there is nothing that does", got, err, 3, false)
	})
}

func TestAnOldAnswerIsGivenAtOnceWhileOthersAreMadeBeforeIt(t *testing.T) {
	in(t, func(t *testing.T) {
		k, made, slow := New(Options{}), atomic.Int64{}, atomic.Int64{}
		ask := func() (Kept[int64], error) { return Get(t.Context(), k, "a", taking(10*time.Millisecond, &made)) }
		ask()
		time.Sleep(time.Minute)
		go Get(t.Context(), k, "b", taking(500*time.Millisecond, &slow))
		synctest.Wait()
		began := time.Now()
		got, err := ask()
		want(t, "behind another", got, err, 1, true)
		if k.Idle() {
			t.Error("it is idle")
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("it was waited for %v", took)
		}
		time.Sleep(time.Minute)
		got, err = ask()
		want(t, "alone", got, err, 3, false)
		synctest.Wait()
		if !k.Idle() {
			t.Error("it is not idle")
		}
	})
}

func TestAChangeHasAnswersMadeAnew(t *testing.T) {
	in(t, func(t *testing.T) {
		k := New(Options{})
		of, ours, other := map[string]*atomic.Int64{}, "domain example.com 30", "domain example.org 30"
		for _, key := range []string{ours, other} {
			of[key] = &atomic.Int64{}
			Get(Patient(t.Context()), k, key, taking(time.Millisecond, of[key]))
		}
		k.Change("domain example.com")
		got, err := Get(t.Context(), k, ours, taking(time.Millisecond, of[ours]))
		want(t, "what changed", got, err, 2, false)
		got, err = Get(t.Context(), k, other, taking(time.Millisecond, of[other]))
		want(t, "what did not", got, err, 1, false)
	})
}

func TestAChangeWhileAnAnswerIsMadeHasItMadeAgain(t *testing.T) {
	in(t, func(t *testing.T) {
		k, made := New(Options{}), atomic.Int64{}
		go func() {
			time.Sleep(500 * time.Millisecond)
			k.Change("a")
		}()
		got, err := Get(Patient(t.Context()), k, "a", taking(time.Second, &made))
		want(t, "who waited", got, err, 2, false)
	})
}

func TestChangesWithoutEndEndSometime(t *testing.T) {
	in(t, func(t *testing.T) {
		k, made := New(Options{}), atomic.Int64{}
		answer := func(ctx context.Context) (int64, error) {
			k.Change("a")
			return taking(time.Second, &made)(ctx)
		}
		got, err := Get(Patient(t.Context()), k, "a", answer)
		want(t, "after some rounds", got, err, mostAnew, false)
	})
}

func TestAnErrorIsToldAndSoonTriedAgain(t *testing.T) {
	in(t, func(t *testing.T) {
		k, made := New(Options{}), atomic.Int64{}
		broken := errors.New("the disk is full")
		ask := func(err error) (Kept[int64], error) {
			return Get(Patient(t.Context()), k, "a", func(context.Context) (int64, error) { return made.Add(1), err })
		}
		for range 10 { // at the same time: one of them tries
			if _, err := ask(broken); !errors.Is(err, broken) {
				t.Errorf("error %v", err)
			}
		}
		if made.Load() != 1 {
			t.Errorf("it was tried %d times", made.Load())
		}
		time.Sleep(1100 * time.Millisecond)
		got, err := ask(nil)
		want(t, "a second later", got, err, 2, false)
		time.Sleep(time.Hour)
		got, err = ask(broken)
		want(t, "an older answer is better than an error", got, err, 2, false)
	})
}

func TestAPanicIsAnErrorAndHoldsUpNobody(t *testing.T) {
	in(t, func(t *testing.T) {
		var log strings.Builder
		k, made := New(Options{Log: logTo(&log)}), atomic.Int64{}
		_, err := Get(Patient(t.Context()), k, "a", func(context.Context) (int64, error) { panic("index out of range") })
		if err == nil || !strings.Contains(err.Error(), "index out of range") {
			t.Errorf("error %v", err)
		}
		if !strings.Contains(log.String(), "keep_test.go") {
			t.Errorf("the log does not tell where: %s", log.String())
		}
		got, err := Get(Patient(t.Context()), k, "b", taking(time.Millisecond, &made))
		want(t, "another", got, err, 1, false)
	})
}

func TestASlowAnswerHoldsUpNoQuickOne(t *testing.T) {
	in(t, func(t *testing.T) {
		k, made := New(Options{}), atomic.Int64{}
		began := time.Now()
		_, err := Get(t.Context(), k, "slow", taking(18*time.Second, &made))
		pending(t, "slow", err)
		quick := atomic.Int64{}
		for n := range 5 {
			if _, err := Get(Patient(t.Context()), k, fmt.Sprint("quick ", n), taking(10*time.Millisecond, &quick)); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took > 1200*time.Millisecond {
			t.Errorf("the quick ones took %v", took)
		}
	})
}

func TestThoseThatAreKnownToTakeLongWaitForEachOther(t *testing.T) {
	in(t, func(t *testing.T) {
		k, made := New(Options{}), atomic.Int64{}
		began := time.Now()
		var wg sync.WaitGroup
		for n := range 3 {
			wg.Go(func() { Get(Patient(Long(t.Context())), k, fmt.Sprint("long ", n), taking(10*time.Second, &made)) })
		}
		time.Sleep(time.Millisecond)
		quick := atomic.Int64{}
		got, err := Get(t.Context(), k, "quick", taking(10*time.Millisecond, &quick))
		want(t, "beside three long ones", got, err, 1, false)
		wg.Wait()
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("the three took %v", took)
		}
	})
}

func TestNoMoreAreMadeAtATimeThanMayBe(t *testing.T) {
	in(t, func(t *testing.T) {
		k := New(Options{Workers: 2, Slow: 1})
		var now, most atomic.Int64
		var wg sync.WaitGroup
		for n := range 40 {
			wg.Go(func() {
				Get(Patient(t.Context()), k, fmt.Sprint(n), func(context.Context) (int, error) {
					if at := now.Add(1); at > most.Load() {
						most.Store(at)
					}
					time.Sleep(time.Duration(n%5) * 700 * time.Millisecond)
					now.Add(-1)
					return n, nil
				})
			})
		}
		wg.Wait()
		time.Sleep(time.Second)
		if most.Load() != 3 {
			t.Errorf("%d at a time, want 3", most.Load())
		}
		k.locked(func() {
			if k.quick.free != 2 || k.slow.free != 1 {
				t.Errorf("%d and %d places are free", k.quick.free, k.slow.free)
			}
		})
	})
}

func TestAnAnswerMayBeMadeOfOthers(t *testing.T) {
	in(t, func(t *testing.T) {
		k, made := New(Options{}), atomic.Int64{}
		hurried := Hurried(t.Context(), time.Now().Add(2*time.Second))
		got, err := Get(hurried, k, "whole", func(ctx context.Context) (int64, error) {
			part, err := Get(ctx, k, "part", taking(time.Second, &made))
			return part.Value + 10, err
		})
		want(t, "the whole", got, err, 11, false)
	})
}

func TestAnAnswerMayBeMadeOfOneThatWaits(t *testing.T) {
	in(t, func(t *testing.T) {
		k, made := New(Options{}), atomic.Int64{}
		part := func(ctx context.Context) (Kept[int64], error) {
			return Get(ctx, k, "part", taking(100*time.Millisecond, &made))
		}
		go Get(Patient(t.Context()), k, "whole", func(ctx context.Context) (int64, error) {
			time.Sleep(500 * time.Millisecond)
			kept, err := part(ctx)
			return kept.Value, err
		})
		time.Sleep(time.Millisecond)
		go part(t.Context()) // behind the whole
		began := time.Now()
		got, err := Get(Patient(t.Context()), k, "whole", taking(0, &made))
		want(t, "the whole", got, err, 1, false)
		if took := time.Since(began); took > 700*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAnAnswerThatTakesTooLongIsGivenUp(t *testing.T) {
	in(t, func(t *testing.T) {
		k := New(Options{})
		_, err := Get(Patient(t.Context()), k, "a", func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

func TestRoomIsBounded(t *testing.T) {
	in(t, func(t *testing.T) {
		k, made := New(Options{Room: 10, LongRoom: 2}), atomic.Int64{}
		for n := range 100 {
			Get(Patient(t.Context()), k, fmt.Sprint(n), taking(0, &made))
			Get(Patient(Long(t.Context())), k, fmt.Sprint("long ", n), taking(0, &made))
		}
		if k.all.Len() != 10 || k.long.Len() != 2 {
			t.Errorf("%d and %d are kept", k.all.Len(), k.long.Len())
		}
		got, err := Get(t.Context(), k, "99", taking(0, &made))
		want(t, "the last", got, err, 199, false)
	})
}

// A page with many answers must not hold up who goes on from it, and its own come in its order.
func TestWhatWasAskedForLastIsMadeFirst(t *testing.T) {
	in(t, func(t *testing.T) {
		k, order := New(Options{}), []string(nil)
		ask := func(ctx context.Context, key string) {
			Get(ctx, k, key, func(context.Context) (int, error) {
				time.Sleep(100 * time.Millisecond)
				k.locked(func() { order = append(order, key) })
				return 0, nil
			})
		}
		page := Hurried(t.Context(), time.Now().Add(time.Millisecond))
		for _, key := range []string{"1", "2", "3", "4"} {
			ask(page, key)
		}
		time.Sleep(time.Millisecond)
		ask(Hurried(t.Context(), time.Now()), "next page")
		time.Sleep(time.Millisecond)
		ask(Hurried(t.Context(), time.Now()), "4") // the first page is looked at again, in part
		time.Sleep(time.Minute)
		k.locked(func() {})
		if got := strings.Join(order, ", "); got != "1, 4, next page, 2, 3" {
			t.Errorf("made in the order %s", got)
		}
	})
}

func TestWhatThereIsNoRoomForIsNotMade(t *testing.T) {
	in(t, func(t *testing.T) {
		k, made := New(Options{Room: 3}), atomic.Int64{}
		for n := range 100 {
			_, err := Get(t.Context(), k, fmt.Sprint(n), taking(10*time.Second, &made))
			pending(t, "at first", err)
		}
		time.Sleep(time.Hour)
		if n := made.Load(); n != 5 { // the first two are under way in a lane each when there is no room for them any more
			t.Errorf("%d were made", n)
		}
		k.locked(func() {
			if len(k.quick.waiting)+len(k.slow.waiting) != 0 {
				t.Error("somebody waits for ever")
			}
		})
	})
}

func TestAnAnswerMayLast(t *testing.T) {
	in(t, func(t *testing.T) {
		k, made := New(Options{}), atomic.Int64{}
		ask := func() (Kept[int64], error) {
			return Get(Lasting(t.Context(), time.Minute), k, "a", taking(time.Millisecond, &made))
		}
		ask()
		time.Sleep(50 * time.Second)
		got, err := ask()
		want(t, "within the minute", got, err, 1, false)
		k.Change("a")
		got, err = ask()
		want(t, "after a change", got, err, 2, false)
		time.Sleep(70 * time.Second)
		got, err = ask()
		want(t, "after the minute", got, err, 3, false)
	})
}

// Without a bubble, for the race detector: everything at the same time.
func TestManyMayDoEverythingAtOnce(t *testing.T) {
	k := New(Options{Room: 5, Workers: 2, Quick: time.Millisecond, Patience: time.Millisecond})
	var wg sync.WaitGroup
	for n := range 16 {
		wg.Go(func() {
			for i := range 200 {
				ctx := t.Context()
				if i%7 == 0 {
					ctx = Long(ctx)
				}
				key := fmt.Sprint("key ", i%9)
				kept, err := Get(ctx, k, key, func(context.Context) (string, error) {
					time.Sleep(time.Duration(i%3) * time.Millisecond)
					if i%50 == 49 {
						panic("now and then")
					}
					return key, nil
				})
				if err == nil && kept.Value != key {
					t.Errorf("%q for %q", kept.Value, key)
				}
				if (i+n)%11 == 0 {
					k.Change("key")
				}
			}
		})
	}
	wg.Wait()
}
