package people

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestACrowdThatWentAwayKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		ctx, hangUp := context.WithCancel(t.Context())
		gone := make(chan error)
		const crowd = 2000
		for range crowd {
			go func() {
				leave, err := l.enter(ctx)
				if err == nil {
					leave()
				}
				gone <- err
			}()
		}
		synctest.Wait() // those who wait do
		hangUp()
		var in, away, busy int
		for range crowd {
			switch err := <-gone; {
			case err == nil:
				in++
			case errors.Is(err, context.Canceled):
				away++
			case errors.Is(err, ErrBusy):
				busy++
			default:
				t.Errorf("%v", err)
			}
		}
		if in != passwordsAtOnce || away == 0 || busy == 0 {
			t.Errorf("%d came in, %d went away, %d were told that it is busy", in, away, busy)
		}
		before := time.Now()
		leave, err := l.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		leave()
		if waited := time.Since(before); waited > time.Second/passwordsPerSecond {
			t.Errorf("the next waited %s", waited)
		}
	})
}

func TestNobodyWaitsLongerThanPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		done := make(chan error)
		const crowd = 200
		for range crowd {
			go func() {
				before := time.Now()
				leave, err := l.enter(t.Context())
				if waited := time.Since(before); waited > Patience {
					t.Errorf("waited %s: %v", waited, err)
				}
				if err == nil {
					leave()
				}
				done <- err
			}()
		}
		in := 0
		for range crowd {
			if err := <-done; err == nil {
				in++
			} else if !errors.Is(err, ErrBusy) {
				t.Errorf("%v", err)
			}
		}
		if most := passwordsAtOnce + placesInLine; in < placesInLine || in > most {
			t.Errorf("%d came in, of %d at the most", in, most)
		}
		if len(l.places) != 0 || len(l.front) != 0 {
			t.Errorf("%d places are kept, and %d in front", len(l.places), len(l.front))
		}
	})
}

func TestWhereHashesAreSlowPasswordsAreTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o Office
		o.prepare()
		for range hashesAtOnce {
			o.hashes <- struct{}{} // which never end
		}
		before := time.Now()
		if _, err := o.newHash(t.Context(), "a password"); !errors.Is(err, ErrBusy) || time.Since(before) != Patience {
			t.Errorf("%v after %s", err, time.Since(before))
		}
		ctx, hangUp := context.WithTimeout(t.Context(), time.Second)
		defer hangUp()
		if _, err := o.newHash(ctx, "a password"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who went away: %v", err)
		}
	})
}

func TestWithoutAPlaceInLineNoPasswordIsLookedAt(t *testing.T) {
	var o Office // which has no store to look in
	o.prepare()
	for range placesInLine {
		o.line.places <- struct{}{}
	}
	if _, err := o.Password(t.Context(), "ada", "a password"); !errors.Is(err, ErrBusy) {
		t.Errorf("%v", err)
	}
}
