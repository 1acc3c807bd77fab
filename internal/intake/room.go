package intake

import "sync"

// A room bounds what was read and is not written yet. Who hands out the items waits for it, so that all that fills it comes before the
// next item, and can be written without that.
type room struct {
	mu    sync.Mutex
	freed *sync.Cond
	most  int
	taken int
}

func newRoom(most int) *room {
	r := &room{most: most}
	r.freed = sync.NewCond(&r.mu)
	return r
}

// wait waits until the room is not full.
func (r *room) wait() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.taken >= r.most {
		r.freed.Wait()
	}
}

// take fills some of the room, or frees it.
func (r *room) take(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken += n
	if n < 0 {
		r.freed.Broadcast()
	}
}

// open ends all waiting.
func (r *room) open() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.most = int(^uint(0) >> 1)
	r.freed.Broadcast()
}
