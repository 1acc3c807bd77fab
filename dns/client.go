package dns

import (
	"context"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

// ClientOptions say whom a Client asks, and what it keeps. The zero value of each member means its default.
type ClientOptions struct {
	Servers      []string       // "host" or "host:port", asked in this order; those of /etc/resolv.conf, else 127.0.0.1
	Timeout      time.Duration  // for one try at one server; 2 s
	Rounds       int            // how often all servers are tried; 2
	CacheEntries int            // 20,000; negative for no cache
	MaxTTL       time.Duration  // how long an answer is kept at most; 1 h
	MaxNegative  time.Duration  // how long it is remembered that there is no answer; 5 min
	Cached       func(hit bool) // told of each question whether the cache knew the answer

	PerSecond int // questions to each server in a second; 0: as many as there are
	Reuse     int // questions from one UDP port, one after the other, which whoever forges answers has to guess; 1

	// CheckingDisabled asks for answers that fail DNSSEC too (the CD bit, RFC 4035 3.2.2), none of which is called authentic. It tells
	// what fails validation from what cannot be had at all.
	CheckingDisabled bool
}

const (
	defaultTimeout      = 2 * time.Second
	defaultRounds       = 2
	defaultCacheEntries = 20_000
	defaultMaxTTL       = time.Hour
	defaultMaxNegative  = 5 * time.Minute
	restAfterFailure    = 30 * time.Second // for how long a server that failed is asked last
)

// A Client asks recursive name servers. It keeps answers for as long as their TTL says, asks each question once however many
// callers wait for it, and turns to the next server where one does not answer. It is safe for concurrent use.
//
// The AD bit is believed: let the servers be validating ones that are reached over loopback or a network that is yours.
type Client struct {
	servers []*server
	timeout time.Duration
	rounds  int
	reuse   int
	cache   *cache
	cached  func(hit bool)
	flights singleflight.Group

	checkingDisabled bool
}

// A server is one upstream.
type server struct {
	address string
	resting atomic.Int64  // until this time, Unix nanoseconds
	limit   *rate.Limiter // nil: none
	idle    chan *socket  // open, and free for another question
}

// NewClient makes a Client.
func NewClient(o ClientOptions) *Client {
	c := &Client{timeout: o.Timeout, rounds: o.Rounds, reuse: max(1, o.Reuse), checkingDisabled: o.CheckingDisabled}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	if c.rounds <= 0 {
		c.rounds = defaultRounds
	}
	servers := o.Servers
	if len(servers) == 0 {
		servers = systemServers()
	}
	for _, address := range servers {
		if _, _, err := net.SplitHostPort(address); err != nil {
			address = net.JoinHostPort(address, "53")
		}
		s := &server{address: address, idle: make(chan *socket, maxIdle)}
		if o.PerSecond > 0 {
			s.limit = rate.NewLimiter(rate.Limit(o.PerSecond), max(1, o.PerSecond/10))
		}
		c.servers = append(c.servers, s)
	}
	c.cache, c.cached = newCache(o), o.Cached
	if c.cached == nil {
		c.cached = func(bool) {}
	}
	return c
}

func systemServers() []string {
	config, err := dns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil || len(config.Servers) == 0 {
		return []string{"127.0.0.1"}
	}
	servers := make([]string, len(config.Servers))
	for i, host := range config.Servers {
		servers[i] = net.JoinHostPort(host, config.Port)
	}
	return servers
}

// Lookup answers from the cache, or asks. It returns as soon as ctx is done; the question goes on for others who wait for it.
func (c *Client) Lookup(ctx context.Context, name string, typ Type) (Answer, error) {
	name, err := ToASCII(name)
	if err != nil {
		return Answer{}, err
	}
	answer, err, known := c.cache.get(question{name, typ})
	c.cached(known)
	if known {
		return answer, err
	}
	if ctx.Err() != nil {
		return Answer{}, &Error{Name: name, Type: typ, Kind: ErrTimeout, Err: ctx.Err()}
	}
	flight := c.flights.DoChan(name+" "+strconv.Itoa(int(typ)), func() (any, error) {
		limit := time.Duration(c.rounds*len(c.servers)*(maxChain+1)) * c.timeout
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		reply := c.ask(ctx, question{name, typ})
		c.cache.put(question{name, typ}, reply)
		return reply.answer, reply.err
	})
	select {
	case <-ctx.Done():
		return Answer{}, &Error{Name: name, Type: typ, Kind: ErrTimeout, Err: ctx.Err()}
	case result := <-flight:
		return result.Val.(Answer), result.Err
	}
}
