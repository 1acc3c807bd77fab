package dns

import (
	"fmt"
	"strings"
)

// maxString is the length of a string in a TXT record (RFC 1035 3.3).
const maxString = 255

// QuoteText gives the strings that a TXT record with a text has, as they are written in a master file (RFC 1035 5.1): each of 255 octets
// at most, in quotes.
func QuoteText(text string) []string {
	var all []string
	for {
		n := min(len(text), maxString)
		all = append(all, quoteString(text[:n]))
		if text = text[n:]; text == "" {
			return all
		}
	}
}

func quoteString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
