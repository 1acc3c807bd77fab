package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

func letter(period string) store.Letter {
	return store.Letter{Name: "weekly", Period: period, At: noon, MessageID: "digest." + period + "@example.org"}
}

func claim(t *testing.T, s store.Store, l store.Letter, again bool) (store.Letter, bool) {
	t.Helper()
	got, claimed, err := s.ClaimLetter(t.Context(), l, again)
	if err != nil {
		t.Fatal(err)
	}
	return got, claimed
}

func letterOnce(t *testing.T, open Place) {
	s, other := open(t), open(t)
	l, claimed := claim(t, s, letter("2026-W47"), false)
	if !claimed || l.State != store.LetterSending || l.Attempts != 1 {
		t.Fatalf("claimed %t: %+v", claimed, l)
	}
	if got, claimed := claim(t, other, letter("2026-W47"), false); claimed || got.State != store.LetterSending {
		t.Errorf("claimed twice: %t, %+v", claimed, got)
	}
	l.State, l.At = store.LetterSent, noon.Add(time.Minute)
	if err := s.SettleLetter(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if got, claimed := claim(t, other, letter("2026-W47"), false); claimed || !reflect.DeepEqual(got, l) {
		t.Errorf("claimed after it was sent: %t\ngot  %+v\nwant %+v", claimed, got, l)
	}
	if err := s.SettleLetter(t.Context(), l); !errors.Is(err, store.ErrNotClaimed) {
		t.Errorf("settled twice: %v", err)
	}
	if _, claimed := claim(t, other, letter("2026-W48"), false); !claimed {
		t.Error("another period is not claimed")
	}
	again, claimed := claim(t, other, letter("2026-W47"), true)
	if !claimed || again.Attempts != 2 {
		t.Errorf("to be sent again: %t, %+v", claimed, again)
	}
	l.State = store.LetterFailed
	if err := s.SettleLetter(t.Context(), l); !errors.Is(err, store.ErrNotClaimed) {
		t.Errorf("the attempt before was settled: %v", err)
	}
}

func letterWaits(t *testing.T, open Place) {
	s := open(t)
	for attempt := int64(1); attempt < 4; attempt++ {
		l, claimed := claim(t, s, letter("2026-11-24"), false)
		if !claimed || l.Attempts != attempt {
			t.Fatalf("attempt %d: %t, %+v", attempt, claimed, l)
		}
		l.State, l.Detail = store.LetterWaiting, "451 later"
		if err := s.SettleLetter(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.Letters(t.Context(), "weekly", 0)
	if err != nil || len(all) != 1 || all[0].Detail != "451 later" || all[0].Attempts != 3 {
		t.Errorf("%+v, %v", all, err)
	}
	if all, err := s.Letters(t.Context(), "monthly", 0); err != nil || len(all) != 0 {
		t.Errorf("of another name: %+v, %v", all, err)
	}
}

func letterRace(t *testing.T, open Place) {
	places := []store.Store{open(t), open(t), open(t)}
	for round := range 5 {
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for i := range 9 {
			wg.Go(func() {
				_, claimed, err := places[i%len(places)].ClaimLetter(t.Context(), letter(fmt.Sprint(round)), false)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if claimed {
					won++
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("%d claimed the same letter", won)
		}
	}
}

func alertsQuiet(t *testing.T, open Place) {
	s, other := open(t), open(t)
	a := store.Alert{Channel: "mail", Kind: "new-source", Domain: "example.com", Subject: "192.0.2.1"}
	b := a
	b.Channel = "https://example.org/hook"
	claim := func(s store.Store, now time.Time, all ...store.Alert) []store.Alert {
		t.Helper()
		got, err := s.ClaimAlerts(t.Context(), all, now, now.Add(-24*time.Hour), now.Add(-time.Minute), now.AddDate(-1, 0, 0))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	settle := func(all []store.Alert, told bool, now time.Time) {
		t.Helper()
		if err := s.SettleAlerts(t.Context(), all, told, now); err != nil {
			t.Fatal(err)
		}
	}
	first := claim(s, noon, a)
	if len(first) != 1 || len(claim(other, noon, a)) != 0 {
		t.Fatal("two claimed one alert, or nobody did")
	}
	if n := len(claim(other, noon, a, b)); n != 1 {
		t.Errorf("%d on another channel", n)
	}
	settle(first, true, noon)
	if n := len(claim(other, noon.Add(23*time.Hour), a)); n != 0 {
		t.Errorf("%d within the quiet period", n)
	}
	again := claim(s, noon.Add(25*time.Hour), a)
	if len(again) != 1 {
		t.Fatalf("%d after the quiet period", len(again))
	}
	settle(again, false, noon.Add(25*time.Hour))
	last := claim(s, noon.Add(25*time.Hour), a)
	if len(last) != 1 {
		t.Fatalf("%d, though it could not be told", len(last))
	}
	settle(again, true, noon.Add(25*time.Hour)) // a claim that is not its own any more
	if n := len(claim(s, noon.Add(25*time.Hour+2*time.Minute), a)); n != 1 {
		t.Errorf("%d, though who claimed it died", n)
	}
	if n := len(claim(s, noon.AddDate(3, 0, 0), b)); n != 1 {
		t.Errorf("%d, though it was long ago", n)
	}
}
