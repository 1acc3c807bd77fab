//go:build linux

package postfix

import (
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// A sink takes all mail that Postfix passes on, and keeps its bytes.
type sink struct {
	address string

	mu         sync.Mutex
	arrived    func(message string) // told of each message, before it is taken; nil: nobody is
	messages   []string
	recipients []string // of each message, with a space between them
}

func startSink(t *testing.T) *sink {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{address: ln.Addr().String()}
	server := smtp.NewServer(s)
	server.Domain = "sink.example.org"
	server.EnableSMTPUTF8 = true
	go server.Serve(ln)
	t.Cleanup(func() { server.Close() })
	return s
}

// NewSession implements smtp.Backend.
func (s *sink) NewSession(*smtp.Conn) (smtp.Session, error) { return &sinkSession{sink: s}, nil }

type sinkSession struct {
	sink *sink
	to   []string
}

func (s *sinkSession) Reset()                             { s.to = nil }
func (*sinkSession) Logout() error                        { return nil }
func (*sinkSession) Mail(string, *smtp.MailOptions) error { return nil }

func (s *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

func (s *sinkSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.sink.mu.Lock()
	arrived := s.sink.arrived
	s.sink.mu.Unlock()
	if arrived != nil {
		arrived(string(text))
	}
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	s.sink.messages = append(s.sink.messages, string(text))
	s.sink.recipients = append(s.sink.recipients, strings.Join(s.to, " "))
	return nil
}

func (s *sink) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.messages...)
}

// to tells for whom the one message came that has this text in it.
func (s *sink) to(mark string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, m := range s.messages {
		if strings.Contains(m, mark) {
			return s.recipients[i]
		}
	}
	return ""
}

// wait gives the one message that comes with this text in it.
func (s *sink) wait(t *testing.T, mark string) string {
	t.Helper()
	found := ""
	waitFor(t, "the message "+mark, func() bool {
		for _, m := range s.all() {
			if strings.Contains(m, mark) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// A sender is an SMTP client that claims to be somebody else.
type sender struct {
	ip, helo, from string
	login          string       // SASL's, which XCLIENT hands on without a password
	to             []string     // b@example.org if there is none
	putOff         func(string) // told of recipients that are to be tried again; nil: none is
}

// A step is a command with the reply that is wanted.
type step struct {
	line string
	want int
}

// recipients are those of a message.
func (s sender) recipients() []string {
	if len(s.to) == 0 {
		return []string{"b@example.org"}
	}
	return s.to
}

// send hands over a message and gives the reply to it.
func (s sender) send(address, message string) (code int, reply string, err error) {
	nc, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return 0, "", err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(2 * time.Minute))
	c := textproto.NewConn(nc)
	if _, _, err := c.ReadResponse(220); err != nil {
		return refusal(err)
	}
	// XCLIENT begins the session anew, as the client that it names (Postfix's XCLIENT_README).
	steps := []step{{"EHLO test", 250}}
	if s.ip != "" {
		xclient := "XCLIENT ADDR=" + s.ip + " NAME=[UNAVAILABLE]"
		if s.login != "" {
			xclient += " LOGIN=" + s.login
		}
		steps = append(steps, step{xclient, 220}, step{"EHLO " + s.helo, 250})
	}
	steps = append(steps, step{"MAIL FROM:<" + s.from + ">", 250})
	for _, to := range s.recipients() {
		steps = append(steps, step{"RCPT TO:<" + to + ">", 250})
	}
	steps = append(steps, step{"DATA", 354})
	for _, step := range steps {
		if err := c.PrintfLine("%s", step.line); err != nil {
			return 0, "", err
		}
		if _, _, err := c.ReadResponse(step.want); err != nil {
			code, reply, err := refusal(err)
			if code != 452 || s.putOff == nil {
				return code, reply, err
			}
			s.putOff(reply) // one recipient; the others are not
		}
	}
	w := c.DotWriter()
	if _, err := io.WriteString(w, message); err != nil {
		return 0, "", err
	}
	if err := w.Close(); err != nil {
		return 0, "", err
	}
	code, text, err := c.ReadResponse(0)
	if err != nil {
		return 0, "", err
	}
	c.PrintfLine("QUIT")
	return code, fmt.Sprintf("%d %s", code, text), nil
}

// refusal tells a reply that was not wanted from a connection that broke.
func refusal(err error) (int, string, error) {
	if e, ok := err.(*textproto.Error); ok {
		return e.Code, e.Error(), nil
	}
	return 0, "", err
}
