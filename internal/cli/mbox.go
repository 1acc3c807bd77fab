package cli

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
)

// An mbox is told by its first five bytes.
const mboxStart = "From "

// mboxBuffer is how much of a line is looked at at once.
const mboxBuffer = 64 << 10

// A section is where a message lies in an mbox.
type section struct{ start, end int64 }

// mboxSections finds the messages of an mbox, without the lines between them.
//
// A message begins with a line "From …" at the beginning of the file or below an empty line. That is how both mboxo and mboxrd are
// read; the empty line is not part of the message above it. The length of a message is not taken from Content-Length (mboxcl2):
// it comes from the message's sender.
func mboxSections(r io.Reader) iter.Seq2[section, error] {
	return func(yield func(section, error) bool) {
		in := bufio.NewReaderSize(r, mboxBuffer)
		start, offset, blank := int64(-1), int64(0), int64(0) // blank: where the empty line above begins; -1 if it is not empty
		lineStart := true
		for {
			piece, err := in.ReadSlice('\n')
			if err != nil && !errors.Is(err, bufio.ErrBufferFull) && err != io.EOF {
				yield(section{}, err)
				return
			}
			if lineStart && blank >= 0 && bytes.HasPrefix(piece, []byte(mboxStart)) {
				if start >= 0 && !yield(section{start, max(start, blank)}, nil) {
					return
				}
				start = -1
			}
			next := offset + int64(len(piece))
			whole := err == nil
			if start < 0 && whole { // the line that begins a message has ended
				start = next
			}
			if lineStart && len(piece) > 0 {
				blank = -1
				if whole && len(bytes.TrimRight(piece, "\r\n")) == 0 {
					blank = offset
				}
			}
			lineStart, offset = whole, next
			if err == io.EOF {
				break
			}
		}
		if start < 0 {
			return
		}
		if blank < start {
			blank = offset
		}
		yield(section{start, blank}, nil)
	}
}

// An unquoter undoes what was done to lines of a message so that an mbox could hold it: of each line that begins with one or more
// ">" and "From ", one ">" is taken away. That is the rule of mboxrd, which can be undone. In an mboxo file, where a line that had
// the ">" already was left alone, it takes one too many from such a line, and nothing can tell.
type unquoter struct {
	in      *bufio.Reader
	pending []byte
	middle  bool // of a line that is longer than the buffer
	err     error
}

func newUnquoter(r io.Reader) *unquoter {
	return &unquoter{in: bufio.NewReaderSize(r, mboxBuffer)}
}

func (u *unquoter) Read(p []byte) (int, error) {
	for len(u.pending) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		piece, err := u.in.ReadSlice('\n')
		middle := u.middle
		u.middle = errors.Is(err, bufio.ErrBufferFull)
		if !u.middle {
			u.err = err
		}
		if !middle && len(piece) > 0 && piece[0] == '>' && bytes.HasPrefix(bytes.TrimLeft(piece, ">"), []byte(mboxStart)) {
			piece = piece[1:]
		}
		u.pending = piece
	}
	n := copy(p, u.pending)
	u.pending = u.pending[n:]
	return n, nil
}
