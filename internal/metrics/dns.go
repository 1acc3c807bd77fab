package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
)

// What can come of a look-up.
const (
	answerFound = iota
	answerNoDomain
	answerNoData
	answerServFail
	answerTimeout
	answerCanceled
	answerOther
	answerKinds
)

var answerNames = [answerKinds]string{"found", "nxdomain", "nodata", "servfail", "timeout", "canceled", "other"}

// Resolver measures r: how long its look-ups take and what comes of them.
func (m *Metrics) Resolver(r dns.Resolver) dns.Resolver {
	if m == nil {
		return r
	}
	return &measured{r, m}
}

type measured struct {
	next dns.Resolver
	m    *Metrics
}

func (r *measured) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	begun := time.Now()
	answer, err := r.next.Lookup(ctx, name, typ)
	r.m.lookups.Observe(time.Since(begun).Seconds())
	r.m.answers[kind(ctx, err)].Inc()
	return answer, err
}

// kind tells the failures apart. A look-up that was given up since nobody wants its answer any more is no fault of DNS.
func kind(ctx context.Context, err error) int {
	switch {
	case err == nil:
		return answerFound
	case errors.Is(err, dns.ErrNXDomain):
		return answerNoDomain
	case errors.Is(err, dns.ErrNoData):
		return answerNoData
	case errors.Is(err, dns.ErrServFail):
		return answerServFail
	case errors.Is(err, dns.ErrTimeout) && errors.Is(ctx.Err(), context.Canceled):
		return answerCanceled
	case errors.Is(err, dns.ErrTimeout):
		return answerTimeout
	}
	return answerOther
}

// DNSCache counts a question to a cache; it fits [dns.ClientOptions].
func (m *Metrics) DNSCache(hit bool) {
	switch {
	case m == nil:
	case hit:
		m.cacheHit[1].Inc()
	default:
		m.cacheHit[0].Inc()
	}
}
