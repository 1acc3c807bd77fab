package senders

import (
	"fmt"
	"slices"
	"strings"
)

const (
	severalAuthors = 3 // Author Domains of ours, from which on it matters how many
	enoughSigns    = 4
	persistent     = 5 // days: what sends for abuse moves on
	brief          = 2
	longEnough     = 7 // days to look at before a source can be called brief
)

// abuse recognises a source that nothing speaks for and several things speak against. A mail server of the domain's own that is set up
// badly has most of the same signs: no name, no signature, an address that SPF doesn't list, mail that is rejected. What it has not is
// all of them, for a day or two, in the name of several domains.
func (j *judgement) abuse() (Class, bool) {
	s := j.s
	switch {
	case j.anyPass, j.proven() != nil, j.mine(), !s.Named,
		j.serverName() != "",
		j.reporterSaidOnward != nil,
		j.alignedFail != nil, // a signature of the domain's was there: it is the domain's mail, or was
		s.ASN != 0 && slices.Contains(s.Own.ASNs, s.ASN),
		s.Days == 0 || s.Days >= persistent:
		return Class{}, false
	}
	var signs []string
	score := 0
	sign := func(weight int, format string, args ...any) {
		score += weight
		signs = append(signs, fmt.Sprintf(format, args...))
	}
	switch {
	case len(s.PTR) > 0:
		signs = append(signs, "its name "+short(slices.Min(s.PTR))+" is a subscriber's")
	case len(s.Unconfirmed) > 0:
		signs = append(signs, "the name it gives itself is not confirmed")
	default:
		signs = append(signs, "the address has no name")
	}
	if s.HeaderFroms >= severalAuthors {
		sign(2, "it wrote in the name of %d domains", s.HeaderFroms)
	}
	if j.share(j.refused) > half {
		sign(1, "%d of %d messages were refused", j.refused, j.total)
	}
	if s.Days <= brief && s.Span >= longEnough {
		sign(1, "it was seen on %s of %d", days(s.Days), s.Span)
	}
	if j.ownSPF != nil && (j.ownSPF.Result == "fail" || j.ownSPF.Result == "softfail") {
		sign(1, "SPF %s for %s", j.ownSPF.Result, j.ownSPF.Domain)
	}
	if s.ASN != 0 && len(s.Own.ASNs) > 0 {
		switch {
		case s.Country == "" || len(s.Own.Countries) == 0:
		case slices.Contains(s.Own.Countries, s.Country):
			score -= 2
		default:
			sign(1, "it is in a country (%s) that none of your mail comes from", short(s.Country))
		}
	}
	if score < enoughSigns {
		return Class{}, false
	}
	return Class{Kind: Abuse, Fault: Unauthenticated, Confidence: min(90, 50+10*score),
		Reason: "Nothing authenticates; " + strings.Join(signs, "; ") + ".",
		Advice: "Nothing to mend: a policy of reject keeps it out."}, true
}

func days(n int) string {
	if n == 1 {
		return "1 day"
	}
	return fmt.Sprintf("%d days", n)
}
