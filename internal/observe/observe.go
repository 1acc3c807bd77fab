// Package observe brings what the gate decides into the store, without letting mail wait for it and without losing or doubling a
// message.
//
//	r, err := observe.Open("/var/lib/gatepost/journal", observe.Options{Store: s})
//	r.Record(decision) // in the mail path: microseconds
//	…
//	r.Close(ctx)
//
// Record appends the decision to a file on the local disk, the journal, before the mail server gets its answer: what returned
// survives a SIGKILL. In the background, the journal's files, called segments, become batches of the store, one each, and are then
// deleted. A segment has a name and a number for ever, by which the store knows whether it has it: whenever the program dies, the
// next one goes on where it was.
//
// While the store is away, segments wait. Two bounds hold, and what gives way first is what is worth least:
//
//   - At three quarters of MaxBytes, the oldest segments are boiled down: their decisions are dropped, their counts stay.
//   - At MaxBytes, or where the disk is full or broken, messages are counted in memory until the journal can be written again, and
//     their decisions are dropped. Where memory is short of room, names that are new are folded (see package store); only what has
//     no room even so is lost, and counted as lost.
//
// Mail flows in each case.
package observe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// A Sync says when what was written to the journal must be on the disk itself, and so survive the loss of power. The end of the
// program it survives at once.
type Sync string

// The kinds of Sync.
const (
	SyncSecond Sync = "second" // once a second
	SyncEach   Sync = "each"   // before Record returns: mail waits for the disk
	SyncNever  Sync = "never"  // as the operating system likes
)

// Options say where batches go. The zero value of each other member means its default.
type Options struct {
	Store     Store
	Retention store.Retention // nothing is deleted if zero
	MaxBytes  int64           // of the journal; 1 GiB
	Sync      Sync            // SyncSecond
	Log       *slog.Logger

	// For tests: how often the background looks, how large a segment gets, and how much memory takes the journal's place.
	interval     time.Duration // 1 s
	segmentBytes int64         // 2 MiB
	memoryBytes  int           // 16 MiB
}

// Store is what a Recorder needs of a store.
type Store interface {
	AddBatch(ctx context.Context, b store.Batch) error
	Prune(ctx context.Context, r store.Retention, now time.Time) (done bool, err error)
}

const (
	defaultMaxBytes     = 1 << 30
	defaultInterval     = time.Second
	defaultSegmentBytes = 2 << 20
	defaultMemoryBytes  = 16 << 20

	segmentEntries = 2000             // bounds the batch that a segment becomes, and so the memory that it takes
	commitTimeout  = 30 * time.Second // for a batch
	longestPause   = 10 * time.Second // between attempts while the store is away
	pruneEvery     = 60               // rounds of the background
	quietFor       = 10 * time.Minute // between two lines of the log that say the same
)

// Stats tell how the recorder does.
type Stats struct {
	JournalBytes    int64 // on the disk now
	Segments        int   // files on the disk now
	Pending         int64 // messages of this run that are not yet in the store
	InMemory        int64 // of these, counted in memory, since the journal cannot be written
	Committed       int64 // messages in the store, since the start
	Dropped         int64 // decisions given up for want of room, while their messages were counted
	Lost            int64 // messages that were not even counted
	Torn            int64 // segments with an end that was not whole
	Unreadable      int64 // segments that could not be read, and were set aside
	StoreAway       bool  // the last attempt to write to it failed
	StoreFailures   int64
	JournalFailures int64
}

// A Recorder takes decisions. Its methods are safe for concurrent use.
type Recorder struct {
	o    Options
	log  *slog.Logger
	lock *os.File // that nobody else has the journal

	mu      sync.Mutex
	journal journal
	memory  fold // what the journal could not take
	rescued fold // of this, what the background is writing into the journal now
	failing bool // the journal cannot be written: the background will try again
	ended   bool
	stats   Stats

	// The rest is the background's own.
	ctx     context.Context
	cancel  context.CancelFunc
	flushes chan flush
	quit    chan struct{}
	tasks   sync.WaitGroup
	next    time.Time // when the store is tried again
	pause   time.Duration
	pruned  time.Time
	unread  int   // how often in a row a segment could not be read
	away    quiet // the store
	broken  quiet // the journal
	tight   quiet // the room for it
}

type flush struct {
	ctx  context.Context
	done chan error
}

// ErrInUse is that of a journal that another program writes.
var ErrInUse = errors.New("another gatepost uses it; end that one, or give this one a state directory of its own")

// Open takes over a directory, with what an earlier program left in it.
func Open(dir string, o Options) (*Recorder, error) {
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.interval <= 0 {
		o.interval = defaultInterval
	}
	if o.segmentBytes <= 0 {
		o.segmentBytes = min(defaultSegmentBytes, max(o.MaxBytes/16, 1))
	}
	if o.memoryBytes <= 0 {
		o.memoryBytes = defaultMemoryBytes
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	switch o.Sync {
	case "":
		o.Sync = SyncSecond
	case SyncSecond, SyncEach, SyncNever:
	default:
		return nil, fmt.Errorf("journal: sync %q: no such way; there are %s, %s, %s", o.Sync, SyncSecond, SyncEach, SyncNever)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, fmt.Errorf("journal %s: %w", dir, err)
	}
	r := &Recorder{o: o, log: o.Log, lock: lock, flushes: make(chan flush), quit: make(chan struct{})}
	r.journal.second = o.Sync == SyncSecond
	if err := r.journal.open(dir); err != nil {
		lock.Close()
		return nil, fmt.Errorf("journal: %w", err)
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.tasks.Go(r.run)
	if o.Sync == SyncSecond {
		r.tasks.Go(r.syncEverySecond)
	}
	return r, nil
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

// Record writes a decision down. It does not wait for the store, never fails, and keeps nothing of d.
func (r *Recorder) Record(d *store.Decision) {
	b := buffers.Get().(*[]byte)
	*b = appendDecision((*b)[:0], d)
	r.mu.Lock()
	r.record(*b, d)
	r.mu.Unlock()
	buffers.Put(b)
}

func (r *Recorder) record(entry []byte, d *store.Decision) {
	if r.ended {
		r.stats.Lost++
		return
	}
	if !r.failing && r.journal.bytes+int64(len(entry)) <= r.o.MaxBytes {
		written, err := r.journal.append(entry, r.o.segmentBytes, r.o.Sync == SyncEach)
		if err != nil {
			r.journalFails(err)
		}
		if written {
			r.stats.Pending++
			return
		}
	}
	if !r.memory.addWithin(d, r.o.memoryBytes-r.rescued.size) {
		r.stats.Lost++
		return
	}
	r.stats.Pending++
	r.stats.Dropped++
}

// journalFails has messages counted in memory until the background finds that the journal can be written.
func (r *Recorder) journalFails(err error) {
	r.failing = true
	r.stats.JournalFailures++
	r.broken.say(func() {
		r.log.Error("the journal cannot be written: messages are counted in memory, and not logged one by one", "error", err.Error())
	})
}

// Stats tells how the recorder does.
func (r *Recorder) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.JournalBytes, s.Segments, s.InMemory = r.journal.bytes, r.journal.files(), r.memory.messages+r.rescued.messages
	return s
}

// Flush brings everything that was recorded before into the store. What it could not bring there stays in the journal.
func (r *Recorder) Flush(ctx context.Context) error {
	f := flush{ctx, make(chan error, 1)}
	select {
	case r.flushes <- f:
		return <-f.done
	case <-ctx.Done():
		return ctx.Err()
	case <-r.quit:
		return errors.New("journal: closed")
	}
}

// Close ends the recorder, after everything is in the store or the context ended. What is not in the store by then stays in the
// journal for the next program; the error says why.
func (r *Recorder) Close(ctx context.Context) error {
	r.mu.Lock()
	if r.ended {
		r.mu.Unlock()
		return nil
	}
	r.ended = true
	r.mu.Unlock()
	close(r.quit)
	stop := context.AfterFunc(ctx, r.cancel) // a batch under way is waited for
	r.tasks.Wait()
	stop()
	r.cancel()
	r.rescue()
	err := r.drain(ctx, true)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.journal.seal()
	if n := r.memory.messages; n > 0 {
		r.stats.Lost += n
		err = errors.Join(err, fmt.Errorf("journal: %d messages were counted in memory alone, and are lost", n))
	}
	if r.o.Sync != SyncNever {
		err = errors.Join(err, r.sync(r.journal.toSync()))
	}
	return errors.Join(err, r.lock.Close())
}

// quiet keeps a line from the log while it would say what was said a moment ago.
type quiet struct {
	said time.Time
	bad  bool
}

func (q *quiet) say(line func()) {
	if now := time.Now(); !q.bad || now.Sub(q.said) >= quietFor {
		q.said, q.bad = now, true
		line()
	}
}

// well says once that something is over.
func (q *quiet) well(line func()) {
	if q.bad {
		q.bad = false
		line()
	}
}
