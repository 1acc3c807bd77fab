package inbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
)

// ErrTooLarge is that of something larger than the limit.
var ErrTooLarge = errors.New("too large")

// A Spooler keeps messages while they are worked on: in memory as long as all of them together stay within a bound, and beyond in
// temporary files. The zero value keeps up to 16 MiB in memory, 1 MiB of any one message, and files in the system's own place.
type Spooler struct {
	Dir    string // for the files
	Memory int64  // for all
	Each   int64  // for one

	used atomic.Int64
}

// A Spool is one message.
type Spool struct {
	owner *Spooler
	mem   []byte
	file  *os.File
	path  string // of a file that could not be unlinked while it is open (Windows)
	size  int64
	once  sync.Once
}

// Spool reads r to its end. What is larger than limit is [ErrTooLarge]. The hint is how large it may be.
func (p *Spooler) Spool(r io.Reader, hint, limit int64) (*Spool, error) {
	memory, each := p.Memory, p.Each
	if memory <= 0 {
		memory = 16 << 20
	}
	if each <= 0 {
		each = 1 << 20
	}
	s := &Spool{owner: p}
	ok := false
	defer func() {
		if !ok {
			s.Close()
		}
	}()
	r = io.LimitReader(r, limit+1)
	grow := min(max(hint, 0), each) + bytes.MinRead
	for {
		if p.used.Add(grow) > memory || int64(cap(s.mem))+grow > each+bytes.MinRead {
			p.used.Add(-grow)
			break
		}
		bigger := make([]byte, len(s.mem), int64(cap(s.mem))+grow)
		copy(bigger, s.mem)
		s.mem = bigger
		n, err := io.ReadFull(r, s.mem[len(s.mem):cap(s.mem)])
		s.mem = s.mem[:len(s.mem)+n]
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			s.size = int64(len(s.mem))
			ok = s.size <= limit
			if !ok {
				return nil, ErrTooLarge
			}
			return s, nil
		}
		if err != nil {
			return nil, err
		}
		grow = int64(cap(s.mem))
	}
	file, err := os.CreateTemp(p.Dir, "gatepost-mail-*")
	if err != nil {
		return nil, fmt.Errorf("cannot make a temporary file: %w", err)
	}
	s.file = file
	if os.Remove(file.Name()) != nil { // what has no name is gone with the program, however it ends
		s.path = file.Name()
	}
	s.size, err = io.Copy(file, io.MultiReader(bytes.NewReader(s.mem), r))
	p.used.Add(-int64(cap(s.mem)))
	s.mem = nil
	if err != nil {
		return nil, err
	}
	if s.size > limit {
		return nil, ErrTooLarge
	}
	ok = true
	return s, nil
}

// Size is how many bytes there are.
func (s *Spool) Size() int64 { return s.size }

// Open gives them from their beginning.
func (s *Spool) Open() (io.ReadCloser, error) {
	if s.file != nil {
		return io.NopCloser(io.NewSectionReader(s.file, 0, s.size)), nil
	}
	return io.NopCloser(bytes.NewReader(s.mem)), nil
}

// Close gives the room back.
func (s *Spool) Close() {
	s.once.Do(func() {
		s.owner.used.Add(-int64(cap(s.mem)))
		s.mem = nil
		if s.file != nil {
			s.file.Close()
		}
		if s.path != "" {
			os.Remove(s.path)
		}
	})
}
