package facts

import (
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/nearest"
	"github.com/gatepost-mail/gatepost/spf"
)

// Sends tells whether the domain sends mail, as far as what it publishes and what was seen of it say. One that publishes nothing at all
// for mail is taken to send none.
func (f *Facts) Sends() bool {
	switch {
	case f.Options.Seen.Sends:
		return true
	case f.SPF.Nobody():
		return false
	case f.MX.Null && len(f.SPF.Texts) == 0:
		return false
	}
	return !f.silent()
}

// silent tells whether there is certainly nothing that mail of the domain would need: no mail server, no SPF record or what was to be one, no
// key.
func (f *Facts) silent() bool {
	if !f.MX.Asked.Absent() || f.TXT.Unknown() || len(f.SPF.Texts) > 0 || len(f.DKIM.Selectors) > 0 || len(f.DKIM.Dangling) > 0 || f.Unknown(DKIM) || len(f.Options.Servers) > 0 {
		return false
	}
	return !slices.ContainsFunc(f.TXT.TXT, func(text string) bool {
		return strings.Contains(strings.ToLower(text[:min(len(text), maxMeant)]), "spf")
	})
}

// Receives tells whether mail can be sent to the domain.
func (f *Facts) Receives() bool { return len(f.MX.Hosts) > 0 }

// Nobody tells whether the record lets nobody send: "v=spf1 -all", and what amounts to it. Where something stands beside that which was
// meant to let somebody in, however badly it is written, the domain sends.
func (s *SPFFacts) Nobody() bool {
	if len(s.Texts) != 1 || s.Record == nil {
		return false
	}
	nobody, ended := false, false
	for i := range s.Record.Terms {
		t := &s.Record.Terms[i]
		switch {
		case t.Err != nil:
			return false
		case t.Kind == spf.KindModifier:
			if isMechanism(t.Text) {
				return false
			}
		case t.Kind == spf.KindExp || ended && (t.Kind == spf.KindAll || t.Kind == spf.KindRedirect):
		case t.Kind != spf.KindAll:
			return false
		default:
			nobody, ended = t.Qualifier == '-', true
		}
	}
	return nobody
}

// isMechanism tells whether a modifier that nobody knows is a mechanism written with an equals sign, or nearly so.
func isMechanism(text string) bool {
	name, _, _ := strings.Cut(strings.ToLower(text), "=")
	switch name {
	case "include", "a", "mx", "ptr", "ip4", "ip6", "exists", "all", "ip", "ipv4", "ipv6":
		return true
	}
	return len(name) > 4 && len(name) < 12 && min(nearest.Edits(name, "include"), nearest.Edits(name, "exists")) <= 2
}
