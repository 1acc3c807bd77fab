package render

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestATreeIsDrawnTermByTerm(t *testing.T) {
	got := draw(branch{"example.com", "4 of 10 look-ups", []branch{
		{"mx", "1 look-up, 2 addresses", nil},
		{"include:_spf.mail.example", "2 look-ups, 1,024 addresses; Example Mail, which is a service with a long name", []branch{
			{"ip4:192.0.2.0/24", "256 addresses", nil},
			{"include:_spf2.mail.example", "1 look-up", []branch{{"?all", "", nil}}},
		}},
		{"-all", "", nil},
	}})
	want := []string{
		"example.com                           4 of 10 look-ups",
		"├─ mx                                 1 look-up, 2 addresses",
		"├─ include:_spf.mail.example",
		"│  │  2 look-ups, 1,024 addresses; Example Mail, which is a service with a",
		"│  │  long name",
		"│  ├─ ip4:192.0.2.0/24                256 addresses",
		"│  └─ include:_spf2.mail.example      1 look-up",
		"│     └─ ?all",
		"└─ -all",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestATreeIsBoundedHoweverLargeARecordIs(t *testing.T) {
	deep := branch{Term: "all"}
	for range 1000 {
		deep = branch{strings.Repeat("x", 300) + "\x1b[31m", hostile, []branch{deep, {Term: "mx"}}}
	}
	lines := draw(deep)
	if len(lines) > maxTree+20 {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		if strings.ContainsRune(line, '\x1b') {
			t.Errorf("%q is not printable", line)
		}
		if n := utf8.RuneCountInString(line); n > 4*treeWidth+3*maxTree {
			t.Errorf("%d characters", n)
		}
	}
}
