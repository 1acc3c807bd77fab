package dkim

import (
	"crypto/sha256"
	"slices"
)

// A Body takes a message's body as it comes and computes every hash that signatures want of it in one pass: one for each
// canonical form, however many signatures there are and whatever their l= say.
//
// It takes the body as it came over the wire. Only CRLF ends a line; a CR or LF that stands alone is a character like any other.
// Memory does not grow with the body.
type Body struct {
	streams [2]*stream // by Canon; nil unless wanted
	written bool
	closed  bool
}

// NewBody makes a Body of which nothing is wanted yet.
func NewBody() *Body { return new(Body) }

// A BodyHash is one hash of a body. It is known when the Body is closed.
type BodyHash struct {
	s     *stream
	limit int64 // the canonical octets to be hashed at most; -1 for all
	sum   [sha256.Size]byte
	done  bool
}

// Want asks for the SHA-256 of the body's canonical form, or of as many octets of it as limit says (the tag l=); a negative limit
// means all. Every algorithm that DKIM still has hashes with SHA-256 (RFC 8301 3.1, RFC 8463 3). The same want gets the same
// BodyHash. It must be asked before the first Write: after it, the hash never becomes known.
func (b *Body) Want(c Canon, limit int64) *BodyHash {
	if limit < 0 {
		limit = -1
	}
	if b.written || b.closed {
		return &BodyHash{s: new(stream)}
	}
	s := b.streams[c]
	if s == nil {
		s = &stream{canon: c, hash: sha256.New()}
		b.streams[c] = s
	}
	return s.want(limit)
}

// Write takes the next piece of the body. It never fails.
func (b *Body) Write(p []byte) (int, error) {
	if b.closed {
		return len(p), nil
	}
	b.written = true
	for _, s := range b.streams {
		if s != nil {
			s.write(p)
		}
	}
	return len(p), nil
}

// Close says that the body has ended. It may be called again.
func (b *Body) Close() error {
	if b.closed {
		return nil
	}
	b.closed = true
	for _, s := range b.streams {
		if s != nil {
			s.close()
		}
	}
	return nil
}

// Sum is the hash, or nil before the Body was closed.
func (h *BodyHash) Sum() []byte {
	if !h.done {
		return nil
	}
	return h.sum[:]
}

// Length is the number of octets in the canonical form of the whole body, whatever the limit.
func (h *BodyHash) Length() int64 { return h.s.octets }

// want finds the hash with this limit, or adds it. They are kept in the order in which they become known.
func (s *stream) want(limit int64) *BodyHash {
	i, found := slices.BinarySearchFunc(s.cuts, limit, func(h *BodyHash, limit int64) int {
		switch {
		case h.limit == limit:
			return 0
		case limit < 0 || h.limit >= 0 && h.limit < limit:
			return -1
		}
		return 1
	})
	if !found {
		s.cuts = slices.Insert(s.cuts, i, &BodyHash{s: s, limit: limit})
	}
	return s.cuts[i]
}

// sum hashes canonical octets. Where a limit is reached, the hash so far is that of the limit.
func (s *stream) sum(p []byte) {
	for s.next < len(s.cuts) {
		h := s.cuts[s.next]
		left := h.limit - s.octets
		if h.limit < 0 || left > int64(len(p)) {
			s.hash.Write(p)
			break
		}
		s.hash.Write(p[:left])
		s.octets += left
		p = p[left:]
		h.finish()
		s.next++
	}
	s.octets += int64(len(p))
}

func (h *BodyHash) finish() {
	h.s.hash.Sum(h.sum[:0])
	h.done = true
}
