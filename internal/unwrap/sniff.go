package unwrap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A format is what bytes are, by what they begin with.
type format int

const (
	unknown format = iota
	empty
	xmlText
	jsonText
	htmlText
	plainText
	mailText
	mboxText
	base64Text
	uuText
	gzipBytes
	zipBytes
	tarBytes
	bzip2Bytes
	zlibBytes
	deflateBytes
	tnefBytes
	compoundBytes // Microsoft's compound file: .msg
	foreign       // an archive that is not read
	harmless      // a picture and the like
)

// headSize is how many of the first bytes are looked at.
const headSize = 4 << 10

// magics are the bytes that a format begins with.
var magics = []struct {
	start  string
	format format
	what   string
}{
	{"\x1f\x8b", gzipBytes, ""},
	{"PK\x03\x04", zipBytes, ""},
	{"PK\x05\x06", zipBytes, ""},
	{"PK00PK\x03\x04", zipBytes, ""},
	{"BZh", bzip2Bytes, ""},
	{"\x78\x9f\x3e\x22", tnefBytes, ""},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", compoundBytes, ""},
	{"\xfd7zXZ\x00", foreign, "xz"},
	{"7z\xbc\xaf\x27\x1c", foreign, "7-Zip"},
	{"Rar!\x1a\x07", foreign, "RAR"},
	{"\x28\xb5\x2f\xfd", foreign, "Zstandard"},
	{"LZIP", foreign, "lzip"},
	{"\x1f\x9d", foreign, "compress"},
	{"MSCF\x00\x00\x00\x00", foreign, "cabinet"},
	{"\x89PNG\r\n", harmless, "an image"},
	{"GIF8", harmless, "an image"},
	{"\xff\xd8\xff", harmless, "an image"},
	{"BM", harmless, "an image"},
	{"%PDF-", harmless, "a PDF document"},
}

// sniff says what bytes are, how many at the beginning do not matter, and what people call them. whole tells whether head is all.
func sniff(head []byte, all bool) (f format, skip int, what string) {
	rest := bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	rest = bytes.TrimLeft(rest, " \t\r\n\x00")
	skip = len(head) - len(rest)
	if skip%2 == 1 && len(rest) > 1 && rest[1] == 0 && head[skip-1] == 0 { // the first half of a character in UTF-16, big-endian
		skip--
		rest = head[skip:]
	}
	if len(rest) == 0 {
		return empty, 0, "nothing"
	}
	if isTar(head) { // may begin with anything: with a name
		return tarBytes, 0, ""
	}
	for _, m := range magics {
		if bytes.HasPrefix(rest, []byte(m.start)) && !(m.format == harmless && len(m.start) < 3 && isText(rest)) {
			return m.format, skip, m.what
		}
	}
	if len(rest) > 12 && string(rest[:4]) == "RIFF" && string(rest[8:12]) == "WEBP" {
		return harmless, skip, "an image"
	}
	if f := markup(rest); f != unknown {
		return f, skip, ""
	}
	switch {
	case bytes.HasPrefix(rest, []byte("From ")) && looksLikeMail(afterLine(rest)):
		return mboxText, skip, ""
	case looksLikeMail(bytes.TrimPrefix(rest, []byte(">"))):
		return mailText, skip, ""
	case isUU(rest):
		return uuText, skip, ""
	case isText(rest):
		if looksLikeBase64(rest, all) {
			return base64Text, skip, ""
		}
		if at := embedded(rest); at >= 0 {
			return xmlText, skip + at, ""
		}
		if at := bytes.Index(rest, []byte("\nbegin ")); at >= 0 && isUU(rest[at+1:]) {
			return uuText, skip + at + 1, ""
		}
		return plainText, skip, ""
	case isZlib(head):
		return zlibBytes, 0, ""
	case isDeflate(head):
		return deflateBytes, 0, ""
	}
	return unknown, 0, ""
}

// markup tells XML, HTML and JSON apart. text begins with something that is no white space.
func markup(text []byte) format {
	if len(text) > 3 && (text[0] == 0xff && text[1] == 0xfe || text[0] == 0xfe && text[1] == 0xff || text[0] == 0 || text[1] == 0) {
		text = fromUTF16(text)
		if text == nil {
			return unknown
		}
		text = bytes.TrimLeft(text, " \t\r\n")
	}
	switch {
	case len(text) == 0:
		return unknown
	case text[0] == '{':
		if after := bytes.TrimLeft(text[1:], " \t\r\n"); len(after) > 0 && (after[0] == '"' || after[0] == '}') {
			return jsonText
		}
	case text[0] == '<':
		low := bytes.ToLower(text)
		if bytes.Contains(low, []byte("feedback")) && embeddedFeedback(low) {
			return xmlText
		}
		if isHTML(low) {
			return htmlText
		}
		if len(text) > 1 && (text[1] == '?' || text[1] == '!' || isNameStart(text[1])) && !isAddress(text) {
			return xmlText
		}
	}
	return unknown
}

func isNameStart(c byte) bool {
	return c == '_' || c == ':' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
}

// isAddress tells whether text begins with <an@address>, or <https://…>.
func isAddress(text []byte) bool {
	tag, _, ok := bytes.Cut(text, []byte(">"))
	return ok && (bytes.IndexByte(tag, '@') > 0 || bytes.Contains(tag, []byte("://"))) && !bytes.ContainsAny(tag, " \t\r\n=")
}

// embeddedFeedback tells whether there is a start tag of an aggregate report, with any prefix.
func embeddedFeedback(low []byte) bool {
	for {
		i := bytes.IndexByte(low, '<')
		if i < 0 {
			return false
		}
		low = low[i+1:]
		name := low
		if end := bytes.IndexAny(low, "< \t\r\n/>=\"'"); end >= 0 {
			name = low[:end]
		}
		if bytes.Contains(name, []byte("feedback")) {
			return true
		}
	}
}

// embedded finds XML that begins on a line of its own, below a text.
func embedded(text []byte) int {
	for _, start := range []string{"\n<?xml", "\n<feedback"} {
		if at := bytes.Index(text, []byte(start)); at >= 0 {
			return at + 1
		}
	}
	return -1
}

var htmlTags = []string{"!doctype html", "html", "head", "body", "div", "table", "p", "br", "meta", "span", "style", "center", "font", "title", "a",
	"b", "i", "h1", "h2", "h3", "ul", "ol", "img", "pre"}

// isHTML tells whether text begins as HTML does, below comments and an XML declaration. text is in lower case.
func isHTML(low []byte) bool {
	for bytes.HasPrefix(low, []byte("<!--")) || bytes.HasPrefix(low, []byte("<?")) {
		_, after, ok := bytes.Cut(low, []byte(">"))
		if !ok {
			return false
		}
		low = bytes.TrimLeft(after, " \t\r\n")
	}
	if len(low) == 0 || low[0] != '<' {
		return false
	}
	for _, tag := range htmlTags {
		if after, ok := bytes.CutPrefix(low[1:], []byte(tag)); ok && (len(after) == 0 || strings.IndexByte(" \t\r\n>/", after[0]) >= 0) {
			return true
		}
	}
	return false
}

// fromUTF16 gives the text of what looks like UTF-16; nil if it does not.
func fromUTF16(b []byte) []byte {
	b = b[:min(len(b), 1<<10)&^1]
	var order binary.ByteOrder = binary.LittleEndian
	if b[0] == 0xfe || b[0] == 0 {
		order = binary.BigEndian
	}
	units := make([]uint16, 0, len(b)/2)
	zeros := 0
	for i := 0; i < len(b); i += 2 {
		u := order.Uint16(b[i:])
		if u < 0x80 {
			zeros++
		}
		if u != 0xfeff {
			units = append(units, u)
		}
	}
	if zeros < len(units)/2 {
		return nil
	}
	return []byte(string(utf16.Decode(units)))
}

func afterLine(text []byte) []byte {
	_, after, _ := bytes.Cut(text, []byte("\n"))
	return after
}

// knownFields are header fields that no other text begins with. One of them makes a message.
var knownFields = []string{"received", "return-path", "delivered-to", "from", "to", "subject", "date", "message-id", "mime-version", "content-type",
	"contenttype", "content-transfer-encoding", "content-disposition", "dkim-signature", "arc-seal", "authentication-results", "x-original-to",
	"reply-to", "sender", "received-spf", "x-mozilla-status"}

// looksLikeMail tells whether text begins with header fields (RFC 5322 2.2), one of which is well known.
func looksLikeMail(text []byte) bool {
	known := false
	for n := 0; n < 100; n++ {
		line, after, more := bytes.Cut(text, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			return known
		}
		if line[0] != ' ' && line[0] != '\t' || n == 0 {
			name, ok := fieldName(line)
			if !ok {
				return !more && known // the last line may be cut off
			}
			for _, k := range knownFields {
				known = known || strings.EqualFold(name, k)
			}
		}
		if !more {
			return known
		}
		text = after
	}
	return known
}

// fieldName gives the name of the header field that begins on a line.
func fieldName(line []byte) (string, bool) {
	i := bytes.IndexByte(line, ':')
	if i < 1 {
		return "", false
	}
	name := bytes.TrimRight(line[:i], " \t")
	if len(name) == 0 || len(name) > 100 {
		return "", false
	}
	for _, c := range name {
		if c <= ' ' || c >= 0x7f {
			return "", false
		}
	}
	return string(name), true
}

// isText tells whether bytes are text in UTF-8 or in a character set of one byte.
func isText(b []byte) bool {
	b = b[:min(len(b), 1<<10)]
	odd := 0
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b || c == 0x7f {
			return false
		}
		if c >= 0x80 {
			odd++
		}
	}
	return odd <= len(b)/4 || utf8.Valid(b) || utf8.Valid(b[:max(0, len(b)-utf8.UTFMax)])
}

// looksLikeBase64 tells whether text is base64 of something that is known.
func looksLikeBase64(text []byte, all bool) bool {
	digits := 0
	for _, c := range text {
		switch {
		case base64Value[c] >= 0, c == '=':
			digits++
		case c != '\r' && c != '\n' && c != ' ' && c != '\t':
			return false
		}
	}
	if digits < 16 {
		return false
	}
	d := newBase64(bytes.NewReader(text), &notes{})
	head := make([]byte, headSize)
	n, _ := io.ReadFull(d, head)
	f, _, _ := sniff(head[:n], false)
	return f != unknown && f != empty && f != plainText && f != deflateBytes
}

// describe says in words what a part is that is no report.
func describe(f format, what string, head []byte, size int64, exact bool) string {
	amount := bytesInWords(size)
	if !exact {
		amount = "more than " + amount
	}
	switch f {
	case empty:
		return "nothing"
	case harmless:
		return what
	case htmlText:
		return "an HTML text of " + amount
	case plainText:
		if word := bytes.TrimSpace(head); exact && len(word) <= 24 && utf8.Valid(word) && !bytes.ContainsAny(word, "\r\n\t") {
			return fmt.Sprintf("the text %q", word)
		}
		return "a text of " + amount
	}
	return amount + " of a kind that is not known"
}
