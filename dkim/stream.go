package dkim

import (
	"bytes"
	"hash"
)

// A stream is a body in one canonical form (RFC 6376 3.4.3, 3.4.4), on its way into the hash.
//
// What stands at the end of the input may or may not count, depending on what follows: line ends, since empty lines at the end of
// the body are dropped, and in the relaxed form white space. It is held back as counts. All else goes to the hash from where it
// stands in the caller's slice; only short stretches are gathered first, since hashes are slow at them.
type stream struct {
	canon  Canon
	hash   hash.Hash
	octets int64       // hashed, or beyond what is wanted
	cuts   []*BodyHash // what is wanted, the lowest limit first, the whole last
	next   int         // cuts[:next] are known

	lineEnds int64 // held back: this many CRLFs,
	space    bool  // then white space,
	cr       bool  // then a CR that may be the first half of a CRLF

	used   int
	gather [512]byte
}

const (
	directly = 192      // a stretch this long goes to the hash without being copied
	window   = 1 << 10  // looked through for white space at once
	atOnce   = 32 << 10 // hashed at once, while it is in the processor's cache
)

// write takes a piece of the body.
func (s *stream) write(p []byte) {
	for len(p) > 0 {
		if s.lineEnds > 0 || s.space || s.cr {
			p = s.resume(p)
			continue
		}
		end := len(p)
		for end > 0 && s.holds(p[end-1]) {
			end--
		}
		if s.canon == Simple {
			s.put(p[:end])
		} else {
			s.relax(p[:end])
		}
		for _, c := range p[end:] {
			s.step(c)
		}
		return
	}
}

// holds tells whether an octet at the end of the input may have to be held back.
func (s *stream) holds(c byte) bool {
	return c == '\r' || c == '\n' || s.canon == Relaxed && (c == ' ' || c == '\t')
}

// resume goes on octet by octet until nothing is held back.
func (s *stream) resume(p []byte) []byte {
	for i, c := range p {
		s.step(c)
		if s.lineEnds == 0 && !s.space && !s.cr {
			return p[i+1:]
		}
	}
	return nil
}

// step takes one octet.
func (s *stream) step(c byte) {
	if s.cr {
		s.cr = false
		if c == '\n' {
			s.lineEnds++
			s.space = false // RFC 6376 3.4.4: white space at the end of a line
			return
		}
		s.release()
		s.putByte('\r')
	}
	switch {
	case c == '\r':
		s.cr = true
		return
	case s.canon == Relaxed && (c == ' ' || c == '\t'):
		s.space = true
		return
	}
	s.release()
	s.putByte(c)
}

// lineEndsAtOnce are written where many empty lines turn out to count.
var lineEndsAtOnce = bytes.Repeat([]byte("\r\n"), 128)

// release lets go what was held back, for something follows.
func (s *stream) release() {
	for s.lineEnds > 0 {
		n := min(s.lineEnds, int64(len(lineEndsAtOnce)/2))
		s.put(lineEndsAtOnce[:2*n])
		s.lineEnds -= n
	}
	if s.space {
		s.space = false
		s.putByte(' ')
	}
}

// relax writes the relaxed form of p, whose last octet is neither white space nor part of a line end.
func (s *stream) relax(p []byte) {
	from := 0 // p[from:i] is as it should be
	for i := 0; i < len(p); {
		end := min(i+window, len(p))
		part := p[i:end]
		if bytes.IndexByte(part, ' ') < 0 && bytes.IndexByte(part, '\t') < 0 {
			i = end
		}
		for i < end {
			if i = nextSpot(p, i, end); i < end {
				s.put(p[from:i])
				i = s.squeeze(p, i)
				from = i
			}
		}
		if i-from >= atOnce {
			s.put(p[from:i])
			from = i
		}
	}
	s.put(p[from:])
}

// squeeze writes what the relaxed form makes of the white space at p[i:], and returns where that ends.
func (s *stream) squeeze(p []byte, i int) int {
	for p[i] == ' ' || p[i] == '\t' { // ends within p, by what relax promises
		i++
	}
	if p[i] != '\r' || p[i+1] != '\n' {
		s.putByte(' ')
	}
	return i
}

// put hands canonical octets on.
func (s *stream) put(p []byte) {
	if len(p) >= directly {
		s.flush()
		s.sum(p)
		return
	}
	if s.used+len(p) > len(s.gather) {
		s.flush()
	}
	s.used += copy(s.gather[s.used:], p)
}

func (s *stream) putByte(c byte) {
	if s.used == len(s.gather) {
		s.flush()
	}
	s.gather[s.used] = c
	s.used++
}

func (s *stream) flush() {
	if s.used > 0 {
		s.sum(s.gather[:s.used])
		s.used = 0
	}
}

// close writes the end of the body.
func (s *stream) close() {
	if s.cr {
		s.cr = false
		s.release()
		s.putByte('\r')
	}
	// RFC 6376 3.4.3 and 3.4.4: a body that is not empty ends in one CRLF, though none may have been there. An empty one is a CRLF
	// when simple and nothing when relaxed.
	if s.canon == Simple || s.octets > 0 || s.used > 0 {
		s.put(lineEndsAtOnce[:2])
	}
	s.lineEnds, s.space = 0, false
	s.flush()
	for ; s.next < len(s.cuts); s.next++ {
		s.cuts[s.next].finish()
	}
}
