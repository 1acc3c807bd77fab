package spf

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// The table of RFC 7208 7.4, and what it leaves out.
func TestMacrosExpandAsInTheStandard(t *testing.T) {
	for _, c := range []struct{ macro, want string }{
		{"%{s}", "strong-bad@email.example.com"},
		{"%{o}", "email.example.com"},
		{"%{d}", "email.example.com"},
		{"%{d4}", "email.example.com"},
		{"%{d3}", "email.example.com"},
		{"%{d2}", "example.com"},
		{"%{d1}", "com"},
		{"%{dr}", "com.example.email"},
		{"%{d2r}", "example.email"},
		{"%{d99999999999999999999}", "email.example.com"},
		{"%{l}", "strong-bad"},
		{"%{l-}", "strong.bad"},
		{"%{lr}", "strong-bad"},
		{"%{lr-}", "bad.strong"},
		{"%{l1r-}", "strong"},
		{"%{l1-}", "bad"},
		{"%{LR-}", "bad.strong"},
		{"%{S}", "strong-bad%40email.example.com"},
		{"%{i}", "192.0.2.3"},
		{"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
		{"%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
		{"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"},
		{"%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"},
		{"%{h}", "mail.example.net"},
		{"%{c}|%{r}|%{t}", "192.0.2.3|mx.example.org|1400000000"},
		{"%%%_%-%{d1}", "% %20com"},
		{"%{p}", "unknown"},
		{"%{o5.-@e}", ""}, // e is no delimiter
		{"%{ses}", ""},
	} {
		z := newZone("email.example.com TXT v=spf1 -all exp=e.example.com", "e.example.com TXT "+c.macro)
		res := ask(z, "192.0.2.3", from("strong-bad@email.example.com"), helo("mail.example.net"), func(q *Query) {
			q.Receiver, q.Now = "mx.example.org", time.Unix(1400000000, 0)
		})
		if res.Explanation != c.want {
			t.Errorf("%s: got %q, want %q", c.macro, res.Explanation, c.want)
		}
	}
}

func TestReversedIPv6AddressIsItsNibbles(t *testing.T) {
	z := newZone("email.example.com TXT v=spf1 exists:%{ir}.%{v}._spf.%{d2} -all",
		"1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com A 127.0.0.2")
	want(t, ask(z, "2001:db8::cb01", from("strong-bad@email.example.com")), Pass)
}

func TestEmptyPartsStayWhenSplit(t *testing.T) {
	e := evaluation{q: &Query{}, ip: netip.MustParseAddr("192.0.2.1"), local: "-a--b-", domain: "example.com"}
	for macro, want := range map[string]string{"%{l-}": ".a..b.", "%{lr-}": ".b..a.", "%{l2-}": "b.", "%{l2r-}": "a.", "%{L5r-+}": ".b..a."} {
		b, err := e.expand(nil, macro, "example.com", boundName)
		if err != nil || string(b) != want {
			t.Errorf("%s of %q: got %q (%v), want %q", macro, e.local, b, err, want)
		}
	}
}

func TestLongNameLosesLabelsFromTheLeft(t *testing.T) {
	label := strings.Repeat("x", 49)
	name := strings.Repeat("."+label, 5)[1:] // 249 bytes
	for _, c := range []struct{ in, want string }{
		{name + ".ab", name + ".ab"},
		{"a." + name + ".ab", name + ".ab"},
		{"a." + name + ".a", "a." + name + ".a"},
		{"a." + name + ".a.", "a." + name + ".a"},
		{"ab." + name + ".a", name + ".a"},
		{"z." + name + "." + name + ".ab", name + ".ab"},
	} {
		if got, ok := queryName(c.in); !ok || got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.in, got, c.want)
		}
	}
	if got, ok := queryName(strings.Repeat("x", 254)); ok {
		t.Errorf("a label of 254 bytes became %q", got)
	}
}

func TestRepeatedMacrosStayBounded(t *testing.T) {
	local := strings.Repeat("a.", 5000)
	z := newZone("example.com TXT v=spf1 exists:"+strings.Repeat("%{lr}", 10000)+".example.com -all exp=e.example.com",
		"e.example.com TXT "+strings.Repeat("%{S}", 10000))
	z.log = true
	res := ask(z, "192.0.2.1", from(local+"@example.com"))
	want(t, res, Fail)
	if len(res.Explanation) != maxExplanation {
		t.Errorf("the explanation has %d bytes, want %d", len(res.Explanation), maxExplanation)
	}
	for _, q := range z.asked {
		if name, _, _ := strings.Cut(q, " "); len(name) > maxName {
			t.Errorf("asked for a name of %d bytes", len(name))
		}
	}
}
