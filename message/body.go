package message

import (
	"io"
	"sync"
)

// buffers are what messages are read through; a message gives its own back when its body has been read.
var buffers = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}

const bufferSize = 32 << 10

// body reads on where the header ended, with each bare LF as CRLF.
type body struct {
	src     io.Reader
	buf     *[]byte // what pending lies in; nil when given back
	pending []byte  // read, and not yet handed out
	rest    []byte  // of the piece that Read is handing out
	wire    []byte  // pending with its line ends mended, reused
	afterCR bool
	err     error
}

// more reads on behind pending, and makes room for that where there is none.
func (b *body) more() error {
	if b.err != nil {
		return b.err
	}
	used := len(b.pending)
	if used == 0 {
		b.pending = (*b.buf)[:0]
	}
	if used == cap(b.pending) {
		larger := make([]byte, used, 2*used)
		copy(larger, b.pending)
		b.pending, *b.buf = larger, larger[:cap(larger)]
	}
	for range 100 {
		n, err := b.src.Read(b.pending[used:cap(b.pending)])
		b.pending = b.pending[:used+n]
		if n > 0 {
			b.err = err
			return nil
		}
		if err != nil {
			b.err = err
			return err
		}
	}
	b.err = io.ErrNoProgress
	return b.err
}

// next gives the next piece of the body; it is good until the one after.
func (b *body) next() ([]byte, error) {
	if b.buf == nil {
		return nil, b.err
	}
	if len(b.pending) == 0 {
		if err := b.more(); err != nil {
			b.release()
			return nil, err
		}
	}
	p := b.pending
	b.pending = nil
	if hasBareLF(p, b.afterCR) {
		b.wire = appendWire(b.wire[:0], p, b.afterCR)
		b.afterCR = p[len(p)-1] == '\r'
		return b.wire, nil
	}
	b.afterCR = p[len(p)-1] == '\r'
	return p, nil
}

func (b *body) release() {
	if cap(*b.buf) == bufferSize {
		buffers.Put(b.buf)
	}
	b.buf, b.pending = nil, nil
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		piece, err := b.next()
		if err != nil {
			return 0, err
		}
		b.rest = piece
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// WriteTo implements io.WriterTo, so that io.Copy needs no buffer of its own.
func (b *body) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		piece := b.rest
		b.rest = nil
		if len(piece) == 0 {
			var err error
			if piece, err = b.next(); err == io.EOF {
				return total, nil
			} else if err != nil {
				return total, err
			}
		}
		n, err := w.Write(piece)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}
