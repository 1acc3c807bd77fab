package gate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// The packets of the milter protocol that the gate looks at before the library does.
const (
	packetConnect   = 'C'
	packetMail      = 'M'
	packetRecipient = 'R'
	packetEnd       = 'E' // of the message
	packetAbort     = 'A'
	packetNext      = 'K' // another SMTP session on the same connection
)

const (
	frameLength  = 4                        // bytes that tell how long a packet is
	readBuffer   = 16 << 10                 // what a mail server sends at once: most of a small message
	maxEnvelope  = readBuffer - frameLength // of a packet of the envelope, which is looked at as a whole
	framePadding = 64 << 10                 // beyond the largest header field
	minMaxFrame  = 1<<20 + framePadding     // the largest body chunk there is in the protocol
)

var (
	errEmptyFrame  = errors.New("milter: a packet without a command")
	errUnclosed    = errors.New("milter: a packet's text does not end")
	errNoFamily    = errors.New("milter: a connect packet without an address family")
	errLongAddress = errors.New("milter: a packet of the envelope is too long")
)

// frame is a packet's length, with the command, that a mail server announced.
func frame(prefix []byte, limit int) (int, byte, error) {
	n := binary.BigEndian.Uint32(prefix)
	switch {
	case n == 0:
		return 0, 0, errEmptyFrame
	case uint64(n) > uint64(limit):
		return 0, 0, fmt.Errorf("milter: a packet of %d bytes, where %d are allowed", n, limit)
	}
	return int(n), prefix[frameLength], nil
}

// envelope tells whether the library can read a packet of the envelope: it takes for granted that its first text ends with NUL, and
// that an address family follows the client's name.
func envelope(command byte, data []byte) error {
	if command != packetConnect && command != packetMail && command != packetRecipient || len(data) == 0 {
		return nil
	}
	end := bytes.IndexByte(data, 0)
	switch {
	case end < 0:
		return errUnclosed
	case command == packetConnect && end == len(data)-1:
		return errNoFamily
	}
	return nil
}
