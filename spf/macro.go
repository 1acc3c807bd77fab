package spf

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// maxValue is how much of a local part or HELO name macros see. No name can hold more, and a record can repeat a macro often.
const maxValue = 512

func clip(s string) string { return s[:min(len(s), maxValue)] }

// target is the name that a term asks for: its domain-spec expanded (RFC 7208 4.8), or the domain where it has none. It is not ok
// where no such name can exist.
func (e *evaluation) target(spec, domain string) (name string, ok bool, _ *Error) {
	if spec == "" {
		return domain, true, nil
	}
	if strings.IndexByte(spec, '%') >= 0 {
		b, err := e.expand(nil, spec, domain, boundName)
		if err != nil {
			return "", false, err
		}
		spec = string(b)
	}
	name, ok = queryName(spec)
	return name, ok, nil
}

// boundName keeps the right end of a name that grows: more than that is never used (RFC 7208 7.3).
func boundName(b []byte) (_ []byte, more bool) {
	if len(b) > 2*maxValue {
		b = append(b[:0], b[len(b)-maxValue:]...)
	}
	return b, true
}

// expand appends a macro-string of correct syntax to b, with its macros expanded (RFC 7208 7). bound cuts what has grown too long,
// and says whether to go on.
func (e *evaluation) expand(b []byte, s, domain string, bound func([]byte) ([]byte, bool)) ([]byte, *Error) {
	for more := true; s != "" && more; b, more = bound(b) {
		percent := strings.IndexByte(s, '%')
		if percent < 0 {
			percent = len(s)
		}
		b = append(b, s[:percent]...)
		s = s[percent:]
		if s == "" {
			continue
		}
		m, n, _ := scanMacro(s, explainLetters)
		value, err := e.value(m.letter, domain)
		if err != nil || n == 0 {
			return b, err
		}
		s = s[n:]
		b = m.append(b, value)
	}
	return b, nil
}

// value is what a macro letter stands for (RFC 7208 7.2).
func (e *evaluation) value(letter byte, domain string) (string, *Error) {
	switch letter {
	case '%':
		return "%", nil
	case '_':
		return " ", nil
	case '-':
		return "%20", nil
	case 's':
		return e.local + "@" + e.domain, nil
	case 'l':
		return e.local, nil
	case 'o':
		return e.domain, nil
	case 'd':
		return domain, nil
	case 'i':
		return dotted(e.ip), nil
	case 'p':
		return e.validatedName(domain)
	case 'h':
		return e.helo, nil
	case 'v':
		if e.ip.Is4() {
			return "in-addr", nil
		}
		return "ip6", nil
	case 'c':
		return e.ip.String(), nil
	case 'r':
		if e.q.Receiver == "" {
			return "unknown", nil
		}
		return clip(e.q.Receiver), nil
	}
	now := e.q.Now // 't'
	if now.IsZero() {
		now = time.Now()
	}
	return strconv.FormatInt(now.Unix(), 10), nil
}

// dotted is an address as %{i} has it: an IPv6 address as its nibbles with dots between them (RFC 7208 7.3).
func dotted(ip netip.Addr) string {
	if ip.Is4() {
		return ip.String()
	}
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, 64)
	for _, c := range ip.As16() {
		b = append(b, hex[c>>4], '.', hex[c&15], '.')
	}
	return string(b[:len(b)-1])
}

// append appends a value, transformed (RFC 7208 7.3): split at the delimiters, reversed, cut to the right-hand parts, joined with
// dots, URL-escaped.
func (m *macro) append(b []byte, value string) []byte {
	if m.parts == 0 && !m.reverse && m.delimiters == "" {
		return m.appendPart(b, value)
	}
	n := m.parts
	if n == 0 {
		n = len(value) + 1
	}
	if m.reverse { // the right-hand parts of what is reversed are the left-hand ones of what is not
		return m.appendReversed(b, m.leftParts(value, n))
	}
	value = m.rightParts(value, n)
	for i := range len(value) {
		if m.splits(value[i]) {
			b = append(b, '.')
		} else {
			b = m.appendPart(b, value[i:i+1])
		}
	}
	return b
}

func (m *macro) appendReversed(b []byte, value string) []byte {
	end := len(value)
	for i := len(value) - 1; i >= 0; i-- {
		if m.splits(value[i]) {
			b = append(m.appendPart(b, value[i+1:end]), '.')
			end = i
		}
	}
	return m.appendPart(b, value[:end])
}

func (m *macro) leftParts(value string, n int) string {
	for i := range len(value) {
		if m.splits(value[i]) {
			if n--; n == 0 {
				return value[:i]
			}
		}
	}
	return value
}

func (m *macro) rightParts(value string, n int) string {
	for i := len(value) - 1; i >= 0; i-- {
		if m.splits(value[i]) {
			if n--; n == 0 {
				return value[i+1:]
			}
		}
	}
	return value
}

func (m *macro) splits(c byte) bool {
	if m.delimiters == "" {
		return c == '.'
	}
	return strings.IndexByte(m.delimiters, c) >= 0
}

// appendPart appends what is literal, URL-escaped where the macro letter was in upper case: all but the unreserved characters of
// RFC 3986 2.3.
func (m *macro) appendPart(b []byte, s string) []byte {
	if !m.escape {
		return append(b, s...)
	}
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if isAlpha(c) || isDigit(c) || c == '-' || c == '.' || c == '_' || c == '~' {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}
