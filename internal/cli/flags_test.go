package cli

import (
	"testing"
	"time"
)

func TestTimeIsRFC3339OrUnixSeconds(t *testing.T) {
	want := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for _, text := range []string{"2026-11-01T12:00:00Z", "2026-11-01T13:00:00+01:00", "1793534400"} {
		var v timeValue
		if err := v.Set(text); err != nil || !v.Equal(want) {
			t.Errorf("--at %s: %v, %v; want %v", text, v.Time, err, want)
		}
	}
	for _, text := range []string{"", "now", "2026-11-01", "-1", "99999999999999"} {
		var v timeValue
		if err := v.Set(text); err == nil {
			t.Errorf("--at %q: %v, want an error", text, v.Time)
		}
	}
}

func TestResolverPortIs53WhereNoneIsGiven(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.53":          "192.0.2.53:53",
		"192.0.2.53:5353":     "192.0.2.53:5353",
		"2001:db8::53":        "[2001:db8::53]:53",
		"[2001:db8::53]":      "[2001:db8::53]:53",
		"[2001:db8::53]:5353": "[2001:db8::53]:5353",
		"ns.example":          "ns.example:53",
		"ns.example:5353":     "ns.example:5353",
	} {
		if got, err := serverAddress(text); err != nil || got != want {
			t.Errorf("--resolver %s: %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", ":53", "192.0.2.53:", "192.0.2.53:0", "192.0.2.53:dns", "192.0.2.53:70000", "a b", "https://dns.example/"} {
		if got, err := serverAddress(text); err == nil {
			t.Errorf("--resolver %q: %s, want an error", text, got)
		}
	}
}

func FuzzServerAddress(f *testing.F) {
	f.Add("[2001:db8::53]:53")
	f.Add("ns.example")
	f.Fuzz(func(t *testing.T, s string) {
		address, err := serverAddress(s)
		if err != nil {
			return
		}
		again, err := serverAddress(address)
		if err != nil || again != address {
			t.Errorf("%q gives %q, which gives %q, %v", s, address, again, err)
		}
	})
}
