package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

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
