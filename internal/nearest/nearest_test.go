package nearest

import (
	"strings"
	"testing"
)

func TestWordThatWasMeant(t *testing.T) {
	words := []string{"verify", "version", "limits.queries", "policy", "spf.result", "on", "sign", "seal", "keys"}
	for typed, want := range map[string]string{
		"verfiy": "verify", "veryfi": "verify", "vers": "version", "Policy": "policy", "polcy": "policy", "queries": "limits.queries",
		"dkim.result": "spf.result", "nonsense": "", "vreify": "verify", "sing": "sign", "key": "keys", "frobnicate": "", "kyse": "", "nope": "", "": "", "x": "", "on": "on", strings.Repeat("v", 300): "",
	} {
		if got := Word(typed, words); got != want {
			t.Errorf("%.20q: got %q, want %q", typed, got, want)
		}
	}
}

func TestEditsCountSlips(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "ab", 1}, {"abc", "abxc", 1}, {"abc", "axc", 1}, {"kitten", "sitting", 3}} {
		if got := Edits(c.a, c.b); got != c.want || Edits(c.b, c.a) != c.want {
			t.Errorf("%q, %q: got %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
