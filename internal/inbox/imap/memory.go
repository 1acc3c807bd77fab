package imap

import (
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/gatepost-mail/gatepost/internal/inbox"
)

// A fate is what is to become of a message that the store has.
type fate int

const (
	good fate = iota
	bad
	fates
)

// memory is what is known of a mailbox beyond one connection. It has a few bytes for each message that waits, and none for the others.
type memory struct {
	mu       sync.Mutex
	validity uint32
	settled  [fates]imap.UIDSet // in the store, and not yet put away
	copied   map[imap.UID]bool  // of these, copied already, and not yet deleted
	until    [fates]time.Time   // when the server is asked again to put them away, since it refused
	backoff  [fates]inbox.Backoff
	later    map[imap.UID]*trouble
}

// trouble is that a message could not be fetched or stored.
type trouble struct {
	times int
	next  time.Time
}

const longestTrouble = 6 * time.Hour

// open is for a mailbox that was selected. UIDs mean something only together with a UIDVALIDITY (RFC 9051 2.3.1.1).
func (m *memory) open(validity uint32) (changed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	changed = m.validity != 0 && m.validity != validity
	if m.validity != validity || validity == 0 || m.later == nil {
		m.settled = [fates]imap.UIDSet{}
		m.copied = map[imap.UID]bool{}
		m.later = map[imap.UID]*trouble{}
	}
	m.validity = validity
	return changed
}

// settle is for a message that is in the store.
func (m *memory) settle(uid imap.UID, f fate) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.later, uid)
	m.settled[f].AddNum(uid)
}

// putAway is for messages that are where they belong, or are not there any more.
func (m *memory) putAway(uids []imap.UID, f fate) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.backoff[f].Reset()
	m.until[f] = time.Time{}
	for _, uid := range uids {
		delete(m.copied, uid)
	}
	rest := imap.UIDSet{}
	for _, r := range m.settled[f] {
		for uid := r.Start; ; uid++ { // what is put away comes from the front, and makes few steps of this
			if !slices.Contains(uids, uid) {
				rest.AddRange(uid, r.Stop)
				break
			}
			if uid == r.Stop {
				break
			}
		}
	}
	m.settled[f] = rest
}

// next are some messages to put away, all of them copied or none.
func (m *memory) next(f fate, now time.Time) (uids []imap.UID, copied bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Before(m.until[f]) {
		return nil, false
	}
	for _, r := range m.settled[f] {
		for uid := r.Start; ; uid++ {
			if len(uids) == 0 {
				copied = m.copied[uid]
			}
			if len(uids) == putAwayAtOnce || m.copied[uid] != copied {
				return uids, copied
			}
			uids = append(uids, uid)
			if uid == r.Stop {
				break
			}
		}
	}
	return uids, copied
}

func (m *memory) wereCopied(uids []imap.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, uid := range uids {
		m.copied[uid] = true
	}
}

// refused is for when the server does not put away.
func (m *memory) refused(f fate, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.backoff[f].First == 0 {
		m.backoff[f] = inbox.Backoff{First: time.Minute, Most: time.Hour}
	}
	m.until[f] = now.Add(m.backoff[f].Next())
}

// waiting is how many are in the store and not yet put away.
func (m *memory) waiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, set := range m.settled {
		n += count(set)
	}
	return n
}

// blocked tells whether the server refuses to put away.
func (m *memory) blocked() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.until[:], func(t time.Time) bool { return !t.IsZero() })
}

// troubled tells whether there are messages that could not be fetched or stored.
func (m *memory) troubled() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.later) > 0
}

// ready tells whether there is enough to put away at once.
func (m *memory) ready(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for f, set := range m.settled {
		if !now.Before(m.until[f]) && count(set) >= putAwayAtOnce {
			return true
		}
	}
	return false
}

// has tells whether a message is not to be offered because of what is known of it.
func (m *memory) has(uid imap.UID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.settled[good].Contains(uid) || m.settled[bad].Contains(uid) || m.later[uid] != nil
}

// failed is for a message that could not be fetched or stored. If it was fetched together with others, then it may be another's fault,
// and it is tried alone at once.
func (m *memory) failed(uid imap.UID, alone bool, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.later[uid]
	if t == nil {
		t = new(trouble)
		m.later[uid] = t
	}
	if !alone {
		t.next = now
		return
	}
	t.times++
	t.next = now.Add(min(time.Second<<min(t.times-1, 16), longestTrouble))
}

// forget is for a message that is not there any more.
func (m *memory) forget(uid imap.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.later, uid)
}

// due are those to be tried again now.
func (m *memory) due(now time.Time) []imap.UID {
	m.mu.Lock()
	defer m.mu.Unlock()
	var uids []imap.UID
	for uid, t := range m.later {
		if !t.next.After(now) {
			uids = append(uids, uid)
		}
	}
	slices.Sort(uids)
	return uids
}

// then is when something is to be tried again, if before latest.
func (m *memory) then(latest time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.later {
		if t.next.Before(latest) {
			latest = t.next
		}
	}
	for f, t := range m.until {
		if !t.IsZero() && len(m.settled[f]) > 0 && t.Before(latest) {
			latest = t
		}
	}
	return latest
}

func count(set imap.UIDSet) int {
	n := 0
	for _, r := range set {
		n += int(r.Stop) - int(r.Start) + 1
	}
	return n
}
