package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	udpSize       = 1232            // what passes everywhere without fragments
	maxRecords    = 200             // of one answer; what is beyond is left out
	failureTTL    = 5 * time.Second // RFC 2308 7.1: a failure may be remembered, for five minutes at most
	negativeNoSOA = 5 * time.Second // RFC 2308 5: without a SOA nothing says for how long
)

// ask follows a question through its aliases to an answer.
func (c *Client) ask(ctx context.Context, q question) reply {
	name := q.name
	ttl := time.Duration(1<<63 - 1)
	authentic := !c.checkingDisabled
	for range maxChain {
		msg, err := c.exchange(ctx, name, q.typ)
		if err != nil {
			return failed(q, err)
		}
		authentic = authentic && msg.AuthenticatedData
		r, next := read(msg, name, q)
		r.ttl = min(r.ttl, ttl)
		r.answer.Authentic = authentic && r.err == nil
		if next == "" {
			r.answer.TTL = r.ttl
			return r.by(name, q.name)
		}
		name, ttl = next, r.ttl
	}
	return failed(q, &Error{Kind: ErrServFail, Err: errChain})
}

// by notes in a failure that the name which was asked for is an alias of the one that the last question was for.
func (r reply) by(name, alias string) reply {
	var e *Error
	if name != alias && errors.As(r.err, &e) && e.Alias == "" {
		e.Alias = name
	}
	return r
}

// failed is the reply where no server gave one.
func failed(q question, err error) reply {
	kind := ErrServFail
	var e *Error
	if errors.As(err, &e) {
		kind, err = e.Kind, e.Err
	}
	return reply{err: &Error{Name: q.name, Type: q.typ, Kind: kind, Err: err}, ttl: failureTTL}
}

// exchange asks the servers in turn until one gives an answer, or says that there is none.
func (c *Client) exchange(ctx context.Context, name string, typ Type) (*dns.Msg, error) {
	msg := new(dns.Msg)
	msg.SetQuestion(dns.Fqdn(escapeName(name)), uint16(typ))
	msg.SetEdns0(udpSize, false)
	msg.AuthenticatedData = true // RFC 6840 5.7: tell us whether you validated it
	msg.CheckingDisabled = c.checkingDisabled
	var last error
	for range c.rounds {
		for _, s := range c.byHealth() {
			in, err := c.try(ctx, s, msg)
			if err == nil {
				s.resting.Store(0)
				return in, nil
			}
			if ctx.Err() != nil {
				return nil, &Error{Kind: ErrTimeout, Err: ctx.Err()}
			}
			if errors.Is(err, ErrTimeout) { // an answer about one name says nothing of the server: its owner may have made it fail
				s.resting.Store(time.Now().Add(restAfterFailure).UnixNano())
			}
			last = err
		}
	}
	return nil, last
}

// byHealth gives the servers in their order, those that failed lately at the end.
func (c *Client) byHealth() []*server {
	if len(c.servers) == 1 {
		return c.servers
	}
	now := time.Now().UnixNano()
	var well, resting []*server
	for _, s := range c.servers {
		if s.resting.Load() > now {
			resting = append(resting, s)
		} else {
			well = append(well, s)
		}
	}
	return append(well, resting...)
}

// try asks one server, over TCP where UDP cut the answer short.
func (c *Client) try(ctx context.Context, s *server, msg *dns.Msg) (*dns.Msg, error) {
	question := msg.Copy()
	question.Id = dns.Id()
	if err := s.pace(ctx); err != nil {
		return nil, err
	}
	for _, network := range []string{"udp", "tcp"} {
		in, err := c.put(ctx, s, network, question)
		switch {
		case err != nil:
			return nil, exchangeError(s, err)
		case !answers(in, question):
			return nil, &Error{Kind: ErrServFail, Err: fmt.Errorf("%s answered another question", s.address)}
		case in.Truncated && network == "udp":
			continue
		case in.Rcode == dns.RcodeSuccess || in.Rcode == dns.RcodeNameError:
			return in, nil
		}
		return nil, &Error{Kind: ErrServFail, Err: fmt.Errorf("%s says %s", s.address, dns.RcodeToString[in.Rcode])}
	}
	return nil, &Error{Kind: ErrServFail, Err: fmt.Errorf("%s cuts its answer short over TCP", s.address)}
}

func exchangeError(s *server, err error) error {
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		return &Error{Kind: ErrTimeout, Err: fmt.Errorf("%s does not answer", s.address)}
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return &Error{Kind: ErrTimeout, Err: fmt.Errorf("%s: %w", s.address, op.Err)}
	}
	return &Error{Kind: ErrServFail, Err: fmt.Errorf("%s: %w", s.address, err)}
}

// answers tells whether a response belongs to the question: anybody can send us a datagram.
func answers(in, question *dns.Msg) bool {
	return in.Response && in.Id == question.Id && len(in.Question) == 1 &&
		strings.EqualFold(in.Question[0].Name, question.Question[0].Name) && in.Question[0].Qtype == question.Question[0].Qtype
}

// read takes the answer for name out of a message; next is where it sends us on to, if it does.
func read(msg *dns.Msg, name string, q question) (r reply, next string) {
	r.ttl = time.Duration(1<<63 - 1)
	records := msg.Answer[:min(len(msg.Answer), maxRecords)]
	hops := 0
	for ; hops <= maxChain; hops++ { // the CNAMEs may stand in any order
		target := ""
		for _, rr := range records {
			cname, ok := rr.(*dns.CNAME)
			if ok && q.typ != TypeCNAME && plainName(cname.Hdr.Name) == name {
				target = plainName(cname.Target)
				r.ttl = min(r.ttl, seconds(cname.Hdr.Ttl))
			}
		}
		if target == "" {
			break
		}
		name, next = target, target
	}
	if hops > maxChain {
		r.err = &Error{Name: q.name, Type: q.typ, Kind: ErrServFail, Err: errChain}
		return r, ""
	}
	found := false
	r.answer.Name = name
	for _, rr := range records {
		if Type(rr.Header().Rrtype) == q.typ && rr.Header().Class == dns.ClassINET && plainName(rr.Header().Name) == name {
			found = true
			r.ttl = min(r.ttl, seconds(rr.Header().Ttl))
			appendRecord(&r.answer, rr)
		}
	}
	if found {
		return r, ""
	}
	if next != "" && msg.Rcode == dns.RcodeSuccess && !hasSOA(msg) {
		if _, err := ToASCII(next); err == nil {
			return r, next // an alias whose end the server left to us
		}
	}
	kind := ErrNoData
	if msg.Rcode == dns.RcodeNameError {
		kind = ErrNXDomain
	}
	return reply{err: &Error{Name: q.name, Type: q.typ, Kind: kind, Alias: next}, ttl: min(r.ttl, negativeTTL(msg))}, ""
}

func hasSOA(msg *dns.Msg) bool {
	for _, rr := range msg.Ns {
		if _, ok := rr.(*dns.SOA); ok {
			return true
		}
	}
	return false
}

// negativeTTL is for how long a "no" holds: the lesser of the SOA's own TTL and its MINIMUM (RFC 2308 5).
func negativeTTL(msg *dns.Msg) time.Duration {
	for _, rr := range msg.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return seconds(min(soa.Hdr.Ttl, soa.Minttl))
		}
	}
	return negativeNoSOA
}

func seconds(n uint32) time.Duration { return time.Duration(n) * time.Second }

// escapeName protects what has a meaning in a master file; a domain that a message names may hold any of it.
func escapeName(name string) string {
	if !strings.ContainsAny(name, "\\\"();@$ ") {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if strings.IndexByte("\\\"();@$ ", name[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(name[i])
	}
	return b.String()
}
