// Package show makes texts that strangers wrote fit to be shown to people: in a terminal, in JSON, in a page.
//
//	fmt.Println(show.Printable(record))
package show

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable escapes what could change a terminal or hide in a line: control characters, directional marks, bytes that are no UTF-8.
// Whatever comes from a message or from DNS goes through it before people see it.
func Printable(s string) string {
	if isPrintable(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < utf8.RuneSelf:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
		i += size
	}
	return b.String()
}

func isPrintable(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// JSON escapes in a JSON text what a terminal may obey or a reader be misled by: control characters beyond ASCII, and those that
// turn the direction of writing. They can stand nowhere but in strings.
func JSON(text []byte) []byte {
	clean := true
	for i := 0; i < len(text) && clean; i++ {
		clean = text[i] < utf8.RuneSelf && text[i] != 0x7f
	}
	if clean {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		if r == 0x7f || r >= utf8.RuneSelf && !unicode.IsGraphic(r) && r <= 0xffff {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.Bytes()
}

// Clip shortens what is longer than n characters.
func Clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// Elide takes the middle out of a word that is longer than n characters.
func Elide(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return string(r[:n/2]) + "…" + string(r[len(r)-(n-n/2-1):])
}

// Wrap breaks a text at its spaces into lines of at most width characters. A word that is longer stays whole, so that it can be
// copied.
func Wrap(text string, width int) []string {
	var lines []string
	var line strings.Builder
	length := 0
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if length > 0 && length+1+n > width {
			lines = append(lines, line.String())
			line.Reset()
			length = 0
		}
		if length > 0 {
			line.WriteByte(' ')
			length++
		}
		line.WriteString(word)
		length += n
	}
	if length > 0 {
		lines = append(lines, line.String())
	}
	return lines
}
