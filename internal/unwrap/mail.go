package unwrap

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
)

// A mail is one message, while its parts are looked at.
type mail struct {
	report   bool // a multipart/report (RFC 6522): what it returns is evidence and not for us to look into
	failure  bool // a failure report (RFC 5965)
	hint     bool // no failure report by its structure, but it reads like one
	attached bool // a message was left alone
}

// message goes into a message (RFC 5322, RFC 2045), and hands it on as a whole if it is a failure report.
func (w *walker) message(b blob) error {
	sec, done, err := w.section(b)
	if err != nil {
		return w.refuse(b, err)
	}
	defer done()
	b.at, b.r = sec, sec
	b.mail = &mail{}
	if err := w.entity(b, "", true); err != nil {
		return err
	}
	if !b.mail.failure && !b.mail.hint {
		return nil
	}
	if _, err := sec.Seek(0, io.SeekStart); err != nil {
		return err
	}
	b.r = w.meter(sec)
	return w.found(b, Mail, !b.mail.failure)
}

// entity goes into a message, or a part of one (RFC 2045 2.4). number is that of the part; empty for a message as a whole.
func (w *walker) entity(b blob, number string, top bool) error {
	if b.depth > w.limits.Depth {
		return w.refuse(b, w.reached("more than "+strconv.Itoa(w.limits.Depth)+" wrappings within one another"))
	}
	in := lines{in: buffers.Get().(*bufio.Reader)}
	in.reset(b.at)
	h, err := readHeader(&in, top)
	in.close()
	if err != nil {
		return w.refuse(b, err)
	}
	body := io.NewSectionReader(b.at, h.size, b.at.Size()-h.size)
	switch {
	case strings.HasPrefix(h.mediaType, "multipart/"):
		if h.mediaType == "multipart/report" {
			b.mail.report = true
			b.mail.failure = b.mail.failure || strings.EqualFold(h.param("report-type"), "feedback-report")
		}
		if h.mediaType == "multipart/encrypted" {
			return w.refuse(b, errors.New("encrypted (multipart/encrypted) with a key that is not ours"))
		}
		return w.multipart(b, body, number, h)
	case h.mediaType == "message/feedback-report":
		b.mail.failure = true
		return nil
	case h.mediaType == "message/delivery-status", h.mediaType == "message/disposition-notification", h.mediaType == "text/rfc822-headers",
		h.mediaType == "message/rfc822-headers":
		return nil
	}
	nested := h.mediaType == "message/rfc822" || h.mediaType == "message/global"
	if nested && (b.mail.report || b.mail.failure) {
		b.mail.attached = true
		return w.give(Part{Path: join(b.path, number), What: "a message that was returned"})
	}
	return w.leaf(b, body, number, h, nested)
}

// leaf looks at a part that is no multipart.
func (w *walker) leaf(b blob, body *io.SectionReader, number string, h header, nested bool) error {
	if number == "" {
		number = "1"
	}
	child := b.in(number, nil)
	child.name = h.name()
	child.path = join(child.path, child.name)
	child.mail = b.mail
	encoding := h.encoding
	if encoding != "" {
		// A part that says it is encoded, and is not: what stands there is what it would be.
		buf := make([]byte, 512)
		n, err := body.ReadAt(buf, 0)
		if err != nil && err != io.EOF {
			return w.refuse(child, err)
		}
		if f, _, _ := sniff(buf[:n], n < len(buf)); encoding == "base64" && f != base64Text && f != plainText && f != unknown && f != empty {
			encoding = ""
			child.notes.add("not in base64 as it says: read as it is")
		}
	}
	switch encoding {
	case "base64":
		child.r = w.meter(newBase64(body, child.notes))
	case "quoted-printable":
		child.r = w.meter(newQuotedPrintable(body))
	case "x-uuencode", "uuencode", "x-uue":
		child.r = w.meter(newUU(body))
	default:
		child.at, child.r = body, body
	}
	if nested {
		child.mail = nil
		return w.attachedMessage(child)
	}
	return w.look(child)
}

// attachedMessage goes into a message/rfc822. It may begin with header fields that are in no list.
func (w *walker) attachedMessage(b blob) error {
	sec, done, err := w.section(b)
	if err != nil {
		return w.refuse(b, err)
	}
	defer done()
	b.at, b.r = sec, sec
	head := make([]byte, headSize)
	n, err := sec.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return w.refuse(b, err)
	}
	first, _, _ := bytes.Cut(bytes.TrimLeft(head[:n], "\r\n"), []byte("\n"))
	if _, ok := fieldName(first); !ok {
		return w.look(b)
	}
	return w.message(b)
}

// mostBoundary is more than RFC 2046 5.1.1 allows, 70.
const mostBoundary = 1000

// multipart goes through the parts of a multipart (RFC 2046 5.1). The last may end without its boundary; nobody minds the preamble.
func (w *walker) multipart(b blob, body *io.SectionReader, number string, h header) error {
	if err := w.charge(body.Size()); err != nil { // each multipart within another looks through the same bytes again
		return w.refuse(b, err)
	}
	in := lines{in: buffers.Get().(*bufio.Reader)}
	in.reset(body)
	defer in.close()

	boundary := []byte("--" + h.param("boundary"))
	known := len(boundary) > 2 && len(boundary) <= mostBoundary
	start, count := int64(-1), 0 // of the part that is open
	closed := false
	part := func(end int64) error {
		if start < 0 {
			return nil
		}
		if err := w.member(); err != nil {
			return w.refuse(b, err)
		}
		count++
		child := b
		child.depth++
		child.at = io.NewSectionReader(body, start, max(end-start, 0))
		child.r = child.at
		n := strconv.Itoa(count)
		if number != "" {
			n = number + "." + n
		}
		return w.entity(child, n, false)
	}
	for {
		line, first, at, err := in.next()
		if err != nil && err != io.EOF {
			return w.refuse(b, err)
		}
		if first && len(line) > 2 && line[0] == '-' && line[1] == '-' {
			if !known && start < 0 && !closed {
				if guess := bytes.TrimRight(line, " \t\r\n"); len(guess) > 4 {
					boundary, known = bytes.Clone(guess), true
					b.notes = &notes{up: b.notes}
					b.notes.add("a multipart that does not say its boundary: its first line is taken for it")
				}
			}
			if known {
				switch is, last := isBoundary(line, boundary); {
				case is && last:
					if err := part(at - in.lineEnd); err != nil {
						return err
					}
					start, closed = -1, true
				case is:
					if err := part(at - in.lineEnd); err != nil {
						return err
					}
					start = in.offset
				}
			}
		}
		if err == io.EOF {
			break
		}
	}
	if start >= 0 && start < body.Size() {
		if !closed {
			b.notes = &notes{up: b.notes}
			b.notes.add("a multipart without its end: read to the end of what is there")
		}
		return part(body.Size())
	}
	if count == 0 {
		b.at, b.r = nil, nil
		return w.leaf(b, body, number, header{}, false)
	}
	return nil
}

// isBoundary tells whether a line is a delimiter, and the last (RFC 2046 5.1.1).
func isBoundary(line, boundary []byte) (is, last bool) {
	rest, ok := bytes.CutPrefix(line, boundary)
	if !ok {
		return false, false
	}
	rest = bytes.TrimRight(rest, " \t\r\n")
	return len(rest) == 0 || string(rest) == "--", len(rest) > 0
}

// lines reads lines, or pieces of lines that are longer than the buffer.
type lines struct {
	in      *bufio.Reader
	offset  int64 // of what is still to be read
	lineEnd int64 // how long the end of the line before the last that was read is
	ended   int64 // the same of the last
	middle  bool
}

func (l *lines) reset(sec *io.SectionReader) {
	l.in.Reset(io.NewSectionReader(sec, 0, sec.Size()))
}

func (l *lines) close() {
	l.in.Reset(nil)
	buffers.Put(l.in)
}

// next gives a piece, whether it begins a line, and where it stands.
func (l *lines) next() (piece []byte, first bool, at int64, err error) {
	piece, err = l.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		err = nil
	}
	first, at = !l.middle, l.offset
	l.offset += int64(len(piece))
	l.lineEnd = l.ended
	l.ended = 0
	l.middle = true
	if n := len(piece); n > 0 && piece[n-1] == '\n' {
		l.middle = false
		l.ended = 1
		if n > 1 && piece[n-2] == '\r' {
			l.ended = 2
		}
	}
	return piece, first, at, err
}

// failureWords are such as stand in every text-only failure report, and in hardly another text. Who reads failure reports has the last
// word.
var failureWords = []string{"authentication failure", "authentication-failure", "auth-failure", "feedback-type:", "failed the published dmarc",
	"dmarc failure", "dmarc fail", "failed dmarc", "abuse report", "forensic report", "a message claiming to be from you has failed"}

// readsLikeFailure tells whether a text could be a failure report without its structure.
func readsLikeFailure(text []byte) bool {
	low := bytes.ToLower(text)
	for _, word := range failureWords {
		if bytes.Contains(low, []byte(word)) {
			return true
		}
	}
	return false
}

// mbox goes through the messages of an mbox. One begins with a line "From …" below an empty one.
func (w *walker) mbox(b blob) error {
	sec, done, err := w.section(b)
	if err != nil {
		return w.refuse(b, err)
	}
	defer done()
	in := lines{in: buffers.Get().(*bufio.Reader)}
	in.reset(sec)
	defer in.close()
	start, count, blank := int64(-1), 0, true
	message := func(end int64) error {
		if start < 0 || end <= start {
			return nil
		}
		if err := w.member(); err != nil {
			return w.refuse(b, err)
		}
		count++
		child := b.in("message "+strconv.Itoa(count), nil)
		child.at = io.NewSectionReader(sec, start, end-start)
		child.r = child.at
		return w.attachedMessage(child)
	}
	for {
		line, first, at, err := in.next()
		if err != nil && err != io.EOF {
			return w.refuse(b, err)
		}
		if first && blank && bytes.HasPrefix(line, []byte("From ")) {
			if err := message(at); err != nil {
				return err
			}
			for in.middle && err == nil { // a line that is longer than the buffer
				_, _, _, err = in.next()
			}
			start = in.offset
		}
		blank = first && len(bytes.TrimRight(line, "\r\n")) == 0
		if err == io.EOF {
			return message(sec.Size())
		}
	}
}
