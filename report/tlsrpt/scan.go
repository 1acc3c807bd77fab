package tlsrpt

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A scanner reads JSON (RFC 8259) piece by piece, and forgives what does not change the meaning: commas too many, words such as NaN, control
// characters and broken escapes in strings.
type scanner struct {
	src    *bufio.Reader
	offset int64
	limit  int64
	text   int // how long a string may be; what is beyond is passed over
	depth  int
	max    int // of depth
	cut    bool
}

func (s *scanner) fail(what string) error { return &SyntaxError{s.offset, what} }

// next takes one byte.
func (s *scanner) next() (byte, error) {
	c, err := s.src.ReadByte()
	if err == io.EOF {
		return 0, s.fail("cut off")
	}
	if err != nil {
		return 0, err
	}
	if s.offset++; s.offset > s.limit {
		return 0, s.fail("more than " + strconv.FormatInt(s.limit, 10) + " bytes")
	}
	return c, nil
}

func (s *scanner) back() {
	s.src.UnreadByte() // follows a ReadByte always, so that it does not fail
	s.offset--
}

// peek passes over white space, and looks at the byte behind it.
func (s *scanner) peek() (byte, error) {
	for {
		c, err := s.next()
		if err != nil {
			return 0, err
		}
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			s.back()
			return c, nil
		}
	}
}

// object calls member for each member of an object, behind its colon; member must take the value.
func (s *scanner) object(member func(key string) error) error {
	return s.each('}', func() error {
		if c, err := s.peek(); err != nil {
			return err
		} else if c != '"' {
			return s.fail("no name of a member")
		}
		key, err := s.string()
		if err != nil {
			return err
		}
		if c, err := s.peek(); err != nil {
			return err
		} else if c != ':' {
			return s.fail("no colon after the name of a member")
		}
		s.next()
		return member(key)
	})
}

// each goes through what stands between brackets, the first of which is next.
func (s *scanner) each(closing byte, item func() error) error {
	if s.depth++; s.depth > s.max {
		return s.fail("values within values, too deep")
	}
	defer func() { s.depth-- }()
	if _, err := s.next(); err != nil {
		return err
	}
	for comma := true; ; {
		c, err := s.peek()
		switch {
		case err != nil:
			return err
		case c == closing:
			_, err := s.next()
			return err
		case c == ',':
			if _, err := s.next(); err != nil {
				return err
			}
			comma = true
			continue
		case !comma:
			return s.fail("no comma between two values")
		}
		if err := item(); err != nil {
			return err
		}
		comma = false
	}
}

// skip passes over a value. It does not recurse.
func (s *scanner) skip() error {
	var open []byte
	for {
		c, err := s.peek()
		if err != nil {
			return err
		}
		switch c {
		case '{', '[':
			if s.depth+len(open) >= s.max {
				return s.fail("values within values, too deep")
			}
			open = append(open, c+2) // in ASCII the closing bracket is two behind
			s.next()
			continue
		case '}', ']':
			if len(open) == 0 || open[len(open)-1] != c {
				return s.fail("a closing bracket that was not opened")
			}
			open = open[:len(open)-1]
			s.next()
		case ',', ':':
			if len(open) == 0 {
				return s.fail("no value")
			}
			s.next()
			continue
		default:
			if _, _, err := s.scalar(); err != nil {
				return err
			}
		}
		if len(open) == 0 {
			return nil
		}
	}
}

// scalar takes a string, a number or a word.
func (s *scanner) scalar() (text string, quoted bool, err error) {
	c, err := s.peek()
	if err != nil {
		return "", false, err
	}
	if c == '"' {
		text, err = s.string()
		return text, true, err
	}
	var b strings.Builder
	for {
		c, err := s.next()
		if err != nil {
			return "", false, err
		}
		if c <= ' ' || strings.IndexByte(`,:{}[]"`, c) >= 0 {
			s.back()
			if b.Len() == 0 {
				return "", false, s.fail("no value")
			}
			return b.String(), false, nil
		}
		if b.Len() == 100 {
			return "", false, s.fail("a word that is too long")
		}
		b.WriteByte(c)
	}
}

// string takes a string. What is beyond the limit is passed over, and cut tells so.
func (s *scanner) string() (string, error) {
	if _, err := s.next(); err != nil {
		return "", err
	}
	s.cut = false
	b := make([]byte, 0, 64)
	var high rune // the first half of a surrogate pair
	for {
		c, err := s.next()
		if err != nil {
			return "", err
		}
		var r rune = -1
		switch {
		case c == '"':
			if high != 0 {
				b = utf8.AppendRune(b, utf8.RuneError)
			}
			if s.cut {
				b = b[:s.text]
			}
			return strings.ToValidUTF8(string(b), "\ufffd"), nil
		case c == '\\':
			if r, err = s.escape(); err != nil {
				return "", err
			}
		}
		if high != 0 {
			pair := utf16.DecodeRune(high, r) // U+FFFD if r is no second half
			high = 0
			if b = utf8.AppendRune(b, pair); pair != utf8.RuneError {
				continue
			}
		}
		switch {
		case r >= 0xd800 && r < 0xdc00:
			high = r
		case r >= 0:
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, c)
		}
		if len(b) > s.text {
			s.cut = true
			b = b[:s.text+1]
		}
	}
}

// escape takes what follows a backslash.
func (s *scanner) escape() (rune, error) {
	c, err := s.next()
	if err != nil {
		return 0, err
	}
	switch c {
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		var digits [4]byte
		for i := range digits {
			if digits[i], err = s.next(); err != nil {
				return 0, err
			}
			if strings.IndexByte("0123456789abcdefABCDEF", digits[i]) < 0 {
				s.back()
				return utf8.RuneError, nil
			}
		}
		n, _ := strconv.ParseUint(string(digits[:]), 16, 16)
		return rune(n), nil
	case '"', '\\', '/':
		return rune(c), nil
	}
	s.back()
	return '\\', nil
}
