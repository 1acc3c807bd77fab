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

// appendText appends a piece of text as a value: line ends as XML has them (XML 1.0 2.11), a byte that is not UTF-8 read as
// windows-1252, and no character that XML cannot hold. It reports what it had to change.
func appendText(dst, text []byte) (_ []byte, invalid, control bool) {
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '\r':
			if i+1 < len(text) && text[i+1] == '\n' {
				i++
			}
			dst = append(dst, '\n')
			i++
		case c < ' ' && c != '\t' && c != '\n':
			control = true
			i++
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			r, n := utf8.DecodeRune(text[i:])
			switch {
			case r == utf8.RuneError && n == 1:
				invalid = true
				dst = utf8.AppendRune(dst, charmap.Windows1252.DecodeByte(c))
			case !isChar(r):
				control = true
			default:
				dst = append(dst, text[i:i+n]...)
			}
			i += n
		}
	}
	return dst, invalid, control
}
