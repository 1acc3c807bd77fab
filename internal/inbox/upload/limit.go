package upload

import (
	"net/netip"
	"sync"
	"time"
)

// A limiter lets each client do so many things a minute, and as many at once. It remembers a bounded number of clients.
type limiter struct {
	perMinute int

	mu      sync.Mutex
	clients map[netip.Prefix]bucket
	cleared time.Time
}

// A bucket is what a client has left.
type bucket struct {
	left float64
	at   time.Time
}

// maxClients bounds what is remembered. Who comes when there are more is not counted against, but shares one bucket with all who do.
const maxClients = 20_000

func newLimiter(perMinute int) *limiter {
	return &limiter{perMinute: perMinute, clients: map[netip.Prefix]bucket{}}
}

// take counts one thing, or says how long to wait until it may be done.
func (l *limiter) take(ip netip.Addr, now time.Time) time.Duration { return l.spend(ip, now, 1) }

// peek says how long to wait until something may be done, and counts nothing.
func (l *limiter) peek(ip netip.Addr, now time.Time) time.Duration { return l.spend(ip, now, 0) }

func (l *limiter) spend(ip netip.Addr, now time.Time, cost float64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	client := networkOf(ip)
	b, known := l.clients[client]
	if !known {
		if len(l.clients) >= maxClients && cost > 0 {
			l.forget(now)
		}
		if len(l.clients) >= maxClients {
			client = netip.Prefix{}
			b, known = l.clients[client]
		}
	}
	if !known {
		b = bucket{float64(l.perMinute), now}
	}
	b.left = min(float64(l.perMinute), b.left+now.Sub(b.at).Minutes()*float64(l.perMinute))
	b.at = now
	if b.left < 1 {
		return time.Duration((1 - b.left) / float64(l.perMinute) * float64(time.Minute))
	}
	if cost > 0 {
		b.left -= cost
		l.clients[client] = b
	}
	return 0
}

// forget drops those whose bucket is full again. It looks at all, and so not at each request.
func (l *limiter) forget(now time.Time) {
	if now.Sub(l.cleared) < 10*time.Second {
		return
	}
	l.cleared = now
	for client, b := range l.clients {
		if now.Sub(b.at) >= time.Minute {
			delete(l.clients, client)
		}
	}
}

// networkOf is what counts as one client: an IPv4 address, or the IPv6 network that a single customer has.
func networkOf(ip netip.Addr) netip.Prefix {
	if !ip.IsValid() {
		return netip.Prefix{}
	}
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits)
	return p
}
