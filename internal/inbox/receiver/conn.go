package receiver

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// A conn is a connection with the bounds that the library leaves to us: it gives a command the time that it has as a whole, and sets no
// other deadline for a message than that of its first command.
type conn struct {
	net.Conn
	r       *Receiver
	ip      netip.Addr   // the zero value where it did not come by TCP
	network netip.Prefix // of ip
	relay   bool         // what it says is passed on from others

	mu       sync.Mutex
	command  time.Time // by when a command must have come, as the library says
	patience time.Time // by when a message must have been stored
	message  bool      // one is coming
	began    time.Time // when it began
	received int64     // since it began
	unheard  int64     // bytes that came since we last said something
	last     bool      // what is said next is the last
	leaving  bool      // the message that is coming is the last
}

func newConn(raw net.Conn, r *Receiver) *conn {
	c := &conn{Conn: raw, r: r, ip: clientIP(raw.RemoteAddr()), patience: time.Now().Add(r.o.Patience)}
	if c.ip.IsValid() {
		c.network = networkOf(c.ip)
	}
	return c
}

var errTooMuch = errors.New("receiver: more bytes than any message may have")

// Read implements io.Reader.
func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	c.Conn.SetReadDeadline(c.deadline(time.Now()))
	tooMuch := c.unheard > 2*c.r.o.MaxBytes+maxLine // with dots stuffed and TLS around it
	c.mu.Unlock()
	if tooMuch {
		return 0, errTooMuch
	}
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received += int64(n)
	c.unheard += int64(n)
	if err == io.EOF {
		// In the middle of a chunk (RFC 3030), the library takes an end for that of the chunk.
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// deadline is when waiting for more bytes ends.
func (c *conn) deadline(now time.Time) time.Time {
	if !c.message {
		if c.command.IsZero() || c.patience.Before(c.command) {
			return c.patience
		}
		return c.command
	}
	silence := now.Add(c.r.o.Timeout)
	slow := c.began.Add(c.r.o.Timeout + time.Duration(float64(c.received)/float64(c.r.o.MinRate)*float64(time.Second)))
	if slow.Before(silence) {
		return slow
	}
	return silence
}

// SetReadDeadline implements net.Conn. The deadline is the library's, for a command.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.command = t
	return nil
}

// Write implements io.Writer.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.mu.Lock()
	c.unheard = 0
	last := c.last
	c.mu.Unlock()
	if last {
		c.Close()
	}
	return n, err
}

// Close implements io.Closer.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.r.forget(c)
	return err
}

// begin says that a message is coming.
func (c *conn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.message, c.began, c.received = true, time.Now(), 0
}

// end says that none is, and that what there is to say of the last one was said.
func (c *conn) end() {
	c.mu.Lock()
	c.message = false
	leaving := c.leaving
	c.mu.Unlock()
	if leaving {
		c.Close()
	}
}

// stored says that a message was stored: the client is of use.
func (c *conn) stored() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.patience = time.Now().Add(c.r.o.Patience)
}

// finish makes what is said next the last.
func (c *conn) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = true
}

// drain ends the connection, or has it end after the message that is coming.
func (c *conn) drain() {
	c.mu.Lock()
	c.leaving = true
	idle := !c.message
	c.mu.Unlock()
	if idle {
		c.Close()
	}
}
