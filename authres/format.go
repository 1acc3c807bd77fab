package authres

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	foldAt      = 76  // where a line is folded, if it can be
	maxReason   = 300 // a reason, a comment or a value that is longer is cut: lines end at 998 octets (RFC 5322 2.1.1)
	maxKeyword  = 64  // likewise
	continuance = "\r\n\t"
)

// Format writes the field's value, each result on a line of its own, folded with CRLF and a tab. What a message may have put into a
// member cannot leave its place: values that are no tokens are quoted, and line ends and control characters become spaces or
// question marks.
func (f Field) Format() string {
	var w writer
	w.word(quoteUnless(f.AuthservID, isPlainToken))
	if f.Version > 0 {
		w.word(strconv.Itoa(f.Version))
	}
	if len(f.Results) == 0 {
		w.b.WriteString("; none")
		return w.b.String()
	}
	for _, r := range f.Results {
		w.b.WriteByte(';')
		w.fold()
		r.write(&w)
	}
	return w.b.String()
}

func (r Result) write(w *writer) {
	method := keyword(r.Method)
	if r.Version > 0 {
		method += "/" + strconv.Itoa(r.Version)
	}
	w.word(method + "=" + keyword(r.Value))
	if r.Comment != "" {
		w.word("(" + commentText(r.Comment) + ")")
	}
	if r.Reason != "" {
		w.word("reason=" + quote(r.Reason))
	}
	for _, p := range r.Properties {
		w.word(keyword(p.Type) + "." + keyword(p.Name) + "=" + pvalue(p.Value))
		if p.Comment != "" {
			w.word("(" + commentText(p.Comment) + ")")
		}
	}
}

// A writer puts words one after the other and folds before one that would make the line too long.
type writer struct {
	b    strings.Builder
	line int // where the present line begins
}

func (w *writer) fold() {
	w.b.WriteString(continuance)
	w.line = w.b.Len() - 1
}

func (w *writer) word(s string) {
	switch at := w.b.Len() - w.line; {
	case at == 0 || w.line > 0 && at == 1:
	case at+1+len(s) > foldAt:
		w.fold()
	default:
		w.b.WriteByte(' ')
	}
	w.b.WriteString(s)
}

// keyword keeps the characters of a keyword alone; these are our own words, unless somebody erred.
func keyword(s string) string {
	clean := strings.Map(func(c rune) rune {
		if c < 0x80 && (isAlphanumeric(byte(c)) || c == '-' || c == '_') {
			return c
		}
		return -1
	}, s)
	if clean == "" {
		return "unknown"
	}
	return clean[:min(len(clean), maxKeyword)]
}

// pvalue writes an address bare where both its parts are plain, and quotes every other value that is no token (RFC 8601 2.2).
func pvalue(s string) string {
	s = cut(s)
	local, domain, ok := strings.Cut(s, "@")
	if ok && (local == "" || isDotAtom(local)) && isDotAtom(domain) {
		return s
	}
	return quoteUnless(s, isPlainToken)
}

func quoteUnless(s string, plain func(string) bool) string {
	if s = cut(s); plain(s) {
		return s
	}
	return quote(s)
}

// isPlainToken is RFC 2045's token to the letter: what we write is read by everybody.
func isPlainToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?=`, s[i]) >= 0 {
			return false
		}
	}
	return s != ""
}

func isDotAtom(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isAlphanumeric(s[i]) && strings.IndexByte("!#$%&'*+-_.{|}~", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// quote writes a quoted string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	escape(&b, s, `"\`)
	b.WriteByte('"')
	return b.String()
}

// commentText writes what stands between the parentheses of a comment.
func commentText(s string) string {
	var b strings.Builder
	escape(&b, s, `()\`)
	return b.String()
}

// escape writes a text of a bounded length, with a backslash before each special. What can be seen is let through, UTF-8 too (RFC
// 6532); white space and line ends, Unicode's as well, become a space, and all else a question mark.
func escape(b *strings.Builder, s, special string) {
	for _, c := range cut(s) {
		switch {
		case c == utf8.RuneError:
			c = '?'
		case unicode.IsSpace(c) || c == '\u2028' || c == '\u2029':
			c = ' '
		case !unicode.IsPrint(c):
			c = '?'
		case strings.ContainsRune(special, c):
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
}

// cut shortens a text, at the beginning of a UTF-8 character.
func cut(s string) string {
	if len(s) <= maxReason {
		return s
	}
	n := maxReason - len("...")
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n] + "..."
}
