package spf

import "strings"

// The macro letters (RFC 7208 7.2).
const (
	domainLetters  = "slodipvh"
	explainLetters = "slodipvhcrt" // in the text that exp points to, and in unknown modifiers
)

// A macro is one macro-expand (RFC 7208 7.1).
type macro struct {
	letter     byte   // lower case; '%', '_' or '-' for %%, %_ and %-
	escape     bool   // written in upper case: URL-escape the value
	parts      int    // how many right-hand parts to keep; 0 for all
	reverse    bool   //
	delimiters string // empty for "."
}

// scanMacro reads the macro that s begins with, and its length. s[0] is '%'.
func scanMacro(s, letters string) (m macro, n int, reason string) {
	if len(s) < 2 {
		return m, 0, "a % stands alone; %% means a percent sign"
	}
	switch s[1] {
	case '%', '_', '-':
		m.letter = s[1]
		return m, 2, ""
	case '{':
	default:
		return m, 0, "a % is followed by {, %, _ or -"
	}
	end := strings.IndexByte(s, '}')
	if end < 0 {
		return m, 0, "a macro has no closing brace"
	}
	body := s[2:end]
	if body == "" {
		return m, 0, "a macro has no letter"
	}
	m.letter = lower(body[0])
	m.escape = m.letter != body[0]
	if strings.IndexByte(letters, m.letter) < 0 {
		if strings.IndexByte(explainLetters, m.letter) >= 0 {
			return m, 0, "the macros c, r and t are for the text of an explanation only"
		}
		return m, 0, "there is no such macro letter"
	}
	i := 1
	for ; i < len(body) && isDigit(body[i]); i++ {
		m.parts = min(m.parts*10+int(body[i]-'0'), maxName) // a name has no more parts than that
	}
	if i > 1 && m.parts == 0 { // RFC 7208 7.3
		return m, 0, "a macro keeps at least one part"
	}
	if i < len(body) && lower(body[i]) == 'r' {
		m.reverse = true
		i++
	}
	m.delimiters = body[i:]
	for ; i < len(body); i++ {
		if strings.IndexByte(".-+,/_=", body[i]) < 0 {
			return m, 0, "a macro has something that is no delimiter before its closing brace"
		}
	}
	return m, end + 1, ""
}

// checkMacroString checks a macro-string (RFC 7208 7.1). Characters from least on, '!' or ' ', may stand for themselves. behind is where
// its last macro ends.
func checkMacroString(s, letters string, least byte) (behind, at int, reason string) {
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '%':
			_, n, reason := scanMacro(s[i:], letters)
			if reason != "" {
				return 0, i, reason
			}
			i += n
			behind = i
		case c < least || c >= 0x7f:
			return 0, i, "only visible ASCII characters may stand in a record" // RFC 7208 3.1
		default:
			i++
		}
	}
	return behind, 0, ""
}

// checkDomainSpec checks a domain-spec: a macro-string that ends in a macro or in a dot and a top label (RFC 7208 7.1).
func checkDomainSpec(s string) (at int, reason string) {
	if s == "" {
		return 0, "the domain is missing"
	}
	behind, at, reason := checkMacroString(s, domainLetters, '!')
	if reason != "" || behind == len(s) {
		return at, reason
	}
	tail := strings.TrimSuffix(s[behind:], ".")
	dot := strings.LastIndexByte(tail, '.')
	if dot < 0 {
		return 0, "the domain has no dot before its last label"
	}
	if !isTopLabel(tail[dot+1:]) {
		at = behind + dot + 1
		if isDigits(tail[dot+1:]) {
			return at, "the last label of a domain is not a number; an address belongs to ip4 or ip6"
		}
		return at, "the last label of a domain has letters, digits and inner hyphens only"
	}
	return 0, ""
}

// isTopLabel checks a toplabel: letters, digits and inner hyphens, and not digits alone.
func isTopLabel(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if !isAlpha(s[i]) && !isDigit(s[i]) && s[i] != '-' {
			return false
		}
	}
	return !isDigits(s)
}

func isDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// nameLen is the length of the name that s begins with (RFC 7208 4.6.1).
func nameLen(s string) int {
	for i := range len(s) {
		c := s[i]
		if !isAlpha(c) && !isDigit(c) && c != '-' && c != '_' && c != '.' {
			return i
		}
	}
	return len(s)
}

func qualifierLen(s string) int {
	switch s[0] {
	case '+', '-', '~', '?':
		return 1
	}
	return 0
}

// mechanism finds a mechanism by its name, which is case-insensitive (RFC 7208 4.6.1).
func mechanism(name string) Kind {
	switch len(name) {
	case 1:
		if lower(name[0]) == 'a' {
			return KindA
		}
	case 2:
		if equalFold(name, "mx") {
			return KindMX
		}
	case 3:
		switch {
		case equalFold(name, "ip4"):
			return KindIP4
		case equalFold(name, "ip6"):
			return KindIP6
		case equalFold(name, "all"):
			return KindAll
		case equalFold(name, "ptr"):
			return KindPTR
		}
	case 6:
		if equalFold(name, "exists") {
			return KindExists
		}
	case 7:
		if equalFold(name, "include") {
			return KindInclude
		}
	}
	return KindInvalid
}

// equalFold compares ASCII without regard to case. b is in lower case.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != b[i] {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

func isAlpha(c byte) bool { c |= 0x20; return 'a' <= c && c <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
