package gate

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"

	"github.com/d--j/go-milter"
)

// A session is one connection of a mail server: one SMTP session or several, each with any number of messages. Its methods are the
// library's callbacks.
type session struct {
	milter.NoOpMilter
	gate         *Gate
	actions      milter.OptAction
	leadingSpace bool // header values keep the space after the colon

	ip      netip.Addr // invalid where the client has none
	helo    string
	count   int      // messages of this SMTP session
	transit *transit // the message under way, or nil
	broken  bool     // something panicked: nothing more is taken on from this mail server's session
}

func (g *Gate) newSession(_ uint32, actions milter.OptAction, protocol milter.OptProtocol, _ milter.DataSize) milter.Milter {
	return &session{gate: g, actions: actions, leadingSpace: protocol&milter.OptHeaderLeadingSpace != 0}
}

var errBroken = errors.New("gatepost: this session ended with a panic")

// step does what one callback is for. A panic breaks this session and nothing else: its message fails at its end, where an answer
// is always heard.
func (s *session) step(name string, do func()) (resp *milter.Response, err error) {
	resp = milter.RespContinue
	if s.broken {
		return resp, nil
	}
	defer func() {
		if r := recover(); r != nil {
			s.panicked(name, r)
		}
	}()
	do()
	return resp, nil
}

func (s *session) panicked(step string, value any) {
	s.broken = true
	s.gate.metrics.Panic()
	s.gate.log().Error("panic", "step", step, "client_ip", addr(s.ip), "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
}

// NewConnection begins an SMTP session.
func (s *session) NewConnection(milter.Modifier) error {
	s.step("new connection", func() {
		s.drop()
		s.ip, s.helo, s.count = netip.Addr{}, "", 0
	})
	return nil
}

// Connect tells who the client is.
func (s *session) Connect(_ string, family string, _ uint16, address string, _ milter.Modifier) (*milter.Response, error) {
	return s.step("connect", func() {
		s.drop()
		s.ip, s.count = clientIP(family, address), 0
	})
}

// clientIP is the address of the client. One that came by a Unix socket is on this host.
func clientIP(family, address string) netip.Addr {
	switch family {
	case "tcp4", "tcp6":
		ip, err := netip.ParseAddr(address)
		if err != nil {
			return netip.Addr{}
		}
		return ip.Unmap().WithZone("")
	case "unix":
		return netip.IPv6Loopback()
	}
	return netip.Addr{}
}

// Helo may come several times: again after STARTTLS.
func (s *session) Helo(name string, _ milter.Modifier) (*milter.Response, error) {
	return s.step("helo", func() { s.helo = name })
}

// MailFrom begins a message, whatever came of the one before.
func (s *session) MailFrom(from, _ string, m milter.Modifier) (*milter.Response, error) {
	return s.step("mail", func() {
		s.drop()
		s.count++
		if s.count <= s.gate.settings.Load().MaxMessages {
			s.transit = s.begin(from, m)
		}
	})
}

// RcptTo takes in a recipient, or puts it off.
func (s *session) RcptTo(to, _ string, m milter.Modifier) (*milter.Response, error) {
	answer := milter.RespContinue
	_, err := s.step("rcpt", func() {
		if s.transit != nil {
			answer = s.transit.recipient(to, m.Get(milter.MacroRcptAddr), m.Protocol()&milter.OptNoRcptReply == 0)
		}
	})
	return answer, err
}

// Header takes in a field.
func (s *session) Header(name, value string, _ milter.Modifier) (*milter.Response, error) {
	return s.step("header", func() {
		if s.transit == nil {
			return
		}
		if !s.leadingSpace { // an old mail server ate the one that nearly everybody writes
			value = " " + value
		}
		s.transit.field(name, value)
	})
}

// Headers ends the header.
func (s *session) Headers(milter.Modifier) (*milter.Response, error) {
	return s.step("end of header", func() {
		if s.transit != nil {
			s.transit.endHeader()
		}
	})
}

// BodyChunk takes in a piece of the body.
func (s *session) BodyChunk(chunk []byte, _ milter.Modifier) (*milter.Response, error) {
	return s.step("body", func() {
		if s.transit != nil {
			s.transit.body(chunk)
		}
	})
}

// EndOfMessage gives the verdict.
func (s *session) EndOfMessage(m milter.Modifier) (resp *milter.Response, err error) {
	if !s.broken {
		_, _ = s.step("end of message", func() { resp = s.end(m) })
		_, _ = s.step("close", s.drop)
	}
	if s.broken {
		return sorry, errBroken // the error closes the connection, once the answer is out
	}
	return resp, nil
}

// Abort forgets the message, not the client.
func (s *session) Abort(milter.Modifier) error {
	_, err := s.step("abort", s.drop)
	return err
}

// Cleanup ends what still runs.
func (s *session) Cleanup(milter.Modifier) {
	_, _ = s.step("cleanup", s.drop)
	if s.broken {
		s.broken = false // to get at what the panic left running
		_, _ = s.step("cleanup", s.drop)
	}
}

func (s *session) drop() {
	if t := s.transit; t != nil {
		s.transit = nil
		t.close()
	}
}
