package mta

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/d--j/go-milter"
)

// The codes of an answer.
const (
	Continue = 'c'
	Accept   = 'a'
	Reject   = 'r'
	Defer    = 't'
	Discard  = 'd'
	Reply    = 'y'
	skip     = 's'
)

// An Answer is what the filters say of a message: that of the first that stops it, else that of the last.
type Answer struct {
	Code   byte
	Text   string  // the SMTP reply, of a Reply
	Fields []Field // put on top by the filters, in the order in which they did so
	Held   bool    // quarantined
}

// A Field is a header field as a filter gave it.
type Field struct{ Name, Value string }

// Class is 2, 4 or 5, as in an SMTP reply.
func (a *Answer) Class() int {
	switch {
	case a.Code == Reject, a.Code == Reply && strings.HasPrefix(a.Text, "5"):
		return 5
	case a.Code == Defer, a.Code == Reply:
		return 4
	}
	return 2
}

// Field gives the values of all fields of a name, joined.
func (a *Answer) Field(name string) string {
	var all []string
	for _, f := range a.Fields {
		if strings.EqualFold(f.Name, name) {
			all = append(all, f.Value)
		}
	}
	return strings.Join(all, "\n")
}

// A Pace is how a message is sent, if not as fast as can be.
type Pace struct {
	Pause time.Duration // before each packet of the content
	Stop  int           // after so many packets of the content; 0 for at the end
}

// Deliver sends a message and gives the answer to it.
func (s *Session) Deliver(m *Message) (Answer, error) {
	if err := s.Envelope(m); err != nil {
		return Answer{}, err
	}
	return s.Content(m, Pace{})
}

// Envelope begins a message.
func (s *Session) Envelope(m *Message) error {
	mail := m.mail
	if s.client.Login != "" {
		mail = mailPacket(m.From, s.client.Login)
	}
	for _, l := range s.links {
		l.Conn.SetDeadline(time.Now().Add(timeout))
		if !l.gone {
			l.done = nil
		}
	}
	for _, p := range []packet{mail, m.to, data} {
		if err := s.toAll(p); err != nil {
			return err
		}
	}
	for _, l := range s.links {
		if err := l.out.Flush(); err != nil {
			return err
		}
		if l.in.Buffered() > 0 {
			return errSpokeFirst
		}
	}
	return nil
}

var (
	data = dataPacket()
	end  = endPacket()
)

// Content sends header and body to one filter after the other. Where the pace says so it stops, and the answer has no code.
func (s *Session) Content(m *Message, pace Pace) (Answer, error) {
	var all Answer
	for _, l := range s.links {
		whole, err := l.content(m, all.Fields, pace)
		if err != nil {
			return all, err
		}
		if !whole {
			return Answer{}, l.out.Flush()
		}
		answer := l.done
		all.Code, all.Text, all.Held = answer.Code, answer.Text, all.Held || answer.Held
		all.Fields = append(all.Fields, answer.Fields...)
		if !l.gone {
			l.done = nil
		}
		if all.Class() != 2 || all.Code == Discard {
			break
		}
	}
	return all, nil
}

// content is false where the pace stopped it.
func (l *link) content(m *Message, top []Field, pace Pace) (whole bool, err error) {
	n := 0
	step := func(p packet) bool {
		if pace.Pause > 0 {
			if err = l.out.Flush(); err != nil {
				return false
			}
			time.Sleep(pace.Pause)
			l.Conn.SetDeadline(time.Now().Add(timeout))
		}
		err = l.send(p)
		n++
		return err == nil && (pace.Stop == 0 || n < pace.Stop)
	}
	for i := len(top) - 1; i >= 0; i-- {
		if !step(fieldPacket(top[i].Name, top[i].Value)) {
			return false, err
		}
	}
	for _, packets := range [2][]packet{m.header, m.body} {
		for i := range packets {
			if !step(packets[i]) {
				return false, err
			}
		}
	}
	if l.done != nil {
		return true, nil
	}
	l.out.Write(end)
	if err := l.out.Flush(); err != nil {
		return false, err
	}
	answer, err := l.answer()
	l.done = &answer
	return true, err
}

// answer reads what the filter changes, and what it says.
func (l *link) answer() (Answer, error) {
	var a Answer
	for {
		command, payload, err := l.read()
		if err != nil {
			return a, err
		}
		switch command {
		case Continue, Accept, Reject, Defer, Discard, skip:
			a.Code = command
			return a, nil
		case Reply:
			a.Code, a.Text = command, string(bytes.TrimRight(payload, "\x00"))
			return a, nil
		case 'p', 'm', '+', '-', '2', 'e', 'b': // progress, and changes that do not matter here
		case 'q':
			a.Held = true
		case 'h', 'i':
			if err := a.add(command, payload, l.protocol); err != nil {
				return a, err
			}
		default:
			return a, fmt.Errorf("the filter sent a packet %q", command)
		}
	}
}

// add notes a field that the filter puts on top. Of those at the end only the value matters here.
func (a *Answer) add(command byte, payload []byte, protocol milter.OptProtocol) error {
	if command == 'i' {
		if len(payload) < 4 {
			return errShort
		}
		if index := binary.BigEndian.Uint32(payload); index > 1 { // both are the top (smfi_insheader)
			return fmt.Errorf("the filter inserts a field at %d: only the top is known here", index)
		}
		payload = payload[4:]
	}
	name, rest, ok := bytes.Cut(payload, []byte{0})
	value, _, ended := bytes.Cut(rest, []byte{0})
	if !ok || !ended {
		return errShort
	}
	f := Field{Name: string(name), Value: string(value)}
	if protocol&milter.OptHeaderLeadingSpace == 0 {
		f.Value = " " + f.Value
	}
	a.Fields = append(a.Fields, f)
	return nil
}
