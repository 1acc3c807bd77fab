package cli

import (
	"io"
	"os"

	"github.com/gatepost-mail/gatepost/internal/spool"
)

// spoolMemory is how much of a pipe is kept in memory. What is longer goes to a temporary file.
const spoolMemory = 4 << 20

// newSpool keeps what was read from a pipe, so that it can be read again.
func newSpool() *spool.Spool { return (&spool.Room{Most: spoolMemory, Each: spoolMemory}).New() }

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
	s := newSpool()
	return &replay{name: name, first: io.TeeReader(in, s), source: s, size: s.Size, close: func() error {
		if isFile {
			f.Close()
		}
		return s.Close()
	}}, nil
}

// again reads the message a second time, from its first byte.
func (r *replay) again() io.Reader { return io.NewSectionReader(r.source, 0, r.size()) }
