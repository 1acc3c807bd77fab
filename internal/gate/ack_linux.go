package gate

import (
	"net"
	"syscall"
)

// acknowledger gives a function that acknowledges at once what came over TCP, or nil.
//
// The kernel puts an acknowledgement off for 40 ms, in the hope of an answer to send it with. We give none before the end of the
// message, and a mail server whose kernel waits for the acknowledgement before it sends the next small packet (RFC 896) would stand
// still all that time, for each message.
func acknowledger(c net.Conn) func() {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	now := func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1) }
	return func() { raw.Control(now) }
}
