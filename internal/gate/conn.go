package gate

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/internal/metrics"
)

// conn is one connection of a mail server.
//
// It stands between the network and the library. It lets only whole, sane packets through, since the library falls over others; it
// holds answers back until we would wait for the mail server again, so that those to one message leave as one; and it knows whether
// a message is under way, so that the gate can stop between two.
type conn struct {
	net.Conn
	gate     *Gate
	in       *bufio.Reader
	ack      func()    // acknowledges what came; nil where there is no need to
	deadline time.Time // of the next read from the network
	left     int       // bytes of the present packet that were not read yet
	maxFrame int

	out     []byte
	outLock sync.Mutex

	mu        sync.Mutex
	last      byte // the command of the present packet, or the one before
	inMessage bool
	draining  bool
	until     time.Time // draining: when the last message may begin
	closing   sync.Once
}

const (
	writeTimeout = 10 * time.Second
	closeTimeout = time.Second
	maxHeldBack  = 64 << 10

	// drainGrace is for messages that have begun for the mail server, which waits for no answer of ours, and whose first packet is still
	// on its way to us.
	drainGrace = 200 * time.Millisecond
)

func newConn(c net.Conn, g *Gate) *conn {
	limit := max(minMaxFrame, g.settings.Load().Limits.HeaderBytes+framePadding)
	own := &conn{Conn: c, gate: g, ack: acknowledger(c), maxFrame: limit}
	own.in = readers.Get().(*bufio.Reader)
	own.in.Reset(network{own})
	return own
}

// readers are the buffers of connections that have ended: mail servers make one for nearly every message.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, readBuffer) }}

// network is where a connection's buffer is filled from.
type network struct{ c *conn }

func (n network) Read(p []byte) (int, error) {
	n.c.mu.Lock()
	deadline, ending := n.c.deadline, n.c.draining && !n.c.inMessage
	if ending {
		deadline = n.c.until
	}
	n.c.Conn.SetReadDeadline(deadline)
	n.c.mu.Unlock()
	read, err := n.c.Conn.Read(p)
	if !ending && errors.Is(err, os.ErrDeadlineExceeded) && !time.Now().Before(deadline) { // and not because the gate stops
		n.c.gate.metrics.LimitReached(metrics.LimitIdle)
	}
	return read, err
}

// SetReadDeadline is for the next read from the network. The library sets one before each packet and takes it back after, and nearly
// all packets are in the buffer already.
func (c *conn) SetReadDeadline(t time.Time) error {
	if !t.IsZero() {
		c.deadline = t
	}
	return nil
}

// Read gives the bytes of a packet, never those of two. It is called from one goroutine, which an error ends.
func (c *conn) Read(p []byte) (n int, err error) {
	if c.in == nil {
		return 0, net.ErrClosed
	}
	defer func() {
		if err != nil {
			c.in.Reset(nil) // it holds on to nothing of this connection
			readers.Put(c.in)
			c.in = nil
		}
	}()
	if c.left == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n, err = c.in.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// next waits for a packet and looks at how it begins.
func (c *conn) next() error {
	if err := c.flush(writeTimeout); err != nil {
		return err
	}
	if !c.wait() {
		return io.EOF
	}
	if c.ack != nil && c.in.Buffered() == 0 {
		c.ack()
	}
	prefix, err := c.in.Peek(frameLength + 1)
	if err != nil {
		return c.over(err)
	}
	n, command, err := frame(prefix, c.maxFrame)
	if err != nil {
		return err
	}
	if command == packetConnect || command == packetMail || command == packetRecipient {
		if n > maxEnvelope {
			return errLongAddress
		}
		packet, err := c.in.Peek(frameLength + n)
		if err != nil {
			return err
		}
		if err := envelope(command, packet[frameLength+1:]); err != nil {
			return err
		}
	}
	c.begin(command)
	c.left = frameLength + n
	return nil
}

// wait notes that the packet before was answered. It is false where no other is wanted.
func (c *conn) wait() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == packetEnd {
		c.inMessage = false
	}
	return c.inMessage || !c.draining || time.Now().Before(c.until)
}

// over makes an end of what is no fault: that no message began while there was time.
func (c *conn) over(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining && !c.inMessage && errors.Is(err, os.ErrDeadlineExceeded) {
		return io.EOF
	}
	return err
}

func (c *conn) begin(command byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = command
	switch command {
	case packetMail:
		c.inMessage = true
	case packetAbort, packetConnect, packetNext:
		c.inMessage = false
	}
}

// drain ends the connection as soon as no message is under way.
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining, c.until = true, time.Now().Add(drainGrace)
	if !c.inMessage {
		c.Conn.SetReadDeadline(c.until) // for one who waits
	}
}

// Write keeps p for later.
func (c *conn) Write(p []byte) (int, error) {
	c.outLock.Lock()
	c.out = append(c.out, p...)
	full := len(c.out) > maxHeldBack
	c.outLock.Unlock()
	if full {
		return len(p), c.flush(writeTimeout)
	}
	return len(p), nil
}

func (c *conn) flush(timeout time.Duration) error {
	c.outLock.Lock()
	defer c.outLock.Unlock()
	if len(c.out) == 0 {
		return nil
	}
	c.Conn.SetWriteDeadline(time.Now().Add(timeout))
	_, err := c.Conn.Write(c.out)
	c.out = c.out[:0]
	return err
}

// SetWriteDeadline does nothing: nothing is written when the library thinks so.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// Close sends what was held back, unless the mail server does not take it, and frees the slot.
func (c *conn) Close() error {
	var err error
	c.closing.Do(func() {
		c.Conn.SetWriteDeadline(time.Now().Add(closeTimeout)) // for one who is writing now
		c.flush(closeTimeout)
		err = c.Conn.Close()
		c.gate.forget(c)
	})
	return err
}
