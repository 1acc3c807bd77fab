package facts

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/spf"
)

// texts is a resolver of TXT records, and of addresses where a value is one; a text in angle brackets is an error.
type texts map[string]string

func (r texts) Lookup(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
	value, ok := r[name]
	a := dns.Answer{Name: name}
	kind := dns.ErrNoData
	ip, err := netip.ParseAddr(value)
	switch {
	case !ok:
		kind = dns.ErrNXDomain
	case value == "<servfail>":
		kind = dns.ErrServFail
	case err == nil:
		if (typ == dns.TypeA && ip.Is4()) || (typ == dns.TypeAAAA && ip.Is6()) {
			a.Addrs = []netip.Addr{ip}
			return a, nil
		}
	case typ == dns.TypeTXT:
		a.TXT = []string{value}
		return a, nil
	}
	return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: kind}
}

func gatherSPF(r dns.Resolver) *SPFFacts {
	return &Gather(context.Background(), "example.com", Options{Resolver: r}).SPF
}

func TestLookUpsAreCountedAsTheyAreEvaluated(t *testing.T) {
	leaf := "v=spf1 a:a.example.net ip4:192.0.2.0/24 -all"
	zone := texts{
		"a.example.net": "192.0.2.1", "leaf.example.net": leaf, "two.example.net": "v=spf1 include:leaf.example.net include:leaf.example.net -all",
		"after.example.net": "v=spf1 -all include:leaf.example.net", "_spf.example.net": "v=spf1 a:a.example.net redirect=leaf.example.net",
		"both.example.net": "v=spf1 ?all redirect=leaf.example.net", "example.com.d.example.net": leaf,
	}
	for _, c := range []struct {
		record string
		want   int
	}{
		{"v=spf1 ip4:192.0.2.1 ip6:2001:db8::/32 -all", 0},
		{"v=spf1 include:leaf.example.net -all", 2},
		{"v=spf1 include:two.example.net -all", 5},
		{"v=spf1 include:two.example.net include:two.example.net include:two.example.net -all", 15},
		{"v=spf1 -all include:leaf.example.net mx a", 0},
		{"v=spf1 include:after.example.net -all", 1},
		{"v=spf1 redirect=_spf.example.net", 4},
		{"v=spf1 -all redirect=_spf.example.net", 0},
		{"v=spf1 include:both.example.net -all", 1},
		{"v=spf1 exists:%{i}.x.example.net ptr include:%{i}.example.net -all", 3},
		{"v=spf1 include:%{d}.d.example.net -all", 2},
		{"v=spf1 exists:%{p}.example.net -all", 2},
	} {
		zone["example.com"] = c.record
		s := gatherSPF(zone)
		if s.Tree.Lookups != c.want {
			t.Errorf("%s: got %d look-ups, want %d", c.record, s.Tree.Lookups, c.want)
		}
		// Whoever matches nothing comes to every term that is counted.
		res := spf.Check(context.Background(), zone, spf.Query{IP: netip.MustParseAddr("203.0.113.77"), MailFrom: "a@example.com", MaxLookups: 1000, MaxVoidLookups: 1000})
		if !strings.Contains(c.record, "include:%{i}") && res.Lookups != c.want {
			t.Errorf("%s: the evaluation has %d look-ups, want %d (%v)", c.record, res.Lookups, c.want, res.Err)
		}
	}
}

func TestWhomARecordLetsInFollowsTheOrderOfItsTerms(t *testing.T) {
	zone := texts{
		"a.example.net": "192.0.2.200", "_spf.example.net": "v=spf1 ip4:198.51.100.0/24 ~all", "no.example.net": "v=spf1 -ip4:203.0.113.0/25 ip4:203.0.113.0/24 -all",
		"all.example.net": "v=spf1 +all",
	}
	for record, want := range map[string]string{
		"v=spf1 ip4:192.0.2.0/25 ip4:192.0.2.128/25 -all":           "192.0.2.0/24",
		"v=spf1 -ip4:192.0.2.0/25 ip4:192.0.2.0/24 -all":            "192.0.2.128/25",
		"v=spf1 ip4:192.0.2.0/24 -ip4:192.0.2.0/25 -all":            "192.0.2.0/24",
		"v=spf1 include:_spf.example.net a:a.example.net/30 ~all":   "192.0.2.200/30 198.51.100.0/24",
		"v=spf1 include:no.example.net -all":                        "203.0.113.128/25",
		"v=spf1 -include:_spf.example.net ip4:198.51.100.0/23 -all": "198.51.101.0/24",
		"v=spf1 ?ip4:192.0.2.0/24 ip4:192.0.2.1 -all":               "",
		"v=spf1 ip4:192.0.2.1 redirect=_spf.example.net":            "192.0.2.1/32 198.51.100.0/24",
		"v=spf1 -ip4:198.51.100.0/25 redirect=_spf.example.net":     "198.51.100.128/25",
		"v=spf1 -all ip4:192.0.2.1":                                 "",
		"v=spf1 -ip4:0.0.0.0/1 +all":                                "128.0.0.0/1 ::/0",
		"v=spf1 include:all.example.net -all":                       "0.0.0.0/0 ::/0",
		"v=spf1 ip6:::ffff:192.0.2.1 -all":                          "::ffff:192.0.2.1/128",
	} {
		zone["example.com"] = record
		if got := strings.Trim(fmt.Sprint(gatherSPF(zone).Tree.Pass.Prefixes()), "[]"); got != want {
			t.Errorf("%s: got %s, want %s", record, got, want)
		}
	}
}

func TestCoversComparesAddressesAndTermsThatCannotBeCounted(t *testing.T) {
	zone := texts{"_spf.example.net": "v=spf1 ip4:198.51.100.0/24 exists:%{i}.x.example.net ~all", "d.example.net": "v=spf1 exists:%{i}.%{d} -all"}
	facts := func(record string) *SPFFacts {
		zone["example.com"] = record
		return gatherSPF(zone)
	}
	for _, c := range []struct {
		after, before string
		want          bool
	}{
		{"v=spf1 ip4:192.0.2.0/24 -all", "v=spf1 ip4:192.0.2.7 ip4:192.0.2.128/25 ~all", true},
		{"v=spf1 ip4:192.0.2.0/25 -all", "v=spf1 ip4:192.0.2.0/24 -all", false},
		{"v=spf1 ip4:198.51.100.0/24 -all", "v=spf1 include:_spf.example.net -all", false},
		{"v=spf1 ip4:198.51.100.0/24 exists:%{i}.x.example.net -all", "v=spf1 include:_spf.example.net -all", true},
		{"v=spf1 exists:%{i}.%{d} -all", "v=spf1 include:d.example.net -all", false},
		{"v=spf1 +all", "v=spf1 include:d.example.net ip6:::/0 -all", true},
		{"v=spf1 mx -all", "v=spf1 ptr -all", false},
		{"v=spf1 ptr:example.com -all", "v=spf1 ptr -all", true},
		{"v=spf1 -all", "no record", true},
		{"no record", "v=spf1 -all", true},
		{"no record", "v=spf1 ip4:192.0.2.1 -all", false},
	} {
		if after, before := facts(c.after), facts(c.before); after.Covers(before) != c.want {
			t.Errorf("%s covers %s: want %t", c.after, c.before, c.want)
		}
	}
}

func TestATermSaysWhatIsWrongWithWhatItLeadsTo(t *testing.T) {
	zone := texts{
		"loop.example.net": "v=spf1 include:back.example.net -all", "back.example.net": "v=spf1 include:loop.example.net -all", "text.example.net": "hello",
		"slow.example.net": "<servfail>", "wrong.example.net": "v=spf1 moo -all", "a.example.net": "192.0.2.1", "self.example.net": "v=spf1 redirect=self.example.net",
	}
	for term, want := range map[string]Problem{
		"include:text.example.net": NoRecord, "include:no.example.net": NoDomain, "include:slow.example.net": Temporary, "include:wrong.example.net": Syntax,
		"include:%{i}.example.net": Varies, "a:no.example.net": NoDomain, "a:text.example.net": Void, "a:slow.example.net": Temporary, "a:a.example.net": "",
		"include:example.com": Loop, "exists:no.example.net": Void, "include:%{d1}": BadTarget, "mx:a.example.net": Void,
	} {
		zone["example.com"] = "v=spf1 " + term + " -all"
		s := gatherSPF(zone)
		if got := s.Tree.Steps[0].Problem; got != want {
			t.Errorf("%s: got %q, want %q", term, got, want)
		}
		if partly := want == Temporary || want == Varies; s.Tree.Partly != partly {
			t.Errorf("%s: the numbers are the least: %t", term, s.Tree.Partly)
		}
	}
	zone["example.com"] = "v=spf1 include:loop.example.net include:self.example.net -all"
	s := gatherSPF(zone)
	loops := 0
	s.Tree.Each(func(p *Policy) {
		for _, step := range p.Steps {
			if step.Problem == Loop {
				loops++
			}
		}
	})
	if loops != 2 || s.Tree.Lookups > 10 {
		t.Errorf("got %d loops and %d look-ups", loops, s.Tree.Lookups)
	}
}

func TestVoidLookUpsAreCountedForEachFamily(t *testing.T) {
	zone := texts{"a.example.net": "192.0.2.1", "b.example.net": "2001:db8::1", "example.com": "v=spf1 a:a.example.net a:b.example.net a:no.example.net -all"}
	s := gatherSPF(zone)
	if s.Tree.Voids4 != 2 || s.Tree.Voids6 != 2 {
		t.Errorf("got %d and %d", s.Tree.Voids4, s.Tree.Voids6)
	}
	for ip, want := range map[string]int{"203.0.113.7": s.Tree.Voids4, "2001:db8:7::": s.Tree.Voids6} {
		if res := spf.Check(context.Background(), zone, spf.Query{IP: netip.MustParseAddr(ip), MailFrom: "a@example.com"}); res.VoidLookups != want {
			t.Errorf("%s: the evaluation has %d, want %d", ip, res.VoidLookups, want)
		}
	}
}

// counting counts questions.
type counting struct {
	answer func(name string, typ dns.Type) (dns.Answer, error)
	names  chan string
}

func (c counting) Lookup(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
	c.names <- name
	return c.answer(name, typ)
}

func TestHugeTreesAreBoundedAndHaveAnAnswer(t *testing.T) {
	wide, deep, long := "v=spf1", "v=spf1", "v=spf1"
	for i := range 500 {
		wide += fmt.Sprintf(" include:%%{d1r}%d.example.net a:h%d.example.net mx:m%d.example.net", i, i, i)
	}
	for i := range 2600 {
		long += fmt.Sprintf(" %cip6:2001:db8:%x::1", "+-"[i%2], i)
	}
	for name, answer := range map[string]func(name string) string{
		"an include bomb":  func(string) string { return "v=spf1 include:1.%{d} include:2.%{d} include:3.%{d} include:1.%{d} -all" },
		"a wide record":    func(string) string { return wide },
		"a chain":          func(string) string { return deep + " redirect=x.%{d}" },
		"2,000 terms":      func(string) string { return "v=spf1" + strings.Repeat(" a:a.example.net", 2000) },
		"60 KB each":       func(name string) string { return long + " include:x" + name + " include:y" + name + " -all" },
		"60 KB of letters": func(string) string { return "v=spf1 " + strings.Repeat("x", 60000) },
		"IDN":              func(string) string { return "v=spf1 include:b\u00fccher.example.net a:\u00fc.example.net -all" },
	} {
		c := counting{names: make(chan string, 10000), answer: func(name string, typ dns.Type) (dns.Answer, error) {
			a := dns.Answer{Name: name, TXT: []string{answer(name)}}
			for i := range 50 {
				a.Addrs = append(a.Addrs, netip.AddrFrom4([4]byte{192, 0, byte(i), 1}))
				a.MX = append(a.MX, dns.MX{Host: fmt.Sprintf("mx%d.%s", i, name)})
			}
			return a, nil
		}}
		f := Gather(context.Background(), "example.com", Options{Resolver: c})
		policies := 0
		f.SPF.Tree.Each(func(*Policy) { policies++ })
		if asked := len(c.names); asked > 500 || policies > maxPolicies || f.SPF.Tree.Lookups > maxCount {
			t.Errorf("%s: %d questions, %d records, %d look-ups", name, asked, policies, f.SPF.Tree.Lookups)
		}
		if slices.Contains(f.SPF.Targets(), "") {
			t.Errorf("%s: a target without a name", name)
		}
	}
}

// FuzzTree holds whom a tree lets in to what an evaluation says.
func FuzzTree(f *testing.F) {
	f.Add("v=spf1 ip4:192.0.2.0/24 include:b.example.net -all", "v=spf1 -ip4:192.0.2.7 a:a.example.net redirect=example.com", byte(7))
	f.Add("v=spf1 ?include:b.example.net ip4:192.0.0.0/16 ~all", "v=spf1 +all", byte(1))
	f.Fuzz(func(t *testing.T, outer, inner string, last byte) {
		zone := texts{"example.com": outer, "b.example.net": inner, "a.example.net": "192.0.2.1"}
		s := gatherSPF(zone)
		if s.Tree == nil {
			return
		}
		clear := true
		s.Tree.Each(func(p *Policy) {
			clear = clear && p.Problem == ""
			for _, step := range p.Steps {
				clear = clear && !step.Problem.Breaks() && step.Problem != Varies
			}
		})
		ip := netip.AddrFrom4([4]byte{192, 0, 2, last})
		res := spf.Check(context.Background(), zone, spf.Query{IP: ip, MailFrom: "a@example.com", MaxLookups: 1000, MaxVoidLookups: 1000})
		passes := s.Tree.Pass.Contains(ip)
		if clear && !s.Tree.Partly && len(s.Tree.Opaque) == 0 && passes != (res.Code == spf.Pass) {
			t.Fatalf("%q and %q: %v is let in: %t, and the evaluation says %s (%v)", outer, inner, ip, passes, res.Code, res.Err)
		}
	})
}

func BenchmarkTree(b *testing.B) {
	zone := texts{
		"example.com":             "v=spf1 a:a.example.net mx:a.example.net include:_spf.example.net ip4:198.51.100.0/24 -all",
		"_spf.example.net":        "v=spf1 ip4:203.0.113.0/26 ip4:203.0.113.64/26 ip4:198.18.1.0/24 ip6:2001:db8:1::/48 include:_netblocks.example.net a:a.example.net ~all",
		"_netblocks.example.net":  "v=spf1 ip4:198.18.16.0/20 ip4:198.18.32.0/20 ip4:198.18.48.0/20 ip4:198.18.64.0/18 include:_netblocks2.example.net ~all",
		"_netblocks2.example.net": "v=spf1 ip6:2001:db8:4000::/36 ip6:2001:db8:4860:4000::/36 ip4:198.19.32.0/19 ip4:198.19.64.0/18 ~all",
		"a.example.net":           "192.0.2.1",
	}
	ctx := context.Background()
	o := Options{Resolver: zone}
	f := Gather(ctx, "example.com", o)
	r := Remember(zone)
	b.ReportAllocs()
	for b.Loop() {
		g := &gatherer{f: &Facts{Domain: f.Domain, Organizational: f.Organizational, Options: f.Options, TXT: f.TXT}, r: r}
		g.spf(ctx)
		if g.f.SPF.Tree.Lookups != 6 {
			b.Fatal(g.f.SPF.Tree.Lookups)
		}
	}
}
