package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/global"
)

// Refused says that a name led to no address that may be called on.
type Refused struct {
	Host string
	Addr netip.Addr // one of its addresses
}

func (e *Refused) Error() string {
	return fmt.Sprintf("%s has the address %s, which is not one of the public internet", e.Host, e.Addr)
}

const (
	mostAddrs = 4               // of one name that are tried
	perAddr   = 7 * time.Second // for one of several
)

// dial opens a connection to a host: to an address that it was looked at, and no other.
func (t *transport) dial(ctx context.Context, _, hostport string) (net.Conn, error) {
	if request, ok := ctx.Value(asking{}).(context.Context); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(request, cancel)()
	}
	host, service, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, err
	}
	all, err := t.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	var refused, failed error
	tried := 0
	for _, ip := range all {
		if !t.o.AllowPrivate && !global.Is(ip) {
			refused = &Refused{host, ip}
			continue
		}
		if tried++; tried > mostAddrs || ctx.Err() != nil {
			break
		}
		conn, err := t.try(ctx, netip.AddrPortFrom(ip, uint16(port)), len(all) > 1)
		if err == nil {
			return conn, nil
		}
		if failed == nil {
			failed = err
		}
	}
	if failed == nil {
		failed = refused
	}
	if failed == nil {
		failed = ctx.Err()
	}
	return nil, failed
}

func (t *transport) try(ctx context.Context, address netip.AddrPort, others bool) (net.Conn, error) {
	if others {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, perAddr)
		defer cancel()
	}
	return t.o.Dial(ctx, "tcp", address)
}

// addresses are those of a host, IPv4 first: a machine without IPv6 would wait for nothing. Where one question fails and the other has
// an answer, that one does.
func (t *transport) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	name, err := dns.ToASCII(host)
	if err != nil {
		return nil, err
	}
	var answers [2]dns.Answer
	var errs [2]error
	var wg sync.WaitGroup
	for i, typ := range []dns.Type{dns.TypeA, dns.TypeAAAA} {
		wg.Go(func() { answers[i], errs[i] = t.o.Resolver.Lookup(ctx, name, typ) })
	}
	wg.Wait()
	var all []netip.Addr
	for i := range answers {
		if errs[i] == nil {
			all = append(all, answers[i].Addrs...)
		}
	}
	for i := range all {
		all[i] = all[i].Unmap()
	}
	switch {
	case len(all) > 0:
		return all, nil
	case errs[0] != nil && !dns.IsVoid(errs[0]):
		return nil, errs[0]
	case errs[1] != nil:
		return nil, errs[1]
	}
	return nil, errors.Join(errs[0], &dns.Error{Name: name, Type: dns.TypeA, Kind: dns.ErrNoData})
}
