package examine

import (
	"mime"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/show"
)

// Unfold makes one line of a header field's value (RFC 5322 2.2.3).
func Unfold(s string) string {
	return strings.TrimSpace(strings.NewReplacer("\r\n\t", " ", "\r\n ", " ", "\r\n", " ").Replace(s))
}

// maxSubject bounds what is decoded and shown.
const maxSubject = 500

// decodeWords makes a Subject with encoded words (RFC 2047) readable. One that cannot be decoded stays as it is.
func decodeWords(s string) string {
	s = show.Clip(s, maxSubject)
	if !strings.Contains(s, "=?") {
		return s
	}
	var d mime.WordDecoder
	decoded, err := d.DecodeHeader(s)
	if err != nil {
		return s
	}
	return decoded
}

// decodeAddress makes the names beside addresses readable, unless a name would then look like an address.
func decodeAddress(s string) string {
	s = show.Clip(s, maxSubject)
	decoded := decodeWords(s)
	for _, c := range "<>@;:" {
		if strings.Count(decoded, string(c)) != strings.Count(s, string(c)) {
			return s
		}
	}
	return decoded
}
