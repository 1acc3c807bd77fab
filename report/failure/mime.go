package failure

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime"
	"strings"

	"github.com/gatepost-mail/gatepost/message"
)

// An entity is a message or a part of one (RFC 2045), with the place where it was: "2.1".
type entity struct {
	data    []byte
	place   string
	depth   int
	digest  bool // what has no Content-Type here is a message (RFC 2046 5.1.5)
	header  message.Header
	body    []byte
	media   string            // "text/plain"
	params  map[string]string // of the Content-Type
	content []byte            // body, decoded
}

// parse reads the header of an entity, and finds its type.
func (e *entity) parse(r *reader) {
	e.header, e.body = r.cut(e.data, e.place)
	f, ok := e.header.First("Content-Type")
	if !ok {
		f, ok = e.header.First("ContentType") // seen
	}
	e.media = "text/plain"
	if e.digest {
		e.media = "message/rfc822"
	}
	if ok {
		e.media, e.params = mediaType(f.Value())
	}
}

// cut cuts an entity into header and body. A line within the header that is no field is left out.
func (r *reader) cut(data []byte, place string) (message.Header, []byte) {
	block, body := data, []byte(nil)
	if n, next := emptyLine(data); n >= 0 {
		block, body = data[:n], data[next:]
	}
	if len(block) > r.o.HeaderBytes {
		r.warn("%s: the header has more than %d bytes: the rest of it is left out", place, r.o.HeaderBytes)
		block = block[:r.o.HeaderBytes]
		block = block[:bytes.LastIndexByte(block, '\n')+1]
	}
	var header message.Header
	for tries := 0; len(block) > 0; tries++ {
		m, err := message.Read(bytes.NewReader(block), message.Limits{HeaderBytes: len(block) + 1, Fields: len(block)})
		rest := block
		if err == nil {
			header = append(header, m.Header...)
			rest = readAll(m.Body)
		}
		if len(rest) == 0 {
			break
		}
		if len(header) == 0 { // text
			return nil, data
		}
		if tries == 20 {
			r.warn("%s: too many lines of the header are no fields: the rest of it is left out", place)
			break
		}
		r.warn("%s: a line of the header is no field: left out", place)
		_, block, _ = bytes.Cut(rest, []byte("\n"))
	}
	return header, body
}

// emptyLine finds the first empty line: where it begins, and what follows it. It is -1 if there is none.
func emptyLine(data []byte) (at, next int) {
	for line := 0; line < len(data); {
		n := bytes.IndexByte(data[line:], '\n')
		if n < 0 {
			break
		}
		if len(bytes.TrimRight(data[line:line+n], " \t\r")) == 0 {
			return line, line + n + 1
		}
		line += n + 1
	}
	return -1, len(data)
}

// mediaType reads a Content-Type, in the standard's way or in one that some write.
func mediaType(value string) (string, map[string]string) {
	value = strings.TrimRight(unfold(value), "; ")
	if media, params, err := mime.ParseMediaType(value); err == nil {
		return media, params
	}
	media, rest, _ := strings.Cut(value, ";")
	media = strings.ToLower(strings.Trim(media, " \""))
	if !strings.Contains(media, "/") {
		media = "text/plain"
	}
	params := map[string]string{}
	for rest != "" && len(params) < 20 {
		var name, text string
		name, rest, _ = strings.Cut(rest, "=")
		name = strings.ToLower(strings.Trim(name, "; "))
		rest = strings.TrimLeft(rest, " ")
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			text, rest, _ = strings.Cut(quoted, `"`)
		} else {
			text, rest, _ = strings.Cut(rest, ";")
		}
		if _, twice := params[name]; !twice {
			params[name] = strings.TrimSpace(text)
		}
	}
	return media, params
}

// parts cuts a multipart into its parts (RFC 2046 5.1.1). Without a boundary that occurs it looks for one that does.
func (r *reader) parts(e *entity) []entity {
	boundary := e.params["boundary"]
	at := nextDelimiter(e.body, boundary, 0)
	if at.start < 0 {
		if used := usedBoundary(e.body); used != "" {
			r.warn("%s: the boundary that is declared does not occur: another one is taken", e.place)
			boundary = used
			at = nextDelimiter(e.body, boundary, 0)
		}
	}
	var parts []entity
	for n := 1; at.start >= 0 && !at.last; n++ {
		if len(parts) == r.o.Parts {
			return parts // the walk says so
		}
		next := nextDelimiter(e.body, boundary, at.end)
		stop := next.start
		if stop < 0 {
			stop = len(e.body)
			r.warn("%s: no boundary after the last part", e.place)
		} else {
			stop = max(at.end, stop-1) // RFC 2046 5.1.1: the line end before a boundary belongs to it
			if stop > at.end && e.body[stop-1] == '\r' {
				stop--
			}
		}
		parts = append(parts, entity{data: e.body[at.end:stop:stop], place: join(e.place, n), depth: e.depth + 1, digest: e.media == "multipart/digest"})
		at = next
	}
	return parts
}

func join(place string, n int) string {
	if place == top {
		return fmt.Sprintf("part %d", n)
	}
	return fmt.Sprintf("%s.%d", place, n)
}

// A delimiter is a line with a boundary; start is -1 if there is none.
type delimiter struct {
	start, end int // end is where the next line begins
	last       bool
}

func nextDelimiter(body []byte, boundary string, from int) delimiter {
	if boundary == "" {
		return delimiter{start: -1}
	}
	mark := []byte("--" + boundary)
	for from < len(body) {
		n := bytes.Index(body[from:], mark)
		if n < 0 {
			break
		}
		start := from + n
		from = start + len(mark)
		if start > 0 && body[start-1] != '\n' {
			continue
		}
		end := len(body)
		if n := bytes.IndexByte(body[from:], '\n'); n >= 0 {
			end = from + n + 1
		}
		tail, last := bytes.CutPrefix(body[from:end], []byte("--"))
		if len(bytes.TrimSpace(tail)) == 0 {
			return delimiter{start, end, last}
		}
		from = end - 1
	}
	return delimiter{start: -1}
}

// usedBoundary finds a line that looks like a boundary since the field of a part follows it.
func usedBoundary(body []byte) string {
	for range 1000 {
		line, rest, ok := bytes.Cut(body, []byte("\n"))
		if !ok {
			return ""
		}
		body = rest
		line = bytes.TrimSpace(line)
		if b, ok := bytes.CutPrefix(line, []byte("--")); ok && len(b) > 0 && len(b) <= 200 && len(rest) > 8 && strings.EqualFold(string(rest[:8]), "content-") {
			return string(b)
		}
	}
	return ""
}

// decode undoes the transfer encoding (RFC 2045 6), as far as it goes.
func (r *reader) decode(e *entity) []byte {
	f, _ := e.header.First("Content-Transfer-Encoding")
	switch encoding := strings.ToLower(bare(f.Value())); encoding {
	case "base64":
		out, ok := fromBase64(e.body)
		if !ok {
			r.warn("%s: the base64 is broken: what can be decoded is taken", e.place)
		}
		return out
	case "quoted-printable":
		return fromQuotedPrintable(e.body)
	case "", "7bit", "8bit", "binary":
	default:
		r.warn("%s: the transfer encoding %.40q is unknown: taken as it is", e.place, encoding)
	}
	return e.body
}

// fromBase64 decodes what is base64 up to the padding, and passes over the rest. It tells whether nothing but line ends was passed over.
func fromBase64(text []byte) ([]byte, bool) {
	clean := make([]byte, 0, len(text))
	ok, padded := true, false
	for _, c := range text {
		switch {
		case isAlphanumeric(c) || c == '+' || c == '/':
			ok = ok && !padded
			if !padded {
				clean = append(clean, c)
			}
		case c == '=':
			padded = true
		case c != '\r' && c != '\n' && c != ' ' && c != '\t':
			ok = false
		}
	}
	if len(clean)%4 == 1 {
		clean, ok = clean[:len(clean)-1], false
	}
	n, err := base64.RawStdEncoding.Decode(clean, clean)
	return clean[:n], ok && err == nil
}

// fromQuotedPrintable decodes what is quoted-printable (RFC 2045 6.7), and keeps the rest.
func fromQuotedPrintable(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '=' {
			out = append(out, text[i])
			continue
		}
		if i+2 < len(text) {
			high, low := hex(text[i+1]), hex(text[i+2])
			if high >= 0 && low >= 0 {
				out = append(out, byte(high<<4|low))
				i += 2
				continue
			}
		}
		end := i + 1
		for end < len(text) && (text[end] == ' ' || text[end] == '\t' || text[end] == '\r') {
			end++
		}
		if end == len(text) || text[end] == '\n' {
			i = end // a soft line break
			continue
		}
		out = append(out, '=')
	}
	return out
}

func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}
