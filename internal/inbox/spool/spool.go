// Package spool keeps what arrives until it is stored: in memory up to a bound, then in a temporary file.
//
//	s := spool.New(dir, 1<<20)
//	defer s.Close()
//	io.Copy(s, message)
//	r, err := s.Open()
package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// A Spool is written by one goroutine, and then read by any number of them.
type Spool struct {
	dir      string
	inside   int64 // bytes that are kept in memory
	memory   []byte
	file     *os.File
	size     int64
	nameless bool // the file has no name any more
	failed   error

	mu      sync.Mutex
	readers int
	closed  bool
}

// New makes an empty Spool. What exceeds inside bytes goes to a file in dir, or where the system keeps temporary files if that is empty.
func New(dir string, inside int64) *Spool { return &Spool{dir: dir, inside: inside} }

// ErrWrite is the error of a disk that did not take what was written.
var ErrWrite = errors.New("spool: cannot be written")

// Write adds to the end.
func (s *Spool) Write(p []byte) (int, error) {
	if s.failed != nil {
		return 0, s.failed
	}
	if s.file == nil && s.size+int64(len(p)) <= s.inside {
		s.memory = append(s.memory, p...)
		s.size += int64(len(p))
		return len(p), nil
	}
	if err := s.spill(); err != nil {
		s.failed = fmt.Errorf("%w: %w", ErrWrite, err)
		return 0, s.failed
	}
	n, err := s.file.Write(p)
	s.size += int64(n)
	if err != nil {
		s.failed = fmt.Errorf("%w: %w", ErrWrite, err)
		return n, s.failed
	}
	return n, nil
}

// spill moves what is in memory to a file.
func (s *Spool) spill() error {
	if s.file != nil {
		return nil
	}
	f, err := os.CreateTemp(s.dir, "gatepost-spool-*")
	if err != nil {
		return err
	}
	s.file = f
	// A process that is killed leaves nothing behind. Windows removes no file that is open: there it goes with Close.
	s.nameless = os.Remove(f.Name()) == nil
	if _, err := f.Write(s.memory); err != nil {
		return err
	}
	s.memory = nil
	return nil
}

// Size is how many bytes were written.
func (s *Spool) Size() int64 { return s.size }

// errClosed is what a reader gets that comes too late.
var errClosed = errors.New("spool: closed")

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

// Close implements io.Closer.
func (r *reader) Close() error {
	r.once.Do(func() {
		r.spool.mu.Lock()
		defer r.spool.mu.Unlock()
		r.spool.readers--
		r.spool.remove()
	})
	return nil
}

// Close gives the bytes up.
func (s *Spool) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.remove()
}

func (s *Spool) remove() {
	if s.file == nil || !s.closed || s.readers > 0 {
		return
	}
	s.file.Close()
	if !s.nameless {
		os.Remove(s.file.Name())
	}
	s.file = nil
}
