package dkim

import (
	"encoding/binary"
	"math/bits"
)

// Every octet of a word at once.
const (
	ones   = 0x0101010101010101
	tops   = 0x80 * ones
	spaces = ' ' * ones
	tabs   = '\t' * ones
)

// nextSpot finds where p[i:end] first differs from its relaxed form, or end: a tab, or a space before one more space, a tab or a
// CR. It may also stop at a space that is fine. What stands at p[end:] is looked at to judge p[end-1].
//
// Eight octets are judged at a time. x-ones has its top bit set where an octet of x was zero, and perhaps in octets above such a
// one; hence what is found is looked at again.
func nextSpot(p []byte, i, end int) int {
	for i < end {
		for i+9 <= len(p) && i+8 <= end {
			w := binary.LittleEndian.Uint64(p[i:])
			after := binary.LittleEndian.Uint64(p[i+1:])
			s, t := w^spaces, w^tabs
			atSpace := (s - ones) &^ s
			low := (after - 0x21*ones) &^ after // octets up to the space
			atTab := (t - ones) &^ t
			if found := (atSpace&low | atTab) & tops; found != 0 {
				i += bits.TrailingZeros64(found) / 8
				break
			}
			i += 8
		}
		if i < end && isSpot(p, i) {
			return i
		}
		i++
	}
	return end
}

func isSpot(p []byte, i int) bool {
	return p[i] == '\t' || p[i] == ' ' && i+1 < len(p) && p[i+1] <= ' '
}
