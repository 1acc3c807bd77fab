package imap

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

type tlsConfig = tls.Config

// allowance is how much a server may send for one command, apart from the messages that were asked for.
const allowance = 1 << 20

// slowest is how fast a message has to come at least, in bytes a second.
const slowest = 4 << 10

// A guard stands between the IMAP library and the connection. The library bounds neither what it reads nor how long it waits for an
// answer, and gives a message of any size five minutes; the guard does it for each command.
type guard struct {
	net.Conn
	stall time.Duration

	mu    sync.Mutex
	busy  bool      // a command is under way, so that something must come
	until time.Time // and must have come by then
	left  int64     // of what may come
	cause error     // why nothing comes any more
}

// begin is before a command.
func (g *guard) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy = true
	g.left = allowance
	g.until = time.Now().Add(5 * g.stall)
	g.deadline()
}

// expect allows for a message in the answer.
func (g *guard) expect(size int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left += size
	g.until = g.until.Add(time.Duration(size/slowest+1) * time.Second)
	g.deadline()
}

// end is after a command. What the server says now, it says unasked.
func (g *guard) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy = false
	g.left = allowance
	g.deadline()
}

func (g *guard) deadline() {
	if !g.busy {
		g.Conn.SetReadDeadline(time.Time{})
		return
	}
	by := time.Now().Add(g.stall)
	if by.After(g.until) {
		by = g.until
	}
	g.Conn.SetReadDeadline(by)
}

// Read is as of an io.Reader; a connection that ends is an error, since what ends in the middle of a message must not be taken for whole.
func (g *guard) Read(p []byte) (int, error) {
	g.mu.Lock()
	if g.cause != nil || g.left <= 0 {
		if g.cause == nil {
			g.cause = errors.New("the server sends without end")
		}
		err := g.cause
		g.mu.Unlock()
		return 0, err
	}
	g.deadline()
	if int64(len(p)) > g.left {
		p = p[:g.left]
	}
	g.mu.Unlock()

	n, err := g.Conn.Read(p)

	g.mu.Lock()
	defer g.mu.Unlock()
	g.left -= int64(n)
	if err == nil {
		return n, nil
	}
	var timeout net.Error
	switch {
	case g.cause != nil:
	case errors.As(err, &timeout) && timeout.Timeout():
		g.cause = fmt.Errorf("the server did not answer within %v", g.stall)
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		g.cause = errors.New("the server closed the connection")
	default:
		g.cause = fmt.Errorf("the connection broke: %w", err)
	}
	return n, g.cause
}

// fail ends the connection for a reason of ours.
func (g *guard) fail(why error) {
	g.mu.Lock()
	if g.cause == nil {
		g.cause = why
	}
	g.mu.Unlock()
	g.Conn.Close()
}

// broken is why the connection can no longer be used, or nil.
func (g *guard) broken() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cause
}

// SetReadDeadline is the library's, which knows neither how large a message is nor how slow the line.
func (g *guard) SetReadDeadline(time.Time) error { return nil }
