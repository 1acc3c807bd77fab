package folder

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/gatepost-mail/gatepost/internal/inbox"
	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/spool"
)

// progress is how far an mbox was read. It grows at its end; if what stood before there is no longer so, it is read anew, and the
// store knows what it knows.
type progress struct {
	offset int64
	before []byte // the bytes before offset
}

const fingerprint = 256

// isMbox tells by its first bytes whether a file is one.
func isMbox(path string) (bool, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	begin := make([]byte, 200)
	n, err := io.ReadFull(f, begin)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return false, err
	}
	line, _, _ := bytes.Cut(begin[:n], []byte("\n"))
	return isFromLine(line), nil
}

// isFromLine tells whether a line begins a message: "From ", an address, and a date with a year (RFC 4155).
func isFromLine(line []byte) bool {
	rest, ok := bytes.CutPrefix(bytes.TrimRight(line, "\r\n"), []byte("From "))
	if !ok {
		return false
	}
	colon := false
	words := bytes.Fields(rest)
	for i, w := range words {
		if i > 0 && bytes.Count(w, []byte(":")) >= 1 {
			colon = true
		}
		if colon && len(w) == 4 && isNumber(w) {
			return true
		}
	}
	return false
}

func isNumber(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// mbox offers the messages of an mbox one by one. The file has its fate when all of them have theirs.
func (s *scan) mbox(f file, m mark) {
	if err := s.readMbox(f, m); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.failed(f, err)
	}
}

// A box is an mbox while its messages are worked on.
type box struct {
	open    int // messages that were offered, and the reading itself
	offered int
	good    int
	failed  error
	cut     bool // not all was offered
	end     int64
	reason  string
}

func (s *scan) readMbox(f file, m mark) error {
	opened, err := openSame(f)
	if err != nil {
		return err
	}
	defer opened.Close()
	r, start := opened.(*os.File), int64(0)
	s.mu.Lock()
	p := s.boxes[f.path]
	s.mu.Unlock()
	if p != nil && p.holds(r) {
		start = p.offset
	}
	if _, err := r.Seek(start, io.SeekStart); err != nil {
		return err
	}
	b := &box{open: 1}
	reader := &mboxReader{r: bufio.NewReaderSize(r, 64<<10), limit: s.o.MaxSize, spool: s.o.Spool}
	for {
		body, err := reader.next()
		if err == io.EOF {
			break
		}
		name := fmt.Sprintf("%s, message at byte %d", f.path, start+reader.begin)
		if errors.Is(err, spool.ErrTooLarge) {
			s.found++
			s.mu.Lock()
			b.offered++
			b.reason = fmt.Sprintf("a message has more than %d bytes, which are the limit", s.o.MaxSize)
			s.mu.Unlock()
			s.status.TooLarge()
			s.status.Bad(name, b.reason, "left where it is")
			continue
		}
		if err != nil {
			s.finish(f, m, b, true)
			return err
		}
		s.mu.Lock()
		b.open++
		b.offered++
		s.mu.Unlock()
		if !s.offer(inbox.Task{
			Item: intake.Item{Name: name, Input: s.o.Name, Received: f.info.ModTime().UTC(), Open: body.Open},
			Drop: func() { body.Close() },
			Done: func(o intake.Outcome) error {
				if o.Bad() {
					s.status.Bad(name, inbox.Reason(o), "left where it is")
				}
				s.mu.Lock()
				b.add(o)
				s.mu.Unlock()
				s.finish(f, m, b, false)
				return nil
			},
		}) {
			s.finish(f, m, b, true)
			return nil
		}
	}
	b.end = start + reader.offset
	s.finish(f, m, b, false)
	return nil
}

func (b *box) add(o intake.Outcome) {
	switch {
	case o.Failed != nil:
		b.failed = o.Failed
	case o.Bad():
		b.reason = inbox.Reason(o)
	default:
		b.good++
	}
}

// finish is for each message that has its fate and for the end of the reading. With the last of them the file is settled.
func (s *scan) finish(f file, m mark, b *box, cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.cut = b.cut || cut
	if b.open--; b.open > 0 || b.cut {
		return
	}
	if b.failed != nil {
		s.failed(f, b.failed)
		return
	}
	if p, err := progressAt(f.path, b.end); err == nil {
		s.boxes[f.path] = p
	}
	reason := ""
	if b.offered > 0 && b.good == 0 {
		reason = b.reason
	}
	s.settle(f, m, reason)
}

func progressAt(path string, offset int64) (*progress, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := &progress{offset: offset, before: make([]byte, min(offset, fingerprint))}
	_, err = f.ReadAt(p.before, offset-int64(len(p.before)))
	return p, err
}

// holds tells whether what stood before the offset still does.
func (p *progress) holds(r io.ReaderAt) bool {
	now := make([]byte, len(p.before))
	_, err := r.ReadAt(now, p.offset-int64(len(now)))
	return err == nil && bytes.Equal(now, p.before)
}

// An mboxReader parts an mbox into its messages. The line before a message and the empty one after it are not of it, and of lines with
// "From " that were quoted one ">" is taken away (mboxrd).
type mboxReader struct {
	r      *bufio.Reader
	limit  int64
	spool  *spool.Room
	offset int64 // how many bytes were read
	begin  int64 // where the message begins
	ready  bool  // the line before the next message was read
}

// next is the next message: io.EOF after the last.
func (m *mboxReader) next() (*spool.Spool, error) {
	if err := m.findFrom(); err != nil {
		return nil, err
	}
	m.ready = false
	m.begin = m.offset
	body := &mboxBody{m: m, line: true, empty: true}
	s, err := m.spool.Fill(body, 0, m.limit)
	if errors.Is(err, spool.ErrTooLarge) {
		if _, skip := io.Copy(io.Discard, body); skip != nil {
			return nil, skip
		}
	}
	return s, err
}

// findFrom reads to the end of the line before a message, over whatever is not of one.
func (m *mboxReader) findFrom() error {
	for !m.ready {
		line, err := m.line()
		if len(line) == 0 && err != nil {
			return err
		}
		m.ready = isFromLine(line)
	}
	return nil
}

// line reads a line, or the next part of one that is very long. What it gives is valid until the next call.
func (m *mboxReader) line() ([]byte, error) {
	line, err := m.r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		err = nil
	}
	m.offset += int64(len(line))
	return line, err
}

// An mboxBody reads one message.
type mboxBody struct {
	m     *mboxReader
	rest  []byte
	held  []byte // an empty line, of which is not known yet whether it is the message's
	line  bool   // at the beginning of a line
	empty bool   // after an empty line, or at the beginning
	err   error
}

func (b *mboxBody) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		b.fill()
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *mboxBody) fill() {
	line, err := b.m.line()
	if len(line) == 0 {
		b.err = err
		return
	}
	if b.line && b.empty && isFromLine(line) {
		b.m.ready = true
		b.err = io.EOF
		return
	}
	var out []byte
	if b.held != nil {
		out = append(out, b.held...)
		b.held = nil
	}
	whole := line[len(line)-1] == '\n'
	if b.line && whole && len(bytes.TrimRight(line, "\r\n")) == 0 {
		b.held = bytes.Clone(line)
		b.empty = true
	} else {
		if b.line && line[0] == '>' && bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")) {
			line = line[1:]
		}
		out = append(out, line...)
		b.empty = false
	}
	b.line = whole
	b.rest = out
	if err != nil {
		b.err = err
	}
}
