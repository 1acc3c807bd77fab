// Package mta speaks to milters as Postfix does, at little cost: the packets of a message are made once and sent as often as wanted.
//
//	m, err := mta.NewMessage("alice@example.com", "bob@example.org", raw)
//	s, err := mta.Dial(client, mta.Filter{Network: "tcp", Address: "127.0.0.1:8891"})
//	answer, err := s.Deliver(m)
//	s.Close()
//
// What Postfix does, and this too: it offers version 6 with everything in it; it waits for an answer where one was not waived, and
// otherwise writes on, 4096 octets at a time; the envelope is flushed before the content comes, since another process sends that;
// of several filters each hears every step of the envelope in turn, and the whole content before the next one does, with the
// fields that those before have put on top.
package mta

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/d--j/go-milter"
)

// A Filter is where a milter listens.
type Filter struct{ Network, Address string }

// A Client is who speaks SMTP to the mail server.
type Client struct {
	IP    string // IPv4
	Name  string // of its address
	Helo  string
	Login string // the name that it authenticated as, if it did
}

// A Session is one SMTP session: a connection to each filter, over which any number of messages goes.
type Session struct {
	client Client
	links  []*link
}

// A link is the connection to one filter.
type link struct {
	net.Conn
	in       *bufio.Reader
	out      *bufio.Writer
	protocol milter.OptProtocol
	done     *Answer // it wants to hear no more of this message
	gone     bool    // nor of this session
	payload  []byte  // of the packet read last
}

const (
	version    = 6
	streamSize = 4096 // of Postfix's buffers
	maxPayload = 1 << 20
	timeout    = 60 * time.Second
)

const (
	allActions  = milter.AllClientSupportedActionMasks
	allProtocol = milter.OptNoConnect | milter.OptNoHelo | milter.OptNoMailFrom | milter.OptNoRcptTo | milter.OptNoBody |
		milter.OptNoHeaders | milter.OptNoEOH | milter.OptNoUnknown | milter.OptNoData | milter.OptSkip | milter.OptRcptRej |
		milter.OptNoReplies | milter.OptHeaderLeadingSpace
)

var (
	readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, streamSize) }}
	writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, streamSize) }}
)

// Dial connects to every filter, agrees with it, and tells it of the client.
func Dial(c Client, filters ...Filter) (*Session, error) {
	s := &Session{client: c}
	for _, f := range filters {
		conn, err := net.DialTimeout(f.Network, f.Address, timeout)
		if err != nil {
			s.Drop()
			return nil, err
		}
		l := &link{Conn: conn, in: readers.Get().(*bufio.Reader), out: writers.Get().(*bufio.Writer)}
		l.in.Reset(conn)
		l.out.Reset(conn)
		s.links = append(s.links, l)
		conn.SetDeadline(time.Now().Add(timeout))
		if err := l.negotiate(); err != nil {
			s.Drop()
			return nil, err
		}
	}
	for _, p := range []packet{connectPacket(c), heloPacket(c)} {
		if err := s.toAll(p); err != nil {
			s.Drop()
			return nil, err
		}
	}
	return s, nil
}

func (l *link) negotiate() error {
	var offer [12]byte
	binary.BigEndian.PutUint32(offer[0:], version)
	binary.BigEndian.PutUint32(offer[4:], uint32(allActions))
	binary.BigEndian.PutUint32(offer[8:], uint32(allProtocol))
	l.out.Write(frame('O', offer[:]))
	if err := l.out.Flush(); err != nil {
		return err
	}
	command, payload, err := l.read()
	if err != nil {
		return err
	}
	if command != 'O' || len(payload) < len(offer) {
		return fmt.Errorf("the answer to the offer is a packet %q of %d octets", command, len(payload))
	}
	l.protocol = milter.OptProtocol(binary.BigEndian.Uint32(payload[8:]))
	if strange := l.protocol &^ allProtocol; strange != 0 {
		return fmt.Errorf("the filter wants protocol options that were not offered: %#x", uint32(strange))
	}
	return nil
}

// read gives a packet; its payload is good until the next one is read.
func (l *link) read() (byte, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(l.in, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < 1 || n > maxPayload {
		return 0, nil, fmt.Errorf("a packet of %d octets", n)
	}
	if uint32(cap(l.payload)) < n-1 {
		l.payload = make([]byte, n-1)
	}
	l.payload = l.payload[:n-1]
	_, err := io.ReadFull(l.in, l.payload)
	return head[4], l.payload, err
}

// toAll sends a step of the envelope to each filter in turn.
func (s *Session) toAll(p packet) error {
	for _, l := range s.links {
		if err := l.send(p); err != nil {
			return err
		}
	}
	return nil
}

// send writes a packet, unless the filter does not want it, and waits for the answer, unless there is none.
func (l *link) send(p packet) error {
	if l.done != nil || l.gone || l.protocol&p.unwanted != 0 && p.unwanted != 0 {
		return nil
	}
	data := p.data
	if l.protocol&milter.OptHeaderLeadingSpace == 0 && p.bare != nil {
		data = p.bare
	}
	if _, err := l.out.Write(data); err != nil {
		return err
	}
	if p.noReply != 0 && l.protocol&p.noReply == p.noReply {
		return nil
	}
	if err := l.out.Flush(); err != nil {
		return err
	}
	answer, err := l.answer()
	if err != nil {
		return err
	}
	if answer.Code != Continue && answer.Code != skip {
		l.done = &answer
		l.gone = p.ofSession
	}
	return nil
}

// Drop ends the connections without a word.
func (s *Session) Drop() { s.end(nil) }

// Close takes leave and ends the connections.
func (s *Session) Close() { s.end(frame('Q', nil)) }

func (s *Session) end(last []byte) {
	for _, l := range s.links {
		l.out.Write(last)
		if last != nil {
			l.out.Flush()
		}
		l.Conn.Close()
		l.in.Reset(nil)
		l.out.Reset(nil)
		readers.Put(l.in)
		writers.Put(l.out)
	}
	s.links = nil
}

var (
	errSpokeFirst = errors.New("the filter spoke before it was asked")
	errShort      = errors.New("the filter sent a packet that ends too early")
)

// Abort forgets the message that was begun. The session goes on.
func (s *Session) Abort() error {
	for _, l := range s.links {
		l.out.Write(frame('A', nil))
		if err := l.out.Flush(); err != nil {
			return err
		}
	}
	return nil
}
