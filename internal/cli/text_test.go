package cli

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"plain, Grüße, 日本": "plain, Grüße, 日本",
		"\x1b[31mred":      `\x1b[31mred`,
		"a\r\nb\x00\x7f":   `a\x0d\x0ab\x00\x7f`,
		"\xff\xc3":         `\xff\xc3`,
		"a\u202eb\u2028":   `a\u{202e}b\u{2028}`,
	} {
		if got := printable(text); got != want {
			t.Errorf("printable(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b]0;title\x07\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := printable(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("printable(%q) = %q, which is not", s, got)
		}
		if printable(got) != got {
			t.Errorf("printable(%q) = %q, which changes again", s, got)
		}
	})
}

func TestWrap(t *testing.T) {
	long := strings.Repeat("x", 30)
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"one two three four", []string{"one two", "three four"}},
		{"  one   two ", []string{"one two"}},
		{"a " + long + " b", []string{"a", long, "b"}},
		{"éééé éééé éé", []string{"éééé éééé", "éé"}},
	} {
		if got := wrap(c.text, 10); !slices.Equal(got, c.want) {
			t.Errorf("wrap(%q, 10) = %q, want %q", c.text, got, c.want)
		}
	}
}

func TestElideKeepsBothEnds(t *testing.T) {
	for text, want := range map[string]string{"short": "short", "0123456789": "0123456789", "0123456789a": "01234…789a"} {
		if got := elide(text, 10); got != want {
			t.Errorf("elide(%q, 10) = %q, want %q", text, got, want)
		}
	}
}
