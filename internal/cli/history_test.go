package cli

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

func TestHistoryShowsWhatARecordWasAndIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatepost.db")
	s, err := store.Open(t.Context(), path, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for i, text := range []string{"v=DMARC1; p=reject\x1b[31m", ""} {
		err := s.SeePublished(t.Context(), "example.com", []store.Published{
			{Kind: "dmarc", Name: "_dmarc.example.com", Text: text}, {Kind: "area", Name: "spf", Text: "known"}, {Kind: "mx", Name: "example.com", Text: "10 a.\n20 b."},
		}, noon.Add(time.Duration(i)*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	out, errs, status := run(t, "", "history", "example.com", "--store", path)
	want := `dmarc  _dmarc.example.com
  now, since 2026-12-01 13:00
    none
  2026-12-01 12:00 to 2026-12-01 12:00
    v=DMARC1; p=reject\x1b[31m
mx  example.com
  now, since 2026-12-01 12:00
    10 a. / 20 b.
`
	if status != StatusFine || out != want {
		t.Errorf("%d\n%s\n%s", status, out, errs)
	}
	out, _, _ = run(t, "", "history", "example.com", "--store", path, "--json", "--kind", "dmarc")
	var all []store.Published
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 2 || !all[0].Present || all[1].First != noon {
		t.Errorf("%v: %s", err, out)
	}
	if _, errs, status := run(t, "", "history", "example.net", "--store", path); status != StatusFails || !strings.Contains(errs, "never looked at") {
		t.Errorf("%d: %s", status, errs)
	}
}
