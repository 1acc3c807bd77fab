package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// What arrived leads to its reports, a report to what it came in and to those that are in conflict with it.
func reportFound(t *testing.T, open Place) {
	s := open(t)
	r, other := aggregate("1", row("192.0.2.1", 5)), aggregate("1", row("192.0.2.2", 7))
	other.Content[0]++
	arrive(t, s, store.Arrival{Raw: raw("one"), Reports: []store.Report{r}}, store.Arrival{Raw: raw("two"), Reports: []store.Report{r}},
		store.Arrival{Raw: raw("three"), Reports: []store.Report{other, aggregate("2")}})
	raws := every(t, s.Raws(t.Context(), store.RawFilter{}))
	hash := fmt.Sprintf("%x", raws[1].Hash)
	in := reports(t, s, store.ReportFilter{Raw: raws[1].ID})
	if len(raws) != 3 || len(in) != 1 || in[0].ReportID != "1" {
		t.Fatalf("%d raws; in the second are %+v", len(raws), in)
	}
	for _, f := range []store.RawFilter{{Hash: hash}, {Hash: hash[:7]}, {Hash: strings.ToUpper(hash[:10]), Report: in[0].ID}} {
		if got := every(t, s.Raws(t.Context(), f)); len(got) != 1 || got[0].ID != raws[1].ID {
			t.Errorf("%+v: got %+v", f, got)
		}
	}
	for _, hash := range []string{"xyz", hash + "0"} {
		for _, err := range s.Raws(t.Context(), store.RawFilter{Hash: hash}) {
			if !errors.Is(err, store.ErrNotHash) {
				t.Errorf("%q: got %v", hash, err)
			}
		}
	}
	if got := every(t, s.Raws(t.Context(), store.RawFilter{Report: in[0].ID})); len(got) != 2 {
		t.Errorf("the report came in %+v", got)
	}
	if got := ids(reports(t, s, store.ReportFilter{Same: in[0].ID})); got != "1 1" {
		t.Errorf("the same are %q, want both", got)
	}
}

// What came by each way is counted, as far as its bytes are kept.
func inputsCounted(t *testing.T, open Place) {
	s := open(t)
	came := func(text, input string, at time.Time, reports ...store.Report) store.Arrival {
		r := raw(text)
		r.Input, r.At = input, at
		return store.Arrival{Raw: r, Reports: reports}
	}
	day := 24 * time.Hour
	arrive(t, s, came("old", "smtp", noon.Add(-9*day), aggregate("0")), came("one", "smtp", noon, aggregate("1"), aggregate("2")),
		came("junk", "smtp", noon.Add(time.Hour)), came("two", "imap:a@example.net", noon.Add(-day), aggregate("3")))
	for i := range 150 { // more than are read at once
		arrive(t, s, came(fmt.Sprint("many", i), "http", noon, aggregate(fmt.Sprint("m", i))))
	}
	got := ask(t, func(since time.Time) ([]store.InputFigures, error) { return s.Inputs(t.Context(), since) }, noon.Add(-2*day))
	want := []store.InputFigures{{Input: "http", Arrived: 150, Reports: 150, Last: noon}, {Input: "imap:a@example.net", Arrived: 1, Reports: 1, Last: noon.Add(-day)},
		{Input: "smtp", Arrived: 2, Reports: 2, Refused: 1, Last: noon.Add(time.Hour)}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	latest := every(t, s.Raws(t.Context(), store.RawFilter{Latest: true}))
	if n := len(latest); n != 154 || latest[0].ID <= latest[n-1].ID {
		t.Errorf("%d are listed", n)
	}
	size, err := s.Size(t.Context())
	if err != nil || size.Bytes <= 0 || size.Engine == "" || size.Reports != 154 || size.Raws != 154 || size.Records != 0 || size.Decisions != 0 {
		t.Errorf("the size is %+v, %v", size, err)
	}
}
