package web

import (
	"math"
	"strconv"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/gatepost-mail/gatepost/internal/people"
)

// What one token may ask for, and what one person may by all sessions and tokens.
const (
	tokenPerSecond  = 10
	tokenAtOnce     = 100
	personPerSecond = 30
	personAtOnce    = 300
	askersKept      = 10_000
)

// limits count what is asked for.
type limits struct {
	now func() time.Time // nil: time.Now
	mu  sync.Mutex
	all *lru.Cache[string, *rate.Limiter]
}

// take counts a question, or says how long to wait until one may be asked. Nobody asks for nothing.
func (l *limits) take(who *people.Access) time.Duration {
	if who == nil {
		return 0
	}
	now := time.Now()
	if l.now != nil {
		now = l.now()
	}
	if wait := reserve(l.of(who.Asker(), personPerSecond, personAtOnce), now); wait > 0 || who.Token == 0 {
		return wait
	}
	return reserve(l.of("token "+strconv.FormatInt(who.Token, 10), tokenPerSecond, tokenAtOnce), now)
}

// retryAfter is how long to wait, in whole seconds.
func retryAfter(wait time.Duration) string { return strconv.Itoa(int(math.Ceil(wait.Seconds()))) }

func reserve(l *rate.Limiter, now time.Time) time.Duration {
	r := l.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

func (l *limits) of(key string, perSecond rate.Limit, atOnce int) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		all, err := lru.New[string, *rate.Limiter](askersKept)
		if err != nil {
			panic(err) // only a size below one
		}
		l.all = all
	}
	if limiter, ok := l.all.Get(key); ok {
		return limiter
	}
	limiter := rate.NewLimiter(perSecond, atOnce)
	l.all.Add(key, limiter)
	return limiter
}
