package unwrap

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/gatepost-mail/gatepost/internal/spool"
)

// A Spool holds bytes that can be read again: in memory, or in a temporary file if they are many. It may be read by several goroutines
// at once.
type Spool struct {
	memory []byte
	file   *spool.File // nil while everything is in memory
	size   int64
	kept   bool
}

// Size is how many bytes there are.
func (s *Spool) Size() int64 { return s.size }

// InMemory tells whether no file is needed to hold them.
func (s *Spool) InMemory() bool { return s.file == nil }

// ReadAt is that of [io.ReaderAt].
func (s *Spool) ReadAt(p []byte, off int64) (int, error) {
	if s.file != nil {
		return systemReaderAt{s.file}.ReadAt(p, off)
	}
	if off < 0 || off >= int64(len(s.memory)) {
		return 0, io.EOF
	}
	n := copy(p, s.memory[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Open reads from the first byte.
func (s *Spool) Open() *io.SectionReader { return io.NewSectionReader(s, 0, s.size) }

// Keep leaves closing it to the caller, who may then use it after [Each] went on.
func (s *Spool) Keep() {
	s.kept = true
	if cap(s.memory) > 2*len(s.memory) {
		s.memory = bytes.Clone(s.memory)
	}
}

func (s *Spool) done() {
	if !s.kept {
		s.Close()
	}
}

// Close forgets the bytes. Nothing may be read afterwards.
func (s *Spool) Close() error {
	if memory := s.memory; memory != nil {
		s.memory, s.size = nil, 0
		memories.Put(&memory)
	}
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file, s.size = nil, 0
	return f.Close()
}

// memories are buffers of spools that were closed.
var memories = sync.Pool{New: func() any { return new([]byte) }}

// spoolChunk is how much a file is written at once.
const spoolChunk = 64 << 10

// spool reads r to its end.
func (w *walker) spool(r io.Reader) (*Spool, error) {
	memory := *memories.Get().(*[]byte)
	s := &Spool{memory: memory[:0:min(cap(memory), w.limits.Memory)]}
	for {
		if len(s.memory) == cap(s.memory) {
			if cap(s.memory) >= w.limits.Memory {
				break
			}
			grown := make([]byte, len(s.memory), min(max(2*cap(s.memory), 32<<10), w.limits.Memory))
			copy(grown, s.memory)
			s.memory = grown
		}
		n, err := r.Read(s.memory[len(s.memory):cap(s.memory)])
		s.memory = s.memory[:len(s.memory)+n]
		if err == io.EOF {
			s.size = int64(len(s.memory))
			return s, nil
		}
		if err != nil {
			s.Close()
			return nil, err
		}
	}
	if err := s.toFile(r, w.limits.Dir); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// toFile moves what is in memory, and all that is still to come, to a temporary file.
func (s *Spool) toFile(r io.Reader, dir string) error {
	f, err := spool.NewFile(dir)
	if err != nil {
		return &systemError{err}
	}
	s.file = f
	if _, err := f.Write(s.memory); err != nil {
		return &systemError{fmt.Errorf("temporary file: %w", err)}
	}
	s.size = int64(len(s.memory))
	buf := s.memory[:min(cap(s.memory), spoolChunk)]
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if _, err := f.Write(buf[:n]); err != nil {
				return &systemError{fmt.Errorf("temporary file: %w", err)}
			}
			s.size += int64(n)
		}
		if err == io.EOF {
			memory := s.memory
			s.memory = nil
			memories.Put(&memory)
			return nil
		}
		if err != nil {
			return err
		}
	}
}
