package aggregate

import (
	"bytes"
	"net/netip"
	"strconv"
	"unicode/utf8"

	"github.com/gatepost-mail/gatepost/dns"
)

// text reads the value of the element whose start tag has just been found, up to and with its end tag. The bytes are good until the
// next token.
func (r *Reader) text(where string) []byte {
	l := &r.lex
	r.partly = false
	if l.empty {
		return nil
	}
	// Most values stand as they are in the document, and their end tag follows.
	b, n := l.buf[l.pos:l.end], len(l.name)
	i := 0
	for i < len(b) && class[b[i]]&special == 0 {
		i++
	}
	if i <= r.opt.MaxText && i+n+2 < len(b) && b[i] == '<' && b[i+1] == '/' && b[i+n+2] == '>' && string(b[i+2:i+n+2]) == string(l.name) {
		l.pos += i + n + 3
		b = b[:i]
	} else if b = r.gather(where); len(b) == 0 {
		return nil
	}
	if n := len(b); n > 0 && (class[b[0]]|class[b[n-1]])&space != 0 {
		if b = bytes.Trim(b, " \t\r\n"); len(b) > 0 {
			r.warn(wSpace, where, "")
		}
	}
	return b
}

// gather puts a value together that is in pieces, or in disorder.
func (r *Reader) gather(where string) []byte {
	l := &r.lex
	r.name = append(r.name[:0], l.name...)
	v := r.buf[:0]
	var had odd
	defer func() {
		r.buf = v[:0]
		r.partly = had.control || had.long
		if had.invalid {
			r.warn(wInvalid, where, "")
		}
		if had.control {
			r.warn(wControl, where, "")
		}
		if had.long {
			r.warn(wLong, where, "")
		}
	}()
	for {
		piece := []byte(nil)
		switch l.scan() {
		case tokenEOF:
			r.cutOff()
			return nil
		case tokenText:
			piece = l.text
		case tokenRef:
			piece = l.text
			if l.text[0] == '\r' && !had.long && len(v) < r.opt.MaxText { // which is no end of a line here
				v, piece = append(v, '\r'), nil
			}
		case tokenStray:
			if !had.long {
				r.warn(wCharacter, where, string(l.text))
			}
			piece = l.text
		case tokenStart:
			if e, _ := lookup(l.local()); e != unknown {
				r.warn(wUnclosed, where, "")
				l.unread()
				return v
			}
			if !had.long {
				r.warn(wMarkup, where, shown(l.raw()))
			}
			piece = l.raw()
		case tokenEnd:
			if string(l.name) == string(r.name) {
				return v
			}
			if r.isOpen() >= 0 {
				r.warn(wUnclosed, where, "")
				l.unread()
				return v
			}
			if !had.long {
				r.warn(wMarkup, where, shown(l.raw()))
			}
			piece = l.raw()
		}
		if had.long {
			continue // to its end
		}
		var o odd
		v, o = appendText(v, piece, r.opt.MaxText)
		had = odd{had.invalid || o.invalid, had.control || o.control, o.long}
	}
}

// cut cuts a text to at most n bytes, between characters.
func cut(v []byte, n int) []byte {
	if len(v) <= n {
		return v
	}
	for n > 0 && !utf8.RuneStart(v[n]) {
		n--
	}
	return v[:n]
}

// clean is a string from within a tag.
func (r *Reader) clean(b []byte) string {
	v, _ := appendText(r.buf[:0], b, r.opt.MaxText)
	r.buf = v[:0]
	return r.str.string(v)
}

// string reads a value that may be anything.
func (r *Reader) string(where string) string { return r.str.string(r.text(where)) }

// word reads one of a vocabulary. Any other value is kept as it came, even with capitals: it is not ours to say what it means.
func (r *Reader) word(where string, v vocabulary) string {
	b := r.text(where)
	if r.partly && len(b) > 0 { // what is left of it may look like another word
		r.warn(wWord, where, string(b))
		return string(b) + "\ufffd"
	}
	if w := v(b); w != "" {
		return w
	}
	return r.oddWord(where, b, v)
}

func (r *Reader) oddWord(where string, b []byte, v vocabulary) string {
	if len(b) == 0 {
		if r.err == nil {
			r.warn(wEmpty, where, "")
		}
		return ""
	}
	came := r.str.string(b)
	var small [24]byte
	if len(b) <= len(small) {
		lower := appendLower(small[:0], b)
		known := v(lower)
		if known != "" {
			r.warn(wCase, where, came)
			return known
		}
		if common := commonWords(lower); common != "" { // not here, but its spelling is known
			came = common
		}
	}
	r.warn(wWord, where, came)
	return came
}

// domain reads a domain name.
func (r *Reader) domain(where string) string {
	b := r.text(where)
	for _, c := range b {
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_' {
			continue
		}
		return r.oddDomain(where, b)
	}
	if n := len(b); n > 1 && b[n-1] == '.' {
		b = b[:n-1]
	}
	return r.str.string(b)
}

func (r *Reader) oddDomain(where string, b []byte) string {
	if i := bytes.LastIndexByte(b, '@'); i >= 0 {
		r.warn(wMailbox, where, "")
		b = bytes.Trim(b[i+1:], "> \t\r\n")
	}
	name := string(b)
	if ascii, err := dns.ToASCII(name); err == nil {
		name = ascii
	}
	return r.str.string([]byte(name))
}

// mailbox reads the reporter's address, which may come in angle brackets.
func (r *Reader) mailbox(where string) string {
	b := r.text(where)
	if n := len(b); n > 2 && b[0] == '<' && b[n-1] == '>' {
		r.warn(wBrackets, where, string(b))
		b = bytes.Trim(b, "<> \t\r\n")
	}
	return r.str.string(b)
}

// address reads the source's address into a record. It reports whether that is one.
func (r *Reader) address(rec *Record) bool {
	const where = "source_ip"
	b := r.text(where)
	if ip, ok := parseIPv4(b); ok {
		rec.SourceIP = ip
		return true
	}
	if len(b) == 0 {
		if r.err == nil {
			r.warn(wLeftOut, where, "")
		}
		return false
	}
	came := r.str.string(b)
	s := came
	if n := len(s); n > 2 && s[0] == '[' && s[n-1] == ']' {
		r.warn(wBrackets, where, came)
		s = s[1 : n-1]
	}
	ip, err := netip.ParseAddr(s)
	if err != nil {
		if decimal, ok := parseZeros(s); ok {
			r.warn(wZeros, where, came)
			rec.SourceIP = decimal
			return true
		}
		r.warn(wNoAddress, where, came)
		return false
	}
	ip = ip.WithZone("")
	if ip.Is4In6() {
		r.warn(wMapped, where, came)
		ip = ip.Unmap()
	}
	rec.SourceIP = ip
	return true
}

// parseIPv4 reads a.b.c.d without leading zeros.
func parseIPv4(b []byte) (netip.Addr, bool) {
	if len(b) < 7 || len(b) > 15 {
		return netip.Addr{}, false
	}
	var ip [4]byte
	part, v, digits := 0, 0, 0
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			if digits > 0 && v == 0 {
				return netip.Addr{}, false
			}
			if v = v*10 + int(c-'0'); v > 255 {
				return netip.Addr{}, false
			}
			digits++
		case c == '.' && digits > 0 && part < 3:
			ip[part] = byte(v)
			part++
			v, digits = 0, 0
		default:
			return netip.Addr{}, false
		}
	}
	if part != 3 || digits == 0 {
		return netip.Addr{}, false
	}
	ip[3] = byte(v)
	return netip.AddrFrom4(ip), true
}

// parseZeros reads an IPv4 address whose numbers are filled up with zeros.
func parseZeros(s string) (netip.Addr, bool) {
	var b []byte
	for i := 0; i < len(s); i++ {
		inner := i > 0 && s[i-1] >= '0' && s[i-1] <= '9' && len(b) > 0 && b[len(b)-1] != '.'
		if s[i] == '0' && !inner && i+1 < len(s) && s[i+1] != '.' {
			continue
		}
		b = append(b, s[i])
	}
	return parseIPv4(b)
}

// number reads a count of messages.
func (r *Reader) number(where string) int64 {
	b := r.text(where)
	n := int64(0)
	for i, c := range b {
		if c < '0' || c > '9' || i > 12 {
			return r.oddNumber(where, b)
		}
		n = n*10 + int64(c-'0')
	}
	if len(b) == 0 || n == 0 || n > MaxCount {
		return r.oddNumber(where, b)
	}
	return n
}

func (r *Reader) oddNumber(where string, b []byte) int64 {
	if r.err != nil {
		return 0
	}
	came := r.str.string(b)
	whole, fraction := wholeNumber(came)
	n, err := strconv.ParseInt(whole, 10, 64)
	switch {
	case came == "":
		r.warn(wEmpty, where, "")
		return 0
	case err != nil || n < 0 || n > MaxCount:
		r.warn(wNumber, where, came)
		return 0
	case fraction:
		r.warn(wFraction, where, came)
	case n == 0:
		r.warn(wZero, where, "")
	}
	return n
}

// wholeNumber cuts the decimals off a number.
func wholeNumber(s string) (whole string, fraction bool) {
	for i := 0; i < len(s); i++ {
		if s[i] == '.' {
			for _, c := range s[i+1:] {
				if c < '0' || c > '9' {
					return s, false
				}
			}
			return s[:i], true
		}
	}
	return s, false
}
