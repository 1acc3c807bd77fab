// Package ipset has sets of IP addresses that can be joined, cut and compared, as networks are in an SPF record.
//
//	all := ipset.Of(netip.MustParsePrefix("192.0.2.0/25"), netip.MustParsePrefix("192.0.2.128/25"))
//	all.Prefixes()                             // 192.0.2.0/24
//	all.Covers(ipset.Of(netip.MustParsePrefix("192.0.2.7/32"))) // true
//
// IPv4 and IPv6 are apart: no network of the one has an address of the other. A Set is not changed once made.
package ipset

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"
	"net/netip"
	"slices"
)

// A Set is a set of addresses. The zero value has none.
type Set struct {
	v4, v6 []span // in order, apart from each other by one address at least
}

// A span is all addresses from one to another.
type span struct{ from, to number }

// A number is an address as a number of 128 bits.
type number struct{ high, low uint64 }

func (a number) less(b number) bool { return a.high < b.high || a.high == b.high && a.low < b.low }

// next is one more. Of the highest number there is none.
func (a number) next() (number, bool) {
	a.low++
	if a.low == 0 {
		a.high++
	}
	return a, a != number{}
}

func (a number) previous() number {
	if a.low == 0 {
		a.high--
	}
	a.low--
	return a
}

func numberOf(a netip.Addr) number {
	if a.Is4() {
		b := a.As4()
		return number{0, uint64(binary.BigEndian.Uint32(b[:]))}
	}
	b := a.As16()
	return number{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func spanOf(p netip.Prefix) span {
	a := numberOf(p.Masked().Addr())
	to := a
	switch free := p.Addr().BitLen() - p.Bits(); {
	case free >= 64:
		to.low = math.MaxUint64
		to.high |= 1<<(free-64) - 1
	default:
		to.low |= 1<<free - 1
	}
	return span{a, to}
}

// Of is the set of all addresses of networks, in any order. Those that are not valid have none.
func Of(networks ...netip.Prefix) Set {
	var s Set
	for _, p := range networks {
		switch {
		case !p.IsValid():
		case p.Addr().Is4():
			s.v4 = append(s.v4, spanOf(p))
		default:
			s.v6 = append(s.v6, spanOf(p))
		}
	}
	s.v4, s.v6 = tidy(s.v4), tidy(s.v6)
	return s
}

// tidy sorts spans and joins those that touch.
func tidy(all []span) []span {
	byFrom := func(a, b span) int {
		switch {
		case a.from.less(b.from):
			return -1
		case b.from.less(a.from):
			return 1
		}
		return 0
	}
	if !slices.IsSortedFunc(all, byFrom) {
		slices.SortFunc(all, byFrom)
	}
	return join(all)
}

// join joins spans that touch, of a sorted list.
func join(all []span) []span {
	out := all[:0]
	for _, s := range all {
		if n := len(out); n > 0 {
			last := &out[n-1]
			if next, ok := last.to.next(); !ok || !next.less(s.from) {
				if last.to.less(s.to) {
					last.to = s.to
				}
				continue
			}
		}
		out = append(out, s)
	}
	return out
}

// Union has what is in either.
func (s Set) Union(o Set) Set {
	switch {
	case s.Empty():
		return o
	case o.Empty():
		return s
	}
	return Set{union(s.v4, o.v4), union(s.v6, o.v6)}
}

func union(a, b []span) []span {
	out := make([]span, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if b[0].from.less(a[0].from) {
			a, b = b, a
		}
		out = append(out, a[0])
		a = a[1:]
	}
	return join(append(append(out, a...), b...))
}

// Without has what is in s and not in o.
func (s Set) Without(o Set) Set {
	if o.Empty() {
		return s
	}
	return Set{without(s.v4, o.v4), without(s.v6, o.v6)}
}

func without(a, b []span) []span {
	if len(a) == 0 || len(b) == 0 {
		return a
	}
	var out []span
	for _, s := range a {
		for len(b) > 0 && b[0].to.less(s.from) {
			b = b[1:]
		}
		left, all := s, false
		for _, cut := range b {
			if left.to.less(cut.from) {
				break
			}
			if left.from.less(cut.from) {
				out = append(out, span{left.from, cut.from.previous()})
			}
			next, ok := cut.to.next()
			if !ok || left.to.less(next) {
				all = true
				break
			}
			left.from = next
		}
		if !all {
			out = append(out, left)
		}
	}
	return out
}

// Covers tells whether all of o is in s.
func (s Set) Covers(o Set) bool { return covers(s.v4, o.v4) && covers(s.v6, o.v6) }

func covers(a, b []span) bool {
	for _, s := range b {
		for len(a) > 0 && a[0].to.less(s.from) {
			a = a[1:]
		}
		if len(a) == 0 || s.from.less(a[0].from) || a[0].to.less(s.to) {
			return false
		}
	}
	return true
}

// Contains tells whether an address is in the set.
func (s Set) Contains(a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	all, n := s.v6, numberOf(a)
	if a.Is4() {
		all = s.v4
	}
	i, _ := slices.BinarySearchFunc(all, n, func(s span, n number) int {
		if s.to.less(n) {
			return -1
		}
		return 1
	})
	return i < len(all) && !n.less(all[i].from)
}

// Empty tells whether there is no address in the set.
func (s Set) Empty() bool { return len(s.v4)+len(s.v6) == 0 }

// Spans is how many stretches without a gap the set has, by which grows what it costs to work with.
func (s Set) Spans() int { return len(s.v4) + len(s.v6) }

// Has4 and Has6 tell whether there is an address of a family.
func (s Set) Has4() bool { return len(s.v4) > 0 }

// Has6 is as Has4 for IPv6.
func (s Set) Has6() bool { return len(s.v6) > 0 }

// Count4 is how many IPv4 addresses there are.
func (s Set) Count4() uint64 {
	n := uint64(0)
	for _, s := range s.v4 {
		n += s.to.low - s.from.low + 1
	}
	return n
}

// Count6 is how many IPv6 addresses there are.
func (s Set) Count6() *big.Int {
	n, one := new(big.Int), big.NewInt(1)
	for _, s := range s.v6 {
		n.Add(n, new(big.Int).Sub(s.to.big(), s.from.big()))
		n.Add(n, one)
	}
	return n
}

func (a number) big() *big.Int {
	n := new(big.Int).SetUint64(a.high)
	return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(a.low))
}

// Prefixes are the fewest networks that have all addresses of the set and no other, IPv4 before IPv6, in order.
func (s Set) Prefixes() []netip.Prefix {
	var all []netip.Prefix
	for _, p := range s.v4 {
		all = appendPrefixes(all, p, 32)
	}
	for _, p := range s.v6 {
		all = appendPrefixes(all, p, 128)
	}
	return all
}

func appendPrefixes(all []netip.Prefix, s span, length int) []netip.Prefix {
	for {
		free := min(s.from.zeros(), length)
		for ; free > 0; free-- { // the largest network that begins here and does not go beyond the end
			if !s.to.less(s.from.end(free)) {
				break
			}
		}
		all = append(all, netip.PrefixFrom(s.from.addr(length), length-free))
		next, ok := s.from.end(free).next()
		if !ok || s.to.less(next) {
			return all
		}
		s.from = next
	}
}

// zeros is how many bits at the end are not set.
func (a number) zeros() int {
	if a.low != 0 {
		return bits.TrailingZeros64(a.low)
	}
	return 64 + bits.TrailingZeros64(a.high)
}

// end is the last of the network that begins here and has free bits.
func (a number) end(free int) number {
	if free >= 64 {
		return number{a.high | (1<<(free-64) - 1), math.MaxUint64}
	}
	return number{a.high, a.low | (1<<free - 1)}
}

func (a number) addr(length int) netip.Addr {
	if length == 32 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(a.low))
		return netip.AddrFrom4(b)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], a.high)
	binary.BigEndian.PutUint64(b[8:], a.low)
	return netip.AddrFrom16(b)
}
