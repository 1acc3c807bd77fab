package dns

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

const (
	maxLabel = 63  // RFC 1035 2.3.4
	maxName  = 253 // 255 octets on the wire, less the length bytes at both ends
)

// profile maps as browsers and mail clients do (UTS 46), without the rules for host names: the names of mail authentication hold
// underscores.
var profile = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.CheckHyphens(false))

// ToASCII gives a domain name the form in which it is compared and asked for: A-labels, lower case, no final dot. The error wraps
// [ErrBadName].
func ToASCII(domain string) (string, error) {
	domain = strings.TrimSuffix(domain, ".")
	if isCanonical(domain) {
		return domain, nil
	}
	name := strings.ToLower(domain)
	if !isASCII(name) {
		if !utf8.ValidString(domain) {
			return "", &Error{Name: domain, Kind: ErrBadName}
		}
		var err error
		if name, err = profile.ToASCII(domain); err != nil {
			return "", &Error{Name: domain, Kind: ErrBadName, Err: err}
		}
	}
	if !isCanonical(name) {
		return "", &Error{Name: domain, Kind: ErrBadName}
	}
	return name, nil
}

// isCanonical tells whether a name has labels of a good length and needs no change. Any printable ASCII may stand in a label: DNS
// does not mind (RFC 2181 11), and SPF's macros make odd ones.
func isCanonical(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	label := 0
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
			continue
		case c <= ' ' || c >= 0x7f || 'A' <= c && c <= 'Z':
			return false
		}
		if label++; label > maxLabel {
			return false
		}
	}
	return label > 0
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
