package spf

import (
	"context"
	"net"
	"net/netip"
	"testing"

	blitiri "blitiri.com.ar/go/spf"
	"github.com/gatepost-mail/gatepost/dns"
)

// corporate is a policy as companies publish it: three nested includes, eight look-ups, and the client's address behind the last.
var corporate = struct {
	txt   map[string]string
	addrs map[string]string
	mx    map[string][]string
}{
	txt: map[string]string{
		"example.com": "v=spf1 a mx include:_spf.example.net ip4:198.51.100.0/24 -all",
		"_spf.example.net": "v=spf1 ip4:203.0.113.0/26 ip4:203.0.113.64/26 ip4:198.18.1.0/24 ip4:198.18.2.0/24 ip6:2001:db8:1::/48" +
			" include:_netblocks.example.net a:outbound.example.net ~all",
		"_netblocks.example.net": "v=spf1 ip4:198.18.16.0/20 ip4:198.18.32.0/20 ip4:198.18.48.0/20 ip4:198.18.64.0/18" +
			" ip4:198.18.128.0/17 ip4:198.19.0.0/20 ip4:198.19.16.0/20 include:_netblocks2.example.net ~all",
		"_netblocks2.example.net": "v=spf1 ip6:2001:db8:4000::/36 ip6:2001:db8:4860:4000::/36 ip4:198.19.32.0/19 ip4:198.19.64.0/18" +
			" mx:pool.example.net a:relay.example.net ~all",
	},
	addrs: map[string]string{
		"example.com": "192.0.2.10", "mx1.example.com": "192.0.2.11", "mx2.example.com": "192.0.2.12",
		"pool1.example.net": "192.0.2.20", "pool2.example.net": "192.0.2.21",
		"relay.example.net": "192.0.2.30", "outbound.example.net": "192.0.2.40",
	},
	mx: map[string][]string{
		"example.com":      {"mx1.example.com", "mx2.example.com"},
		"pool.example.net": {"pool1.example.net", "pool2.example.net"},
	},
}

const (
	benchIP   = "192.0.2.40"
	benchHelo = "outbound.example.net"
	benchFrom = "someone@example.com"
)

func BenchmarkCheck(b *testing.B) {
	r := newMapResolver()
	q := Query{IP: netip.MustParseAddr(benchIP), Helo: benchHelo, MailFrom: benchFrom}
	b.ReportAllocs()
	for b.Loop() {
		if res := Check(context.Background(), r, q); res.Code != Pass || res.Lookups != 8 {
			b.Fatalf("got %s after %d look-ups (%v), want pass after 8", res.Code, res.Lookups, res.Err)
		}
	}
}

// BenchmarkBlitiri is the same policy in the implementation that we measure ourselves against.
func BenchmarkBlitiri(b *testing.B) {
	r := newBlitiriResolver()
	ip := net.ParseIP(benchIP)
	b.ReportAllocs()
	for b.Loop() {
		if res, err := blitiri.CheckHostWithSender(ip, benchHelo, benchFrom, blitiri.WithResolver(r)); res != blitiri.Pass {
			b.Fatalf("got %s (%v), want pass", res, err)
		}
	}
}

func TestCheckAllocatesNothingPerTerm(t *testing.T) {
	r := newMapResolver()
	q := Query{IP: netip.MustParseAddr(benchIP), Helo: benchHelo, MailFrom: benchFrom}
	if n := testing.AllocsPerRun(100, func() { Check(context.Background(), r, q) }); n > 4 {
		t.Errorf("%.0f allocations, of 4 at most", n)
	}
}

type question struct {
	name string
	typ  dns.Type
}

type mapResolver map[question]dns.Answer

func newMapResolver() mapResolver {
	r := mapResolver{}
	for name, txt := range corporate.txt {
		r[question{name, dns.TypeTXT}] = dns.Answer{Name: name, TXT: []string{txt}}
	}
	for name, ip := range corporate.addrs {
		r[question{name, dns.TypeA}] = dns.Answer{Name: name, Addrs: []netip.Addr{netip.MustParseAddr(ip)}}
	}
	for name, hosts := range corporate.mx {
		a := dns.Answer{Name: name}
		for _, h := range hosts {
			a.MX = append(a.MX, dns.MX{Host: h})
		}
		r[question{name, dns.TypeMX}] = a
	}
	return r
}

func (r mapResolver) Lookup(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
	if a, ok := r[question{name, typ}]; ok {
		return a, nil
	}
	return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrNXDomain}
}

type blitiriResolver struct {
	txt   map[string][]string
	addrs map[string][]net.IPAddr
	mx    map[string][]*net.MX
}

func newBlitiriResolver() *blitiriResolver {
	r := &blitiriResolver{txt: map[string][]string{}, addrs: map[string][]net.IPAddr{}, mx: map[string][]*net.MX{}}
	for name, txt := range corporate.txt {
		r.txt[name] = []string{txt}
	}
	for name, ip := range corporate.addrs {
		r.addrs[name] = []net.IPAddr{{IP: net.ParseIP(ip)}}
	}
	for name, hosts := range corporate.mx {
		for _, h := range hosts {
			r.mx[name] = append(r.mx[name], &net.MX{Host: h})
		}
	}
	return r
}

func (r *blitiriResolver) LookupTXT(_ context.Context, name string) ([]string, error) {
	return found(r.txt, name)
}

func (r *blitiriResolver) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	return found(r.mx, name)
}

func (r *blitiriResolver) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	return found(r.addrs, name)
}

func (r *blitiriResolver) LookupAddr(_ context.Context, name string) ([]string, error) {
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func found[T any](records map[string][]T, name string) ([]T, error) {
	if r, ok := records[name]; ok {
		return r, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}
