// Package spool keeps what is read more than once: in memory as long as there is room, and beyond that in a temporary file.
//
//	room := &spool.Room{Dir: dir}
//	s := room.New()
//	defer s.Close()
//	io.Copy(s, message)
//	r, err := s.Open()
package spool

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"sync/atomic"
)

// A Room bounds the memory that spools take. The zero value lets all of them have 16 MiB, and each 1 MiB of these.
type Room struct {
	Dir  string // of temporary files; the system's own if empty
	Most int64  // bytes in memory, of all together; see Unbounded
	Each int64  // of one

	used atomic.Int64
}

// Unbounded as Most leaves the bound to Each: something else bounds how many spools there are.
const Unbounded = math.MaxInt64

const (
	defaultMost = 16 << 20
	defaultEach = 1 << 20
	leastGrowth = 512
)

// The errors that callers tell apart.
var (
	ErrWrite    = errors.New("spool: cannot be written") // the disk did not take it
	ErrTooLarge = errors.New("too large")
)

var errClosed = errors.New("spool: closed")

// New makes an empty Spool.
func (r *Room) New() *Spool { return &Spool{room: r} }

// Fill makes a Spool of what from gives, to its end. More than limit is [ErrTooLarge]. The hint is how much it may be.
func (r *Room) Fill(from io.Reader, hint, limit int64) (*Spool, error) {
	s := r.New()
	if hint > 0 {
		s.grow(min(hint, cmp.Or(r.Each, defaultEach)))
	}
	_, err := io.Copy(s, io.LimitReader(from, limit+1))
	if err == nil && s.size > limit {
		err = ErrTooLarge
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// A Spool is written by one goroutine, and then read by any number of them.
type Spool struct {
	room   *Room
	memory []byte
	file   *File // nil while everything is in memory
	size   int64
	failed error

	mu      sync.Mutex
	readers int // of the file
	closed  bool
}

// grow makes memory for n bytes more, if there is room.
func (s *Spool) grow(n int64) bool {
	have, need := int64(cap(s.memory)), int64(len(s.memory))+n
	if need <= have {
		return true
	}
	each := cmp.Or(s.room.Each, defaultEach)
	if need > each {
		return false
	}
	want := min(max(2*have, need, leastGrowth), each)
	if s.room.used.Add(want-have) > cmp.Or(s.room.Most, defaultMost) {
		s.room.used.Add(have - want)
		return false
	}
	bigger := make([]byte, len(s.memory), want)
	copy(bigger, s.memory)
	s.memory = bigger
	return true
}

// forget gives memory back.
func (s *Spool) forget() {
	s.room.used.Add(-int64(cap(s.memory)))
	s.memory = nil
}

// Write adds to the end.
func (s *Spool) Write(p []byte) (int, error) {
	if s.failed != nil {
		return 0, s.failed
	}
	if s.file == nil && s.grow(int64(len(p))) {
		s.memory = append(s.memory, p...)
		s.size += int64(len(p))
		return len(p), nil
	}
	if err := s.spill(); err != nil {
		return 0, s.fail(err)
	}
	n, err := s.file.Write(p)
	s.size += int64(n)
	if err != nil {
		return n, s.fail(err)
	}
	return n, nil
}

// ReadFrom adds what r gives, to its end.
func (s *Spool) ReadFrom(r io.Reader) (n int64, err error) {
	for s.file == nil && s.failed == nil && s.grow(1) {
		m, err := r.Read(s.memory[len(s.memory):cap(s.memory)])
		s.memory = s.memory[:len(s.memory)+m]
		s.size += int64(m)
		n += int64(m)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
	rest, err := io.Copy(struct{ io.Writer }{s}, r)
	return n + rest, err
}

func (s *Spool) fail(err error) error {
	s.failed = fmt.Errorf("%w: %w", ErrWrite, err)
	return s.failed
}

// spill moves what is in memory to a file.
func (s *Spool) spill() error {
	if s.file != nil {
		return nil
	}
	f, err := NewFile(s.room.Dir)
	if err != nil {
		return err
	}
	s.file = f
	if _, err := f.Write(s.memory); err != nil {
		return err
	}
	s.forget()
	return nil
}

// Size is how many bytes were written.
func (s *Spool) Size() int64 { return s.size }

// ReadAt implements [io.ReaderAt].
func (s *Spool) ReadAt(p []byte, off int64) (int, error) {
	if s.file != nil {
		return s.file.ReadAt(p, off)
	}
	return bytes.NewReader(s.memory).ReadAt(p, off)
}

// Open reads the bytes from their beginning. The file stays until the last of those who read it has closed.
func (s *Spool) Open() (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if s.file == nil {
		return io.NopCloser(bytes.NewReader(s.memory)), nil
	}
	s.readers++
	return &reader{Reader: io.NewSectionReader(s.file, 0, s.size), spool: s}, nil
}

type reader struct {
	io.Reader
	spool *Spool
	once  sync.Once
}

// Close implements [io.Closer].
func (r *reader) Close() (err error) {
	r.once.Do(func() {
		r.spool.mu.Lock()
		defer r.spool.mu.Unlock()
		r.spool.readers--
		err = r.spool.remove()
	})
	return err
}

// Close gives the bytes up. It may be called again.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.forget()
	return s.remove()
}

func (s *Spool) remove() error {
	if s.file == nil || !s.closed || s.readers > 0 {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}
