package store

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

func TestWhatIsNoDomainNameIsOneThing(t *testing.T) {
	for in, want := range map[string]string{
		"": "", ".": "", "mx.Example.COM": "mx.example.com", "mx.example.com.": "mx.example.com", "_dmarc.example.com": "_dmarc.example.com",
		"localhost": "localhost", "WIN-7ABC": "win-7abc", "xn--bcher-kva.example": "xn--bcher-kva.example", "1.example1": "1.example1",
		"[192.0.2.1]": Invalid, "[IPv6:2001:db8::1]": Invalid, "192.0.2.1": Invalid, "2001:db8::1": Invalid, "a..example": Invalid,
		".example": Invalid, "a b": Invalid, "bücher.example": Invalid, "a\x00.example": Invalid, "mx.example..": Invalid, "%s": Invalid,
		strings.Repeat("a", 63) + ".example": strings.Repeat("a", 63) + ".example",
		strings.Repeat("a", 64) + ".example": Invalid,
		strings.Repeat("a.", 126) + "b":      strings.Repeat("a.", 126) + "b",
		strings.Repeat("a.", 126) + "bb":     Invalid,
		Other:                                Invalid,
		"'); DROP TABLE observations; --":    Invalid,
	} {
		if got := name(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if o := Observe(&Decision{DKIM: []Signature{{"pass", "example.com", "20260601"}}}); o.DKIM[0].Selector != "20260601" {
		t.Errorf("a selector that is a number became %q", o.DKIM[0].Selector)
	}
	d := Decision{Helo: "[192.0.2.1]", EnvelopeDomain: "[192.0.2.1]", AuthorDomain: "no name", DKIM: []Signature{{"permerror", "no name", "no selector"}}}
	if o := Observe(&d); o.HeloDomain != Invalid || o.EnvelopeDomain != Invalid || o.AuthorDomain != Invalid ||
		o.DKIM[0] != (Signature{"permerror", Invalid, Invalid}) || d.DKIM[0].SDID != "no name" {
		t.Errorf("got %+v, of %+v", o, d)
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"mx.example.com", "MX.", "[192.0.2.1]", "a..b", "7", strings.Repeat("a.", 200)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got := name(in)
		if got != Invalid && (len(got) > 253 || name(got) != got || !strings.EqualFold(got, strings.TrimSuffix(in, "."))) {
			t.Fatalf("%q: got %q", in, got)
		}
	})
}

func TestEachLevelOfFoldingGivesUpOneThingMore(t *testing.T) {
	o := Observation{
		AuthorDomain: "a.example", EnvelopeDomain: "e.example", HeloDomain: "h.example", SourceIP: netip.MustParseAddr("192.0.2.77"), SPF: "pass",
		DKIM: []Signature{{"fail", "b.example", "s"}, {"pass", "a.example", "s"}, {"pass", "b.example", "s"}}, DMARC: "pass",
		PolicyDomain: "p.example", Policy: "reject", Disposition: "none", Record: "v=DMARC1", AlignedDKIM: true, Verdict: "accept", Rule: "r",
	}
	before, want := o, o
	for level, step := range []func(){
		func() {},
		func() { want.HeloDomain = Other },
		func() { want.SourceIP = netip.MustParseAddr("192.0.2.0") },
		func() { want.EnvelopeDomain = Other },
		func() { want.DKIM, want.Record = []Signature{{"fail", Other, Other}, {"pass", Other, Other}}, "" },
		func() { want.AuthorDomain, want.PolicyDomain, want.SourceIP = Other, Other, netip.Addr{} },
	} {
		step()
		want.Folded = int64(level)
		if got := o.Fold(level); !reflect.DeepEqual(got, want) {
			t.Errorf("level %d: got  %+v\nwant %+v", level, got, want)
		}
	}
	if !reflect.DeepEqual(o, before) {
		t.Errorf("what was folded became %+v", o)
	}
	for in, want := range map[string]string{
		"2001:db8:1:2::3": "2001:db8:1::", "::ffff:192.0.2.77": "192.0.2.0", "fe80::1%eth0": "fe80::", "invalid IP": "invalid IP",
	} {
		ip, _ := netip.ParseAddr(in)
		if got := network(ip).String(); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestFoldingBeginsAtThreeQuartersOfTheBound(t *testing.T) {
	for _, c := range []struct {
		rows, most int64
		want       int
	}{
		{0, 1000, 0}, {749, 1000, 0}, {750, 1000, 1}, {800, 1000, 2}, {850, 1000, 3}, {900, 1000, 4}, {949, 1000, 4}, {950, 1000, 5},
		{1000, 1000, 5}, {1 << 40, 1000, 5}, {0, 1, 1}, {4, 1, 5}, {749_999, 1_000_000, 0}, {950_000, 1_000_000, 5},
	} {
		if got := level(c.rows, c.most); got != c.want {
			t.Errorf("%d rows of %d: level %d, want %d", c.rows, c.most, got, c.want)
		}
	}
}
