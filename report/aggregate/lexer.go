package aggregate

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

// A token is what the lexer found.
type token uint8

const (
	tokenEOF   token = iota
	tokenText        // a piece of text: text is as it stands in the document, in CDATA or not
	tokenRef         // a reference: text is what it stands for
	tokenStray       // a character that may not stand there, which is therefore text: < or &
	tokenStart       // name, attrs, empty
	tokenEnd         // name
)

// A lexer cuts XML into tokens. It keeps a window on the document and copies nothing: a token's bytes are good until the next one.
//
// It never fails on what it reads. A < that begins no markup is text, and so is an & that begins no reference that XML itself
// defines. Comments and processing instructions are passed over, and so is a document type with all it declares.
type lexer struct {
	src io.Reader
	err error // what ended src

	buf     []byte
	tok     int // where the token begins
	pos     int // how far the document is read
	end     int // of what is in buf
	lines   int // before buf
	plainTo int // from pos to here there is no <, if it is behind pos

	text    []byte
	name    []byte // with its prefix
	colon   int    // where in name the local name begins: 0 without prefix
	attrs   []byte // what stands between the name and the end of the tag
	empty   bool   // <name/>
	cdata   bool   // inside a CDATA section
	doctype bool   // there was a document type
	char    [utf8.UTFMax]byte
}

// windowSize bounds the size of a tag; a larger one is not seen as one.
const windowSize = 32 << 10

func (l *lexer) reset(src io.Reader) {
	if l.buf == nil {
		l.buf = make([]byte, windowSize)
	}
	*l = lexer{src: src, buf: l.buf}
}

// fill reads on, with the token in the window staying there. It reports whether there is more: not at the end, and not when the token
// fills the window.
func (l *lexer) fill() bool {
	if l.err != nil {
		return false
	}
	if l.tok > 0 {
		l.lines += bytes.Count(l.buf[:l.tok], []byte{'\n'})
		l.end = copy(l.buf, l.buf[l.tok:l.end])
		l.pos -= l.tok
		l.plainTo -= l.tok
		l.tok = 0
	}
	if l.end == len(l.buf) {
		return false
	}
	for range 100 {
		n, err := l.src.Read(l.buf[l.end:])
		l.end += n
		l.err = err
		if n > 0 {
			return true
		}
		if err != nil {
			return false
		}
	}
	l.err = io.ErrNoProgress
	return false
}

// line is where the token begins, counted from 1.
func (l *lexer) line() int { return l.lines + bytes.Count(l.buf[:l.tok], []byte{'\n'}) + 1 }

// raw is the token as it stands in the document.
func (l *lexer) raw() []byte { return l.buf[l.tok:l.pos] }

// unread makes the next scan return the same token again.
func (l *lexer) unread() { l.pos = l.tok }

// failure is what ended the document, if that was not its end.
func (l *lexer) failure() error {
	if l.err == nil || errors.Is(l.err, io.EOF) {
		return nil
	}
	return l.err
}

// have sees to it that n bytes from pos on are in the window.
func (l *lexer) have(n int) bool {
	for l.end-l.pos < n {
		if !l.fill() {
			return false
		}
	}
	return true
}

// scan finds the next token.
func (l *lexer) scan() token {
	for {
		l.tok = l.pos
		if l.pos == l.end && !l.fill() {
			return tokenEOF
		}
		if l.cdata {
			if t, ok := l.section(); ok {
				return t
			}
			continue
		}
		switch l.buf[l.pos] {
		case '<':
			if t, ok := l.markup(); ok {
				return t
			}
		case '&':
			return l.reference()
		default:
			if l.plain() {
				return tokenText
			}
		}
	}
}

// plain takes text up to markup, or to the end of the window.
func (l *lexer) plain() bool {
	from := max(l.pos, l.plainTo) // what was looked through before an & is not looked through again behind it
	l.plainTo = l.end
	if i := bytes.IndexByte(l.buf[from:l.end], '<'); i >= 0 {
		l.plainTo = from + i
	}
	text := l.buf[l.pos:l.plainTo]
	if i := bytes.IndexByte(text, '&'); i >= 0 {
		text = text[:i]
	}
	if l.pos+len(text) == l.end {
		text = l.whole(text)
	}
	l.text = text
	l.pos += len(text)
	return len(text) > 0
}

// whole cuts off of a text at the end of the window what may belong together with bytes that are not there yet: half a character,
// or a carriage return. If that leaves nothing, it reads on.
func (l *lexer) whole(text []byte) []byte {
	if l.err != nil {
		return text
	}
	n := len(text)
	if text[n-1] == '\r' {
		n--
	} else {
		for i := 1; i <= min(utf8.UTFMax-1, len(text)); i++ {
			if c := text[len(text)-i]; utf8.RuneStart(c) {
				if !utf8.FullRune(text[len(text)-i:]) {
					n -= i
				}
				break
			}
		}
	}
	if n == 0 && !l.fill() {
		return l.buf[l.pos:l.end]
	}
	return l.buf[l.pos : l.pos+n]
}

// section takes text of a CDATA section, which ends at ]]>.
func (l *lexer) section() (token, bool) {
	const close = "]]>"
	text := l.buf[l.pos:l.end]
	i := bytes.Index(text, []byte(close))
	switch {
	case i == 0:
		l.pos += len(close)
		l.cdata = false
		return 0, false
	case i > 0:
		text = text[:i]
	default:
		for n := len(close) - 1; n > 0; n-- { // what may be the beginning of its end
			if l.err == nil && bytes.HasSuffix(text, []byte(close[:n])) {
				text = text[:len(text)-n]
				break
			}
		}
		if len(text) == 0 {
			l.fill()
			return 0, false
		}
		text = l.whole(text)
	}
	l.text = text
	l.pos += len(text)
	return tokenText, len(text) > 0
}

// stray takes one character as text.
func (l *lexer) stray() token {
	l.pos = l.tok + 1
	l.text = l.buf[l.tok:l.pos]
	return tokenStray
}

// markup takes what begins with <. It returns false for what is passed over.
func (l *lexer) markup() (token, bool) {
	if !l.have(2) {
		return l.stray(), true
	}
	switch c := l.buf[l.pos+1]; {
	case class[c]&nameStart != 0:
		return l.startTag(), true
	case c == '/':
		return l.endTag(), true
	case c == '?':
		l.pos += 2
		l.skipTo("?>")
		return 0, false
	case c == '!':
		switch {
		case l.begins("<!--"):
			l.pos += len("<!--")
			l.skipTo("-->")
			return 0, false
		case l.begins("<![CDATA["):
			l.pos += len("<![CDATA[")
			l.cdata = true
			return 0, false
		case l.begins("<!DOCTYPE"):
			l.pos += len("<!DOCTYPE")
			l.doctype = true
			l.skipDoctype()
			return 0, false
		}
	}
	return l.stray(), true
}

func (l *lexer) begins(s string) bool {
	return l.have(len(s)) && string(l.buf[l.pos:l.pos+len(s)]) == s
}

// skipTo passes over everything up to and with close.
func (l *lexer) skipTo(close string) {
	for {
		if i := bytes.Index(l.buf[l.pos:l.end], []byte(close)); i >= 0 {
			l.pos += i + len(close)
			return
		}
		l.pos = max(l.pos, l.end-len(close)+1)
		l.tok = l.pos
		if !l.fill() {
			l.pos = l.end
			return
		}
	}
}

// next takes one byte, for what need not be fast.
func (l *lexer) next() (byte, bool) {
	if l.pos == l.end {
		l.tok = l.pos
		if !l.fill() {
			return 0, false
		}
	}
	l.pos++
	return l.buf[l.pos-1], true
}

// skipDoctype passes over a document type: quoted strings, comments, and what it declares between brackets.
func (l *lexer) skipDoctype() {
	brackets := 0
	for {
		c, ok := l.next()
		if !ok {
			return
		}
		switch c {
		case '[':
			brackets++
		case ']':
			brackets--
		case '>':
			if brackets <= 0 {
				return
			}
		case '"', '\'':
			l.skipTo(string(rune(c)))
		case '<':
			if l.tok = l.pos; l.begins("!--") {
				l.pos += len("!--")
				l.skipTo("-->")
			} else if l.begins("?") {
				l.skipTo("?>")
			}
		}
	}
}

// at gives the byte at an offset from the token, reading on if need be. 0 stands for the end, and ends every tag.
func (l *lexer) at(i int) byte {
	for l.tok+i >= l.end {
		if !l.fill() {
			return 0
		}
	}
	return l.buf[l.tok+i]
}

// skipSpace passes over the space before a tag, if both are in the window.
func (l *lexer) skipSpace() {
	b, i := l.buf[:l.end], l.pos
	for i < len(b) && class[b[i]]&space != 0 {
		i++
	}
	if i < len(b) && b[i] == '<' {
		l.pos = i
	}
}

// quickTag takes <name>, or </name>, if that is all there is to the tag and it is in the window, as most are.
func (l *lexer) quickTag(from int) bool {
	b := l.buf[l.tok:l.end]
	colon, i := 0, from
	for i < len(b) && class[b[i]]&nameByte != 0 {
		if b[i] == ':' {
			colon = i + 1 - from
		}
		i++
	}
	if i >= len(b) || b[i] != '>' || i == from || class[b[from]]&nameStart == 0 {
		return false
	}
	l.name, l.colon = b[from:i], colon
	l.attrs, l.empty = nil, false
	l.pos += i + 1
	return true
}

// startTag takes <name attributes>, or just < where that is not what follows.
func (l *lexer) startTag() token {
	if l.quickTag(1) {
		return tokenStart
	}
	i := l.nameFrom(1)
	nameEnd := i
	quote := byte(0)
	value := false // whether a value is due, which may be quoted
	for {
		c := l.at(i)
		if i == nameEnd && class[c]&(space|tagEnd) == 0 {
			return l.stray()
		}
		i++
		switch {
		case c == 0 && l.tok+i > l.end, c == '<':
			return l.stray()
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '>':
			l.tag(1, nameEnd)
			l.pos = l.tok + i
			l.empty = l.buf[l.pos-2] == '/'
			l.attrs = l.buf[l.tok+nameEnd : l.pos-1]
			return tokenStart
		case c == '=':
			value = true
			continue
		case value && (c == '"' || c == '\''):
			quote = c
		case class[c]&space != 0:
			continue
		case c == '/' && i == nameEnd+1 && l.at(i) != '>': // <http://example.com>
			return l.stray()
		}
		value = false
	}
}

// endTag takes </name>, or just < where that is not what follows.
func (l *lexer) endTag() token {
	if l.quickTag(2) {
		return tokenEnd
	}
	if class[l.at(2)]&nameStart == 0 {
		return l.stray()
	}
	nameEnd := l.nameFrom(2)
	i := nameEnd
	for class[l.at(i)]&space != 0 {
		i++
	}
	if l.at(i) != '>' {
		return l.stray()
	}
	l.tag(2, nameEnd)
	l.pos = l.tok + i + 1
	return tokenEnd
}

// nameFrom finds the end of a name.
func (l *lexer) nameFrom(i int) int {
	l.colon = 0
	for from := i; ; i++ {
		c := l.at(i)
		if class[c]&nameByte == 0 {
			return i
		}
		if c == ':' {
			l.colon = i + 1 - from
		}
	}
}

func (l *lexer) tag(from, to int) { l.name = l.buf[l.tok+from : l.tok+to] }

// local is the name without its prefix.
func (l *lexer) local() []byte { return l.name[l.colon:] }

// prefix is what stands before the colon of the name.
func (l *lexer) prefix() []byte { return l.name[:max(0, l.colon-1)] }

const maxReference = 16

// reference takes one of XML's five entities, or a character by its number. Anything else is an & that stands for itself.
func (l *lexer) reference() token {
	l.have(maxReference)
	window := l.buf[l.pos:min(l.end, l.pos+maxReference)]
	i := bytes.IndexByte(window, ';')
	if i < 0 {
		return l.stray()
	}
	c, ok := resolve(window[1:i])
	if !ok {
		return l.stray()
	}
	l.text = utf8.AppendRune(l.char[:0], c)
	l.pos += i + 1
	return tokenRef
}

// resolve gives the character that a reference stands for.
func resolve(name []byte) (rune, bool) {
	switch string(name) {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	if len(name) < 2 || name[0] != '#' {
		return 0, false
	}
	digits, base := name[1:], rune(10)
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	c := rune(0)
	for _, d := range digits {
		v := rune(99)
		switch {
		case '0' <= d && d <= '9':
			v = rune(d - '0')
		case 'a' <= d|0x20 && d|0x20 <= 'f':
			v = rune(d|0x20-'a') + 10
		}
		if v >= base {
			return 0, false
		}
		if c = c*base + v; c > utf8.MaxRune {
			return 0, false
		}
	}
	return c, len(digits) > 0 && isChar(c)
}

// isChar tells whether XML can hold a character (XML 1.0 2.2).
func isChar(c rune) bool {
	return c == '\t' || c == '\n' || c == '\r' || ' ' <= c && c <= 0xd7ff || 0xe000 <= c && c <= 0xfffd || 0x10000 <= c && c <= utf8.MaxRune
}

// The classes that a byte may be of.
const (
	nameStart = 1 << iota
	nameByte
	space
	tagEnd  // what may follow a name other than space
	special // what a value cannot be copied with as it is
)

var class = func() (t [256]uint8) {
	for i := range t {
		c := byte(i)
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z', c == '_', c == ':', c >= utf8.RuneSelf:
			t[c] |= nameStart | nameByte
		case '0' <= c && c <= '9', c == '-', c == '.':
			t[c] |= nameByte
		case c == ' ', c == '\t', c == '\n', c == '\r':
			t[c] |= space
		case c == '>', c == '/':
			t[c] |= tagEnd
		}
		if c < ' ' || c == '<' || c == '&' || c >= 0x7f {
			t[c] |= special
		}
	}
	return t
}()
