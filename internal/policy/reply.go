package policy

import (
	"strings"
)

// maxReply bounds a whole reply line with its CRLF. RFC 5321 4.5.3.1.5 allows 512 octets; what is left over is for what a server
// may put around it.
const maxReply = 500

const hexDigits = "0123456789abcdef"

// part makes a piece of a message fit for a sentence: printable ASCII, everything else as \xNN, and at most n octets long.
func part(s string, n int) string {
	clean := true
	for i := 0; i < len(s) && clean; i++ {
		clean = printable(s[i])
	}
	if clean && len(s) <= n {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if b.Len() > n-len(`\x00...`) && len(s)-i > len(`\x00...`) {
			b.WriteString("...")
			break
		}
		if printable(s[i]) {
			b.WriteByte(s[i])
			continue
		}
		b.WriteString(`\x`)
		b.WriteByte(hexDigits[s[i]>>4])
		b.WriteByte(hexDigits[s[i]&15])
	}
	return line(b.String(), n)
}

func printable(c byte) bool { return ' ' <= c && c <= '~' }

// line makes a whole sentence fit for a reply, whatever its pieces were.
func line(s string, n int) string {
	for i := 0; i < len(s); i++ {
		if !printable(s[i]) {
			return part(s, n)
		}
	}
	if len(s) > n {
		return s[:n-len("...")] + "..."
	}
	return s
}
