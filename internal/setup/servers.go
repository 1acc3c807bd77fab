package setup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/gatepost-mail/gatepost/dns"
)

// A Server is one that answers for the domain with authority.
type Server struct {
	Name     string
	Resolver dns.Resolver
}

const (
	mostServers = 13 // of a zone that are asked
	askTime     = 3 * time.Second
	rounds      = 2
)

// Ask makes a server of an address, HOST:PORT. What it said a while ago is not remembered.
func Ask(name, address string) Server {
	return Server{name, dns.NewClient(dns.ClientOptions{Servers: []string{address}, CacheEntries: -1, Rounds: rounds, Timeout: askTime})}
}

// A Finder finds name servers.
type Finder struct {
	Resolver dns.Resolver
	Port     string // that they listen on; 53 if empty
}

// Servers finds those that answer for a domain, at each of their addresses: the ones that the parent zone delegates to, since that is where
// the world looks, and the ones that the zone itself names. The parent's servers are asked themselves; where they cannot be, what the
// resolver says of the zone is taken.
func (f Finder) Servers(ctx context.Context, domain string) ([]Server, error) {
	port := cmp.Or(f.Port, "53")
	zone, hosts, err := nameServers(ctx, f.Resolver, domain)
	if err != nil {
		return nil, err
	}
	for _, host := range f.delegated(ctx, zone, port) {
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	slices.Sort(hosts)
	var all []Server
	for _, host := range hosts[:min(len(hosts), mostServers)] {
		addrs := addresses(ctx, f.Resolver, host)
		for _, a := range addrs {
			all = append(all, Ask(host+" ("+a+")", net.JoinHostPort(a, port)))
		}
		if len(addrs) == 0 {
			all = append(all, Server{host + " (no address)", deaf{}})
		}
	}
	return all, nil
}

// deaf is a name server that cannot be asked.
type deaf struct{}

// Lookup implements [dns.Resolver].
func (deaf) Lookup(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
	return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrTimeout, Err: errors.New("it has no address")}
}

// nameServers finds the zone that a domain is in, and its name servers as the resolver knows them.
func nameServers(ctx context.Context, r dns.Resolver, domain string) (zone string, hosts []string, err error) {
	for zone = domain; strings.Contains(zone, "."); zone = parent(zone) {
		answer, err := r.Lookup(ctx, zone, dns.TypeNS)
		if err == nil {
			return zone, slices.Clone(answer.Names), nil
		}
		if !dns.IsVoid(err) {
			return "", nil, fmt.Errorf("the name servers of %s: %w", domain, err)
		}
	}
	return "", nil, fmt.Errorf("%s has no name servers that can be found; name them with --name-server", domain)
}

// delegated asks the servers of the parent zone whom they send the world to.
func (f Finder) delegated(ctx context.Context, zone, port string) []string {
	for up := parent(zone); up != ""; up = parent(up) {
		answer, err := f.Resolver.Lookup(ctx, up, dns.TypeNS)
		if dns.IsVoid(err) {
			continue
		}
		if err != nil {
			return nil
		}
		for i, host := range answer.Names {
			if i == 3 { // one that answers is enough
				return nil
			}
			for _, a := range addresses(ctx, f.Resolver, host) {
				if hosts := referral(ctx, net.JoinHostPort(a, port), zone); hosts != nil {
					return hosts
				}
			}
		}
		return nil
	}
	return nil
}

func referral(ctx context.Context, server, zone string) []string {
	m := new(mdns.Msg)
	m.SetQuestion(mdns.Fqdn(zone), mdns.TypeNS)
	m.RecursionDesired = false
	client := mdns.Client{Net: "tcp", Timeout: askTime}
	answer, _, err := client.ExchangeContext(ctx, m, server)
	if err != nil || answer.Rcode != mdns.RcodeSuccess {
		return nil
	}
	var hosts []string
	for _, rr := range append(answer.Ns, answer.Answer...) {
		if ns, ok := rr.(*mdns.NS); ok && strings.EqualFold(ns.Hdr.Name, mdns.Fqdn(zone)) {
			if host, err := dns.ToASCII(ns.Ns); err == nil {
				hosts = append(hosts, host)
			}
		}
	}
	return hosts
}

func addresses(ctx context.Context, r dns.Resolver, host string) []string {
	var all []string
	for _, typ := range []dns.Type{dns.TypeA, dns.TypeAAAA} {
		if answer, err := r.Lookup(ctx, host, typ); err == nil {
			for _, ip := range answer.Addrs[:min(len(answer.Addrs), 4)] {
				all = append(all, ip.String())
			}
		}
	}
	return all
}

func parent(name string) string {
	_, rest, _ := strings.Cut(name, ".")
	return rest
}
