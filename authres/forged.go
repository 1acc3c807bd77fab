package authres

import (
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/message"
)

// Name is the name of the header field.
const Name = "Authentication-Results"

// Forged gives the places of the Authentication-Results fields that bear our own name, as anybody may write into a message that
// comes from outside (RFC 8601 5). A field in which the name cannot be made out counts as one that bears it.
//
// A place counts the fields of this name from the top, beginning with 1, as a milter's change of a header does. The highest comes
// first: taking fields out in this order shifts none that is still to be taken (CVE-2022-48521).
func Forged(h message.Header, authservID string) []int {
	var places []int
	n := 0
	for _, f := range h {
		if !f.Is(Name) {
			continue
		}
		n++
		if bears(f.Value(), authservID) {
			places = append(places, n)
		}
	}
	slices.Reverse(places)
	return places
}

// Strip gives the header without its forged fields.
func Strip(h message.Header, authservID string) message.Header {
	kept := make(message.Header, 0, len(h))
	for _, f := range h {
		if !f.Is(Name) || !bears(f.Value(), authservID) {
			kept = append(kept, f)
		}
	}
	return kept
}

// bears tells whether a value claims to be from authservID. Readers differ in what they make of a value that breaks the rules, and none
// of them may see our name where we do not: so what holds our name anywhere before the results counts as ours, in a comment too.
func bears(value, authservID string) bool {
	p := parser{text: value}
	id, err := p.value("an authserv-id")
	if err != nil || sameName(id, authservID) {
		return true
	}
	p.space()
	if p.pos < len(value) && !p.at(';') {
		if _, err := p.number(); err == nil {
			p.space()
		}
	}
	head := value[:max(p.pos, strings.IndexByte(value, ';'))]
	if p.pos < len(value) && !p.at(';') { // no semicolon where one should be: the name may stand behind it
		rest, _, _ := strings.Cut(value[p.pos:], ";")
		head = value[:max(len(head), p.pos+len(rest))]
	}
	return holdsName(head, authservID) || holdsName(squeezed(head), authservID)
}

// squeezed leaves out comments, quotes, backslashes, white space and control characters: whoever ignores them sees a name across them.
func squeezed(s string) string {
	var b strings.Builder
	p := parser{text: s}
	for p.pos < len(s) {
		p.space()
		if p.pos < len(s) {
			if c := s[p.pos]; c > ' ' && c != '"' && c != '\\' && c != 0x7f {
				b.WriteByte(c)
			}
			p.pos++
		}
	}
	return b.String()
}

// holdsName tells whether a name stands in a text, not as a part of a longer name.
func holdsName(text, name string) bool {
	text, name = strings.ToLower(text), strings.ToLower(strings.TrimSuffix(name, "."))
	for from := 0; name != ""; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			return false
		}
		i += from
		end := i + len(name)
		before := i > 0 && isNameChar(text[i-1])
		after := end < len(text) && (isNameChar(text[end]) && text[end] != '.' || text[end] == '.' && end+1 < len(text) && isNameChar(text[end+1]))
		if !before && !after {
			return true
		}
		from = i + 1
	}
	return false
}

func isNameChar(c byte) bool { return isAlphanumeric(c) || c == '-' || c == '_' || c == '.' }

// sameName compares without regard to case, a final dot, or whether labels are A-labels (RFC 8601 2.2).
func sameName(a, b string) bool { return normalName(a) == normalName(b) }

func normalName(s string) string {
	if ascii, err := dns.ToASCII(s); err == nil {
		s = ascii
	}
	return strings.ToLower(strings.TrimSuffix(strings.TrimSpace(s), "."))
}
