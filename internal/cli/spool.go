package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// spoolMemory is how much of a pipe is kept in memory. What is longer goes to a temporary file.
const spoolMemory = 4 << 20

// A spool keeps what was read from a pipe, so that it can be read again.
type spool struct {
	memory bytes.Buffer
	file   *os.File // nil while everything is in memory
	size   int64
}

func (s *spool) Write(p []byte) (int, error) {
	if s.file == nil && s.memory.Len()+len(p) > spoolMemory {
		if err := s.toFile(); err != nil {
			return 0, err
		}
	}
	var n int
	var err error
	if s.file != nil {
		n, err = s.file.Write(p)
	} else {
		n, err = s.memory.Write(p)
	}
	s.size += int64(n)
	return n, err
}

func (s *spool) toFile() error {
	f, err := os.CreateTemp("", "gatepost-*")
	if err != nil {
		return fmt.Errorf("temporary file: %w", err)
	}
	os.Remove(f.Name()) // where an open file can be removed, nothing is left behind however we end
	s.file = f
	if _, err := f.Write(s.memory.Bytes()); err != nil {
		return err
	}
	s.memory = bytes.Buffer{}
	return nil
}

// ReadAt reads what was written.
func (s *spool) ReadAt(p []byte, off int64) (int, error) {
	if s.file != nil {
		return s.file.ReadAt(p, off)
	}
	return bytes.NewReader(s.memory.Bytes()).ReadAt(p, off)
}

// Close forgets everything.
func (s *spool) Close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	os.Remove(s.file.Name())
	return err
}

// A message that can be read twice: once to sign it, once to copy it.
type replay struct {
	name   string
	first  io.Reader // the first reading
	source io.ReaderAt
	size   func() int64
	close  func() error
}

// openReplay opens the message that a command's arguments name, or standard input.
func openReplay(args []string, stdin io.Reader) (*replay, error) {
	name, in := stdinName, stdin
	if len(args) == 1 && args[0] != stdinName {
		f, err := openFile(args[0])
		if err != nil {
			return nil, err
		}
		name, in = args[0], f
	}
	f, isFile := in.(*os.File)
	if isFile {
		info, err := f.Stat()
		if err == nil && info.Mode().IsRegular() {
			start, err := f.Seek(0, io.SeekCurrent) // of standard input, something may have been read already
			if err == nil {
				size := func() int64 { return max(info.Size()-start, 0) }
				section := io.NewSectionReader(f, start, size())
				again := io.NewSectionReader(f, start, size())
				return &replay{name: name, first: section, source: again, size: size, close: f.Close}, nil
			}
		}
	}
	s := &spool{}
	return &replay{name: name, first: io.TeeReader(in, s), source: s, size: func() int64 { return s.size }, close: func() error {
		if isFile {
			f.Close()
		}
		return s.Close()
	}}, nil
}

// again reads the message a second time, from its first byte.
func (r *replay) again() io.Reader { return io.NewSectionReader(r.source, 0, r.size()) }
