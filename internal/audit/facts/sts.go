package facts

import (
	"context"
	"errors"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/fetch"
	"github.com/gatepost-mail/gatepost/mtasts"
)

// STSFacts are what is known of a domain's MTA-STS (RFC 8461).
type STSFacts struct {
	TXT    Asked          // the texts at _mta-sts
	Texts  []string       // those that claim to be a record; one is right
	Record *mtasts.Record // nil unless it is one, and good
	Err    error          // why the one text is no record

	Fetched *mtasts.Fetched    // what came from the web server; nil where nothing was asked of it
	Fault   *mtasts.FetchError // why there is no policy, where that is certain
}

// Policy is what senders go by; nil where none could be had.
func (s *STSFacts) Policy() *mtasts.Policy {
	if s.Fetched == nil {
		return nil
	}
	return s.Fetched.Policy
}

// policyTimeout is how long a web server has: less than a sender of mail gives it, which has less to do at once.
const policyTimeout = 20 * time.Second

// sts asks for the record.
func (g *gatherer) sts(ctx context.Context) {
	s := &g.f.STS
	s.TXT = g.ask(ctx, STS, mtasts.Prefix+"."+g.f.Domain, dns.TypeTXT)
	for _, text := range s.TXT.TXT {
		if mtasts.IsRecord(text) {
			s.Texts = append(s.Texts, text)
		}
	}
	if len(s.Texts) == 1 {
		s.Record, s.Err = mtasts.ParseRecord(s.Texts[0])
	}
}

// stsPolicy fetches the policy: where the record says that there is one, and where a web server of its name is there without a record.
//
// What is wrong for certain is a fault. A server that was not reached, that was slow, busy or in trouble of its own is unknown: senders
// go on by the policy that they remember (RFC 8461 3.3, 5.1), so nothing is broken yet.
func (g *gatherer) stsPolicy(ctx context.Context) {
	s := &g.f.STS
	announced := len(s.Texts) > 0
	if g.f.Options.Web == nil || s.TXT.Unknown() || !announced && !g.exists(ctx, mtasts.Host+"."+g.f.Domain) {
		return
	}
	var err error
	s.Fetched, err = mtasts.Fetch(ctx, g.f.Domain, mtasts.Options{Transport: g.f.Options.Web, Timeout: policyTimeout})
	var fault *mtasts.FetchError
	var refused *fetch.Refused
	switch {
	case !errors.As(err, &fault):
	case errors.As(err, &refused):
		s.Fault = &mtasts.FetchError{URL: fault.URL, Fault: mtasts.FaultHost, Err: refused}
	case !fault.Temporary:
		s.Fault = fault
	case announced:
		g.fail(STS, fault.URL, "policy", fault)
	}
}

// exists tells whether a name has an address. A failure counts as none: nobody said that there is one.
func (g *gatherer) exists(ctx context.Context, name string) bool {
	_, err := g.r.Lookup(ctx, name, dns.TypeA)
	if errors.Is(err, dns.ErrNoData) {
		_, err = g.r.Lookup(ctx, name, dns.TypeAAAA)
	}
	return err == nil
}
