// Package batch hands what arrives at several doors at once to the importer in groups, and tells each door what became of its own.
//
// An importer commits several items in one transaction where it gets several. A message that comes by SMTP, or a file by HTTP, is
// answered only when it is committed; what comes meanwhile waits for the next group, as in a database's group commit.
//
//	b := batch.New(importer, batch.Options{})
//	defer b.Close()
//	outcome, err := b.Import(ctx, item)
package batch

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/internal/intake"
)

// An Importer brings items into the store.
type Importer interface {
	// Import works through items and calls done for each, in order, once what became of it is committed. An error ends it: what done was
	// not called for must be offered again later.
	Import(ctx context.Context, items iter.Seq[intake.Item], done func(intake.Item, intake.Outcome) error) error
}

// Options tune a Batcher. The zero value of each member means its default.
type Options struct {
	Most    int           // items in a group; 64
	Wait    time.Duration // how long the first of a group waits for others; 5 ms
	Workers int           // groups that are worked through side by side; 2
}

// A Batcher groups items. It is safe for concurrent use.
type Batcher struct {
	importer Importer
	o        Options
	jobs     chan *job
	ctx      context.Context
	cancel   context.CancelFunc
	workers  sync.WaitGroup

	mu     sync.RWMutex
	closed bool
}

type job struct {
	item   intake.Item
	result chan result
}

type result struct {
	outcome intake.Outcome
	err     error
}

// ErrClosed is the error of an import that came after the Batcher was closed.
var ErrClosed = errors.New("batch: closed")

var errSilent = errors.New("batch: the importer did not say what became of it")

// New starts a Batcher.
func New(importer Importer, o Options) *Batcher {
	if o.Most <= 0 {
		o.Most = 64
	}
	if o.Wait <= 0 {
		o.Wait = 5 * time.Millisecond
	}
	if o.Workers <= 0 {
		o.Workers = 2
	}
	b := &Batcher{importer: importer, o: o, jobs: make(chan *job)}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	for range o.Workers {
		b.workers.Go(b.work)
	}
	return b
}

// Import waits until what became of the item is committed. An error means that nothing is known of it: whoever brought it must come again.
//
// Where ctx ends while the item is worked on, Import still waits: what the item's Open reads is the caller's to give up when Import
// returns, and not before.
func (b *Batcher) Import(ctx context.Context, item intake.Item) (intake.Outcome, error) {
	j := &job{item: item, result: make(chan result, 1)}
	if err := b.offer(ctx, j); err != nil {
		return intake.Outcome{}, err
	}
	r := <-j.result
	if r.err == nil {
		r.err = r.outcome.Failed
	}
	return r.outcome, r.err
}

func (b *Batcher) offer(ctx context.Context, j *job) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.closed {
		return ErrClosed
	}
	select {
	case b.jobs <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-b.ctx.Done():
		return ErrClosed
	}
}

// Close ends what is under way, and waits for it.
func (b *Batcher) Close() {
	b.cancel()
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.workers.Wait()
}

func (b *Batcher) work() {
	for {
		select {
		case first := <-b.jobs:
			b.run(b.gather(first))
		case <-b.ctx.Done():
			return
		}
	}
}

// gather waits a moment for those that come together.
func (b *Batcher) gather(first *job) []*job {
	group := []*job{first}
	timer := time.NewTimer(b.o.Wait)
	defer timer.Stop()
	for len(group) < b.o.Most {
		select {
		case j := <-b.jobs:
			group = append(group, j)
		case <-timer.C:
			return group
		case <-b.ctx.Done():
			return group
		}
	}
	return group
}

// run imports a group. Every job gets its result, whatever the importer does.
func (b *Batcher) run(group []*job) {
	next := 0
	err := b.guarded(group, func(_ intake.Item, o intake.Outcome) error {
		if next == len(group) {
			return errors.New("batch: more outcomes than items")
		}
		group[next].result <- result{outcome: o}
		next++
		return nil
	})
	if err == nil {
		err = errSilent
	}
	for _, j := range group[next:] {
		j.result <- result{err: err}
	}
}

// guarded keeps a panic over one mail from ending the program for all.
func (b *Batcher) guarded(group []*job, done func(intake.Item, intake.Outcome) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("batch: panic: %v\n%s", r, debug.Stack())
		}
	}()
	items := func(yield func(intake.Item) bool) {
		for j := range slices.Values(group) {
			if !yield(j.item) {
				return
			}
		}
	}
	return b.importer.Import(b.ctx, items, done)
}
