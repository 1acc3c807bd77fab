package aggregate

import "unicode/utf8"

// appendEscaped appends text so that XML reads it back, within an element or an attribute's quotes. A character that XML cannot hold is
// left out, and what is not UTF-8 becomes U+FFFD.
func appendEscaped(dst []byte, text string) []byte {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case c == '&':
				dst = append(dst, "&amp;"...)
			case c == '<':
				dst = append(dst, "&lt;"...)
			case c == '>':
				dst = append(dst, "&gt;"...)
			case c == '"':
				dst = append(dst, "&quot;"...)
			case c == '\r':
				dst = append(dst, "&#13;"...)
			case c >= ' ' || c == '\t' || c == '\n':
				dst = append(dst, c)
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		if isChar(r) {
			dst = utf8.AppendRune(dst, r)
		}
		i += n
	}
	return dst
}
