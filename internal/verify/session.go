package verify

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatepost-mail/gatepost/arc"
	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/message"
	"github.com/gatepost-mail/gatepost/spf"
)

// A Session is one message. Its methods are called from one goroutine, in order.
type Session struct {
	o        Options
	ctx      context.Context
	cancel   context.CancelFunc
	resolver dns.Resolver
	asked    *counter
	late     atomic.Bool // the time for look-ups was not enough
	trace    *trace      // nil unless asked for

	client   Client
	mailFrom spf.Result
	helo     spf.Result
	iprev    IPRev
	header   message.Header
	author   message.Author
	policies []*dmarc.Policy // of author.Domains
	dkim     *dkim.Verifier  // nil until the header has ended
	arc      *arc.Verifier
	body     *dkim.Body
	chain    arc.Result // of arc, once the message has ended
	sealing  *arc.Sealing
	bytes    int64
	limits   []string
	noHeader error

	tasks    sync.WaitGroup
	panicked chan taskPanic
}

// taskPanic is a panic of a task, to be raised again where the session's owner can recover it.
type taskPanic struct {
	value any
	stack []byte
}

func (p taskPanic) String() string { return fmt.Sprintf("%v\n%s", p.value, p.stack) }

// Begin starts SPF and the reverse look-up. Without a client IP neither is evaluated.
func (v *Verifier) Begin(ctx context.Context, c Client) *Session {
	s := &Session{o: v.o, client: c, panicked: make(chan taskPanic, 1)}
	s.client.IP = c.IP.Unmap()
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.asked = &counter{next: dns.Limit(v.o.Resolver, v.o.MaxQueries)}
	s.resolver = s.asked
	if v.o.Trace {
		s.trace = &trace{next: s.resolver}
		s.resolver = s.trace
	}
	if c.IP.IsValid() {
		s.startSPF()
		s.startIPRev()
	}
	return s
}

// start runs a task beside the message, with the time that look-ups have. A panic in it is raised again by End.
func (s *Session) start(task func(context.Context)) {
	s.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(s.ctx, s.o.Timeout)
		defer cancel()
		defer func() {
			if r := recover(); r != nil {
				select {
				case s.panicked <- taskPanic{r, debug.Stack()}:
				default: // one is enough
				}
			}
		}()
		task(ctx)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			s.late.Store(true)
		}
	})
}

func (s *Session) startSPF() {
	q := spf.Query{
		IP: s.client.IP, Helo: s.client.Helo, MailFrom: s.client.MailFrom,
		Receiver: s.o.AuthservID, Now: s.o.Now, Trace: s.o.Trace,
	}
	s.start(func(ctx context.Context) { s.mailFrom = spf.Check(ctx, s.resolver, q) })
	if s.client.MailFrom == "" {
		return // the two identities are one (RFC 7208 2.4)
	}
	helo := q
	helo.MailFrom = ""
	s.start(func(ctx context.Context) { s.helo = spf.Check(ctx, s.resolver, helo) })
}

func (s *Session) startIPRev() {
	if s.o.SkipIPRev {
		return
	}
	s.start(func(ctx context.Context) { s.iprev, s.client.PTR = reverse(ctx, s.resolver, s.client.IP) })
}

// Header says that the header has ended: keys and policy are looked up from here on.
func (s *Session) Header(h message.Header) {
	for _, f := range h {
		s.count(len(f.Raw))
	}
	s.header = h
	s.body = dkim.NewBody()
	s.dkim = dkim.NewVerifier(s.ctx, s.resolver, h, dkim.Options{
		MaxSignatures: s.o.MaxSignatures, MinRSABits: s.o.MinRSABits, Now: s.o.Now, Diagnose: s.o.Diagnose, Body: s.body,
	})
	s.arc = arc.NewVerifier(s.ctx, s.resolver, h, arc.Options{Now: s.o.Now, MinRSABits: s.o.MinRSABits, Body: s.body})

	s.author = h.Author()
	if s.author.Beyond || len(s.author.Domains) > maxAuthorDomains {
		s.limits = append(s.limits, "there is more in the From field than is looked at")
	}
	s.policies = make([]*dmarc.Policy, min(len(s.author.Domains), maxAuthorDomains))
	for i := range s.policies {
		s.start(func(ctx context.Context) {
			s.policies[i] = dmarc.Discover(ctx, s.resolver, s.author.Domains[i], dmarc.Options{Method: s.o.Method})
		})
	}
}

// HeaderError says instead that the header could not be read within the limits.
func (s *Session) HeaderError(err error) {
	s.noHeader = err
	s.limits = append(s.limits, err.Error())
}

// Write hashes a piece of the body. It never fails.
func (s *Session) Write(p []byte) (int, error) {
	if s.dkim != nil && s.count(len(p)) {
		s.dkim.Write(p)
	}
	return len(p), nil
}

// count tells whether n more bytes are within the limit. The first time that they are not is written down.
func (s *Session) count(n int) bool {
	within := !s.tooLarge()
	s.bytes += int64(n)
	if within && s.tooLarge() {
		s.limits = append(s.limits, fmt.Sprintf("the message is larger than %d bytes", s.o.MaxBytes))
	}
	return !s.tooLarge()
}

// End waits for what was started, within the time that the message has, and says what is so.
func (s *Session) End() *Evaluation {
	timer := time.AfterFunc(s.o.Timeout, func() {
		s.late.Store(true)
		s.cancel()
	})
	defer timer.Stop()

	s.tasks.Wait()
	select {
	case p := <-s.panicked:
		panic(p)
	default:
	}
	e := newEvaluation()
	e.Limits = s.limits
	s.judgeClient(e)
	s.judgeSignatures(e)
	s.judgeAuthor(e)
	s.judgeVouch(e)
	e.Reached = s.reached(e)
	if s.trace != nil {
		e.Trace = append(s.trace.lines(), rewritten(s.client.MailFrom)...)
	}
	return e
}

// Close ends what still runs. It may be called at any time, and after End.
func (s *Session) Close() {
	s.cancel()
	if s.dkim != nil {
		s.dkim.Close()
		s.arc.Close()
	}
	s.tasks.Wait()
}
