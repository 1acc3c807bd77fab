package intake

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"iter"
	"runtime"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// A Store is where reports are kept.
type Store interface {
	AddArrivals(ctx context.Context, all []store.Arrival) ([]store.Added, error)
}

// Contents is what was read from an Item.
type Contents struct {
	Reports  []store.Report
	Refusals []string
	Release  func() // gives up what its rows are read from; may be nil
}

// An Importer brings what inputs hand over into the store. Several inputs may use one at the same time.
type Importer struct {
	Store Store
	Read  func(ctx context.Context, r io.Reader) (Contents, error) // an error: the bytes could not be had

	// The bounds of one transaction, which is written when one is reached, or nothing more has come for a moment. Meanwhile as much again
	// is read ahead.
	Items int           // 100 if zero
	Rows  int           // 20,000 if zero; of records that are in memory, or what takes as much
	Wait  time.Duration // 200 ms if zero
}

const (
	defaultItems = 100
	defaultRows  = 20_000
	defaultWait  = 200 * time.Millisecond
)

// A task is an item on its way.
type task struct {
	item  Item
	ready chan struct{}

	arrival  store.Arrival
	contents Contents
	failed   error // the bytes could not be had
}

// Import works through items, several at a time, and calls done for each, in order, once what became of it is committed. An error (the
// store is away, ctx ended, done failed) ends it: what done was not called for must be offered again later. An item is not opened any
// more after done was called for it, or Import returned.
func (m *Importer) Import(ctx context.Context, items iter.Seq[Item], done func(Item, Outcome) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	readers := runtime.GOMAXPROCS(0)
	work := make(chan *task)
	ordered := make(chan *task, cmp.Or(m.Items, defaultItems))
	ahead := newAllowance(cmp.Or(m.Rows, defaultRows))
	pool := make(chan struct{}) // closed when no reader is left
	go func() {
		defer close(ordered)
		defer close(work)
		for item := range items {
			if ahead.wait(ctx) != nil { // before it is in order: whatever is there will be read
				return
			}
			t := &task{item: item, ready: make(chan struct{})}
			select {
			case ordered <- t:
			case <-ctx.Done():
				return
			}
			select {
			case work <- t:
			case <-ctx.Done():
				t.failed = ctx.Err()
				close(t.ready)
				return
			}
		}
	}()
	go func() {
		defer close(pool)
		ended := make(chan struct{})
		for range readers {
			go func() {
				for t := range work {
					m.read(ctx, t)
					ahead.take(t.rows())
					close(t.ready)
				}
				ended <- struct{}{}
			}()
		}
		for range readers {
			<-ended
		}
	}()
	err := m.commit(ctx, ordered, ahead, done)
	cancel()
	for t := range ordered { // those that were under way are not opened any more after this
		<-t.ready
		t.release()
	}
	<-pool
	return err
}

// read reads an item, and takes its fingerprint.
func (m *Importer) read(ctx context.Context, t *task) {
	r, err := t.item.Open()
	if err != nil {
		t.failed = err
		return
	}
	defer r.Close()
	hash := sha256.New()
	counted := &counter{r: io.TeeReader(r, hash)}
	t.contents, err = m.Read(ctx, counted)
	if err == nil {
		_, err = io.Copy(io.Discard, counted) // to the end, which a reader may not care for
	}
	if err != nil {
		t.failed = cmp.Or(ctx.Err(), err)
		return
	}
	i, s := t.item, t.item.Sender
	raw := store.Raw{Size: counted.n, Name: i.Name, Input: i.Input, At: i.Received, ClientIP: s.IP, MailFrom: s.MailFrom,
		AuthorDomain: s.AuthorDomain, DMARC: s.DMARC, TokenDomain: s.TokenDomain, Open: i.Open}
	hash.Sum(raw.Hash[:0])
	t.arrival = store.Arrival{Raw: raw, Reports: t.contents.Reports, Refusals: t.contents.Refusals}
	if len(t.arrival.Reports)+len(t.arrival.Refusals) == 0 {
		t.arrival.Refusals = []string{"there is no report in it"}
	}
}

func (t *task) release() {
	if t.contents.Release != nil {
		t.contents.Release()
	}
	t.contents = Contents{}
}

// commit writes what was read, in order.
func (m *Importer) commit(ctx context.Context, ordered <-chan *task, ahead *allowance, done func(Item, Outcome) error) error {
	var batch []*task
	rows := 0
	wait := time.NewTimer(0)
	<-wait.C
	defer wait.Stop()
	flush := func() error {
		all := batch
		batch, rows = nil, 0
		if len(all) == 0 {
			return nil
		}
		return m.write(ctx, all, done)
	}
	defer func() {
		for _, t := range batch {
			t.release()
		}
	}()
	for {
		var quiet <-chan time.Time
		if len(batch) > 0 {
			wait.Reset(cmp.Or(m.Wait, defaultWait))
			quiet = wait.C
		}
		select {
		case t, ok := <-ordered:
			if !ok {
				return errors.Join(flush(), ctx.Err())
			}
			select {
			case <-t.ready:
			case <-ctx.Done():
				<-t.ready
			}
			batch = append(batch, t)
			rows += t.rows()
			ahead.give(t.rows())
			if len(batch) >= cmp.Or(m.Items, defaultItems) || rows >= cmp.Or(m.Rows, defaultRows) {
				if err := flush(); err != nil {
					return err
				}
			}
		case <-quiet:
			if err := flush(); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// rowBytes is about what a record takes in memory.
const rowBytes = 512

// rows is about how many records it holds in memory, or what takes as much.
func (t *task) rows() int {
	n := 0
	for i := range t.arrival.Reports {
		r := &t.arrival.Reports[i]
		n += r.Held + len(r.Document)/rowBytes
	}
	return n
}

// write commits a batch and tells of each what became of it.
func (m *Importer) write(ctx context.Context, batch []*task, done func(Item, Outcome) error) error {
	defer func() {
		for _, t := range batch {
			t.release()
		}
	}()
	var arrivals []store.Arrival
	for _, t := range batch {
		if t.failed == nil {
			arrivals = append(arrivals, t.arrival)
		}
	}
	added, err := m.add(ctx, arrivals)
	if err != nil {
		return err
	}
	for _, t := range batch {
		o := Outcome{Failed: t.failed}
		if t.failed == nil {
			o = outcome(t.arrival, added[0])
			added = added[1:]
		} else if ctx.Err() != nil {
			return ctx.Err() // that it was not read is not its fault
		}
		if err := done(t.item, o); err != nil {
			return err
		}
	}
	return nil
}

// A result is what became of one arrival.
type result struct {
	added  store.Added
	failed error
}

// add writes all at once, or where that fails by the fault of one, each by itself.
func (m *Importer) add(ctx context.Context, arrivals []store.Arrival) ([]result, error) {
	if len(arrivals) == 0 {
		return nil, nil
	}
	added, err := m.Store.AddArrivals(ctx, arrivals)
	results := make([]result, len(arrivals))
	var own *store.ArrivalError
	switch {
	case err == nil:
		for i := range added {
			results[i].added = added[i]
		}
		return results, nil
	case !errors.As(err, &own):
		return nil, err // the store's own
	case len(arrivals) == 1:
		results[0].failed = err
		return results, nil
	}
	for i := range arrivals {
		one, err := m.add(ctx, arrivals[i:i+1])
		if err != nil {
			return nil, err
		}
		results[i] = one[0]
	}
	return results, nil
}

// outcome sums up what the store did.
func outcome(a store.Arrival, r result) Outcome {
	if r.failed != nil {
		return Outcome{Failed: r.failed}
	}
	o := Outcome{Hash: a.Raw.Hash, Refused: a.Refusals}
	for _, state := range r.added.Reports {
		switch state {
		case store.ReportKnown:
			o.Known++
		case store.ReportConflicting:
			o.Conflicting++
			o.New++
		default:
			o.New++
		}
	}
	return o
}

// A counter counts the bytes that go by.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
