package dkim

import (
	"strings"

	"github.com/gatepost-mail/gatepost/message"
)

// AppendSigned appends to dst all that the signature in the field header[own] is made over: the fields that h= picks, in canonical
// form, and then that field itself without the value of b= (RFC 6376 3.7).
func (s *Signature) AppendSigned(dst []byte, header message.Header, own int) []byte {
	c := s.Canonicalization.Header
	dst = AppendPicked(dst, c, header, s.Headers, own)
	return c.AppendUnsigned(dst, header[own], s)
}

// AppendPicked appends the canonical forms of the fields that a list of names picks. The same name again picks the next field
// above; a name beyond the fields that are there picks nothing, and so signs that there is no more (RFC 6376 5.4.2). The field at
// the index except is never picked; it is the signature's own, or -1 (RFC 6376 3.5, h=).
func AppendPicked(dst []byte, c Canon, header message.Header, names []string, except int) []byte {
	var few [64]int32
	next := few[:0] // for each name, the index below which its next field is to be looked for
	for i, name := range names {
		below := len(header)
		for j := i - 1; j >= 0; j-- {
			if len(names[j]) == len(name) && strings.EqualFold(names[j], name) {
				below = int(next[j])
				break
			}
		}
		below = pickBelow(header, name, below, except)
		next = append(next, int32(max(below, 0)))
		if below >= 0 {
			dst = c.AppendHeader(dst, header[below])
		}
	}
	return dst
}

// pickBelow is the index of the lowest field of this name above the index below, or -1.
func pickBelow(header message.Header, name string, below, except int) int {
	for i := below - 1; i >= 0; i-- {
		if header[i].Is(name) && i != except {
			return i
		}
	}
	return -1
}
