package exceptions

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

func TestAnExceptionThatWouldBeAHoleIsRefusedWithTheReason(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*store.Exception)
		says   string // empty: it is fine
	}{
		{"as it is", func(*store.Exception) {}, ""},
		{"/8", func(x *store.Exception) { x.Network = netip.MustParsePrefix("10.0.0.0/8") }, ""},
		{"/7", func(x *store.Exception) { x.Network = netip.MustParsePrefix("10.0.0.0/7") }, "too broad"},
		{"/0", func(x *store.Exception) { x.Network = netip.MustParsePrefix("0.0.0.0/0") }, "too broad"},
		{"v6 /16", func(x *store.Exception) { x.Network = netip.MustParsePrefix("2001::/16") }, ""},
		{"v6 /15", func(x *store.Exception) { x.Network = netip.MustParsePrefix("2000::/15") }, "too broad"},
		{"all of IPv4, as IPv6", func(x *store.Exception) { x.Network = netip.MustParsePrefix("::ffff:0:0/96") }, "too broad"},
		{"IPv4 as IPv6", func(x *store.Exception) { x.Network = netip.MustParsePrefix("::ffff:192.0.2.0/120") }, ""},
		{"more than IPv4", func(x *store.Exception) { x.Network = netip.MustParsePrefix("::ffff:0:0/90") }, "IPv4"},
		{"an address in its network", func(x *store.Exception) { x.Network = netip.MustParsePrefix("192.0.2.1/24") }, "192.0.2.0/24"},
		{"neither", func(x *store.Exception) { x.Network = netip.Prefix{} }, "a network or a DKIM domain"},
		{"both", func(x *store.Exception) { x.SDID = "example.net" }, "not for both"},
		{"DKIM", func(x *store.Exception) { x.Network, x.SDID = netip.Prefix{}, "Example.NET." }, ""},
		{"a bad DKIM domain", func(x *store.Exception) { x.Network, x.SDID = netip.Prefix{}, "example net" }, "d="},
		{"no domain", func(x *store.Exception) { x.Domain = "" }, "not a domain"},
		{"a top-level domain", func(x *store.Exception) { x.Domain = "com" }, "not a domain"},
		{"an address", func(x *store.Exception) { x.Domain = "a@example.com" }, "not a domain"},
		{"a wildcard in the middle", func(x *store.Exception) { x.Domain = "a.*.example.com" }, "not a domain"},
		{"a wildcard", func(x *store.Exception) { x.Domain = "*.Bücher.example" }, ""},
		{"a wildcard of a public suffix", func(x *store.Exception) { x.Domain = "*.co.uk" }, "strangers"},
		{"a wildcard of all", func(x *store.Exception) { x.Domain = "*.com" }, "not a domain"},
		{"no reason", func(x *store.Exception) { x.Reason = " " }, "needs a reason"},
		{"a long reason", func(x *store.Exception) { x.Reason = strings.Repeat("ä", 201) }, "200"},
		{"a reason of two lines", func(x *store.Exception) { x.Reason = "a\nb" }, "one line"},
		{"no author", func(x *store.Exception) { x.Author = "" }, "needs an author"},
		{"past", func(x *store.Exception) { x.Until = noon }, "past"},
		{"a year", func(x *store.Exception) { x.Until = noon.AddDate(1, 0, 0) }, ""},
		{"more than a year", func(x *store.Exception) { x.Until = noon.AddDate(1, 0, 2) }, "2027-11-24"},
	} {
		x := networkException("example.com", "192.0.2.0/24")
		c.change(&x)
		err := Check(&x, noon)
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: got %v, want %q in it", c.name, err, c.says)
		}
	}
}

func TestCheckGivesDomainsAndNetworksTheirForm(t *testing.T) {
	x := networkException("*.BÜCHER.example.", "::ffff:192.0.2.0/120")
	if err := Check(&x, noon); err != nil || x.Domain != "*.xn--bcher-kva.example" || x.Network != netip.MustParsePrefix("192.0.2.0/24") {
		t.Errorf("got %+v, %v", x, err)
	}
	x = dkimException("Example.COM", "News.Example.NET.")
	if err := Check(&x, noon); err != nil || x.Domain != "example.com" || x.SDID != "news.example.net" {
		t.Errorf("got %+v, %v", x, err)
	}
}

// What passes Check covers no stranger's domain, and ends.
func FuzzCheck(f *testing.F) {
	f.Add("*.example.com", "192.0.2.0/24", "", int64(3600))
	f.Add("example.com", "", "example.net", int64(1))
	f.Fuzz(func(t *testing.T, domain, prefix, sdid string, seconds int64) {
		p, _ := netip.ParsePrefix(prefix)
		x := store.Exception{Domain: domain, Network: p, SDID: sdid, Until: noon.Add(time.Duration(seconds % (1 << 33) * int64(time.Second))), Reason: "r", Author: "a"}
		if Check(&x, noon) != nil {
			return
		}
		again := x
		if err := Check(&again, noon); err != nil || again != x {
			t.Fatalf("checked twice: %+v, then %+v, %v", x, again, err)
		}
		set := setOf(x)
		if _, used := set.Apply(rejected, message(from("forged.example")), noon); used != nil && !strings.HasSuffix("forged.example", strings.TrimPrefix(x.Domain, "*")) {
			t.Fatalf("%+v covers forged.example", x)
		}
		if _, used := set.Apply(rejected, message(), x.Until.Add(1)); used != nil {
			t.Fatalf("%+v does not end", x)
		}
	})
}
