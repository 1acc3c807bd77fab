package observe

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// run is all that happens in the background but for syncing. It alone takes segments away or changes them.
func (r *Recorder) run() {
	tick := time.NewTicker(r.o.interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.rescue()
			r.shrink()
			if now := time.Now(); !now.Before(r.next) {
				if r.drain(r.ctx, false) == nil {
					r.prune(now)
				}
			}
		case f := <-r.flushes:
			r.rescue()
			f.done <- r.drain(f.ctx, true)
		case <-r.quit:
			return
		}
	}
}

// rescue brings what was counted in memory into the journal, a segment at a time, once that can be written again.
func (r *Recorder) rescue() {
	for r.rescueSome() {
	}
}

// rescueSome tells whether there is more to do.
func (r *Recorder) rescueSome() bool {
	r.mu.Lock()
	room := min(r.o.MaxBytes-r.journal.bytes, int64(r.o.memoryBytes/rescuePart))
	some := r.memory.split(int(room))
	if some.messages == 0 && !(r.failing && room > 0) {
		r.mu.Unlock()
		return false
	}
	r.rescued = some
	r.journal.seal() // its number is lower, and so must its place be
	s := r.journal.next()
	r.mu.Unlock()

	// It is written even where nothing was counted: to know that one can.
	text := some.append([]byte(magic))
	err := r.journal.replace(s, text, r.o.Sync != SyncNever)

	r.mu.Lock()
	defer r.mu.Unlock()
	r.rescued = fold{}
	if err != nil {
		r.memory.merge(&some)
		r.journalFails(err)
		return false
	}
	r.failing = false
	s.bytes, s.messages, s.boiled = int64(len(text)), some.messages, true
	r.journal.insert(s)
	r.broken.well(func() {
		r.log.Info("the journal can be written again", "in_memory", r.memory.messages+some.messages, "lost", r.stats.Lost)
	})
	return r.memory.messages > 0
}

// rescuePart is which part of the memory at most becomes a batch. The rest stays free for mail that comes meanwhile.
const rescuePart = 8

// atOnce is how many segments are handed over before the background looks after the rest of its work.
const atOnce = 8

// drain makes batches of segments, the oldest first. With all it does not end before everything is in the store that was recorded
// when it began, or the store fails.
func (r *Recorder) drain(ctx context.Context, all bool) error {
	r.mu.Lock()
	if all || len(r.journal.closed) == 0 {
		r.journal.seal()
	}
	todo := slices.Clone(r.journal.closed)
	r.mu.Unlock()
	if !all {
		todo = todo[:min(len(todo), atOnce)]
	}
	for _, s := range todo {
		if err := r.commit(ctx, s); err != nil {
			r.fail(err)
			return err
		}
	}
	r.next, r.pause = time.Time{}, 0
	if len(todo) > 0 {
		r.mu.Lock()
		r.stats.StoreAway = false
		r.mu.Unlock()
	}
	if r.Stats().Segments <= 1 {
		r.away.well(func() { r.log.Info("the store is back, and has what waited in the journal") })
		r.tight.well(func() { r.log.Info("the journal has room again") })
	}
	return nil
}

// fail has the store tried again later.
func (r *Recorder) fail(err error) {
	r.pause = min(max(2*r.pause, r.o.interval), longestPause)
	r.next = time.Now().Add(r.pause)
	r.mu.Lock()
	r.stats.StoreFailures++
	r.stats.StoreAway = true
	bytes := r.journal.bytes
	r.mu.Unlock()
	r.away.say(func() {
		r.log.Warn("the store cannot be written: messages wait in the journal", "error", err.Error(), "journal_bytes", bytes)
	})
}

// commit makes a batch of a segment and deletes it.
func (r *Recorder) commit(ctx context.Context, s segment) error {
	b, counted, err := r.batch(s)
	if err != nil {
		return r.unreadable(s, err)
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	if err := r.o.Store.AddBatch(ctx, b); err != nil {
		return err
	}
	// Where it cannot be deleted, it comes again, and changes nothing.
	if err := os.Remove(r.journal.path(s.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(s)
	r.stats.Committed += counted
	r.stats.Pending -= s.messages
	return nil
}

// batch reads a segment. Its batch is the same whenever that is done.
func (r *Recorder) batch(s segment) (b store.Batch, messages int64, err error) {
	b = store.Batch{Source: s.source, Number: s.number}
	f, err := os.Open(r.journal.path(s.name))
	if err != nil {
		return b, 0, err
	}
	defer f.Close()
	var counted fold
	whole, err := read(f, func(kind byte, body []byte) error {
		if kind != decisionEntry {
			return counted.take(kind, body)
		}
		var d store.Decision
		if err := d.UnmarshalBinary(body); err != nil {
			return errEntry
		}
		counted.add(&d)
		b.Decisions = append(b.Decisions, d)
		return nil
	})
	if errors.Is(err, errTorn) {
		err = nil
		r.cut(s, whole)
	}
	if err == nil {
		err = counted.fill(&b)
	}
	return b, counted.messages, err
}

// cut takes away what is behind the last whole entry: what a program was writing when it was killed.
func (r *Recorder) cut(s segment, whole int64) {
	r.log.Warn("the end of a segment of the journal was not whole, and is cut", "segment", s.name, "bytes", s.bytes-whole)
	err := os.Truncate(r.journal.path(s.name), whole)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Torn++
	if err == nil {
		r.resize(s, whole)
	}
}

// resize notes how long a segment is now.
func (r *Recorder) resize(s segment, bytes int64) {
	for i := range r.journal.closed {
		if c := &r.journal.closed[i]; c.name == s.name {
			r.journal.bytes += bytes - c.bytes
			c.bytes = bytes
		}
	}
}

// patience is how often a disk that fails is asked for the same segment.
const patience = 10

// unreadable tries again later where the system is to blame, and else or after a while puts the segment aside.
func (r *Recorder) unreadable(s segment, why error) error {
	ours := errors.Is(why, errNoSegment) || errors.Is(why, errEntry) || errors.Is(why, fs.ErrNotExist)
	if r.unread++; !ours && r.unread < patience {
		return why
	}
	r.unread = 0
	r.setAside(s, why)
	return nil
}

// setAside keeps what cannot be read from standing in the way. It is renamed, not deleted.
func (r *Recorder) setAside(s segment, why error) {
	path := r.journal.path(s.name)
	err := os.Rename(path, path+badSuffix)
	r.log.Error("a segment of the journal cannot be read, and is set aside", "segment", s.name+badSuffix, "error", why.Error(), "messages", s.messages)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.log.Error("a segment of the journal cannot be renamed", "error", err.Error())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(s)
	r.stats.Unreadable++
	r.stats.Lost += s.messages
	r.stats.Pending -= s.messages
}

// forget takes a segment out of the list.
func (r *Recorder) forget(s segment) {
	for i := range r.journal.closed {
		if r.journal.closed[i].name == s.name {
			r.journal.bytes -= r.journal.closed[i].bytes
			r.journal.closed = append(r.journal.closed[:i], r.journal.closed[i+1:]...)
			return
		}
	}
}

// shrink boils the oldest segments down to their counts while there is little room.
func (r *Recorder) shrink() {
	for {
		r.mu.Lock()
		s, found := segment{}, false
		if r.journal.bytes > r.o.MaxBytes/4*3 {
			for _, c := range r.journal.closed {
				if !c.boiled {
					s, found = c, true
					break
				}
			}
		}
		r.mu.Unlock()
		if !found || !r.boil(s) {
			return
		}
	}
}

func (r *Recorder) boil(s segment) bool {
	b, _, err := r.batch(s)
	if err != nil {
		return r.unreadable(s, err) == nil
	}
	var counted fold
	for _, c := range b.Counts {
		counted.scratch, _ = c.AppendBinary(counted.scratch[:0])
		counted.count(counted.scratch, c.Count)
	}
	for _, u := range b.Uses {
		counted.use(u.Exception, u.Count, u.Last)
	}
	text := counted.append([]byte(magic))
	err = r.journal.replace(s, text, r.o.Sync != SyncNever)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.stats.JournalFailures++
		r.broken.say(func() { r.log.Error("a segment of the journal cannot be written anew", "error", err.Error()) })
		return false
	}
	r.tight.say(func() {
		r.log.Warn("the journal is nearly full: the oldest messages stay counted, and are no longer logged one by one", "max_bytes", r.o.MaxBytes)
	})
	r.resize(s, int64(len(text)))
	for i := range r.journal.closed {
		if c := &r.journal.closed[i]; c.name == s.name {
			c.boiled = true
		}
	}
	r.stats.Dropped += int64(len(b.Decisions))
	return true
}

// prune deletes what the store is to keep no longer.
func (r *Recorder) prune(now time.Time) {
	if r.o.Retention == (store.Retention{}) || now.Sub(r.pruned) < pruneEvery*r.o.interval {
		return
	}
	done, err := r.o.Store.Prune(r.ctx, r.o.Retention, now)
	if err != nil {
		r.fail(err)
		return
	}
	if done { // else the next round goes on
		r.pruned = now
	}
}

// syncEverySecond has what was written on the disk itself.
func (r *Recorder) syncEverySecond() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.mu.Lock()
			paths := r.journal.toSync()
			r.mu.Unlock()
			if err := r.sync(paths); err != nil {
				r.mu.Lock()
				r.stats.JournalFailures++
				r.broken.say(func() { r.log.Error("the journal does not get onto the disk", "error", err.Error()) })
				r.mu.Unlock()
			}
		case <-r.quit:
			return
		}
	}
}

// sync waits until files are on the disk. One that is gone is in the store.
func (r *Recorder) sync(paths []string) error {
	var failed []error
	for _, path := range paths {
		if err := syncPath(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
