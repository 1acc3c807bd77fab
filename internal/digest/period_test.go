package digest

import (
	"testing"
	"time"
)

func TestALetterIsDueAtItsMomentForTheLastPeriodThatIsOver(t *testing.T) {
	for name, c := range map[string]struct {
		c          Config
		now        string
		at, period string
	}{
		"weekly, before its moment":         {Config{}, "2026-11-24T06:59:59Z", "2026-11-17T07:00:00Z", "2026-W46"},
		"weekly, at its moment":             {Config{}, "2026-11-24T07:00:00Z", "2026-11-24T07:00:00Z", "2026-W47"},
		"weekly, long after":                {Config{}, "2026-11-30T23:00:00Z", "2026-11-24T07:00:00Z", "2026-W47"},
		"weekly, on Monday":                 {Config{Day: "monday"}, "2026-11-24T06:00:00Z", "2026-11-23T07:00:00Z", "2026-W47"},
		"weekly, in the first week":         {Config{}, "2027-01-05T08:00:00Z", "2027-01-05T07:00:00Z", "2026-W53"},
		"monthly":                           {Config{Every: Monthly}, "2026-12-01T23:00:00Z", "2026-11-02T07:00:00Z", "2026-10"},
		"monthly, in January":               {Config{Every: Monthly, Day: "1"}, "2027-01-31T23:00:00Z", "2027-01-01T07:00:00Z", "2026-12"},
		"daily":                             {Config{Every: Daily}, "2026-11-25T07:30:00Z", "2026-11-25T07:00:00Z", "2026-11-23"},
		"daily, in another zone":            {Config{Every: Daily, TimeZone: "America/New_York"}, "2026-11-25T11:59:00Z", "2026-11-24T12:00:00Z", "2026-11-22"},
		"a zone ahead of UTC":               {Config{Day: "monday", At: "07:00", TimeZone: "Pacific/Auckland"}, "2026-11-23T00:00:00Z", "2026-11-22T18:00:00Z", "2026-W47"},
		"clocks go forward past the moment": {Config{Every: Daily, At: "02:30", TimeZone: "Europe/Berlin"}, "2026-03-29T12:00:00Z", "2026-03-29T01:30:00Z", "2026-03-27"},
		"summer is an hour earlier":         {Config{Every: Daily, TimeZone: "Europe/Berlin"}, "2026-07-01T05:00:00Z", "2026-07-01T05:00:00Z", "2026-06-29"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		at, period, err := c.c.Due(now)
		if err != nil || at.UTC().Format(time.RFC3339) != c.at || period != c.period {
			t.Errorf("%s: %s of %s, %v; want %s of %s", name, period, at.UTC().Format(time.RFC3339), err, c.period, c.at)
		}
	}
}

func TestOverAYearEachPeriodIsDueOnceAndNoneIsLeftOut(t *testing.T) {
	for _, c := range []Config{{Every: Daily, At: "02:30", TimeZone: "Europe/Berlin"}, {Every: Weekly, Day: "sunday", At: "00:00", TimeZone: "Asia/Kathmandu"},
		{Every: Monthly, Day: "28", At: "23:59", TimeZone: "America/St_Johns"}} {
		seen := map[string]bool{}
		last, ends := "", time.Time{}
		for now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); now.Year() < 2027; now = now.Add(47 * time.Minute) {
			_, period, err := c.Due(now)
			if err != nil {
				t.Fatal(err)
			}
			if period == last {
				continue
			}
			p, err := ParsePeriod(period)
			if err != nil {
				t.Fatal(err)
			}
			if seen[period] || last != "" && !p.From.Equal(ends) || !now.After(p.To.AddDate(0, 0, 1).Add(-13*time.Hour)) {
				t.Fatalf("%s: at %s after %s comes %s", c.Every, now, last, period)
			}
			seen[period], last, ends = true, period, p.To.AddDate(0, 0, 1)
		}
	}
}

func TestThePeriodOfANameIsItsDays(t *testing.T) {
	for s, want := range map[string]string{
		"2026-W47": "2026-11-16 2026-11-22", "2026-W01": "2025-12-29 2026-01-04", "2026-W53": "2026-12-28 2027-01-03", "2026-11-24": "2026-11-24 2026-11-24",
		"2026-02": "2026-02-01 2026-02-28", "2027-W53": "", "2026-W00": "", "2026-W1": "", "2026-13": "", "last": "", "": "", "2026-W471": "",
	} {
		p, err := ParsePeriod(s)
		got := ""
		if err == nil {
			got = p.From.Format(time.DateOnly) + " " + p.To.Format(time.DateOnly)
		}
		if got != want {
			t.Errorf("%q: got %q (%v), want %q", s, got, err, want)
		}
	}
}

func FuzzParsePeriod(f *testing.F) {
	for _, s := range []string{"2026-W47", "2026-11", "2026-11-24", "0000-W01", "9999-W52"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePeriod(s)
		if err == nil && (p.To.Before(p.From) || p.Len() > 31 || says(p) == "" || before(p) == "") {
			t.Errorf("%q: %v", s, p)
		}
	})
}

func TestATableSaysWhatIsWrongWithIt(t *testing.T) {
	fine := Config{Name: "weekly", To: []string{"a@example.org"}, Domains: []string{"Müller.example"}}
	if key, err := fine.Check(); err != nil || fine.Domains[0] != "xn--mller-kva.example" {
		t.Fatalf("%s, %v, %q", key, err, fine.Domains)
	}
	for key, change := range map[string]func(*Config){
		"digest.name":      func(c *Config) { c.Name = "my letter" },
		"digest.to":        func(c *Config) { c.To = []string{"nobody"} },
		"digest.domains":   func(c *Config) { c.Domains = []string{"a b"} },
		"digest.every":     func(c *Config) { c.Every = "yearly" },
		"digest.day":       func(c *Config) { c.Day = "31" },
		"digest.at":        func(c *Config) { c.At = "7" },
		"digest.time_zone": func(c *Config) { c.TimeZone = "Mars/Base" },
		"digest.quiet":     func(c *Config) { c.Quiet = "loud" },
		"digest.link":      func(c *Config) { c.Link = "javascript:alert(1)" },
	} {
		c := fine
		change(&c)
		if got, err := c.Check(); err == nil || got != key {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}
	if key, err := CheckAll([]Config{fine, fine}); err == nil || key != "digest" {
		t.Errorf("two of one name: %q, %v", key, err)
	}
	for key, m := range map[string]Mail{
		"": {}, "mail.server": {From: "a@example.org", Server: "mx"}, "mail.from": {From: "nobody", Server: "mx:25"},
		"mail.tls": {From: "a@example.org", Server: "mx:25", TLS: "maybe"},
	} {
		if got, err := m.Check(); got != key || (err == nil) != (key == "") {
			t.Errorf("%+v: %q, %v", m, got, err)
		}
	}
}
