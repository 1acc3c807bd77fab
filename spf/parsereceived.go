package spf

import (
	"fmt"
	"strings"
)

// What a field may hold. A longer one is nobody's.
const (
	maxField = 16 << 10
	maxPairs = 64
)

// ParseReceivedSPF reads the value of a Received-SPF field (RFC 7208 9.1), folded or not. It takes values that ought to be quoted and
// are not, since the RFC's own examples have them: "client-ip=2001:db8::1".
//
// Believe such a field only where it was added by a host that you trust: anyone can write one.
func ParseReceivedSPF(field string) (Received, error) {
	var r Received
	if len(field) > maxField {
		return r, fmt.Errorf("reading Received-SPF: %d bytes are more than %d", len(field), maxField)
	}
	p := fieldParser{s: field}
	err := p.field(&r)
	if err != nil {
		return Received{}, fmt.Errorf("reading Received-SPF: at byte %d: %w", p.i, err)
	}
	return r, nil
}

// A fieldParser reads from s[i] on.
type fieldParser struct {
	s string
	i int
}

func (p *fieldParser) field(r *Received) error {
	if _, err := p.cfws(); err != nil {
		return err
	}
	r.Result = Code(lowerCase(p.while(isAlpha)))
	switch r.Result {
	case None, Neutral, Pass, Fail, SoftFail, TempError, PermError:
	default:
		return fmt.Errorf("%s is no result of SPF", quote(string(r.Result)))
	}
	var err error
	if r.Comment, err = p.cfws(); err != nil {
		return err
	}
	for p.i < len(p.s) {
		if len(r.Pairs) == maxPairs {
			return fmt.Errorf("more than %d pairs", maxPairs)
		}
		pair, err := p.pair()
		if err != nil {
			return err
		}
		r.Pairs = append(r.Pairs, pair)
		if p.i == len(p.s) {
			break
		}
		if p.s[p.i] != ';' {
			return fmt.Errorf("a semicolon is missing")
		}
		p.i++
		if _, err := p.cfws(); err != nil {
			return err
		}
	}
	return nil
}

// pair reads key [CFWS] "=" value, and the white space and comments around it.
func (p *fieldParser) pair() (pair Pair, err error) {
	pair.Key = lowerCase(p.while(isKeyByte))
	if pair.Key == "" {
		return pair, fmt.Errorf("a key is missing")
	}
	if _, err = p.cfws(); err != nil {
		return pair, err
	}
	if p.i == len(p.s) || p.s[p.i] != '=' {
		return pair, fmt.Errorf("%s has no value", quote(pair.Key))
	}
	p.i++
	if _, err = p.cfws(); err != nil {
		return pair, err
	}
	if p.i < len(p.s) && p.s[p.i] == '"' {
		pair.Value, err = p.quoted('"', '"')
	} else {
		pair.Value = p.while(isValueByte)
	}
	if err == nil {
		_, err = p.cfws()
	}
	return pair, err
}

// cfws skips white space and comments, and gives the text of the first comment.
func (p *fieldParser) cfws() (comment string, err error) {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\r', '\n':
			p.i++
		case '(':
			text, err := p.quoted('(', ')')
			if err != nil {
				return "", err
			}
			if comment == "" {
				comment = strings.Join(strings.Fields(text), " ")
			}
		default:
			return comment, nil
		}
	}
	return comment, nil
}

// quoted reads a quoted-string or a comment, which may hold others, and gives its text without backslashes and line ends.
func (p *fieldParser) quoted(opening, closing byte) (string, error) {
	var b strings.Builder
	depth := 0
	for ; p.i < len(p.s); p.i++ {
		c := p.s[p.i]
		switch {
		case c == '\\' && p.i+1 < len(p.s):
			p.i++
			c = p.s[p.i]
		case c == closing && depth > 0:
			if depth--; depth == 0 {
				p.i++
				return b.String(), nil
			}
		case c == opening:
			if depth++; depth == 1 {
				continue
			}
		}
		if c != '\r' && c != '\n' { // unfolded (RFC 5322 2.2.3)
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("the closing %c is missing", closing)
}

func (p *fieldParser) while(fits func(byte) bool) string {
	start := p.i
	for p.i < len(p.s) && fits(p.s[p.i]) {
		p.i++
	}
	return p.s[start:p.i]
}

func isKeyByte(c byte) bool { return isAlpha(c) || isDigit(c) || c == '-' || c == '_' || c == '.' }
func isValueByte(c byte) bool {
	return c > ' ' && c < 0x7f && c != ';' && c != '"' && c != '(' && c != ')'
}
