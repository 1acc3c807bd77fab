package when

import (
	"testing"
	"time"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func TestDurationHasDays(t *testing.T) {
	for text, want := range map[string]time.Duration{"30s": 30 * time.Second, "7d": 7 * 24 * time.Hour, "90": 90 * time.Second, "1h30m": 90 * time.Minute} {
		if got, err := Duration(text); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "-5s", "d", "1w", "4294967295d", "99999999999999999999"} {
		if got, err := Duration(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

func TestADayIsMeantToItsEnd(t *testing.T) {
	for _, c := range []struct{ text, until, shown string }{
		{"2026-12-31", "2026-12-31T23:59:59Z", "2026-12-31"},
		{"2026-12-31T12:00:00+01:00", "2026-12-31T11:00:00Z", ""},
		{"30d", "2026-12-24T12:00:00Z", ""},
		{"36h", "2026-11-26T00:00:00Z", ""},
		{"tomorrow", "", ""},
		{"2026-13-01", "", ""},
		{"-1h", "", ""},
		{"", "", ""},
	} {
		got, err := Until(c.text, now)
		switch {
		case c.until == "" && err == nil:
			t.Errorf("%q: got %s", c.text, got)
		case c.until != "" && (err != nil || got.Format(time.RFC3339) != c.until || End(got) != c.shown):
			t.Errorf("%q: got %s (%s), %v; want %s (%s)", c.text, got.Format(time.RFC3339), End(got), err, c.until, c.shown)
		}
	}
}

func FuzzDates(f *testing.F) {
	for _, text := range []string{"2026-12-31", "2026-12-31T12:00:00Z", "30d", "1h30m", "99999999999d"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		since, err := Since(text, now)
		until, untilErr := Until(text, now)
		if (err == nil) != (untilErr == nil) {
			t.Fatalf("%q: one can be read, the other not: %v, %v", text, err, untilErr)
		}
		if err == nil && until.Before(since) {
			t.Fatalf("%q: until %s, since %s", text, until, since)
		}
	})
}
