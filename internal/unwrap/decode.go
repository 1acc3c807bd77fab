package unwrap

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"
)

// base64Value is the value of a base64 digit (RFC 4648 4); -1 of what is none.
var base64Value = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = int8(i)
	}
	return t
}()

// A piecewise decoder gets its input in lines, or pieces of long ones.
type piecewise struct {
	in     *bufio.Reader
	decode func(piece []byte, out []byte) ([]byte, error) // appends; io.EOF ends it
	end    func(out []byte) []byte
	out    []byte
	given  int
	err    error
}

func newPiecewise(r io.Reader) *piecewise { return &piecewise{in: bufio.NewReaderSize(r, 4<<10)} }

func (p *piecewise) Read(b []byte) (int, error) {
	for p.given == len(p.out) {
		if p.err != nil {
			return 0, p.err
		}
		p.out, p.given = p.out[:0], 0
		for p.err == nil && len(p.out) < 2<<10 {
			piece, err := p.in.ReadSlice('\n')
			if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
				p.err = err
			}
			if len(piece) > 0 {
				out, err := p.decode(piece, p.out)
				p.out = out
				if err != nil {
					p.err = err
				}
			}
		}
		if p.err == io.EOF && p.end != nil {
			p.out = p.end(p.out)
		}
	}
	n := copy(b, p.out[p.given:])
	p.given += n
	return n, nil
}

// newBase64 decodes base64 (RFC 2045 6.8) as it comes: with stray characters, which the standard says to leave out, without padding at
// its end, several encoded pieces one behind another, and a text below it, which mailing lists add.
func newBase64(r io.Reader, n *notes) io.Reader {
	p := newPiecewise(r)
	var group uint32
	digits := 0
	ended := false // there was padding
	flush := func(out []byte) []byte {
		switch digits {
		case 2:
			out = append(out, byte(group>>4))
		case 3:
			out = append(out, byte(group>>10), byte(group>>2))
		}
		group, digits = 0, 0
		return out
	}
	p.decode = func(piece, out []byte) ([]byte, error) {
		line := bytes.TrimRight(piece, "\r\n \t")
		if ended && len(line) > 0 {
			if !isBase64Line(line) {
				n.add("text after the end of the base64: left out")
				return out, io.EOF
			}
			ended = false
		}
		if digits == 0 && len(line)%4 == 0 && len(line) > 0 && line[len(line)-1] != '=' { // the common case
			size := len(out)
			out = append(out, make([]byte, len(line)/4*3)...)
			if _, err := base64.StdEncoding.Decode(out[size:], line); err == nil {
				return out, nil
			}
			out = out[:size]
		}
		for _, c := range line {
			v := base64Value[c]
			switch {
			case v >= 0:
				group = group<<6 | uint32(v)
				if digits++; digits == 4 {
					out = append(out, byte(group>>16), byte(group>>8), byte(group))
					group, digits = 0, 0
				}
				ended = false
			case c == '=':
				out = flush(out)
				ended = true
			case c != ' ' && c != '\t' && c != '\r':
				n.add("stray characters in base64: left out")
			}
		}
		return out, nil
	}
	p.end = flush
	return p
}

func isBase64Line(line []byte) bool {
	for _, c := range line {
		if base64Value[c] < 0 && c != '=' {
			return false
		}
	}
	return len(line)%4 == 0
}

// newQuotedPrintable decodes quoted-printable (RFC 2045 6.7). What is none stands for itself.
func newQuotedPrintable(r io.Reader) io.Reader {
	p := newPiecewise(r)
	p.decode = func(piece, out []byte) ([]byte, error) {
		line := bytes.TrimRight(piece, "\r\n")
		end := piece[len(line):]
		if len(end) > 0 {
			line = bytes.TrimRight(line, " \t")
		}
		if len(line) > 0 && line[len(line)-1] == '=' && (len(end) > 0 || p.err == io.EOF) {
			line, end = line[:len(line)-1], nil
		}
		for i := 0; i < len(line); i++ {
			if line[i] == '=' && i+2 < len(line) {
				hi, lo := hexValue(line[i+1]), hexValue(line[i+2])
				if hi >= 0 && lo >= 0 {
					out = append(out, byte(hi<<4|lo))
					i += 2
					continue
				}
			}
			out = append(out, line[i])
		}
		return append(out, end...), nil
	}
	return p
}

func hexValue(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// A uu decodes what uuencode made (POSIX uuencode).
type uu struct {
	*piecewise
	name string
}

func newUU(r io.Reader) *uu {
	u := &uu{piecewise: newPiecewise(r)}
	for {
		line, err := u.in.ReadSlice('\n')
		if isUU(line) {
			u.name = strings.TrimSpace(string(line[len("begin 644 "):]))
			break
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			u.err = err
			break
		}
	}
	u.decode = func(piece, out []byte) ([]byte, error) {
		line := bytes.TrimRight(piece, "\r\n")
		if string(line) == "end" {
			return out, io.EOF
		}
		if len(line) == 0 {
			return out, nil
		}
		size := int(line[0]-' ') & 0x3f
		value := func(i int) byte {
			if i < len(line) {
				return (line[i] - ' ') & 0x3f
			}
			return 0
		}
		for i := 1; size > 0; i, size = i+4, size-3 {
			if i >= len(line) {
				return out, errors.New("uuencode: a line is cut off")
			}
			a, b, c, d := value(i), value(i+1), value(i+2), value(i+3)
			out = append(out, []byte{a<<2 | b>>4, b<<4 | c>>2, c<<6 | d}[:min(size, 3)]...)
		}
		return out, nil
	}
	return u
}

// isUU tells whether a text begins with the first line of uuencode: "begin 644 name".
func isUU(text []byte) bool {
	const mode = "begin 644 "
	if len(text) < len(mode) || string(text[:6]) != "begin " || text[9] != ' ' {
		return false
	}
	for _, c := range text[6:9] {
		if c < '0' || c > '7' {
			return false
		}
	}
	return true
}
