package observe

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// A fold counts messages by their Observation. The zero value has counted none.
type fold struct {
	counts   map[string]int64 // by the bytes of an Observation
	uses     map[int64]use
	messages int64
	size     int // about, in bytes of memory
	scratch  []byte
}

type use struct {
	count int64
	last  time.Time
}

// keyCost is about what an element of a map costs beside its key.
const keyCost = 64

// add counts a message.
func (f *fold) add(d *store.Decision) {
	o := store.Observe(d)
	f.scratch, _ = o.AppendBinary(f.scratch[:0])
	f.count(f.scratch, 1)
	if d.Exception != 0 {
		f.use(d.Exception, 1, d.Time)
	}
}

// addWithin counts a message, and tells whether so many bytes had room for it. When three quarters are taken, what is new is folded:
// what a sender makes up then takes no more room.
func (f *fold) addWithin(d *store.Decision, room int) bool {
	o := store.Observe(d)
	if f.scratch, _ = o.AppendBinary(f.scratch[:0]); f.size >= room/4*3 && !f.knows(f.scratch) {
		o = o.Fold(store.FoldLevels)
		if f.scratch, _ = o.AppendBinary(f.scratch[:0]); f.size >= room && !f.knows(f.scratch) {
			return false
		}
	}
	f.count(f.scratch, 1)
	if d.Exception != 0 {
		f.use(d.Exception, 1, d.Time)
	}
	return true
}

func (f *fold) knows(key []byte) bool {
	_, known := f.counts[string(key)]
	return known
}

func (f *fold) count(key []byte, n int64) {
	f.messages += n
	if f.counts == nil {
		f.counts = map[string]int64{}
	}
	before, known := f.counts[string(key)]
	if !known {
		f.size += len(key) + keyCost
	}
	f.counts[string(key)] = before + n
}

func (f *fold) use(exception, n int64, last time.Time) {
	if f.uses == nil {
		f.uses = map[int64]use{}
	}
	u, known := f.uses[exception]
	if !known {
		f.size += keyCost
	}
	u.count += n
	if last.After(u.last) {
		u.last = last
	}
	f.uses[exception] = u
}

// merge takes over what another fold counted.
func (f *fold) merge(other *fold) {
	for key, n := range other.counts {
		f.count([]byte(key), n)
	}
	for exception, u := range other.uses {
		f.use(exception, u.count, u.last)
	}
}

// split takes out what has about so many bytes.
func (f *fold) split(size int) fold {
	if f.size <= size {
		all := *f
		*f = fold{}
		return all
	}
	var some fold
	for key, n := range f.counts {
		if some.size+len(key)+keyCost > size {
			break
		}
		some.count([]byte(key), n)
		delete(f.counts, key)
	}
	f.messages -= some.messages
	f.size -= some.size
	return some // the uses go with the rest
}

// take reads an entry of a segment, other than a decision.
func (f *fold) take(kind byte, body []byte) error {
	n, size := binary.Varint(body)
	if size <= 0 {
		return errEntry
	}
	body = body[size:]
	switch kind {
	case countEntry:
		if n < 1 || new(store.Observation).UnmarshalBinary(body) != nil {
			return errEntry
		}
		f.count(body, n)
		return nil
	case useEntry:
		exception, size := binary.Varint(body)
		if size <= 0 {
			return errEntry
		}
		last, size := binary.Varint(body[size:])
		if size <= 0 || n < 1 {
			return errEntry
		}
		f.use(exception, n, time.UnixMicro(last).UTC())
		return nil
	}
	return errEntry
}

// errEntry is that of an entry with a good checksum that this version does not know.
var errEntry = errors.New("an entry that this version does not know")

// append writes what was counted as entries.
func (f *fold) append(b []byte) []byte {
	for key, n := range f.counts {
		start := len(b)
		b = binary.AppendVarint(beginEntry(b, countEntry), n)
		b = endEntry(append(b, key...), start)
	}
	for exception, u := range f.uses {
		start := len(b)
		b = binary.AppendVarint(beginEntry(b, useEntry), u.count)
		b = binary.AppendVarint(b, exception)
		b = endEntry(binary.AppendVarint(b, u.last.UnixMicro()), start)
	}
	return b
}

// fill puts what was counted into a batch.
func (f *fold) fill(b *store.Batch) error {
	b.Counts = make([]store.Count, 0, len(f.counts))
	for key, n := range f.counts {
		c := store.Count{Count: n}
		if err := c.UnmarshalBinary([]byte(key)); err != nil {
			return err
		}
		b.Counts = append(b.Counts, c)
	}
	for exception, u := range f.uses {
		b.Uses = append(b.Uses, store.Use{Exception: exception, Count: u.count, Last: u.last})
	}
	return nil
}
