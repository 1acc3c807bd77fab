package storetest

import (
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

func exception(domain string) store.Exception {
	return store.Exception{
		Domain: domain, Network: netip.MustParsePrefix("192.0.2.0/24"), Until: noon.AddDate(0, 1, 0), Reason: "a new server", Author: "ann",
		Created: noon,
	}
}

func addException(t *testing.T, s store.Store, e *store.Exception) {
	t.Helper()
	if err := s.AddException(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

func listed(t *testing.T, s store.Store) []store.Exception {
	t.Helper()
	all, err := s.Exceptions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func exceptionChanges(t *testing.T, open Place) {
	s, other := open(t), open(t)
	a, b := exception("example.com"), exception("*.example.net")
	b.Network, b.SDID = netip.Prefix{}, "example.org"
	addException(t, s, &a)
	addException(t, s, &b)
	if got := listed(t, other); !reflect.DeepEqual(got, []store.Exception{a, b}) || a.ID == 0 || b.ID <= a.ID {
		t.Fatalf("got  %+v\nwant %+v", got, []store.Exception{a, b})
	}
	a.Until = noon.AddDate(0, 2, 0)
	if err := other.ExtendException(t.Context(), a.ID, a.Until); err != nil {
		t.Fatal(err)
	}
	if err := other.RemoveException(t.Context(), b.ID); err != nil {
		t.Fatal(err)
	}
	if got := listed(t, s); !reflect.DeepEqual(got, []store.Exception{a}) {
		t.Errorf("got  %+v\nwant %+v", got, []store.Exception{a})
	}
	if err := s.RemoveException(t.Context(), b.ID); !errors.Is(err, store.ErrNoException) {
		t.Errorf("removed twice: %v", err)
	}
	if err := s.ExtendException(t.Context(), 99, noon); !errors.Is(err, store.ErrNoException) {
		t.Errorf("one that never was: %v", err)
	}
}

func exceptionV6(t *testing.T, open Place) {
	s := open(t)
	e := exception("example.com")
	e.Network = netip.MustParsePrefix("2001:db8::/32")
	addException(t, s, &e)
	if got := listed(t, s); !reflect.DeepEqual(got, []store.Exception{e}) {
		t.Errorf("got  %+v\nwant %+v", got, e)
	}
}

func exceptionVersion(t *testing.T, open Place) {
	s, other := open(t), open(t)
	last := int64(-1)
	step := func(what string, changes bool) {
		t.Helper()
		v, err := other.ExceptionsVersion(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if (v != last) != changes {
			t.Errorf("%s: version %d, after %d", what, v, last)
		}
		last = v
	}
	step("at first", true)
	e := exception("example.com")
	addException(t, s, &e)
	step("added", true)
	step("nothing", false)
	if err := s.ExtendException(t.Context(), e.ID, noon); err != nil {
		t.Fatal(err)
	}
	step("extended", true)
	add(t, s, store.Batch{Source: "a", Number: 1, Uses: []store.Use{{Exception: e.ID, Count: 1, Last: noon}}})
	step("used", false)
	if err := s.RemoveException(t.Context(), 99); !errors.Is(err, store.ErrNoException) {
		t.Fatal(err)
	}
	step("not removed", false)
	if err := s.RemoveException(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	step("removed", true)
}

func exceptionUses(t *testing.T, open Place) {
	s := open(t)
	e := exception("example.com")
	addException(t, s, &e)
	add(t, s, store.Batch{Source: "a", Number: 1, Uses: []store.Use{{Exception: e.ID, Count: 3, Last: noon.Add(time.Hour)}}})
	add(t, s, store.Batch{Source: "b", Number: 1, Uses: []store.Use{{Exception: e.ID, Count: 4, Last: noon}, {Exception: 99, Count: 1, Last: noon}}})
	if got := listed(t, s)[0]; got.Uses != 7 || !got.LastUsed.Equal(noon.Add(time.Hour)) {
		t.Errorf("%d uses, the last at %s; want 7, the last at %s", got.Uses, got.LastUsed, noon.Add(time.Hour))
	}
}

func exceptionNumbers(t *testing.T, open Place) {
	s := open(t)
	a, b := exception("example.com"), exception("example.com")
	addException(t, s, &a)
	if err := s.RemoveException(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	addException(t, open(t), &b)
	if b.ID == a.ID {
		t.Errorf("the log speaks of the exception %d, and it is two", a.ID)
	}
}
