package dkim

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"
)

// A mending undoes what a relay may have done to the bytes of a whole body.
type mending struct {
	mend func(dst, body []byte) []byte
	said string // the body verifies …
}

// mendings are tried one by one. A bare LF is a CRLF by the time that a body comes here, so what it was before is tried as well.
var mendings = [...]mending{
	{replacing("\r\r\n", "\r\n"), "with CRLF for each CR CR LF: line ends were converted twice in transit"},
	{bareReturns("\r\n"), "with each bare CR as a line end: they were kept, or made, in transit"},
	{bareReturns(""), "without its bare CRs, which were added in transit"},
	{replacing("\r\n", "\n"), "with LF line ends: the signer did not make them CRLF before it signed"},
	{replacing("\r\n", "\r"), "with CR line ends: the signer did not make them CRLF before it signed"},
	{eachLine(trimLine), "without the white space at the ends of lines, which was added in transit"},
	{eachLine(signatureLine), `with "-- " for each line "--": white space at the end of lines was taken off in transit`},
	{eachLine(dropDot), "with one dot less where lines begin with two: the dots that SMTP doubles were not taken off (RFC 5321 4.5.2)"},
	{eachLine(addDot), "with one more dot where lines begin with one: the signer hashed the dots that SMTP doubles (RFC 5321 4.5.2)"},
	{eachLine(dropQuote), `with "From " for ">From " at the beginning of lines, as a mailbox file has it`},
	{joinLong("\r\n "), "with its lines of 990 octets and more whole again: they were folded in transit (RFC 5322 2.1.1)"},
	{joinLong("\r\n"), "with its lines of 990 octets and more whole again: they were broken in transit (RFC 5322 2.1.1)"},
	{joinLong("!\r\n "), "with its lines of 990 octets and more whole again: they were broken with a \"!\" in transit (RFC 5322 2.1.1)"},
	{onTop("\r\n"), "with an empty line on top, which was taken off in transit"},
}

// otherBytes tries the body as it may have been before a relay changed its bytes all over.
func (d *diagnosis) otherBytes() string {
	var buf []byte
	for _, m := range mendings {
		if !d.spend(len(d.body)) {
			return ""
		}
		buf = m.mend(buf[:0], d.body)
		if !bytes.Equal(buf, d.body) && d.fits(canonicalText(d.sig.Canonicalization.Body, buf)) {
			return "the body verifies " + m.said
		}
	}
	return d.decoded()
}

// decoded tries the body without its transfer encoding: a relay that cannot do 8BITMIME encodes what it hands on (RFC 6376 5.3).
func (d *diagnosis) decoded() string {
	field, _ := d.header.First("Content-Transfer-Encoding")
	var r io.Reader
	encoding := strings.ToLower(trimFWS(field.Value()))
	switch encoding {
	case "quoted-printable":
		r = quotedprintable.NewReader(bytes.NewReader(d.body))
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, bytes.NewReader(d.body))
	default:
		return ""
	}
	if !d.spend(2 * len(d.body)) {
		return ""
	}
	plain, _ := io.ReadAll(r) // what could be decoded: a footer may follow
	if len(plain) > 2*len(d.body) || !d.fits(canonicalText(d.sig.Canonicalization.Body, plain)) {
		return ""
	}
	return fmt.Sprintf("the body verifies decoded: it was encoded as %s in transit", encoding)
}

func replacing(from, to string) func(dst, body []byte) []byte {
	return func(dst, body []byte) []byte {
		for {
			i := bytes.Index(body, []byte(from))
			if i < 0 {
				return append(dst, body...)
			}
			dst = append(append(dst, body[:i]...), to...)
			body = body[i+len(from):]
		}
	}
}

// bareReturns replaces each CR that no LF follows.
func bareReturns(with string) func(dst, body []byte) []byte {
	return func(dst, body []byte) []byte {
		for {
			i := bytes.IndexByte(body, '\r')
			switch {
			case i < 0:
				return append(dst, body...)
			case i+1 < len(body) && body[i+1] == '\n':
				dst = append(dst, body[:i+2]...)
				body = body[i+2:]
			default:
				dst = append(append(dst, body[:i]...), with...)
				body = body[i+1:]
			}
		}
	}
}

// eachLine changes each line, without its line end.
func eachLine(change func(dst, line []byte) []byte) func(dst, body []byte) []byte {
	return func(dst, body []byte) []byte {
		for {
			line, rest, more := bytes.Cut(body, crlf)
			dst = change(dst, line)
			if !more {
				return dst
			}
			dst = append(dst, '\r', '\n')
			body = rest
		}
	}
}

func trimLine(dst, line []byte) []byte { return append(dst, bytes.TrimRight(line, " \t")...) }

// signatureLine restores the line above a signature (RFC 3676 4.3).
func signatureLine(dst, line []byte) []byte {
	if dst = append(dst, line...); string(line) == "--" {
		dst = append(dst, ' ')
	}
	return dst
}

func dropDot(dst, line []byte) []byte {
	if bytes.HasPrefix(line, []byte("..")) {
		line = line[1:]
	}
	return append(dst, line...)
}

func addDot(dst, line []byte) []byte {
	if bytes.HasPrefix(line, []byte(".")) {
		dst = append(dst, '.')
	}
	return append(dst, line...)
}

func dropQuote(dst, line []byte) []byte {
	if bytes.HasPrefix(line, []byte(">From ")) {
		line = line[1:]
	}
	return append(dst, line...)
}

// joinLong puts lines together again that were broken for their length, with what was put in at the break.
func joinLong(breaking string) func(dst, body []byte) []byte {
	const long = 989 // with what was put in, lines are broken at 990 or at 998
	return func(dst, body []byte) []byte {
		line := len(dst) // where the line began in the input
		for {
			i := bytes.Index(body, []byte(breaking))
			if i < 0 {
				return append(dst, body...)
			}
			begin := bytes.LastIndex(body[:i], crlf) // the break ends this piece of a line
			dst = append(dst, body[:i]...)
			length := len(dst) - line
			if begin >= 0 {
				length = i - begin - 2
			}
			if length < long {
				dst = append(dst, breaking...)
			}
			line = len(dst)
			body = body[i+len(breaking):]
		}
	}
}

func onTop(text string) func(dst, body []byte) []byte {
	return func(dst, body []byte) []byte { return append(append(dst, text...), body...) }
}
