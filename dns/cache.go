package dns

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// A question is what is asked, and what answers are kept under.
type question struct {
	name string
	typ  Type
}

// A reply is what came of a question, and for how long it may be kept.
type reply struct {
	answer Answer
	err    error
	ttl    time.Duration
}

// maxCached is the size of text beyond which an answer is not kept, so that nobody can fill the memory through us.
const maxCached = 4 << 10

// A cache keeps replies, the good and the bad, for as long as their TTL says (RFC 1035 7.4, RFC 2308 5).
type cache struct {
	entries             *lru.Cache[question, entry] // nil for no cache
	maxTTL, maxNegative time.Duration
	now                 func() time.Time
}

type entry struct {
	answer  Answer
	err     error
	expires time.Time
}

func newCache(o ClientOptions) *cache {
	c := &cache{maxTTL: o.MaxTTL, maxNegative: o.MaxNegative, now: time.Now}
	if c.maxTTL <= 0 {
		c.maxTTL = defaultMaxTTL
	}
	if c.maxNegative <= 0 {
		c.maxNegative = defaultMaxNegative
	}
	size := o.CacheEntries
	if size == 0 {
		size = defaultCacheEntries
	}
	if size > 0 {
		c.entries, _ = lru.New[question, entry](size) // fails for sizes below one alone
	}
	return c
}

func (c *cache) get(q question) (Answer, error, bool) {
	if c.entries == nil {
		return Answer{}, nil, false
	}
	e, ok := c.entries.Get(q)
	if !ok || !c.now().Before(e.expires) {
		return Answer{}, nil, false
	}
	return e.answer, e.err, true
}

func (c *cache) put(q question, r reply) {
	limit := c.maxTTL
	if r.err != nil {
		limit = c.maxNegative
	}
	ttl := min(r.ttl, limit)
	if c.entries == nil || ttl <= 0 || size(r.answer) > maxCached {
		return
	}
	c.entries.Add(q, entry{r.answer, r.err, c.now().Add(ttl)})
}

func size(a Answer) int {
	n := 24*len(a.Addrs) + 32*len(a.MX)
	for _, list := range [][]string{a.TXT, a.Names, a.Records} {
		for _, s := range list {
			n += len(s) + 16
		}
	}
	for _, mx := range a.MX {
		n += len(mx.Host)
	}
	return n
}
