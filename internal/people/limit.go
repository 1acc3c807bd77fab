package people

import (
	"net/netip"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// How often it may be tried to sign in. Nobody is locked out for what others try elsewhere: no limit is on a name alone.
const (
	attemptEvery  = 6 * time.Second // from one network, whatever the names
	attemptBurst  = 30
	nameEvery     = 30 * time.Second // with one name from one network
	nameBurst     = 6
	remembered    = 20_000 // networks of each size, and names with networks, the latest used
	networkBits   = 64     // of IPv6: what one customer has at least
	longestNameOf = 100    // bytes of a name that are looked at
)

// wider are the networks of IPv6 that one customer may have as well, the widest first. They share more tries than the networks in them have
// each, but not as many as there are networks: a /48 has 65,536 of these.
var wider = [...]struct {
	bits  int
	every time.Duration
	burst int
}{{48, 2 * time.Second, 100}, {56, 4 * time.Second, 50}}

// Limits count attempts to sign in. The zero value has seen none.
type Limits struct {
	mu       sync.Mutex // so that nobody takes between a taking and the giving back
	wider    [len(wider)]buckets
	networks buckets
	names    buckets
}

// Attempt counts one, or tells how long to wait before another is taken: then none is counted, so that who tries in vain uses up nothing that
// neighbours have a share in. Without a name, it is counted by where it comes from alone.
func (l *Limits) Attempt(name, address string, now time.Time) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var taken []*rate.Reservation
	take := func(from *buckets, key string, every time.Duration, burst int) bool {
		r := from.bucket(key, rate.Every(every), burst).ReserveN(now, 1)
		taken, wait = append(taken, r), r.DelayFrom(now)
		return wait == 0
	}
	// From wide to narrow: a network is remembered only where the one around it lets it try, so that who has many cannot have those of others
	// forgotten.
	ok = true
	ip := ipOf(address)
	for i, w := range wider {
		if ok && ip.Is6() {
			ok = take(&l.wider[i], netip.PrefixFrom(ip, w.bits).Masked().String(), w.every, w.burst)
		}
	}
	network, name := networkOf(ip), foldName(name)
	ok = ok && take(&l.networks, network, attemptEvery, attemptBurst)
	if name != "" {
		ok = ok && take(&l.names, network+" "+name[:min(len(name), longestNameOf)], nameEvery, nameBurst)
	}
	if !ok {
		for _, r := range taken {
			r.CancelAt(now)
		}
	}
	return wait, ok
}

// Attempt is that of [Limits].
func (o *Office) Attempt(name, address string, now time.Time) (wait time.Duration, ok bool) {
	return o.limits.Attempt(name, address, now)
}

// ipOf reads an address; one that cannot be read is not valid.
func ipOf(address string) netip.Addr {
	ip, _ := netip.ParseAddr(address)
	return ip.Unmap().WithZone("")
}

// networkOf is from where somebody comes: an address of IPv4, or a network of IPv6.
func networkOf(ip netip.Addr) string {
	switch {
	case ip.Is4():
		return ip.String()
	case ip.Is6():
		return netip.PrefixFrom(ip, networkBits).Masked().String()
	}
	return "?"
}

// buckets are limiters by name, as many as there is room for.
type buckets struct {
	mu  sync.Mutex
	all *lru.Cache[string, *rate.Limiter]
}

func (b *buckets) bucket(key string, every rate.Limit, burst int) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all == nil {
		b.all, _ = lru.New[string, *rate.Limiter](remembered) // the size is in order
	}
	l, ok := b.all.Get(key)
	if !ok {
		l = rate.NewLimiter(every, burst)
		b.all.Add(key, l)
	}
	return l
}
