package mta

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/d--j/go-milter"

	"github.com/gatepost-mail/gatepost/message"
)

// A packet is a step of the protocol, with the macros that go before it.
type packet struct {
	data      []byte
	bare      []byte // for a filter that wants header values without the space after the colon; nil if it is the same
	unwanted  milter.OptProtocol
	noReply   milter.OptProtocol
	ofSession bool
}

// frame is a packet as it goes over the wire.
func frame(command byte, payload []byte) []byte {
	b := make([]byte, 5, 5+len(payload))
	binary.BigEndian.PutUint32(b, uint32(len(payload)+1))
	b[4] = command
	return append(b, payload...)
}

// text joins strings as the protocol wants them: each ends with NUL.
func text(parts ...string) []byte { return []byte(strings.Join(parts, "\x00") + "\x00") }

// macros are names and values that belong to the step that follows.
func macros(step byte, pairs ...string) []byte {
	return frame('D', append([]byte{step}, text(pairs...)...))
}

// queueID is the same for all messages: no filter looks at it but to log it.
const queueID = "4XyZ1a2b3cz9sVr"

func connectPacket(c Client) packet {
	payload := append(text(c.Name), '4', 0x61, 0xc1) // port 25025
	payload = append(payload, text(c.IP)...)
	data := macros('C', "j", "mx.example.org", "{daemon_name}", "mx.example.org", "{daemon_addr}", "192.0.2.1", "v", "Postfix 3.7.11")
	return packet{data: append(data, frame('C', payload)...), unwanted: milter.OptNoConnect, noReply: milter.OptNoConnReply, ofSession: true}
}

func heloPacket(c Client) packet {
	return packet{data: append(macros('H', "{tls_version}", ""), frame('H', text(c.Helo))...), unwanted: milter.OptNoHelo, noReply: milter.OptNoHeloReply, ofSession: true}
}

func mailPacket(from, login string) packet {
	pairs := []string{"i", queueID, "{mail_addr}", from, "{mail_host}", "example.com", "{mail_mailer}", "smtp"}
	if login != "" {
		pairs = append(pairs, "{auth_type}", "PLAIN", "{auth_authen}", login)
	}
	return packet{data: append(macros('M', pairs...), frame('M', text("<"+from+">"))...), unwanted: milter.OptNoMailFrom, noReply: milter.OptNoMailReply}
}

func recipientPacket(to string) packet {
	data := macros('R', "i", queueID, "{rcpt_addr}", to, "{rcpt_host}", "example.org", "{rcpt_mailer}", "local")
	return packet{data: append(data, frame('R', text("<"+to+">"))...), unwanted: milter.OptNoRcptTo, noReply: milter.OptNoRcptReply}
}

func dataPacket() packet {
	return packet{data: append(macros('T', "i", queueID), frame('T', nil)...), unwanted: milter.OptNoData, noReply: milter.OptNoDataReply}
}

// fieldPacket is a header field whose value begins with the white space after the colon.
func fieldPacket(name, value string) packet {
	p := packet{data: frame('L', text(name, value)), unwanted: milter.OptNoHeaders, noReply: milter.OptNoHeaderReply}
	if bare, ok := strings.CutPrefix(value, " "); ok {
		p.bare = frame('L', text(name, bare))
	}
	return p
}

func endOfHeaderPacket() packet {
	return packet{data: append(macros('N', "i", queueID), frame('N', nil)...), unwanted: milter.OptNoEOH, noReply: milter.OptNoEOHReply}
}

func bodyPacket(chunk []byte) packet {
	return packet{data: frame('B', chunk), unwanted: milter.OptNoBody, noReply: milter.OptNoBodyReply}
}

func endPacket() []byte { return append(macros('E', "i", queueID), frame('E', nil)...) }

const bodyChunk = 1<<16 - 1 // MILTER_CHUNK_SIZE

// A Message is a mail transaction whose packets are made. It is safe for concurrent use.
type Message struct {
	From, To string
	mail     packet // without a login
	to       packet
	header   []packet
	body     []packet
}

// NewMessage takes a message apart as Postfix hands it over: folds as LF, values with their leading space.
func NewMessage(from, to string, raw []byte) (*Message, error) {
	read, err := message.Read(bytes.NewReader(raw), message.Limits{})
	if err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	fields := make([]Field, len(read.Header))
	for i, f := range read.Header {
		fields[i] = Field{f.Name, strings.ReplaceAll(f.Value(), "\r\n", "\n")}
	}
	body, err := io.ReadAll(read.Body)
	return New(from, to, fields, body), err
}

// New makes a message of header fields as Postfix hands them over, however many.
func New(from, to string, fields []Field, body []byte) *Message {
	m := &Message{From: from, To: to, mail: mailPacket(from, ""), to: recipientPacket(to)}
	for _, f := range fields {
		m.header = append(m.header, fieldPacket(f.Name, f.Value))
	}
	m.header = append(m.header, endOfHeaderPacket())
	for len(body) > 0 {
		n := min(len(body), bodyChunk)
		m.body = append(m.body, bodyPacket(body[:n]))
		body = body[n:]
	}
	return m
}
