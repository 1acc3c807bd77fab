package message

import "strings"

// A token of a structured field (RFC 5322 3.2). A special stands for itself.
type token struct {
	kind byte
	text string
}

const (
	end     byte = 0
	atom    byte = 'a'
	quoted  byte = '"' // with its quotes
	literal byte = '[' // with its brackets
)

func (t token) isAt() bool { return t.kind == '@' }

// A lexer cuts a field's value into tokens and leaves white space and comments out. It never fails: what has no end ends with the text.
type lexer struct {
	text     string
	pos      int
	last     byte // the kind of the token before
	unclosed bool // a quoted string, a comment, a literal or an angle bracket had no end
}

func (l *lexer) next() token {
	t := l.token()
	l.last = t.kind
	return t
}

func (l *lexer) token() token {
	l.skip()
	if l.pos == len(l.text) {
		return token{kind: end}
	}
	start := l.pos
	switch c := l.text[start]; c {
	case '"':
		l.until('"')
		return token{quoted, l.text[start:l.pos]}
	case '[':
		if l.last != '@' { // RFC 5322 3.4.1: it stands for a domain, and nowhere else
			l.pos++
			return token{']', "["}
		}
		l.until(']')
		return token{literal, l.text[start:l.pos]}
	case '<', '>', '@', ',', ';', ':', '.', '\\', ']', ')':
		l.pos++
		return token{c, l.text[start:l.pos]}
	}
	for l.pos < len(l.text) && !l.isSpace() && !strings.ContainsRune("\"[]<>@,;:.\\()", rune(l.text[l.pos])) {
		l.pos++ // 8-bit and control characters are taken for letters, so that no address hides behind one
	}
	return token{atom, l.text[start:l.pos]}
}

// angle appends what stands between angle brackets, and the closing one.
func (l *lexer) angle(tokens []token) []token {
	for {
		t := l.next()
		if t.kind == end {
			l.unclosed = true
			return tokens
		}
		tokens = append(tokens, t)
		if t.kind == '>' {
			return tokens
		}
	}
}

// until goes behind the closing character; a backslash takes the next one's meaning.
func (l *lexer) until(closing byte) {
	for l.pos++; l.pos < len(l.text); l.pos++ {
		switch l.text[l.pos] {
		case '\\':
			l.pos++
		case closing:
			l.pos++
			return
		}
	}
	l.pos = len(l.text)
	l.unclosed = true
}

// isSpace tells whether white space stands here, or a part of a fold. A CR that is none is a control character.
func (l *lexer) isSpace() bool {
	switch l.text[l.pos] {
	case ' ', '\t', '\n':
		return true
	case '\r':
		return strings.HasPrefix(l.text[l.pos:], "\r\n")
	}
	return false
}

// skip goes over white space and comments, which nest (RFC 5322 3.2.2).
func (l *lexer) skip() {
	depth := 0
	for ; l.pos < len(l.text); l.pos++ {
		switch c := l.text[l.pos]; {
		case c == '(':
			depth++
		case depth > 0 && c == ')':
			depth--
		case depth > 0 && c == '\\':
			l.pos++
		case depth == 0 && !l.isSpace():
			return
		}
	}
	l.pos = len(l.text)
	l.unclosed = l.unclosed || depth > 0
}
