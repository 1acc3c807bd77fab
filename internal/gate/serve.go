package gate

import (
	"context"
	"errors"
	"net"
	"time"
)

// Serve answers on a listener until [Gate.Shutdown]. It returns early only where the listener fails for good.
func (g *Gate) Serve(ln net.Listener) error {
	g.mu.Lock()
	draining := g.draining
	g.listeners = append(g.listeners, ln)
	g.mu.Unlock()
	if draining {
		return ln.Close()
	}
	err := g.server.Serve(&listener{ln, g})
	select {
	case <-g.quit:
		return nil
	default:
		return err
	}
}

// Shutdown takes no more connections, lets the messages that are under way come to their end, and closes what is left when ctx is done.
// It is called once.
func (g *Gate) Shutdown(ctx context.Context) {
	g.mu.Lock()
	g.draining = true
	close(g.quit)
	for _, ln := range g.listeners {
		ln.Close()
	}
	open := make([]*conn, 0, len(g.conns))
	for c := range g.conns {
		open = append(open, c)
	}
	if len(open) == 0 {
		close(g.empty)
	}
	g.mu.Unlock()

	for _, c := range open {
		c.drain()
	}
	select {
	case <-g.empty:
	case <-ctx.Done():
		g.log().Warn("messages were cut off", "reason", "they did not end in time")
	}
	g.server.Close()
}

// listener takes a connection only when there is a slot for it, and does not give up where one could not be taken.
type listener struct {
	net.Listener
	gate *Gate
}

// The time to wait after a connection could not be taken, as where there are too many open files.
const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
)

func (l *listener) Accept() (net.Conn, error) {
	if err := l.takeSlot(); err != nil {
		return nil, err
	}
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		c, err := l.Listener.Accept()
		if err == nil {
			return l.gate.remember(c), nil
		}
		if errors.Is(err, net.ErrClosed) {
			<-l.gate.slots
			return nil, err
		}
		l.gate.log().Error("a connection could not be taken", "listen", l.Addr().String(), "error", err.Error())
		select {
		case <-time.After(pause):
		case <-l.gate.quit:
		}
	}
}

// takeSlot waits until one more connection may be taken.
func (l *listener) takeSlot() error {
	select {
	case l.gate.slots <- struct{}{}:
		return nil
	default:
	}
	l.gate.metrics.SessionRefused()
	select {
	case l.gate.slots <- struct{}{}:
		return nil
	case <-l.gate.quit:
		return net.ErrClosed
	}
}

func (g *Gate) remember(raw net.Conn) *conn {
	c := newConn(raw, g)
	g.metrics.SessionOpened()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conns[c] = struct{}{}
	c.draining = g.draining
	return c
}

func (g *Gate) forget(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
	g.metrics.SessionClosed()
	<-g.slots
	if g.draining && len(g.conns) == 0 {
		select {
		case <-g.empty:
		default:
			close(g.empty)
		}
	}
}
