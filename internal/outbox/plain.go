package outbox

import (
	"strings"
	"unicode"
)

// Plain takes out of a text what a reader may be misled by: line ends, control characters, and those that are not seen or turn the
// direction of writing. It has most characters at most. What a letter says of strangers goes through it.
func Plain(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == unicode.ReplacementChar, !unicode.IsGraphic(r), unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most-1]) + "…"
	}
	return s
}

// PlainName is Plain for a name that a stranger chose: no mail program makes a link of it.
func PlainName(s string, most int) string {
	s = Plain(s, longest)
	for strings.Contains(s, "://") { // one may come of what another is taken from
		s = strings.ReplaceAll(s, "://", ":")
	}
	return Plain(s, most)
}

// longest is more than anybody reads of a line.
const longest = 1000
