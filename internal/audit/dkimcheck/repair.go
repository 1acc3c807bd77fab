package dkimcheck

import (
	"errors"
	"strings"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

// repaired takes out of a record what got in on the way from a document to DNS: quotes and backslashes of a master file, line ends, and
// white space that looks like none. It tells whether a key came out of that which is usable, and so whole.
func repaired(s *facts.Selector) (string, bool) {
	var b strings.Builder
	for _, r := range s.Text {
		switch {
		case r == '"' || r == '\\' || r == '\'' || r < ' ' || r >= 0x7f: // none of them has a place in a key record, but for a note
		default:
			b.WriteRune(r)
		}
	}
	text := strings.TrimSpace(b.String())
	key, err := dkim.ParseKey(text)
	return text, err == nil && key.Public != nil && text != s.Text
}

// goodAs tells whether a record with a change made to it is a key, but for tags that stand there again, which are mended by themselves.
func goodAs(text string, err error) bool {
	if err == nil {
		text, err = dkim.RemoveRepeatedTags(text)
	}
	if err != nil {
		return false
	}
	_, err = dkim.ParseKey(text)
	return err == nil || errors.Is(err, dkim.ErrRevoked)
}
