package dns

import (
	"context"
	"time"

	"github.com/miekg/dns"
)

// maxIdle bounds the sockets that stay open to a server for the next question.
const maxIdle = 256

// A socket asks one question at a time.
type socket struct {
	*dns.Conn
	asked int // questions
}

// pace waits until the server may be asked another question.
func (s *server) pace(ctx context.Context) error {
	if s.limit == nil {
		return nil
	}
	if err := s.limit.Wait(ctx); err != nil {
		return &Error{Kind: ErrTimeout, Err: err}
	}
	return nil
}

// put sends a question to a server, and waits for the answer. A socket over which something went wrong is not used again.
func (c *Client) put(ctx context.Context, s *server, network string, question *dns.Msg) (*dns.Msg, error) {
	client := dns.Client{Net: network, Timeout: c.timeout, UDPSize: udpSize}
	if network != "udp" || c.reuse == 1 {
		in, _, err := client.ExchangeContext(ctx, question, s.address)
		return in, err
	}
	socket, err := s.open(ctx, &client)
	if err != nil {
		return nil, err
	}
	socket.asked++
	in, _, err := client.ExchangeWithConnContext(ctx, question, socket.Conn)
	if err != nil || socket.asked >= c.reuse {
		socket.Close()
		return in, err
	}
	select {
	case s.idle <- socket:
	default:
		socket.Close()
	}
	return in, nil
}

// open gives a socket to ask a server over: one that is free, or a new one.
func (s *server) open(ctx context.Context, client *dns.Client) (*socket, error) {
	select {
	case idle := <-s.idle:
		idle.SetDeadline(time.Time{})
		return idle, nil
	default:
	}
	conn, err := client.DialContext(ctx, s.address)
	if err != nil {
		return nil, err
	}
	return &socket{Conn: conn}, nil
}
