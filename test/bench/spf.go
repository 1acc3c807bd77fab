package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	peer "blitiri.com.ar/go/spf"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/spf"
)

// A policy as a company publishes it: three nested includes, eight look-ups, and a match at the very end.
const spfZone = `
example.com.             300 IN TXT "v=spf1 a mx include:_spf.provider.example include:news.example -all"
example.com.             300 IN A   192.0.2.1
example.com.             300 IN MX  10 mx.example.com.
mx.example.com.          300 IN A   192.0.2.2
_spf.provider.example.   300 IN TXT "v=spf1 include:_net.provider.example ip4:198.51.100.0/25 ~all"
_net.provider.example.   300 IN TXT "v=spf1 ip4:198.51.100.128/26 ip6:2001:db8:1::/48 include:_net2.provider.example ~all"
_net2.provider.example.  300 IN TXT "v=spf1 ip4:198.51.100.192/27 ip4:198.51.100.224/28 ~all"
news.example.            300 IN TXT "v=spf1 a:out.news.example mx:news.example ip4:203.0.113.0/24 -all"
out.news.example.        300 IN A   203.0.112.1
news.example.            300 IN MX  10 mx.news.example.
mx.news.example.         300 IN A   203.0.112.2
`

func benchSPF() error {
	zone, err := dns.ParseZone(strings.NewReader(spfZone), "bench")
	if err != nil {
		return err
	}
	ctx := context.Background()
	q := spf.Query{IP: netip.MustParseAddr("203.0.113.9"), Helo: "mail.example.com", MailFrom: "alice@example.com"}
	ours := spf.Check(ctx, zone, q)
	ip := net.IP(q.IP.AsSlice())
	resolver := newPeerResolver(zone)
	theirs, _ := peer.CheckHostWithSender(ip, q.Helo, q.MailFrom, peer.WithResolver(resolver))
	if ours.Code != spf.Pass || theirs != peer.Pass {
		return fmt.Errorf("results %s and %s, want pass of both", ours.Code, theirs)
	}
	readings := compare([]contender{
		{"gatepost", func() { spf.Check(ctx, zone, q) }},
		{"blitiri.com.ar/go/spf", func() { peer.CheckHostWithSender(ip, q.Helo, q.MailFrom, peer.WithResolver(resolver)) }},
	})
	fmt.Printf("\nSPF, three nested includes, %d look-ups, in-memory resolver, one processor\n", ours.Lookups)
	fmt.Printf("  %-22s %10s %8s %8s\n", "", "time", "allocs", "ratio")
	for i, name := range []string{"gatepost", "blitiri.com.ar/go/spf"} {
		r := readings[i]
		fmt.Printf("  %-22s %7.2f µs %8.0f %8.2f\n", name, float64(r.time)/1e3, r.allocs, r.ratio)
	}
	return nil
}

// peerResolver answers from the same zone in the shapes that the peer asks for, prepared so that converting costs it nothing.
type peerResolver struct {
	txt  map[string][]string
	mx   map[string][]*net.MX
	addr map[string][]net.IPAddr
}

func newPeerResolver(zone *dns.Zone) peerResolver {
	r := peerResolver{map[string][]string{}, map[string][]*net.MX{}, map[string][]net.IPAddr{}}
	ctx := context.Background()
	for line := range strings.Lines(strings.TrimSpace(spfZone)) {
		name := strings.TrimSuffix(strings.Fields(line)[0], ".")
		if a, err := zone.Lookup(ctx, name, dns.TypeTXT); err == nil {
			r.txt[name] = a.TXT
		}
		if a, err := zone.Lookup(ctx, name, dns.TypeMX); err == nil {
			r.mx[name] = nil
			for _, mx := range a.MX {
				r.mx[name] = append(r.mx[name], &net.MX{Host: mx.Host, Pref: mx.Preference})
			}
		}
		if a, err := zone.Lookup(ctx, name, dns.TypeA); err == nil {
			r.addr[name] = nil
			for _, ip := range a.Addrs {
				r.addr[name] = append(r.addr[name], net.IPAddr{IP: net.IP(ip.AsSlice())})
			}
		}
	}
	return r
}

func found[T any](m map[string][]T, name string) ([]T, error) {
	if v, ok := m[strings.TrimSuffix(name, ".")]; ok {
		return v, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (r peerResolver) LookupTXT(_ context.Context, name string) ([]string, error) {
	return found(r.txt, name)
}
func (r peerResolver) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	return found(r.mx, name)
}
func (r peerResolver) LookupAddr(context.Context, string) ([]string, error) {
	return found[string](nil, "")
}
func (r peerResolver) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	return found(r.addr, name)
}
