package senders

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/iprev"
)

// An Address is what was found out about one. It is a value for the store; nothing is kept here.
type Address struct {
	IP        netip.Addr
	PTR       []string // its names: the confirmed ones if there are any, or else as published
	Confirmed bool     // each name of PTR leads back to the address
	Again     bool     // DNS did not answer: of its names nothing is known, and it is to be looked up again
	ASN       uint32
	ASName    string
	Country   string
	Service   string // the id of the service that it proves to belong to
	At        time.Time
}

// EnricherOptions say how to look. The zero value of each member but Resolver means its default.
type EnricherOptions struct {
	Resolver    dns.Resolver
	Table       *Table        // Known()
	Networks    *Networks     // none
	Concurrency int           // addresses at a time; 8
	PerSecond   int           // DNS queries; 50
	Timeout     time.Duration // for one address; 20 s
	Now         func() time.Time
}

const (
	defaultConcurrency = 8
	defaultPerSecond   = 50
	defaultTimeout     = 20 * time.Second
	maxQueries         = 12 // for one address: its names, and the addresses of ten
)

// An Enricher finds out about addresses: their names, their networks, their service. It may be used by several goroutines.
type Enricher struct {
	o    EnricherOptions
	pace pace
}

// NewEnricher makes one.
func NewEnricher(o EnricherOptions) *Enricher {
	if o.Table == nil {
		o.Table = Known()
	}
	if o.Concurrency <= 0 {
		o.Concurrency = defaultConcurrency
	}
	if o.PerSecond <= 0 {
		o.PerSecond = defaultPerSecond
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Enricher{o: o, pace: pace{every: time.Second / time.Duration(o.PerSecond)}}
}

// Look finds out about addresses, several at a time, and gives what it found in their order. Where ctx ends first, the rest are to be
// looked up again.
func (e *Enricher) Look(ctx context.Context, ips []netip.Addr) []Address {
	found := make([]Address, len(ips))
	work := make(chan int)
	var wg sync.WaitGroup
	for range min(e.o.Concurrency, len(ips)) {
		wg.Go(func() {
			for i := range work {
				found[i] = e.look(ctx, ips[i])
			}
		})
	}
	for i := range ips {
		work <- i
	}
	close(work)
	wg.Wait()
	return found
}

func (e *Enricher) look(ctx context.Context, ip netip.Addr) Address {
	a := Address{IP: ip.Unmap().WithZone(""), At: e.o.Now().UTC()}
	if isSpecial(a.IP) {
		return a
	}
	network := e.o.Networks.Look(a.IP)
	a.ASN, a.ASName, a.Country = network.ASN, network.Name, network.Country
	ctx, cancel := context.WithTimeout(ctx, e.o.Timeout)
	defer cancel()
	rev := iprev.Look(ctx, &paced{dns.Limit(e.o.Resolver, maxQueries), &e.pace}, a.IP)
	switch rev.Code {
	case "pass":
		a.PTR, a.Confirmed = rev.Names, true
	case "fail":
		a.PTR = rev.Published
	case "temperror":
		a.Again = true
	}
	evidence := Evidence{IP: a.IP}
	if a.Confirmed {
		evidence.PTR = a.PTR
	}
	if m := e.o.Table.Recognise(evidence); m.Proof {
		a.Service = m.Service.ID
	}
	return a
}

// A pace lets things happen at even intervals.
type pace struct {
	every time.Duration

	mu   sync.Mutex
	next time.Time
}

// wait returns at the next turn, or with the error of ctx where that ends first: then the turn is given up unused.
func (p *pace) wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.mu.Lock()
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	at := p.next
	p.next = at.Add(p.every)
	p.mu.Unlock()
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// paced is a Resolver that asks at a pace.
type paced struct {
	next dns.Resolver
	pace *pace
}

func (p *paced) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	if err := p.pace.wait(ctx); err != nil {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrTimeout, Err: err}
	}
	return p.next.Lookup(ctx, name, typ)
}

// special are networks whose addresses have no names that mean anything to us (RFC 6890). Those for documentation are not among them:
// nobody sends from there but our own examples, and those are to work.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"),
}

func isSpecial(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return true
	}
	for _, p := range special {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
