package receiver

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// listener takes connections as long as there are not too many, and does not give up where one could not be taken.
type listener struct {
	net.Listener
	r        *Receiver
	protocol Protocol
}

// The time to wait after a connection could not be taken, as where there are too many open files.
const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
)

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for pause := minPause; ; {
		raw, err := l.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil, err
		case err != nil:
			l.r.o.Log.Error("a connection could not be taken", "listen", l.Addr().String(), "error", err.Error())
			time.Sleep(pause)
			pause = min(2*pause, maxPause)
			continue
		}
		pause = minPause
		if c := l.r.admit(raw, l.protocol); c != nil {
			return c, nil
		}
		l.r.turnedAway.Add(1)
		// The line fits into the socket's buffer: nobody can make us wait here.
		raw.SetWriteDeadline(time.Now().Add(time.Second))
		raw.Write([]byte("421 4.3.2 " + l.r.o.Hostname + " too many connections; try again later\r\n"))
		raw.Close()
	}
}

// admit makes a connection ours, or gives nil if there are too many.
func (r *Receiver) admit(raw net.Conn, p Protocol) *conn {
	c := newConn(raw, r)
	c.relay = p == LMTP || r.trusts(c.ip)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining || len(r.conns) >= r.o.MaxConnections {
		return nil
	}
	if !c.relay {
		if r.perIP[c.network] >= r.o.MaxPerIP {
			return nil
		}
		r.perIP[c.network]++
	}
	r.conns[c] = true
	r.connections.Add(1)
	return c
}

// forget is told once of each connection that ended.
func (r *Receiver) forget(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.conns[c] {
		return
	}
	delete(r.conns, c)
	if !c.relay {
		if r.perIP[c.network]--; r.perIP[c.network] == 0 {
			delete(r.perIP, c.network)
		}
	}
	if r.draining && len(r.conns) == 0 {
		close(r.empty)
	}
}

// clientIP is the address of a TCP client.
func clientIP(addr net.Addr) netip.Addr {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}

// networkOf is what counts as one client: an IPv4 address, or the IPv6 network that a single customer has.
func networkOf(ip netip.Addr) netip.Prefix {
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits)
	return p
}
