package storetest

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

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

// Who reads again what is in the store knows no more of it than its hash.
func rereadByHash(t *testing.T, open Place) {
	s := open(t)
	from := raw("one")
	from.At = noon.AddDate(-1, 0, 0)
	arrive(t, s, store.Arrival{Raw: from, Refusals: []string{"odd"}})
	r := aggregate("1", row("192.0.2.1", 5))
	r.End = noon.AddDate(300, 0, 0)
	got, err := s.Reread(t.Context(), store.Arrival{Raw: store.Raw{Hash: from.Hash}, Reports: []store.Report{r}})
	if err != nil || !slices.Equal(got.Reports, []string{store.ReportNew}) {
		t.Fatalf("got %+v, %v", got, err)
	}
	days, err := s.ReportDays(t.Context(), store.Question{})
	if want := from.At.Truncate(24 * time.Hour); err != nil || len(days) != 1 || !days[0].Day.Equal(want) || days[0].Messages != 5 {
		t.Errorf("got %+v, %v; want 5 messages on %v", days, err, want)
	}
}

// What an older gatepost could not read is offered again after an upgrade.
func refusedReadable(t *testing.T, open Place) {
	s := open(t)
	arrive(t, s, store.Arrival{Raw: raw("whole"), Refusals: []string{"odd"}},
		store.Arrival{Raw: raw("part"), Refusals: []string{"2/r.xml: odd"}, Reports: []store.Report{aggregate("1", row("192.0.2.1", 5))}})
	got := arrive(t, s, store.Arrival{Raw: raw("whole"), Reports: []store.Report{aggregate("2", row("192.0.2.2", 7))}},
		store.Arrival{Raw: raw("part"), Reports: []store.Report{aggregate("1", row("192.0.2.1", 5)), aggregate("3", row("192.0.2.3", 11))}})
	want := []store.Added{{Known: true, Reports: []string{"new"}}, {Known: true, Reports: []string{"known", "new"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if n := messages(t, s, store.Question{}); n != 23 {
		t.Errorf("%d messages, want 23", n)
	}
	for _, r := range every(t, s.Raws(t.Context(), store.RawFilter{})) {
		if len(r.Refusals) != 0 || r.Times != 2 || r.Reports == 0 {
			t.Errorf("got %+v", r)
		}
	}
	// An older gatepost beside the newer one takes nothing back.
	arrive(t, s, store.Arrival{Raw: raw("whole"), Refusals: []string{"odd"}})
	if n := messages(t, s, store.Question{}); n != 23 {
		t.Errorf("%d messages, want 23", n)
	}
}

// The same bytes may come by a way that is trusted after one that is not.
func trustedLater(t *testing.T, open Place) {
	s := open(t)
	org := aggregate("2", row("192.0.2.2", 7))
	org.Domain = "example.org"
	reports := []store.Report{aggregate("1", row("192.0.2.1", 5)), org}
	way := func(dmarc, token string) int64 {
		t.Helper()
		from := raw("one")
		from.DMARC, from.TokenDomain = dmarc, token
		arrive(t, s, store.Arrival{Raw: from, Reports: reports})
		return messages(t, s, store.Question{Verified: true})
	}
	for i, c := range []struct {
		dmarc, token string
		want         int64
	}{{"fail", "", 0}, {"temperror", "", 0}, {"pass", "example.com", 5}, {"fail", "", 5}, {"pass", "example.org", 12}, {"fail", "", 12}} {
		if got := way(c.dmarc, c.token); got != c.want {
			t.Errorf("time %d: %d messages are verified, want %d", i+1, got, c.want)
		}
	}
	if _, err := s.Reread(t.Context(), store.Arrival{Raw: store.Raw{Hash: raw("one").Hash}, Reports: reports}); err != nil {
		t.Fatal(err)
	}
	if got := messages(t, s, store.Question{Verified: true}); got != 12 {
		t.Errorf("read again: %d messages are verified, want 12", got)
	}
	if got := messages(t, s, store.Question{}); got != 12 {
		t.Errorf("%d messages, want 12", got)
	}
}

// A newer parser may read of the same report another id, or another period. It is the same report all the same, in whatever it came.
func rereadRenames(t *testing.T, open Place) {
	for _, pruned := range []bool{false, true} {
		t.Run(fmt.Sprint("rows deleted: ", pruned), func(t *testing.T) {
			s := open(t)
			text := func(name string) string { return fmt.Sprint(name, pruned) }
			of := func(id string) store.Report {
				r := aggregate(text(id), row("192.0.2.1", 5))
				r.Content, r.Domain = aggregate(text("content")).Content, fmt.Sprint("d", pruned, ".example")
				return r
			}
			q := store.Question{Domains: []string{of("").Domain}}
			arrive(t, s, store.Arrival{Raw: raw(text("one")), Reports: []store.Report{of("old")}},
				store.Arrival{Raw: raw(text("two")), Reports: []store.Report{of("old")}})
			if pruned {
				prune(t, s, store.Retention{ReportRows: time.Hour}, noon.AddDate(0, 0, 9))
			}
			for range 2 {
				if _, err := s.Reread(t.Context(), store.Arrival{Raw: raw(text("one")), Reports: []store.Report{of("new")}}); err != nil {
					t.Fatal(err)
				}
				if n := messages(t, s, q); n != 5 {
					t.Errorf("%d messages, want 5", n)
				}
			}
			arrive(t, s, store.Arrival{Raw: raw(text("three")), Reports: []store.Report{of("new")}})
			if _, err := s.Reread(t.Context(), store.Arrival{Raw: raw(text("two")), Reports: []store.Report{of("new")}}); err != nil {
				t.Fatal(err)
			}
			found := reports(t, s, store.ReportFilter{Domain: of("").Domain})
			if n := messages(t, s, q); n != 5 || len(found) != 1 || found[0].ReportID != text("new") || found[0].Conflicting {
				t.Errorf("%d messages, want 5, of %+v", n, found)
			}
			if whole, err := s.Report(t.Context(), found[0].ID); err != nil || len(whole.Raws) != 3 {
				t.Errorf("it came in %d, want 3; %v", len(whole.Raws), err)
			}
		})
	}
}

// When a file says that it came may be wrong; a report cannot come before its period.
func cameBefore(t *testing.T, open Place) {
	s := open(t)
	from := raw("one")
	from.At = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	r := aggregate("1", row("192.0.2.1", 5))
	r.Begin, r.End = time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2024, 3, 1, 23, 59, 59, 0, time.UTC)
	arrive(t, s, store.Arrival{Raw: from, Reports: []store.Report{r}})
	if got := reports(t, s, store.ReportFilter{})[0].Day; !got.Equal(r.Begin) {
		t.Errorf("it counts on %v, want %v", got, r.Begin)
	}
}

// A document is bytes of a reporter's, of which not every engine takes all.
func oddDocument(t *testing.T, open Place) {
	s := open(t)
	r := aggregate("1", row("192.0.2.1", 5))
	r.Document = json.RawMessage("{\"kind\":\"aggregate\",\"x\":\"\xff\\u0000\"}")
	arrive(t, s, store.Arrival{Raw: raw("one"), Reports: []store.Report{r}})
	whole, err := s.Report(t.Context(), reports(t, s, store.ReportFilter{})[0].ID)
	if err != nil || !json.Valid(whole.Document) {
		t.Errorf("got %s, %v", whole.Document, err)
	}
}
