// Package inboxtest has an importer for tests of inputs: it remembers what it was given, and can refuse and fail.
package inboxtest

import (
	"context"
	"crypto/sha256"
	"io"
	"iter"
	"sync"

	"github.com/gatepost-mail/gatepost/internal/intake"
)

// An Importer stands for the real one: it reads each item, says that it was new, or known if it had the same bytes before, and
// commits several at a time.
type Importer struct {
	// Batch is how many items it takes before it says of any what became of it; 10 if zero. What is left at the end makes a last batch.
	Batch int
	// Decide says what becomes of an item, if not nil. ok false leaves it to the Importer.
	Decide func(item intake.Item, body []byte) (o intake.Outcome, ok bool)
	// Before is called before a batch is committed, if not nil. Its error ends the import, with nothing of the batch committed.
	Before func() error
	// Forget is for many items: their bodies are not kept.
	Forget bool

	mu     sync.Mutex
	known  map[[32]byte]bool
	taken  []Taken
	signal chan struct{}
}

// Taken is an item that was committed.
type Taken struct {
	Item    intake.Item
	Body    string
	Outcome intake.Outcome
}

type pending struct {
	item intake.Item
	hash [32]byte
	body []byte
	o    intake.Outcome
}

// Import is the method of inbox.Importer.
func (im *Importer) Import(ctx context.Context, items iter.Seq[intake.Item], done func(intake.Item, intake.Outcome) error) error {
	batch := im.Batch
	if batch == 0 {
		batch = 10
	}
	var open []pending
	for item := range items {
		p := pending{item: item}
		p.read(im)
		open = append(open, p)
		if len(open) >= batch {
			if err := im.commit(ctx, open, done); err != nil {
				return err
			}
			open = open[:0]
		}
	}
	return im.commit(ctx, open, done)
}

func (p *pending) read(im *Importer) {
	r, err := p.item.Open()
	if err != nil {
		p.o.Failed = err
		return
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil {
		p.o.Failed = err
		return
	}
	p.hash = sha256.Sum256(body)
	if im.Decide != nil {
		if o, ok := im.Decide(p.item, body); ok {
			p.o = o
		}
	}
	if !im.Forget {
		p.body = body
	}
}

func (im *Importer) commit(ctx context.Context, open []pending, done func(intake.Item, intake.Outcome) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if im.Before != nil && len(open) > 0 {
		if err := im.Before(); err != nil {
			return err
		}
	}
	for i := range open {
		im.add(&open[i])
	}
	for _, p := range open {
		if err := done(p.item, p.o); err != nil {
			return err
		}
	}
	return nil
}

func (im *Importer) add(p *pending) {
	im.mu.Lock()
	defer im.mu.Unlock()
	if im.known == nil {
		im.known = map[[32]byte]bool{}
	}
	if p.o.Failed == nil && p.o.New == 0 && p.o.Known == 0 && len(p.o.Refused) == 0 {
		if im.known[p.hash] {
			p.o.Known = 1
		} else {
			p.o.New = 1
		}
		im.known[p.hash] = true
	}
	im.taken = append(im.taken, Taken{Item: p.item, Body: string(p.body), Outcome: p.o})
	if im.signal != nil {
		close(im.signal)
		im.signal = nil
	}
}

// Taken is what was committed up to now.
func (im *Importer) Taken() []Taken {
	im.mu.Lock()
	defer im.mu.Unlock()
	return append([]Taken(nil), im.taken...)
}

// Count is how many items were committed.
func (im *Importer) Count() int {
	im.mu.Lock()
	defer im.mu.Unlock()
	return len(im.taken)
}

// New is how many of the items were new.
func (im *Importer) New() int {
	n := 0
	for _, t := range im.Taken() {
		n += t.Outcome.New
	}
	return n
}

// Wait waits until n items were committed, or ctx ends.
func (im *Importer) Wait(ctx context.Context, n int) error {
	for {
		im.mu.Lock()
		have := len(im.taken)
		if im.signal == nil {
			im.signal = make(chan struct{})
		}
		signal := im.signal
		im.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-signal:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Refuse makes an outcome of what holds no report.
func Refuse(reason string) intake.Outcome { return intake.Outcome{Refused: []string{reason}} }
