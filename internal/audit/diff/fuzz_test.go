package diff

import (
	"strings"
	"testing"
)

// Whatever a file says, it is refused, or can be compared with: what is there now is new or was there, and what is not is mended or untold.
func FuzzRead(f *testing.F) {
	f.Add(`{"domain":"example.com","checked_at":"2026-12-01T00:00:00Z","grade":"B","findings":[{"id":"spf-softfail","severity":"warning","subject":"example.com"}]}`)
	f.Add(`{"domain":"example.com","checked_at":"2026-12-01T00:00:00Z","findings":[{"id":"spf-unknown","severity":"unknown"},{"id":""}]}` + "\n{")
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, text string) {
		all, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		if len(all) == 0 {
			t.Error("nothing was read, and nothing is wrong")
		}
		for domain := range all {
			r := report(domain, "spf-softfail", "dmarc-unknown")
			if d := all.Compare(r); len(d.States) != len(r.Findings) {
				t.Errorf("%d states of %d findings", len(d.States), len(r.Findings))
			}
		}
	})
}
