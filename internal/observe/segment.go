package observe

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// A segment is a file of the journal: a magic number, then entries. Its name says which batch it becomes, and sorts by age:
// START.SOURCE.NUMBER.journal, in hexadecimal digits.
type segment struct {
	name     string
	source   string
	number   int64
	bytes    int64
	messages int64 // that this run wrote
	boiled   bool  // no decisions are left in it
}

const (
	magic     = "gpjrnl1\n"
	suffix    = ".journal"
	badSuffix = ".unreadable"
	tmpSuffix = ".new"
)

func segmentName(start int64, source string, number int64) string {
	return fmt.Sprintf("%016x.%s.%08x%s", start, source, number, suffix)
}

// parseName tells which batch a file becomes.
func parseName(name string) (source string, number int64, ok bool) {
	parts := strings.Split(strings.TrimSuffix(name, suffix), ".")
	if !strings.HasSuffix(name, suffix) || len(parts) != 3 || parts[1] == "" {
		return "", 0, false
	}
	number, err := strconv.ParseInt(parts[2], 16, 64)
	return parts[1], number, err == nil && number > 0
}

// The kinds of entries.
const (
	decisionEntry = 'd' // a store.Decision
	countEntry    = 'c' // how many, and a store.Observation
	useEntry      = 'u' // of an exception: its number, how many, when last
)

// An entry is its length, a checksum, and so many bytes: its kind and what it holds.
const (
	entryHead = 8
	maxEntry  = store.MaxEncoded + 64
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// beginEntry leaves room for the head, which endEntry fills in.
func beginEntry(b []byte, kind byte) []byte {
	return append(b, 0, 0, 0, 0, 0, 0, 0, 0, kind)
}

func endEntry(b []byte, start int) []byte {
	body := b[start+entryHead:]
	binary.LittleEndian.PutUint32(b[start:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(body, castagnoli))
	return b
}

func appendDecision(b []byte, d *store.Decision) []byte {
	start := len(b)
	b = beginEntry(b, decisionEntry)
	b, _ = d.AppendBinary(b)
	return endEntry(b, start)
}

// errTorn is that of a segment which ends in the middle of an entry, or goes on with something else.
var errTorn = errors.New("the end is not whole")

// errNoSegment is that of a file that no program of this version wrote.
var errNoSegment = errors.New("not a segment of this version's journal")

// read visits the whole entries of a segment, in order, and tells where the last of them ends. The bytes that visit gets are its own
// only while it runs.
//
// An error of reading is not a torn end: the batch of a segment must be the same whenever it is read.
func read(r io.Reader, visit func(kind byte, body []byte) error) (whole int64, err error) {
	in := bufio.NewReaderSize(r, 64<<10)
	var start [len(magic)]byte
	n, err := io.ReadFull(in, start[:])
	switch {
	case err != nil && !ended(err):
		return 0, err
	case !strings.HasPrefix(magic, string(start[:n])):
		return 0, errNoSegment
	case err != nil: // killed when it had just begun
		return 0, tornAfter(n)
	}
	whole = int64(n)
	buf := make([]byte, 0, 4096)
	for {
		var head [entryHead]byte
		if n, err := io.ReadFull(in, head[:]); err != nil {
			if ended(err) {
				err = tornAfter(n)
			}
			return whole, err
		}
		length := binary.LittleEndian.Uint32(head[:])
		if length == 0 || length > maxEntry {
			return whole, errTorn
		}
		buf = append(buf[:0], make([]byte, length)...)
		if _, err := io.ReadFull(in, buf); err != nil {
			if ended(err) {
				err = errTorn
			}
			return whole, err
		}
		if crc32.Checksum(buf, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
			return whole, errTorn
		}
		if err := visit(buf[0], buf[1:]); err != nil {
			return whole, err
		}
		whole += entryHead + int64(length)
	}
}

func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// tornAfter tells whether anything was begun.
func tornAfter(n int) error {
	if n == 0 {
		return nil
	}
	return errTorn
}
