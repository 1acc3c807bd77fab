package store

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"
)

// A coder writes members, or reads them: the same walk over a struct does both, so that they cannot differ. Numbers are varints,
// texts and lists have their length in front.
//
// Where the bytes end before the members do, the rest is zero: an older program wrote them.
type coder struct {
	reading bool
	buf     []byte // written so far
	rest    string // still to be read
	err     error
}

var errEncoding = errors.New("store: bytes that are no record")

func (c *coder) done() bool { return c.reading && (c.err != nil || c.rest == "") }

func (c *coder) fail() {
	c.err = errEncoding
	c.rest = ""
}

func (c *coder) uint(v *uint64) {
	if !c.reading {
		c.buf = binary.AppendUvarint(c.buf, *v)
		return
	}
	*v = 0
	for i := 0; i < len(c.rest) && i < binary.MaxVarintLen64; i++ {
		b := c.rest[i]
		*v |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			c.rest = c.rest[i+1:]
			return
		}
	}
	c.fail()
}

// length is the length of a text or a list.
func (c *coder) length(n, most int) int {
	v := uint64(min(n, most))
	c.uint(&v)
	if c.reading && v > uint64(min(most, len(c.rest))) { // an element has a byte at least
		c.fail()
		return 0
	}
	return int(v)
}

func (c *coder) number(v *int64) {
	if c.done() {
		return
	}
	u := uint64(*v)<<1 ^ uint64(*v>>63)
	c.uint(&u)
	if c.reading {
		*v = int64(u>>1) ^ -int64(u&1)
	}
}

func (c *coder) flag(v *bool) {
	if c.done() {
		return
	}
	var u uint64
	if *v {
		u = 1
	}
	c.uint(&u)
	*v = u == 1
}

// time keeps microseconds, which every engine can.
func (c *coder) time(v *time.Time) {
	if c.done() {
		return
	}
	micros := int64(0)
	if !v.IsZero() {
		micros = v.UnixMicro()
	}
	c.number(&micros)
	if c.reading && micros != 0 {
		*v = time.UnixMicro(micros).UTC()
	}
}

func (c *coder) addr(v *netip.Addr) {
	if c.done() {
		return
	}
	if !c.reading {
		switch ip := v.Unmap(); {
		case ip.Is4():
			b := ip.As4()
			c.buf = append(append(c.buf, 4), b[:]...)
		case ip.Is6():
			b := ip.As16()
			c.buf = append(append(c.buf, 16), b[:]...)
		default:
			c.buf = append(c.buf, 0)
		}
		return
	}
	n := c.length(0, 16)
	ip, ok := netip.AddrFromSlice([]byte(c.rest[:n]))
	if n > 0 && !ok {
		c.fail()
		return
	}
	*v, c.rest = ip.Unmap(), c.rest[n:]
}

// text cuts what is longer than most.
func (c *coder) text(v *string, most int) {
	if c.done() {
		return
	}
	if !c.reading {
		s := clean(*v, most)
		c.buf = append(binary.AppendUvarint(c.buf, uint64(len(s))), s...)
		return
	}
	n := c.length(0, most)
	*v, c.rest = c.rest[:n], c.rest[n:]
}

// clean gives a text that every engine takes: valid UTF-8, without NUL, of at most so many bytes.
func clean(s string, most int) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] != 0 && s[i] < utf8.RuneSelf
	}
	if plain {
		return s[:min(len(s), most)]
	}
	s = s[:min(len(s), most+utf8.UTFMax)]
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
	if len(s) > most {
		for s = s[:most]; !utf8.ValidString(s); {
			s = s[:len(s)-1]
		}
	}
	return s
}

func (c *coder) recipients(v *[]string, more *int64) {
	if c.done() {
		return
	}
	left := *more
	if !c.reading {
		left += int64(max(0, len(*v)-maxRecipients))
	}
	c.number(&left)
	n := c.length(len(*v), maxRecipients)
	if c.reading {
		*more, *v = left, list[string](n)
	}
	for i := range n {
		c.text(&(*v)[i], maxAddress)
	}
}

func (c *coder) spf(v *[]SPF) {
	if c.done() {
		return
	}
	n := c.length(len(*v), maxSPF)
	if c.reading {
		*v = list[SPF](n)
	}
	for i := range n {
		s := &(*v)[i]
		c.text(&s.Identity, maxWord)
		c.text(&s.Domain, maxDomain)
		c.text(&s.Result, maxWord)
	}
}

func (c *coder) signatures(v *[]Signature) {
	if c.done() {
		return
	}
	n := c.length(len(*v), maxSignatures)
	if c.reading {
		*v = list[Signature](n)
	}
	for i := range n {
		s := &(*v)[i]
		c.text(&s.Result, maxWord)
		c.text(&s.SDID, maxDomain)
		c.text(&s.Selector, maxDomain)
	}
}

func (c *coder) watched(v *[]Watched) {
	if c.done() {
		return
	}
	n := c.length(len(*v), maxWatched)
	if c.reading {
		*v = list[Watched](n)
	}
	for i := range n {
		w := &(*v)[i]
		c.text(&w.Rule, maxWord)
		c.text(&w.Action, maxWord)
	}
}

func list[T any](n int) []T {
	if n == 0 {
		return nil
	}
	return make([]T, n)
}
