package watch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

func TestPolicyChangesAreThoseOfTheRecordThatHolds(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }
	text := func(name, text string, first, since int, present bool) store.Published {
		return store.Published{Kind: "dmarc", Name: "_dmarc." + name, Text: text, Hash: store.PublishedHash(text), First: day(first), Since: day(since), Present: present}
	}
	for name, c := range map[string]struct {
		all  []store.Published
		want string
	}{
		"nothing":                {nil, ""},
		"one":                    {[]store.Published{text("example.com", "a", 1, 1, true)}, ""},
		"two":                    {[]store.Published{text("example.com", "b", 5, 5, true), text("example.com", "a", 1, 1, false)}, "5: a, b"},
		"there and back":         {[]store.Published{text("example.com", "a", 1, 9, true), text("example.com", "b", 5, 5, false)}, "5: a, b; 9: b, a"},
		"taken away":             {[]store.Published{text("example.com", "", 5, 5, true), text("example.com", "a", 1, 1, false)}, "5: a, "},
		"the domain above":       {[]store.Published{text("a.example.com", "", 1, 1, true), text("example.com", "a", 1, 1, false), text("example.com", "b", 6, 6, true)}, "6: a, b"},
		"its own before another": {[]store.Published{text("a.example.com", "x", 1, 1, true), text("example.com", "a", 1, 1, false), text("example.com", "b", 6, 6, true)}, ""},
	} {
		domain := "example.com"
		if strings.Contains(name, "above") || strings.Contains(name, "own") {
			domain = "a.example.com"
		}
		var got []string
		for _, change := range PolicyChanges(domain, "example.com", c.all) {
			got = append(got, fmt.Sprintf("%d: %s, %s", change.At.Day(), change.Before, change.After))
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
