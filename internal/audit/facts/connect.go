package facts

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/internal/global"
	"github.com/gatepost-mail/gatepost/internal/starttls"
)

// A Dialer opens connections to mail servers.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// TLSFacts are what mail servers offered when they were spoken to. There are none unless that was asked for.
type TLSFacts struct {
	Servers []Server // in the order of preference
}

// A Server is a mail server at one address.
type Server struct {
	Host       string
	Preference uint16
	IP         netip.Addr
	starttls.Result
	Old *starttls.Result // the same with TLS 1.1 at most; nil where that was not tried
}

const (
	maxConnected  = 10               // mail servers that are spoken to
	maxAddresses  = 2                // of each: the next is tried where one does not answer
	connectTime   = 10 * time.Second // for one conversation; some servers let everybody wait for their greeting
	connectingAll = 30 * time.Second // for all of them together
)

var errNotGlobal = errors.New("the address is not one of the internet, and was not connected to")

// connect speaks SMTP with the mail servers, where that was asked for.
func (g *gatherer) connect(ctx context.Context) {
	if !g.f.Options.Connect {
		return
	}
	if g.f.Options.probes == nil {
		g.f.Options.probes = &probes{known: map[string]*Server{}}
	}
	ctx, cancel := context.WithTimeout(ctx, connectingAll)
	defer cancel()
	hosts := g.f.MX.Distinct()
	hosts = hosts[:min(len(hosts), maxConnected)]
	all := make([]*Server, len(hosts))
	var wg sync.WaitGroup
	for i, h := range hosts {
		wg.Go(func() { all[i] = g.server(ctx, h) })
	}
	wg.Wait()
	for _, s := range all {
		if s == nil {
			continue
		}
		if s.Err != nil {
			g.fail(TLS, s.Host, "SMTP to "+s.IP.String(), s.Err)
		} else if s.Old != nil && s.Old.Err != nil && !s.Old.Refused {
			g.fail(TLS, s.Host, "SMTP to "+s.IP.String()+" with TLS 1.1", s.Old.Err)
		}
		g.f.TLS.Servers = append(g.f.TLS.Servers, *s)
	}
}

// server speaks with a mail server at the first of its addresses that answers.
func (g *gatherer) server(ctx context.Context, h *Host) *Server {
	var s *Server
	tried := 0
	for _, ip := range h.Addrs {
		if !global.Is(ip) && !g.f.Options.AllowPrivate {
			g.fail(TLS, h.Name, "SMTP to "+ip.String(), errNotGlobal)
			continue
		}
		if tried++; tried > maxAddresses {
			break
		}
		s = g.f.Options.probes.ask(ctx, g.f.Options.Dial, h.Name, ip)
		if s.Err == nil {
			break
		}
	}
	if s == nil {
		return nil
	}
	of := *s
	of.Preference = h.Preference
	return &of
}

// probes remembers what mail servers said, so that none is bothered again where facts are gathered once more to try a change.
type probes struct {
	mu    sync.Mutex
	known map[string]*Server
}

func (p *probes) ask(ctx context.Context, dial Dialer, host string, ip netip.Addr) *Server {
	key := host + " " + ip.String()
	p.mu.Lock()
	s := p.known[key]
	p.mu.Unlock()
	if s != nil {
		return s
	}
	s = probe(ctx, dial, host, ip)
	p.mu.Lock()
	p.known[key] = s
	p.mu.Unlock()
	return s
}

// probe asks for the best TLS that there is, and then whether one that is not to be used any longer is there too.
func probe(ctx context.Context, dial Dialer, host string, ip netip.Addr) *Server {
	q := starttls.Query{Address: netip.AddrPortFrom(ip, 25).String(), Host: host, Hello: helloName(), Timeout: connectTime, Dial: dial}
	s := &Server{Host: host, IP: ip, Result: starttls.Probe(ctx, q)}
	if s.Err == nil && s.Version >= tls.VersionTLS12 {
		q.MaxVersion = tls.VersionTLS11
		old := starttls.Probe(ctx, q)
		s.Old = &old
	}
	return s
}

// helloName is our own name, where the system has a full one.
func helloName() string {
	name, err := os.Hostname()
	if err != nil || !strings.Contains(name, ".") {
		return ""
	}
	return name
}
