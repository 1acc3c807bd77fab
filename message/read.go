package message

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits bound what is kept of a message: its header. The body is never kept.
type Limits struct {
	HeaderBytes int // 1 MiB if zero
	Fields      int // 2,000 if zero
}

const (
	defaultHeaderBytes = 1 << 20
	defaultFields      = 2000
)

// A Message is a header that was read, and a body that is still to be read.
type Message struct {
	Header     Header
	Body       io.Reader // with CRLF line ends; also an io.WriterTo, which io.Copy uses
	LineEnding string    // of the first line as it came, "\r\n" or "\n": in what style to write a new field
}

// ErrNoHeader means that the input does not begin with a header field or an empty line.
var ErrNoHeader = errors.New("not a message: the first line is no header field")

// A LimitError says which limit a header exceeds.
type LimitError struct {
	What  string // "bytes" or "fields"
	Limit int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("the header has more than %d %s", e.Limit, e.What)
}

// Read reads the header of a message and leaves its body to be read from [Message.Body].
//
// A line that is neither a field nor the continuation of one ends the header, as in Postfix: the body begins with it. A header
// without an empty line after it is a message without a body. An mbox "From " line on top is skipped. The error is [ErrNoHeader],
// a [*LimitError], or what r returned.
func Read(r io.Reader, l Limits) (*Message, error) {
	if l.HeaderBytes <= 0 {
		l.HeaderBytes = defaultHeaderBytes
	}
	if l.Fields <= 0 {
		l.Fields = defaultFields
	}
	b := &body{src: r, buf: buffers.Get().(*[]byte)}
	s := headerScan{limits: l}
	if err := s.run(b); err != nil {
		return nil, err
	}
	raw := string(b.pending[s.start:s.end])
	ending := "\r\n"
	if i := strings.IndexByte(raw, '\n'); i >= 0 && (i == 0 || raw[i-1] != '\r') {
		ending = "\n"
	} else if i < 0 && bytes.HasPrefix(b.pending[s.end:], []byte("\n")) {
		ending = "\n"
	}
	b.pending = b.pending[s.bodyStart:]
	return &Message{Header: split(wireLines(raw), s.fields), Body: b, LineEnding: ending}, nil
}

// headerScan finds out where a header ends while more of it comes in.
type headerScan struct {
	limits     Limits
	start, end int // of the fields
	bodyStart  int
	fields     int
}

func (s *headerScan) run(b *body) error {
	line := 0
	for {
		n := bytes.IndexByte(b.pending[line:], '\n')
		if n < 0 {
			if len(b.pending)-s.start > s.limits.HeaderBytes {
				return &LimitError{"bytes", s.limits.HeaderBytes}
			}
			err := b.more()
			if err == io.EOF {
				return s.last(b.pending, line)
			}
			if err != nil {
				return err
			}
			continue
		}
		next := line + n + 1
		done, err := s.line(b.pending[line:next], line, next)
		if done || err != nil {
			return err
		}
		if next-s.start > s.limits.HeaderBytes {
			return &LimitError{"bytes", s.limits.HeaderBytes}
		}
		line = next
	}
}

// line judges one line with its end; done says that the header has ended.
func (s *headerScan) line(text []byte, at, next int) (done bool, err error) {
	s.end, s.bodyStart = at, at
	switch {
	case text[0] == '\n' || len(text) == 2 && text[0] == '\r':
		s.bodyStart = next
		return true, nil
	case at == 0 && bytes.HasPrefix(text, []byte("From ")):
		s.start = next
		return false, nil
	case (text[0] == ' ' || text[0] == '\t') && s.fields > 0:
		return false, nil
	case nameLength(text) == 0:
		if s.fields == 0 {
			return true, ErrNoHeader
		}
		return true, nil
	}
	if s.fields++; s.fields > s.limits.Fields {
		return true, &LimitError{"fields", s.limits.Fields}
	}
	return false, nil
}

// last judges a line that the end of the input ends.
func (s *headerScan) last(pending []byte, at int) error {
	if at == len(pending) {
		s.end, s.bodyStart = at, at
		return nil
	}
	done, err := s.line(pending[at:], at, len(pending))
	if !done && err == nil {
		s.end, s.bodyStart = len(pending), len(pending)
	}
	return err
}

// nameLength is the length of the field name that a line begins with, or 0 (RFC 5322 2.2; white space before the colon, 4.5).
func nameLength[T string | []byte](line T) int {
	n := 0
	for n < len(line) && line[n] > ' ' && line[n] < 0x7f && line[n] != ':' {
		n++
	}
	for i := n; i < len(line); i++ {
		switch line[i] {
		case ':':
			return n
		case ' ', '\t':
		default:
			return 0
		}
	}
	return 0
}

// split cuts a header with CRLF line ends into its fields.
func split(header string, count int) Header {
	fields := make(Header, 0, count)
	for start := 0; start < len(header); {
		end := start
		for {
			n := strings.Index(header[end:], "\r\n")
			if n < 0 { // the input ended within the last line
				header += "\r\n"
				continue
			}
			end += n + 2
			if end == len(header) || header[end] != ' ' && header[end] != '\t' {
				break
			}
		}
		raw := header[start:end]
		fields = append(fields, Field{Name: raw[:nameLength(raw)], Raw: raw})
		start = end
	}
	return fields
}
