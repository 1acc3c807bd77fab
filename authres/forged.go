package authres

import (
	"strings"

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
			places = append([]int{n}, places...)
		}
	}
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

// bears tells whether a value claims to be from authservID. A reader more careless than ours must not see our name where we do not:
// so a value that does not parse up to its first semicolon, and holds our name before that, is taken for ours too.
func bears(value, authservID string) bool {
	p := parser{text: value}
	id, err := p.value("an authserv-id")
	if err != nil {
		return true
	}
	if sameName(id, authservID) {
		return true
	}
	p.space()
	if p.pos == len(value) || p.at(';') || '0' <= value[p.pos] && value[p.pos] <= '9' {
		return false
	}
	head, _, _ := strings.Cut(value, ";")
	return strings.Contains(strings.ToLower(head), strings.ToLower(authservID))
}

func sameName(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}
