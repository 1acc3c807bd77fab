package gmail

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

var errJSON = errors.New("the service's answer is not JSON")

// readRaw finds the member raw in a JSON object and gives its text, decoded from base64url (RFC 4648 5), to body as it streams in. A message
// of 50 MiB would otherwise be in memory three times.
func readRaw(r io.Reader, body func(io.Reader) error) error {
	j := &scanner{r: bufio.NewReaderSize(r, 16<<10)}
	if c, err := j.next(); err != nil || c != '{' {
		return errors.Join(errJSON, err)
	}
	for first := true; ; first = false {
		c, err := j.next()
		switch {
		case err != nil:
			return err
		case c == '}' && first:
			return nil
		case c == '}':
			return errJSON
		case c != '"':
			return errJSON
		}
		key, err := j.key()
		if err != nil {
			return err
		}
		if c, err = j.next(); err != nil || c != ':' {
			return errors.Join(errJSON, err)
		}
		if c, err = j.next(); err != nil {
			return err
		}
		if key == "raw" && c == '"' {
			text := &jsonString{j: j}
			if err := body(base64.NewDecoder(base64.RawURLEncoding, text)); err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, text)
		} else {
			err = j.skip(c)
		}
		if err != nil {
			return err
		}
		switch c, err = j.next(); {
		case err != nil:
			return err
		case c == '}':
			return nil
		case c != ',':
			return errJSON
		}
	}
}

// A scanner reads JSON (RFC 8259) byte by byte.
type scanner struct{ r *bufio.Reader }

func (j *scanner) byte() (byte, error) {
	c, err := j.r.ReadByte()
	if err == io.EOF {
		err = fmt.Errorf("the service's answer is cut off: %w", io.ErrUnexpectedEOF)
	}
	return c, err
}

// next is the next byte that is not white space.
func (j *scanner) next() (byte, error) {
	for {
		c, err := j.byte()
		if err != nil || c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, err
		}
	}
}

// key reads the name of a member after its quote. What is longer than the names that we look for does not matter.
func (j *scanner) key() (string, error) {
	text := &jsonString{j: j, anything: true}
	name := make([]byte, 8)
	n, err := io.ReadFull(text, name)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return "", err
	}
	_, err = io.Copy(io.Discard, text)
	return string(name[:n]), err
}

// skip reads over a value that begins with c. It does not recurse.
func (j *scanner) skip(c byte) error {
	for depth := 0; ; {
		switch c {
		case '"':
			if _, err := io.Copy(io.Discard, &jsonString{j: j, anything: true}); err != nil {
				return err
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth < 0 {
			return errJSON
		}
		if depth == 0 {
			switch c {
			case '"', '}', ']':
				return nil
			}
			p, err := j.r.Peek(1)
			if err != nil || bytes.IndexByte([]byte(",} \t\r\n"), p[0]) >= 0 { // the end of a number or a word
				return nil
			}
		}
		var err error
		if c, err = j.next(); err != nil {
			return err
		}
	}
}

// A jsonString reads the text of a string after its quote, up to and with the one at its end. Unless anything may be in it, it is base64:
// what is not of that is an error, padding is left out, and both alphabets are taken.
type jsonString struct {
	j        *scanner
	anything bool
	ended    bool
}

func (s *jsonString) Read(p []byte) (n int, err error) {
	for n < len(p) && !s.ended {
		if k := s.plain(p[n:]); k > 0 {
			n += k
			continue
		}
		c, err := s.j.byte()
		if err != nil {
			return n, err
		}
		switch {
		case c == '"':
			s.ended = true
			continue
		case c == '\\':
			if c, err = s.escape(); err != nil {
				return n, err
			}
		case c < ' ':
			return n, errJSON
		}
		if !s.anything {
			switch {
			case c == '=' || c == '\n' || c == '\r':
				continue
			case c == '+':
				c = '-'
			case c == '/':
				c = '_'
			}
		}
		p[n] = c
		n++
	}
	if n == 0 && s.ended {
		return 0, io.EOF
	}
	return n, nil
}

// plain copies bytes that stand for themselves.
func (s *jsonString) plain(p []byte) (n int) {
	buffered, _ := s.j.r.Peek(min(s.j.r.Buffered(), len(p)))
	for n < len(buffered) && plain[buffered[n]] {
		n++
	}
	copy(p, buffered[:n])
	s.j.r.Discard(n)
	return n
}

// plain has what stands for itself in a string, whether anything may be in it or only base64.
var plain = func() (is [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
		is[c] = true
	}
	return is
}()

// escape reads what follows a backslash. Characters beyond ASCII are not in any name nor in base64, and become a question mark.
func (s *jsonString) escape() (byte, error) {
	c, err := s.j.byte()
	if err != nil {
		return 0, err
	}
	switch c {
	case '"', '\\', '/':
		return c, nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't', 'b', 'f':
		return '\t', nil
	case 'u':
	default:
		return 0, errJSON
	}
	var r rune
	for range 4 {
		c, err := s.j.byte()
		if err != nil {
			return 0, err
		}
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, errJSON
		}
	}
	if r > 0x7f {
		return '?', nil
	}
	return byte(r), nil
}
