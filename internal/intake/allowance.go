package intake

import (
	"context"
	"sync"
)

// An allowance bounds what is read ahead of what is written. What one item takes is known only when it was read, so the bound is passed
// by what is being read at that time.
type allowance struct {
	most int

	mu    sync.Mutex
	taken int
	freed chan struct{} // has one where something was given back
}

func newAllowance(most int) *allowance {
	return &allowance{most: most, freed: make(chan struct{}, 1)}
}

// wait waits until there is something left, or the context ends. One at a time may wait.
func (a *allowance) wait(ctx context.Context) error {
	for !a.left() {
		select {
		case <-a.freed:
		case <-ctx.Done():
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (a *allowance) left() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.taken < a.most
}

func (a *allowance) take(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.taken += n
}

func (a *allowance) give(n int) {
	a.take(-n)
	select {
	case a.freed <- struct{}{}:
	default:
	}
}
