package storetest

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// sourcesSeen are those that figures tell of, with their messages.
func sourcesSeen(t *testing.T, s store.Store, q store.Question) string {
	t.Helper()
	text := ""
	for _, ask := range []func() ([]store.SourceFigures, error){
		func() ([]store.SourceFigures, error) { return s.TopSources(t.Context(), q, 10) },
		func() ([]store.SourceFigures, error) { return s.NewSources(t.Context(), q, 10) },
	} {
		all, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			text += fmt.Sprint(f.IP, " ", f.Messages, ";")
		}
	}
	return text
}

// What sums up to the same day by day may have moved from one source to another.
func rereadMoves(t *testing.T, open Place) {
	s := open(t)
	of := func(ip string) store.Arrival {
		return store.Arrival{Raw: raw("one"), Reports: []store.Report{aggregate("1", row(ip, 5))}}
	}
	arrive(t, s, of("192.0.2.1"))
	if _, err := s.Reread(t.Context(), of("192.0.2.2")); err != nil {
		t.Fatal(err)
	}
	if got, want := sourcesSeen(t, s, store.Question{}), "192.0.2.2 5;192.0.2.2 5;"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	d, err := s.Source(t.Context(), store.Question{}, netip.MustParseAddr("192.0.2.1"))
	if err != nil || !d.First.IsZero() || len(d.Days) != 0 || len(d.DKIM) != 0 {
		t.Errorf("of a source that nothing tells of any more: %+v, %v", d, err)
	}
}
