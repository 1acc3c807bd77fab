package aggregate

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// declarationSize bounds how far into the document its encoding may be declared.
const declarationSize = 512

// decode finds out how the bytes of a document are to be read (XML 1.0 appendix F): by a byte order mark, by the look of the first
// bytes, or by what the XML declaration says, in this order, since the first two cannot be wrong. It gives the document in UTF-8, and
// the name of an encoding that it had to ignore.
func decode(src io.Reader) (_ io.Reader, ignored string) {
	head := make([]byte, declarationSize)
	n, err := io.ReadFull(src, head)
	head = head[:n]
	rest := io.MultiReader(bytes.NewReader(head), &failing{src, err})

	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		_, _ = io.ReadFull(rest, make([]byte, 3))
		return rest, ""
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("<\x00")):
		return transform.NewReader(rest, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder()), ""
	case bytes.HasPrefix(head, []byte("\xfe\xff")), bytes.HasPrefix(head, []byte("\x00<")):
		return transform.NewReader(rest, unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder()), ""
	}
	name := declared(head)
	enc, err := htmlindex.Get(name)
	canonical := ""
	if err == nil {
		canonical, err = htmlindex.Name(enc)
	}
	switch {
	case name == "" || canonical == "utf-8":
		return rest, ""
	case err != nil, strings.HasPrefix(canonical, "utf-16"), canonical == "replacement": // which the bytes are not
		return rest, name
	}
	return transform.NewReader(rest, enc.NewDecoder()), ""
}

// failing is a reader that has ended already if err says so.
type failing struct {
	io.Reader
	err error
}

func (r *failing) Read(p []byte) (int, error) {
	switch r.err {
	case nil:
		return r.Reader.Read(p)
	case io.ErrUnexpectedEOF: // ReadFull's word for a short document
		return 0, io.EOF
	}
	return 0, r.err
}

// declared is the encoding that the XML declaration names.
func declared(head []byte) string {
	head = bytes.TrimLeft(head, " \t\r\n")
	if !bytes.HasPrefix(head, []byte("<?xml")) {
		return ""
	}
	head, _, _ = bytes.Cut(head, []byte("?>"))
	_, value, ok := bytes.Cut(head, []byte("encoding"))
	if !ok {
		return ""
	}
	value = bytes.TrimLeft(value, "= \t\r\n")
	if len(value) == 0 || value[0] != '"' && value[0] != '\'' {
		return ""
	}
	name, _, _ := bytes.Cut(value[1:], value[:1])
	return strings.ToLower(strings.TrimSpace(string(name)))
}

// odd is what appendText had to do to a text.
type odd struct {
	invalid bool // read a byte that is not UTF-8 as windows-1252, which is what such reporters write
	control bool // leave out a character that XML cannot hold
	long    bool // stop at the bound
}

// appendText appends a piece of text to a value, up to a bound of bytes: with line ends as XML has them (XML 1.0 2.11).
func appendText(dst, text []byte, most int) ([]byte, odd) {
	var o odd
	for i := 0; i < len(text); {
		c, n := rune(text[i]), 1
		switch {
		case c == '\r':
			c = '\n'
			if i+1 < len(text) && text[i+1] == '\n' {
				n = 2
			}
		case c >= utf8.RuneSelf:
			if c, n = utf8.DecodeRune(text[i:]); c == utf8.RuneError && n == 1 {
				c = charmap.Windows1252.DecodeByte(text[i])
				o.invalid = true
			}
		}
		i += n
		if !isChar(c) {
			o.control = true
			continue
		}
		if len(dst)+utf8.RuneLen(c) > most {
			o.long = true
			break
		}
		dst = utf8.AppendRune(dst, c)
	}
	return dst, o
}
