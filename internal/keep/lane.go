package keep

import (
	"slices"
	"time"
)

// A lane is where answers are made, so many at a time. Those that wait are made in the order in which they were last asked for, the last
// first: whoever asked earlier may have gone, and who still waits asks again. What one request asks for is made in its order.
type lane struct {
	free    int
	waiting []*place
}

// A place in a lane is one that is waited for, or one that is held.
type place struct {
	lane  *lane
	entry *entry        // of which it is known when it was asked for
	ready chan struct{} // closed when it is held, or given up
	gone  bool          // given up
	guest bool          // who it is held for is a part of what is being made elsewhere
}

// Idle tells whether no answer is being made.
func (k *Keeper) Idle() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.quick.free == k.o.Workers && k.slow.free == k.o.Slow
}

// enter takes a place, or waits for one. All of the lanes' functions are called with the keeper locked.
func (l *lane) enter(e *entry) *place {
	p := &place{lane: l, entry: e, ready: make(chan struct{})}
	if l.free > 0 {
		l.free--
		close(p.ready)
		return p
	}
	l.waiting = append(l.waiting, p)
	return p
}

// leave gives a place back, to who is next.
func (p *place) leave() {
	l := p.lane
	if len(l.waiting) == 0 {
		l.free++
		return
	}
	next := 0
	for i, w := range l.waiting {
		if w.entry.asked.After(l.waiting[next].entry.asked) {
			next = i
		}
	}
	w := l.waiting[next]
	l.waiting = slices.Delete(l.waiting, next, next+1)
	close(w.ready)
}

// waits tells whether others are before it; no place does not wait.
func (p *place) waits() bool { return p != nil && slices.Contains(p.lane.waiting, p) }

// stop waits for a place no longer, and tells whether it did until now.
func (p *place) stop() bool {
	i := slices.Index(p.lane.waiting, p)
	if i < 0 {
		return false
	}
	p.lane.waiting = slices.Delete(p.lane.waiting, i, i+1)
	close(p.ready)
	return true
}

// hold waits for a place, and gives what gives it back; nil if nobody can ask for the answer any more. What turns out to take long in the
// quick lane moves over to the slow one, if there is room.
func (k *Keeper) hold(e *entry, p *place) (leave func()) {
	<-p.ready
	k.mu.Lock()
	defer k.mu.Unlock()
	e.place = nil
	if p.gone {
		return nil
	}
	if p.guest {
		return func() {}
	}
	if p.lane == &k.slow {
		return func() { k.locked(p.leave) }
	}
	ended, left := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(left)
		k.move(e, p, ended)
	}()
	return func() { close(ended); <-left }
}

// move leaves a place in the quick lane at the end, or before that for one in the slow lane.
func (k *Keeper) move(e *entry, p *place, ended <-chan struct{}) {
	timer := time.NewTimer(k.o.Quick)
	defer timer.Stop()
	select {
	case <-ended:
		k.locked(p.leave)
		return
	case <-timer.C:
	}
	var slow *place
	k.locked(func() { slow = k.slow.enter(e) })
	select {
	case <-ended:
		k.locked(func() {
			if !slow.stop() {
				slow.leave()
			}
			p.leave()
		})
	case <-slow.ready:
		k.locked(p.leave)
		<-ended
		k.locked(slow.leave)
	}
}

func (k *Keeper) locked(do func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	do()
}
