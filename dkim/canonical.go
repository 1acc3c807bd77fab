package dkim

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/message"
)

// A Canon is one of the two ways in which a header or a body is prepared for hashing (RFC 6376 3.4).
type Canon uint8

// The canonical forms. The zero value is the one to sign with.
const (
	Relaxed Canon = iota // white space may change in transit, and letters in the names of header fields
	Simple               // nearly nothing may
)

func (c Canon) String() string {
	if c == Simple {
		return "simple"
	}
	return "relaxed"
}

// A Canonicalization is a value of the tag c=: one form for the header and one for the body.
type Canonicalization struct {
	Header, Body Canon
}

func (c Canonicalization) String() string {
	switch c {
	case Canonicalization{Relaxed, Relaxed}:
		return "relaxed/relaxed"
	case Canonicalization{Relaxed, Simple}:
		return "relaxed/simple"
	case Canonicalization{Simple, Relaxed}:
		return "simple/relaxed"
	}
	return "simple/simple"
}

// ParseCanonicalization reads a value of the tag c=. "relaxed" means relaxed/simple, and an absent tag means simple/simple
// (RFC 6376 3.5).
func ParseCanonicalization(value string) (Canonicalization, error) {
	header, body, both := strings.Cut(value, "/")
	var c Canonicalization
	var ok bool
	if c.Header, ok = parseCanon(header); !ok {
		return c, fmt.Errorf("c=%s: no such canonicalization; there are simple and relaxed", quote(value))
	}
	if !both {
		c.Body = Simple
		return c, nil
	}
	if c.Body, ok = parseCanon(body); !ok {
		return c, fmt.Errorf("c=%s: no such canonicalization; there are simple and relaxed", quote(value))
	}
	return c, nil
}

func parseCanon(s string) (Canon, bool) {
	switch {
	case strings.EqualFold(s, "relaxed"): // RFC 5234 2.3: literals of a grammar know no case
		return Relaxed, true
	case strings.EqualFold(s, "simple"):
		return Simple, true
	}
	return Simple, false
}

// AppendHeader appends a header field's canonical form to dst, with the CRLF at its end (RFC 6376 3.4.1, 3.4.2).
func (c Canon) AppendHeader(dst []byte, f message.Field) []byte {
	if c == Simple {
		return append(dst, f.Raw...)
	}
	dst = appendRelaxedName(dst, f.Name)
	return append(appendRelaxed(dst, len(dst), f.Value()), "\r\n"...)
}

// AppendUnsigned appends the canonical form of the field that a signature stands in: with the value of its tag b= taken out, and
// without the CRLF at its end (RFC 6376 3.7). The signature must have been parsed from the value of this very field.
func (c Canon) AppendUnsigned(dst []byte, f message.Field, s *Signature) []byte {
	value := f.Value()
	if s.bEnd > len(value) {
		return dst
	}
	before, after := value[:s.bStart], value[s.bEnd:]
	if c == Simple {
		raw := strings.TrimSuffix(f.Raw, "\r\n")
		dst = append(dst, raw[:len(raw)-len(value)]...) // the name and the colon
		dst = append(dst, before...)
		return append(dst, after...)
	}
	dst = appendRelaxedName(dst, f.Name)
	start := len(dst)
	dst = appendRelaxed(dst, start, before)
	return appendRelaxed(dst, start, after)
}

// appendRelaxedName appends a name in lower case, and the colon.
func appendRelaxedName(dst []byte, name string) []byte {
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c == ' ' || c == '\t' { // before the colon (RFC 5322 4.5.8)
			continue
		}
		dst = append(dst, c)
	}
	return append(dst, ':')
}

// appendRelaxed appends a value unfolded, with each run of white space as one space and with none at either end. The field's
// value begins at dst[start:].
func appendRelaxed(dst []byte, start int, value string) []byte {
	from := 0 // value[from:i] is fit to be copied
	for i := 0; i < len(value); {
		c := value[i]
		if c > ' ' || !isFold(value, i) {
			i++
			continue
		}
		dst = append(dst, value[from:i]...)
		space := false
		for i < len(value) && isFold(value, i) {
			if value[i] == '\r' {
				i++ // the LF after it
			} else {
				space = true
			}
			i++
		}
		if space && len(dst) > start {
			dst = append(dst, ' ')
		}
		from = i
	}
	dst = append(dst, value[from:]...)
	if n := len(dst); n > start && dst[n-1] == ' ' {
		dst = dst[:n-1]
	}
	return dst
}

// isFold tells whether white space or a CRLF begins at s[i].
func isFold(s string, i int) bool {
	switch s[i] {
	case ' ', '\t':
		return true
	case '\r':
		return i+1 < len(s) && s[i+1] == '\n'
	}
	return false
}
