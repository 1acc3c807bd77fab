package dkim

import (
	"errors"
	"fmt"
	"strconv"
)

// A Tag is one tag=value of a list, such as a signature or a key record is.
type Tag struct {
	Name  string
	Value string // with the white space inside it, without that at its ends

	start, end int // of the value with the white space around it
}

// Tags is a list in the order in which it was written. No name stands in it twice.
type Tags []Tag

// Get returns the value of a tag, and whether it is there. An empty value is not the same as none (RFC 6376 3.2).
func (t Tags) Get(name string) (string, bool) {
	for i := range t {
		if t[i].Name == name {
			return t[i].Value, true
		}
	}
	return "", false
}

// maxTags bounds the work that a hostile list makes. The registered tags are a quarter of it.
const maxTags = 64

// ParseTags reads a tag-list (RFC 6376 3.2). The tags share memory with s.
func ParseTags(s string) (Tags, error) {
	return appendTags(make(Tags, 0, 12), s)
}

// appendTags is ParseTags for who has a slice to put the tags in.
func appendTags(tags Tags, s string) (Tags, error) {
	for i := 0; ; {
		i = skipFWS(s, i)
		if i == len(s) {
			if len(tags) == 0 {
				return tags, errors.New("there are no tags in it")
			}
			return tags, nil // the list may end in ";", and white space is harmless there
		}
		t, next, err := parseTag(s, i)
		if err != nil {
			return tags, err
		}
		if _, twice := tags.Get(t.Name); twice {
			return tags, fmt.Errorf("the tag %s= stands in it twice", quote(t.Name)) // RFC 6376 3.2: all of it is invalid
		}
		if len(tags) == maxTags {
			return tags, fmt.Errorf("there are more than %d tags in it", maxTags)
		}
		tags = append(tags, t)
		if next == len(s) {
			return tags, nil
		}
		i = next + 1
	}
}

// parseTag reads the tag whose name begins at s[i]. It returns where its ";" stands, or the end of s.
func parseTag(s string, i int) (Tag, int, error) {
	var t Tag
	start := i
	for i < len(s) && isTagNameChar(s[i], i == start) {
		i++
	}
	t.Name = s[start:i]
	i = skipFWS(s, i)
	switch {
	case t.Name == "":
		return t, i, fmt.Errorf("octet %d: a tag begins with a letter, not with %s", i+1, quote(s[i:i+1]))
	case i == len(s) || s[i] != '=':
		return t, i, fmt.Errorf("octet %d: there is no = after the tag %s", i+1, quote(t.Name))
	}
	i++
	t.start = i
	first := skipFWS(s, i)
	last := first // the end of the value without white space
	for i = first; i < len(s) && s[i] != ';'; {
		from := i
		for i < len(s) && isValueChar(s[i]) {
			i++
		}
		if i > from {
			last = i
			continue
		}
		if i = skipFWS(s, i); i == from {
			return t, i, fmt.Errorf("octet %d: the tag %s= holds the control character %#02x", i+1, quote(t.Name), s[i])
		}
	}
	t.Value = s[first:last]
	t.end = i
	return t, i, nil
}

func isTagNameChar(c byte, first bool) bool {
	lower := c | 0x20
	return 'a' <= lower && lower <= 'z' || !first && ('0' <= c && c <= '9' || c == '_')
}

// isValueChar lets the octets of UTF-8 through, as RFC 6376 3.2 advises.
func isValueChar(c byte) bool { return c > ' ' && c != ';' && c != 0x7f }

// skipFWS returns where the white space and folds from s[i] on end. A CRLF counts as a fold only before white space, or at the
// very end.
func skipFWS(s string, i int) int {
	for i < len(s) {
		switch {
		case s[i] == ' ' || s[i] == '\t':
			i++
		case s[i] == '\r' && i+1 < len(s) && s[i+1] == '\n' && (i+2 == len(s) || s[i+2] == ' ' || s[i+2] == '\t'):
			i += 2
		default:
			return i
		}
	}
	return i
}

// appendWithoutFWS appends s without white space and line ends.
func appendWithoutFWS(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		from := i
		for i < len(s) && s[i] != ' ' && s[i] != '\t' && s[i] != '\r' && s[i] != '\n' {
			i++
		}
		dst = append(dst, s[from:i]...)
	}
	return dst
}

// quote makes text of a stranger fit for one line of a message, and bounds it.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "…"
	}
	return strconv.QuoteToASCII(s)
}
