package ipset

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func set(t testing.TB, s string) Set {
	t.Helper()
	var all []netip.Prefix
	for _, f := range strings.Fields(s) {
		all = append(all, netip.MustParsePrefix(f))
	}
	return Of(all...)
}

func text(s Set) string { return strings.Trim(fmt.Sprint(s.Prefixes()), "[]") }

func TestNetworksThatTouchBecomeOne(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.128/25 192.0.2.0/25":          "192.0.2.0/24",
		"192.0.2.0/24 192.0.2.7/32":            "192.0.2.0/24",
		"192.0.2.1/32 192.0.2.2/32":            "192.0.2.1/32 192.0.2.2/32",
		"0.0.0.0/0 255.255.255.255/32":         "0.0.0.0/0",
		"::/1 8000::/1 ::ffff:192.0.2.1/128":   "::/0",
		"2001:db8::/64 2001:db8:0:1::/64":      "2001:db8::/63",
		"::/0 0.0.0.0/1":                       "0.0.0.0/1 ::/0",
		"2001:db8::ffff:ffff:ffff:ffff/128":    "2001:db8::ffff:ffff:ffff:ffff/128",
		"192.0.2.5/32 192.0.2.6/31 10.0.0.0/8": "10.0.0.0/8 192.0.2.5/32 192.0.2.6/31",
	} {
		if got := text(set(t, in)); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestWithoutCutsHolesAndCoversSeesThem(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"192.0.2.0/24", "192.0.2.0/25", "192.0.2.128/25"},
		{"192.0.2.0/29", "192.0.2.1/32 192.0.2.6/31", "192.0.2.0/32 192.0.2.2/31 192.0.2.4/31"},
		{"0.0.0.0/0", "0.0.0.0/0", ""},
		{"::/0", "8000::/1", "::/1"},
		{"192.0.2.0/24 2001:db8::/32", "::/0", "192.0.2.0/24"},
		{"192.0.2.0/25 198.51.100.0/24", "192.0.2.64/26 198.51.100.0/25 203.0.113.0/24", "192.0.2.0/26 198.51.100.128/25"},
	} {
		a, b := set(t, c.a), set(t, c.b)
		got := a.Without(b)
		if text(got) != c.want {
			t.Errorf("%s without %s: got %s, want %s", c.a, c.b, text(got), c.want)
		}
		if !a.Covers(got) || !b.Union(got).Covers(a) || !got.Empty() && b.Covers(got) {
			t.Errorf("%s without %s is %s, which does not fit", c.a, c.b, text(got))
		}
	}
}

func TestCountsAreOfAddresses(t *testing.T) {
	s := set(t, "192.0.2.0/24 192.0.2.0/28 0.0.0.0/32 2001:db8::/32")
	if s.Count4() != 257 || s.Count6().BitLen() != 97 || set(t, "0.0.0.0/0").Count4() != 1<<32 {
		t.Errorf("got %d and %d", s.Count4(), s.Count6())
	}
	if !s.Contains(netip.MustParseAddr("192.0.2.255")) || s.Contains(netip.MustParseAddr("192.0.3.0")) ||
		!s.Contains(netip.MustParseAddr("2001:db8::1")) || s.Contains(netip.MustParseAddr("::ffff:192.0.2.1")) {
		t.Error("it has an address that it has not")
	}
}

// FuzzSet holds sets to what each of their addresses says.
func FuzzSet(f *testing.F) {
	f.Add([]byte{1, 2, 30, 4, 5, 24}, []byte{1, 0, 20})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		read := func(p []byte) ([]netip.Prefix, Set) {
			var all []netip.Prefix
			for ; len(p) >= 3 && len(all) < 50; p = p[3:] {
				all = append(all, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, p[0], p[1]}), int(16+p[2]%17)),
					netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 14: p[0], 15: p[1]}), int(112+p[2]%17)))
			}
			return all, Of(all...)
		}
		in := func(all []netip.Prefix, ip netip.Addr) bool {
			for _, p := range all {
				if p.Contains(ip) {
					return true
				}
			}
			return false
		}
		as, a1 := read(a)
		bs, b1 := read(b)
		joined, cut := a1.Union(b1), a1.Without(b1)
		again := Of(joined.Prefixes()...)
		for _, p := range append(as, bs...) {
			for _, ip := range []netip.Addr{p.Addr(), p.Masked().Addr(), p.Masked().Addr().Prev(), p.Addr().Next()} {
				if !ip.IsValid() {
					continue
				}
				inA, inB := in(as, ip), in(bs, ip)
				if a1.Contains(ip) != inA || joined.Contains(ip) != (inA || inB) || cut.Contains(ip) != (inA && !inB) || again.Contains(ip) != (inA || inB) {
					t.Fatalf("%v is wrong: %v, %v", ip, as, bs)
				}
			}
		}
		if !joined.Covers(a1) || !joined.Covers(b1) || b1.Covers(a1) != cut.Empty() || text(again) != text(joined) {
			t.Fatalf("%v and %v: %s", as, bs, text(joined))
		}
	})
}
