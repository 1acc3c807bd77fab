package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/internal/inbox"
	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/spool"
)

// A Mailbox is what a provider's interface can do with one folder.
type Mailbox interface {
	// Open finds out what the other methods need, each time after something went wrong.
	Open(ctx context.Context) error
	// List calls each for the messages that are there, until it returns false.
	List(ctx context.Context, each func(Message) bool) error
	// Fetch gets one as it came over the wire. One that is larger than limit is spool.ErrTooLarge.
	Fetch(ctx context.Context, id string, limit int64) (*spool.Spool, error)
	// Put puts messages where they belong and returns those for which that succeeded, or which are not there any more.
	Put(ctx context.Context, ids []string, bad bool) (done []string, err error)
	// Where says in words where Put puts what is bad.
	Where() string
}

// A Message is one as it is listed.
type Message struct {
	ID       string
	Size     int64 // zero if it was not said
	Received time.Time
}

// A Poller makes an Input of a Mailbox. All but Log is needed.
type Poller struct {
	InputName string
	Folder    string // as people call it
	MaxSize   int64
	Every     time.Duration
	Mailbox   Mailbox
	Log       *slog.Logger

	start   sync.Once
	status  *inbox.Status
	mu      sync.Mutex
	settled [2][]string         // in the store, and not yet put away: good ones, and bad ones
	known   map[string]bool     // of these
	later   map[string]*trouble // could not be fetched or stored
	until   [2]time.Time        // when the service is asked again to put away
	backoff [2]inbox.Backoff
}

type trouble struct {
	times int
	next  time.Time
}

const (
	mostListed     = 50_000 // in one round; what is beyond comes in the next
	fetchedAtOnce  = 4      // as many as Graph allows for one mailbox
	putAwayAtOnce  = 50
	failuresInARow = 10 // after which it is not the messages' fault
	longestTrouble = 6 * time.Hour
)

func (p *Poller) init() {
	p.start.Do(func() {
		p.status = inbox.NewStatus(p.InputName, p.Log)
		p.known, p.later = map[string]bool{}, map[string]*trouble{}
	})
}

// Name is as configured.
func (p *Poller) Name() string { return p.InputName }

// State tells how the input does.
func (p *Poller) State() inbox.State {
	p.init()
	return p.status.State()
}

// Run looks into the mailbox again and again, until ctx ends.
func (p *Poller) Run(ctx context.Context, im inbox.Importer) error {
	p.init()
	p.status.Repeat(ctx, inbox.Backoff{}, func(ctx context.Context) error {
		if err := p.Mailbox.Open(ctx); err != nil {
			return err
		}
		for {
			found, err := p.round(ctx, im)
			if err != nil {
				return err
			}
			switch blocked, troubled := p.troubles(); {
			case blocked:
			case troubled:
				p.status.Through()
			default:
				p.status.Succeeded()
			}
			if found == 0 {
				inbox.Sleep(ctx, p.Every)
			}
			if ctx.Err() != nil {
				return nil
			}
		}
	})
	return nil
}

// Once takes in what is in the mailbox now.
func (p *Poller) Once(ctx context.Context, im inbox.Importer) error {
	p.init()
	defer p.status.Down()
	err := p.Mailbox.Open(ctx)
	for found := 1; err == nil && found > 0; {
		found, err = p.round(ctx, im)
	}
	switch n, m := len(p.known), len(p.later); {
	case err != nil:
		p.status.Failed(err)
		return err
	case n > 0:
		return fmt.Errorf("%d messages are in the store but could not be put away: %s", n, p.State().LastError)
	case m > 0:
		return fmt.Errorf("%d messages could not be fetched or stored and are still there: %s", m, p.State().LastError)
	}
	p.status.Succeeded()
	return nil
}

// A round is one look at the mailbox.
type round struct {
	*Poller
	ctx    context.Context
	found  int
	failed int // in a row
	err    error
}

func (p *Poller) round(ctx context.Context, im inbox.Importer) (int, error) {
	if err := p.putAway(ctx); err != nil {
		return 0, err
	}
	messages, err := p.list(ctx)
	if err != nil {
		return 0, err
	}
	p.status.Up()
	r := &round{Poller: p, ctx: ctx}
	err = inbox.Work(ctx, im, p.status, func(yield func(inbox.Task) bool) { r.tasks(messages, yield) })
	if r.err != nil {
		err = r.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second) // what is committed is put away even at the end
	defer cancel()
	if away := p.putAway(ctx); err == nil {
		err = away
	}
	return r.found, err
}

// list is what is there and is to be taken in.
func (p *Poller) list(ctx context.Context) ([]Message, error) {
	var all []Message
	now := time.Now()
	err := p.Mailbox.List(ctx, func(m Message) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		if t := p.later[m.ID]; !p.known[m.ID] && (t == nil || !now.Before(t.next)) {
			all = append(all, m)
		}
		return len(all) < mostListed
	})
	return all, err
}

func (r *round) tasks(messages []Message, yield func(inbox.Task) bool) {
	for len(messages) > 0 && r.err == nil && r.ctx.Err() == nil {
		some := messages[:min(fetchedAtOnce, len(messages))]
		messages = messages[len(some):]
		if !r.hand(some, yield) {
			return
		}
		if r.ready() {
			r.err = r.putAway(r.ctx)
		}
	}
}

// hand fetches a few messages at once and then hands them over in their order.
func (r *round) hand(some []Message, yield func(inbox.Task) bool) bool {
	var (
		bodies  = make([]*spool.Spool, len(some))
		errs    = make([]error, len(some))
		fetches sync.WaitGroup
	)
	for i, m := range some {
		if m.Size > r.MaxSize {
			errs[i] = spool.ErrTooLarge
			continue
		}
		fetches.Go(func() { bodies[i], errs[i] = r.Mailbox.Fetch(r.ctx, m.ID, r.MaxSize) })
	}
	fetches.Wait()
	goesOn := true
	for i, m := range some {
		switch {
		case errs[i] != nil:
			if goesOn && !r.notFetched(m, errs[i]) {
				goesOn = false
			}
		case !goesOn:
			bodies[i].Close()
		default:
			r.failed = 0
			r.found++
			goesOn = yield(r.task(m, bodies[i]))
		}
	}
	return goesOn
}

// notFetched tells whether to go on with the others.
func (r *round) notFetched(m Message, err error) bool {
	var refused *StatusError
	switch {
	case errors.Is(err, spool.ErrTooLarge):
		r.status.TooLarge()
		r.status.Bad(r.item(m.ID), fmt.Sprintf("it has more than %d bytes, which are the limit", r.MaxSize), r.Mailbox.Where())
		r.settle(m.ID, 1)
		return true
	case NotFound(err): // somebody else took it away
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.later, m.ID)
		return true
	case !errors.As(err, &refused) || refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden || refused.Status == http.StatusTooManyRequests:
		r.err = err
		return false
	}
	r.status.NotHad()
	r.trouble(m.ID, fmt.Errorf("%s could not be fetched: %w", r.item(m.ID), err))
	if r.failed++; r.failed >= failuresInARow {
		r.err = err
		return false
	}
	return true
}

func (p *Poller) item(id string) string { return p.Folder + ", message " + inbox.Line(id, 200) }

func (p *Poller) task(m Message, body *spool.Spool) inbox.Task {
	return inbox.Task{
		Item: intake.Item{Name: p.item(m.ID), Input: p.InputName, Received: m.Received, Open: body.Open},
		Drop: func() { body.Close() },
		Done: func(o intake.Outcome) error {
			switch {
			case o.Failed != nil:
				p.trouble(m.ID, fmt.Errorf("%s could not be stored: %w", p.item(m.ID), o.Failed))
			case o.Bad():
				p.status.Bad(p.item(m.ID), inbox.Reason(o), p.Mailbox.Where())
				p.settle(m.ID, 1)
			default:
				p.settle(m.ID, 0)
			}
			return nil
		},
	}
}

func (p *Poller) settle(id string, f int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.later, id)
	p.settled[f] = append(p.settled[f], id)
	p.known[id] = true
}

func (p *Poller) trouble(id string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.later[id]
	if t == nil {
		t = new(trouble)
		p.later[id] = t
	}
	t.times++
	t.next = time.Now().Add(min(time.Second<<min(t.times-1, 16), longestTrouble))
	p.status.Trouble(err)
}

func (p *Poller) ready() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.settled[0]) >= putAwayAtOnce || len(p.settled[1]) >= putAwayAtOnce
}

// troubles tells whether the service refuses to put away, and whether there are messages that could not be fetched or stored.
func (p *Poller) troubles() (blocked, troubled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.until[0].IsZero() || !p.until[1].IsZero(), len(p.later) > 0
}

// next are some messages to put away.
func (p *Poller) next(f int) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().Before(p.until[f]) {
		return nil
	}
	return p.settled[f][:min(putAwayAtOnce, len(p.settled[f]))]
}

// putAway puts away what is in the store. Where the service refuses, it is asked again after a while, and meanwhile what is in the store is
// not fetched again.
func (p *Poller) putAway(ctx context.Context) error {
	for f := range p.settled {
		for some := p.next(f); len(some) > 0; some = p.next(f) {
			done, err := p.Mailbox.Put(ctx, some, f == 1)
			p.put(f, done)
			var refused *StatusError
			if errors.As(err, &refused) && refused.Status != http.StatusUnauthorized {
				p.refused(f, max(refused.after, 0))
				p.status.Trouble(fmt.Errorf("messages are in the store but cannot be put away: %w", err))
				break
			}
			if err != nil {
				return err
			}
			if len(done) == 0 {
				break
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.Waiting(len(p.known))
	return nil
}

func (p *Poller) put(f int, done []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range done {
		delete(p.known, id)
	}
	var rest []string
	for _, id := range p.settled[f] {
		if p.known[id] {
			rest = append(rest, id)
		}
	}
	p.settled[f] = rest
	if len(done) > 0 {
		p.until[f] = time.Time{}
		p.backoff[f].Reset()
	}
}

func (p *Poller) refused(f int, least time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.backoff[f].First, p.backoff[f].Most = time.Minute, time.Hour
	p.until[f] = time.Now().Add(max(p.backoff[f].Next(), least))
}

var _ inbox.Input = (*Poller)(nil)
