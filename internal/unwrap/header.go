package unwrap

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/url"
	"strings"
)

// A header is what the header of a message or part says about its body, as far as it is needed.
type header struct {
	mediaType   string // in lower case, without parameters
	encoding    string // base64, quoted-printable, x-uuencode; empty for those that change nothing
	contentType string
	disposition string
	size        int64 // where the body begins
}

// mostHeader bounds a header, and mostField what is kept of a field in it.
const (
	mostHeader = 4 << 20
	mostField  = 16 << 10
)

// readHeader reads to the empty line. A line that is no header field ends the header as well, since then the empty line was forgotten.
func readHeader(in *lines, top bool) (header, error) {
	var h header
	var field []byte
	take := func() {
		h.take(field)
		field = field[:0]
	}
	began := false
	for {
		line, first, at, err := in.next()
		if err != nil && err != io.EOF {
			return h, err
		}
		if at > mostHeader {
			return h, errors.New("a header of more than " + bytesInWords(mostHeader))
		}
		text := bytes.TrimRight(line, "\r\n")
		switch {
		case !first, len(text) > 0 && (text[0] == ' ' || text[0] == '\t') && began:
			if len(field) < mostField {
				field = append(field, line...)
			}
		case len(text) == 0 && (began || !top):
			take()
			h.size = in.offset
			return h, nil
		case len(text) == 0: // empty lines above a message
		default:
			take()
			if _, ok := fieldName(text); !ok && !(top && !began && bytes.HasPrefix(bytes.TrimPrefix(text, []byte(">")), []byte("From "))) {
				h.size = at
				return h, nil
			}
			began = true
			field = append(field, line[:min(len(line), mostField)]...)
		}
		if err == io.EOF {
			take()
			h.size = in.offset
			return h, nil
		}
	}
}

var unfolder = strings.NewReplacer("\r", "", "\n", "", "\t", " ")

// take keeps a field if it is one that matters. The first of a name counts, as mail programs have it.
func (h *header) take(field []byte) {
	i := bytes.IndexByte(field, ':')
	if i < 1 || field[0]|0x20 != 'c' { // all that matter begin with it
		return
	}
	name := strings.ToLower(string(bytes.TrimSpace(field[:min(i, 100)])))
	value := unfolder.Replace(string(field[i+1:]))
	switch name {
	case "content-type", "contenttype":
		if h.contentType == "" {
			h.contentType = value
			t, _, _ := strings.Cut(value, ";")
			h.mediaType = strings.ToLower(strings.TrimSpace(t))
		}
	case "content-disposition":
		if h.disposition == "" {
			h.disposition = value
		}
	case "content-transfer-encoding":
		word := strings.ToLower(strings.Trim(value, " \"';"))
		switch word {
		case "base64", "quoted-printable", "x-uuencode", "uuencode", "x-uue":
			h.encoding = word
		}
	}
}

// param gives a parameter of Content-Type.
func (h header) param(name string) string { return param(h.contentType, name) }

// name is what the part calls its file.
func (h header) name() string {
	name := param(h.disposition, "filename")
	if name == "" {
		name = param(h.contentType, "name")
	}
	if strings.Contains(name, "=?") { // RFC 2047 5 forbids it; mail programs do it
		if word, err := new(mime.WordDecoder).DecodeHeader(name); err == nil {
			name = word
		}
	}
	return strings.TrimSpace(name)
}

// mostPieces bounds the pieces that a parameter may come in (RFC 2231 3).
const mostPieces = 100

// param gives a parameter of a field, whole or in pieces, quoted or not. What makes no sense is left out.
func param(field, want string) string {
	_, rest, _ := strings.Cut(field, ";")
	var pieces [mostPieces]string
	whole, most := "", -1
	extended := false
	for rest != "" {
		var name, value string
		name, value, rest = nextParam(rest)
		name = strings.ToLower(name)
		suffix, ok := strings.CutPrefix(name, want)
		if !ok {
			continue
		}
		star := strings.HasSuffix(suffix, "*")
		number := strings.Trim(suffix, "*")
		switch {
		case suffix == "":
			if whole == "" {
				whole = value
			}
		case suffix == "*":
			whole = percent(afterCharset(value))
		case suffix[0] != '*' || number == "" || strings.Trim(number, "0123456789") != "" || len(number) > 2:
		default:
			n := 0
			for _, c := range number {
				n = 10*n + int(c-'0')
			}
			if star {
				if n == 0 {
					value = afterCharset(value)
				}
				value, extended = percent(value), true
			}
			pieces[n] = value
			most = max(most, n)
		}
	}
	if most >= 0 && (whole == "" || extended) {
		return strings.Join(pieces[:most+1], "")
	}
	return whole
}

// nextParam cuts one parameter off. A value without quotes may hold anything but a semicolon.
func nextParam(s string) (name, value, rest string) {
	i := strings.IndexAny(s, "=;")
	if i < 0 {
		return "", "", ""
	}
	if s[i] == ';' {
		return "", "", s[i+1:]
	}
	name = strings.TrimSpace(s[:i])
	s = strings.TrimLeft(s[i+1:], " ")
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ";")
		return name, strings.TrimSpace(value), rest
	}
	var b strings.Builder
	for i = 1; i < len(s) && s[i] != '"'; i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	_, rest, _ = strings.Cut(s[min(i, len(s)):], ";")
	return name, b.String(), rest
}

// afterCharset leaves out the character set and the language of an extended value (RFC 2231 4).
func afterCharset(value string) string {
	if _, after, ok := strings.Cut(value, "'"); ok {
		if _, after, ok := strings.Cut(after, "'"); ok {
			return after
		}
	}
	return value
}

func percent(value string) string {
	if decoded, err := url.PathUnescape(value); err == nil {
		return decoded
	}
	return value
}
