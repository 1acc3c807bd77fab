package examine

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/gatepost-mail/gatepost/message"
)

// ErrEmpty says that there is nothing at all.
var ErrEmpty = errors.New("empty; give it a message")

// peekLength is how much of the first line is looked at. A field's name is shorter.
const peekLength = 1 << 10

// An mbox is told by its first five bytes.
const mboxStart = "From "

// Read reads a header as [message.Read] does. It refuses at a glance what is no message, so that nobody gets a verdict on a
// picture.
func Read(r io.Reader, l message.Limits) (*message.Message, error) {
	in := bufio.NewReaderSize(r, 32<<10)
	top, err := in.Peek(peekLength)
	switch {
	case len(top) == 0 && err == io.EOF:
		return nil, ErrEmpty
	case len(top) == 0 && err != nil:
		return nil, err
	case !beginsHeader(top):
		return nil, message.ErrNoHeader
	}
	return message.Read(in, l)
}

// beginsHeader tells whether the first bytes can be those of a message: a field's name with its colon, an empty line, or the line
// that begins a message in an mbox.
func beginsHeader(top []byte) bool {
	if bytes.HasPrefix(top, []byte(mboxStart)) {
		return true
	}
	for i, c := range top {
		switch {
		case c == ':':
			return i > 0
		case c == '\n':
			return i == 0 || i == 1 && top[0] == '\r'
		case (c < ' ' || c >= 0x7f) && c != '\t' && c != '\r':
			return false
		}
	}
	return len(top) < peekLength // the input ended within the name: message.Read says what it is
}
