package authres

import (
	"fmt"
	"strconv"
	"strings"
)

// A SyntaxError says where a value departs from RFC 8601 2.2.
type SyntaxError struct {
	Pos    int // in bytes from the beginning of the value
	Reason string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("at byte %d: %s", e.Pos, e.Reason) }

// maxResults bounds what one field makes us keep.
const maxResults = 200

// Parse reads the value of an Authentication-Results field. The error is a [*SyntaxError]; the Field then holds what stood before it.
func Parse(value string) (Field, error) {
	p := parser{text: value, open: -1}
	f, err := p.field()
	if err == nil && p.open >= 0 {
		err = &SyntaxError{p.open, "a comment has no end"}
	}
	return f, err
}

func (p *parser) field() (Field, error) {
	var f Field
	id, err := p.value("an authserv-id")
	if err != nil {
		return f, err
	}
	f.AuthservID = id
	p.space()
	if p.pos < len(p.text) && p.text[p.pos] != ';' {
		if f.Version, err = p.number(); err != nil {
			return f, err
		}
		p.space()
	}
	if p.pos == len(p.text) {
		return f, nil // RFC 8601 wants "; none" here; many do not write it
	}
	for p.pos < len(p.text) {
		if err := p.expect(';'); err != nil {
			return f, err
		}
		p.space()
		if p.pos == len(p.text) {
			break // a semicolon at the end, which many write
		}
		r, none, err := p.result()
		if err != nil {
			return f, err
		}
		if !none && len(f.Results) < maxResults {
			f.Results = append(f.Results, r)
		}
	}
	return f, nil
}

// A parser goes over the value once, without recursion.
type parser struct {
	text string
	pos  int
	open int // where a comment begins that has no end; -1 if none does
}

func (p *parser) fail(format string, args ...any) error {
	return &SyntaxError{p.pos, fmt.Sprintf(format, args...)}
}

// result reads methodspec [reasonspec] *propspec, or "none".
func (p *parser) result() (r Result, none bool, err error) {
	method, err := p.keyword("a method")
	if err != nil {
		return r, false, err
	}
	r.Method = strings.ToLower(method)
	p.space()
	if r.Method == "none" && (p.pos == len(p.text) || p.text[p.pos] == ';') {
		return r, true, nil
	}
	if p.at('/') {
		p.pos++
		p.space()
		if r.Version, err = p.number(); err != nil {
			return r, false, err
		}
		p.space()
	}
	if err := p.expect('='); err != nil {
		return r, false, err
	}
	value, err := p.keyword("a result")
	if err != nil {
		return r, false, err
	}
	r.Value = strings.ToLower(value)
	r.Comment = p.space()
	for p.pos < len(p.text) && p.text[p.pos] != ';' {
		if err := p.property(&r); err != nil {
			return r, false, err
		}
	}
	return r, false, nil
}

// property reads reason=value or ptype.property=value.
func (p *parser) property(r *Result) error {
	name, err := p.keyword("a property")
	if err != nil {
		return err
	}
	p.space()
	property := Property{Type: strings.ToLower(name)}
	if p.at('.') {
		p.pos++
		p.space()
		if property.Name, err = p.keyword("the name of a property"); err != nil {
			return err
		}
		property.Name = strings.ToLower(property.Name)
		p.space()
	}
	if err := p.expect('='); err != nil {
		return err
	}
	value, err := p.pvalue()
	if err != nil {
		return err
	}
	comment := p.space()
	switch {
	case property.Name != "":
		property.Value, property.Comment = value, comment
		r.Properties = append(r.Properties, property)
	case property.Type == "reason":
		r.Reason = value
	default:
		return p.fail("%q is neither reason nor a property with a dot in its name", name)
	}
	return nil
}

// pvalue reads a value, local@domain, or @domain.
func (p *parser) pvalue() (string, error) {
	p.space()
	local := ""
	if !p.at('@') {
		v, err := p.value("a value")
		if err != nil {
			return "", err
		}
		local = v
		if !p.at('@') {
			return local, nil
		}
	}
	p.pos++
	domain := p.token()
	return local + "@" + domain, nil
}

// value reads a token or a quoted string (RFC 2045 5.1).
func (p *parser) value(what string) (string, error) {
	p.space()
	if p.at('"') {
		return p.quoted()
	}
	if v := p.token(); v != "" {
		return v, nil
	}
	return "", p.fail("%s is missing", what)
}

func (p *parser) token() string {
	start := p.pos
	for p.pos < len(p.text) && isToken(p.text[p.pos]) {
		p.pos++
	}
	return p.text[start:p.pos]
}

// isToken is RFC 2045's token, with 8-bit characters (RFC 6532), and with those of its tspecials that mailers write bare in
// values: slashes, colons, brackets and question marks in addresses, and = in base64.
func isToken(c byte) bool {
	return c > ' ' && c != 0x7f && strings.IndexByte(`()<>@,;\"`, c) < 0
}

func (p *parser) quoted() (string, error) {
	var b strings.Builder
	start := p.pos
	for p.pos++; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; c {
		case '"':
			p.pos++
			return b.String(), nil
		case '\\':
			p.pos++
			if p.pos < len(p.text) {
				b.WriteByte(p.text[p.pos])
			}
		case '\r', '\n': // a fold
		default:
			b.WriteByte(c)
		}
	}
	p.pos = start
	return "", p.fail("a quoted string has no end")
}

// keyword reads a name: RFC 5321's Keyword, and the underscore that some methods have.
func (p *parser) keyword(what string) (string, error) {
	p.space()
	start := p.pos
	for p.pos < len(p.text) && (isAlphanumeric(p.text[p.pos]) || p.text[p.pos] == '-' || p.text[p.pos] == '_') {
		p.pos++
	}
	if start == p.pos {
		return "", p.fail("%s is missing", what)
	}
	return p.text[start:p.pos], nil
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

func (p *parser) number() (int, error) {
	start := p.pos
	for p.pos < len(p.text) && '0' <= p.text[p.pos] && p.text[p.pos] <= '9' {
		p.pos++
	}
	n, err := strconv.Atoi(p.text[start:p.pos])
	if err != nil {
		p.pos = start
		return 0, p.fail("a version number is missing")
	}
	return n, nil
}

func (p *parser) at(c byte) bool { return p.pos < len(p.text) && p.text[p.pos] == c }

func (p *parser) expect(c byte) error {
	if !p.at(c) {
		return p.fail("%q is missing", c)
	}
	p.pos++
	return nil
}

// space goes over white space and comments, which nest, and gives the text of the first comment (RFC 5322 3.2.2).
func (p *parser) space() (comment string) {
	depth, start := 0, 0
	for ; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; {
		case c == '(':
			if depth++; depth == 1 {
				start = p.pos + 1
			}
		case c == ')' && depth > 0:
			if depth--; depth == 0 && comment == "" {
				comment = unescape(p.text[start:p.pos])
			}
		case c == '\\' && depth > 0:
			p.pos++
		case depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n':
			return comment
		}
	}
	if depth > 0 {
		p.open = start - 1
	}
	p.pos = len(p.text)
	return comment
}

// unescape undoes quoted pairs and folds.
func unescape(s string) string {
	if !strings.ContainsAny(s, "\\\r\n") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		case '\r', '\n':
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
