package gate

import (
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/arc"
	"github.com/gatepost-mail/gatepost/internal/verify"
	"github.com/gatepost-mail/gatepost/message"
)

// A Sealing says which messages get an ARC set of ours, for those to whom they are forwarded.
type Sealing struct {
	arc.Sealer
	Recipients []string // domains, as in a Route; all if empty
}

// startSealing begins a set when the header of a message is there that may be forwarded. A message that cannot be sealed is none the
// worse for it.
func (t *transit) startSealing() {
	if t.Sealing == nil || !t.Sealing.wanted(t.client.Recipients) {
		return
	}
	if err := t.verify.Seal(t.Sealing.Sealer); err != nil {
		t.Log.Warn("a message is not sealed", "client_ip", addr(t.client.IP), "error", err.Error())
	}
}

func (s *Sealing) wanted(recipients []string) bool {
	return len(s.Recipients) == 0 || slices.ContainsFunc(recipients, func(r string) bool {
		domain, _ := plainDomain(r)
		return slices.ContainsFunc(s.Recipients, func(pattern string) bool { return matches(pattern, domain) })
	})
}

// sealed is the set for a message that is let in, the field that stands on top first.
func (t *transit) sealed(e *verify.Evaluation) []message.Field {
	if t.Sealing == nil || t.verify == nil {
		return nil
	}
	_, results, _ := strings.Cut(e.AuthenticationResults(t.AuthservID), ";")
	fields, err := t.verify.Sealed(results)
	if err != nil {
		t.Log.Warn("a message is not sealed", "client_ip", addr(t.client.IP), "error", err.Error())
	}
	return fields
}
