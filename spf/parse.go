package spf

import (
	"fmt"
	"net/netip"
	"strings"
)

// version begins every record (RFC 7208 4.5).
const version = "v=spf1"

// A SyntaxError says where a record departs from the grammar of RFC 7208 12.
type SyntaxError struct {
	Pos    int    // the byte of the record
	Term   string // the term it stands in, as written
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s at byte %d: %s", quote(e.Term), e.Pos, e.Reason)
}

// IsRecord tells whether a TXT record is an SPF record: the version, without regard to case, and then a space or the end
// (RFC 7208 4.5).
func IsRecord(txt string) bool {
	return len(txt) >= len(version) && equalFold(txt[:len(version)], version) &&
		(len(txt) == len(version) || txt[len(version)] == ' ')
}

// Parse takes a record apart. Where the syntax is wrong the record comes back all the same, each term with its own error, and
// with it the first of them, a [*SyntaxError]; what is not an SPF record at all ([IsRecord]) gives no record.
func Parse(record string) (*Record, error) {
	if !IsRecord(record) {
		word, _, _ := strings.Cut(record, " ")
		return nil, &SyntaxError{Term: word, Reason: "an SPF record begins with v=spf1 and a space"}
	}
	r := &Record{Text: record}
	var first error
	for s := newScanner(record); ; {
		t, ok := s.next()
		if !ok {
			return r, first
		}
		if t.Err != nil && first == nil {
			first = t.Err
		}
		r.Terms = append(r.Terms, t)
	}
}

// A scanner gives the terms of a record one by one.
type scanner struct {
	record   string
	pos      int
	redirect bool // seen
	exp      bool
}

func newScanner(record string) scanner { return scanner{record: record, pos: len(version)} }

// next parses a term. Terms are separated by spaces, and by nothing else (RFC 7208 4.6.1).
func (s *scanner) next() (t Term, ok bool) {
	for s.pos < len(s.record) && s.record[s.pos] == ' ' {
		s.pos++
	}
	if s.pos == len(s.record) {
		return t, false
	}
	t.Pos, t.Text = s.pos, s.record[s.pos:]
	if i := strings.IndexByte(t.Text, ' '); i >= 0 {
		t.Text = t.Text[:i]
	}
	s.pos += len(t.Text)
	at, reason := t.parse()
	if reason == "" {
		reason = s.twice(t.Kind)
	}
	if reason != "" {
		t.Err = &SyntaxError{Pos: t.Pos + at, Term: t.Text, Reason: reason}
	}
	return t, true
}

// twice says what is wrong with a second redirect or exp (RFC 7208 6).
func (s *scanner) twice(k Kind) string {
	switch k {
	case KindRedirect:
		if s.redirect {
			return "redirect= may stand in a record once only"
		}
		s.redirect = true
	case KindExp:
		if s.exp {
			return "exp= may stand in a record once only"
		}
		s.exp = true
	}
	return ""
}

// parse fills in the term from its text. Where it is wrong it gives the reason, and the byte of the text.
func (t *Term) parse() (at int, reason string) {
	n := nameLen(t.Text)
	if n < len(t.Text) && t.Text[n] == '=' && n > 0 && isAlpha(t.Text[0]) {
		return t.parseModifier(n)
	}
	t.Qualifier = '+'
	start := qualifierLen(t.Text)
	if start > 0 {
		t.Qualifier = t.Text[0]
		n = nameLen(t.Text[1:])
	}
	name, arg := t.Text[start:start+n], t.Text[start+n:]
	t.Kind = mechanism(name)
	if t.Kind == KindInvalid || arg != "" && arg[0] != ':' && arg[0] != '/' {
		t.Kind = KindInvalid
		return start, unknown(name, arg)
	}
	at, reason = t.parseArgument(arg)
	return start + n + at, reason
}

// unknown explains a term that is neither a mechanism nor a modifier.
func unknown(name, arg string) string {
	switch {
	case equalFold(name, "redirect") || equalFold(name, "exp"):
		return "this is a modifier: it is written with = and without a qualifier"
	case arg != "" && arg[0] == '=':
		return "a modifier's name begins with a letter and has no qualifier"
	}
	return "there is no such mechanism"
}

// parseModifier parses what follows a name and "=" (RFC 7208 6). A known name never counts as an unknown modifier, whatever its value.
func (t *Term) parseModifier(n int) (at int, reason string) {
	name := t.Text[:n]
	t.DomainSpec = t.Text[n+1:]
	switch {
	case equalFold(name, "redirect"):
		t.Kind = KindRedirect
		at, reason = checkDomainSpec(t.DomainSpec)
	case equalFold(name, "exp"):
		t.Kind = KindExp
		at, reason = checkDomainSpec(t.DomainSpec)
	default:
		t.Kind = KindModifier
		_, at, reason = checkMacroString(t.DomainSpec, explainLetters, '!')
	}
	return n + 1 + at, reason
}

// parseArgument parses what follows a mechanism's name: nothing, or from ":" or "/" on.
func (t *Term) parseArgument(arg string) (at int, reason string) {
	switch t.Kind {
	case KindAll: // RFC 7208 5.1
		if arg != "" {
			return 0, "all takes no argument"
		}
		return 0, ""
	case KindIP4, KindIP6:
		return t.parseNetwork(arg)
	case KindA, KindMX:
		t.Bits4, t.Bits6 = 32, 128
		arg, at, reason = t.parseDualCIDR(arg)
		if reason != "" {
			return at, reason
		}
		if arg == "" {
			return 0, ""
		}
	case KindPTR: // RFC 7208 5.5
		if arg == "" {
			return 0, ""
		}
	}
	switch {
	case arg == "": // include and exists (RFC 7208 5.2, 5.7)
		return 0, "a colon and a domain are missing"
	case arg[0] != ':':
		return 0, "a prefix length cannot stand here"
	}
	t.DomainSpec = arg[1:]
	at, reason = checkDomainSpec(t.DomainSpec)
	return 1 + at, reason
}

// parseDualCIDR takes the dual-cidr-length off the end of an argument (RFC 7208 5.6). It is looked for from the end, since a
// domain-spec may have slashes of its own.
func (t *Term) parseDualCIDR(arg string) (rest string, at int, reason string) {
	rest = arg
	slash := lengthStart(rest)
	if slash > 0 && rest[slash-1] == '/' {
		if t.Bits6, reason = parseBits(rest[slash+1:], 128); reason != "" {
			return rest, slash + 1, reason
		}
		rest = rest[:slash-1]
		slash = lengthStart(rest)
	}
	if slash >= 0 {
		if lengthStart(rest[:slash]) >= 0 { // no domain-spec ends like that
			return rest, slash, "an IPv6 prefix length stands last, after two slashes"
		}
		if t.Bits4, reason = parseBits(rest[slash+1:], 32); reason != "" {
			return rest, slash + 1, reason
		}
		rest = rest[:slash]
	}
	return rest, 0, ""
}

// lengthStart is the index of the slash before the digits that s ends in; -1 if there is none.
func lengthStart(s string) int {
	i := len(s)
	for i > 0 && isDigit(s[i-1]) {
		i--
	}
	if i == 0 || s[i-1] != '/' {
		return -1
	}
	return i - 1
}

// parseBits parses a cidr-length, which has no leading zero (RFC 7208 5.6).
func parseBits(s string, most int) (uint8, string) {
	if s == "" {
		return 0, "the prefix length is missing"
	}
	if s[0] == '0' && len(s) > 1 {
		return 0, "the prefix length has a leading zero"
	}
	n := 0
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, "the prefix length is not a number"
		}
		if n = n*10 + int(s[i]-'0'); n > most {
			if most == 32 {
				return 0, "an IPv4 prefix length is 32 at most"
			}
			return 0, "an IPv6 prefix length is 128 at most"
		}
	}
	return uint8(n), ""
}

// parseNetwork parses the argument of ip4 and ip6 (RFC 7208 5.6).
func (t *Term) parseNetwork(arg string) (at int, reason string) {
	if arg == "" || arg[0] != ':' {
		return 0, "a colon and an address are missing"
	}
	text, length := arg[1:], ""
	slash := strings.IndexByte(text, '/')
	if slash >= 0 {
		text, length = text[:slash], text[slash+1:]
	}
	addr, err := netip.ParseAddr(text)
	switch {
	case err != nil && t.Kind == KindIP4:
		return 1, "this is not an IPv4 address of four numbers"
	case err != nil || addr.Zone() != "":
		return 1, "this is not an IPv6 address"
	case t.Kind == KindIP4 && !addr.Is4():
		return 1, "this is an IPv6 address: it belongs to ip6"
	case t.Kind == KindIP6 && addr.Is4():
		return 1, "this is an IPv4 address: it belongs to ip4"
	}
	bits := uint8(addr.BitLen())
	if slash >= 0 {
		if bits, reason = parseBits(length, addr.BitLen()); reason != "" {
			return 1 + slash + 1, reason
		}
	}
	t.Prefix = netip.PrefixFrom(addr, int(bits))
	return 0, ""
}
