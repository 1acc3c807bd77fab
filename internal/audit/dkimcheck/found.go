package dkimcheck

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

// found are the checks of whether there is a key at all, which can only be told where _domainkey does not exist.
var found = []check.Check{
	{
		ID: "dkim-absent-proved", Severity: check.Info, Cap: check.B, Reference: "RFC 6376 3.6.2.1; RFC 8020",
		Title: "The domain has no DKIM keys",
		Why:   "Mail that is passed on has nothing to show that it is the domain's: SPF fails for it, and DMARC with it.",
		Explain: "All keys are below _domainkey, and that name does not exist, so that none of them does. Mail of the domain can be " +
			"authenticated by SPF alone, which ends at the first server that passes it on.\n\n" +
			"Where a service sends for you, its settings say what to publish. For your own servers, Gatepost signs:\n\n" +
			"\tgatepost keys rotate example.com\n\tdig TXT _domainkey.example.com",
		Look: func(f *facts.Facts) []check.Seen {
			if !nothing(f) || !errors.Is(f.DKIM.Below.Err, dns.ErrNXDomain) {
				return nil
			}
			return []check.Seen{{
				Subject: f.DKIM.Below.Name,
				Detail:  "The name does not exist, and so no name below it.",
				Advice:  "Sign the mail of " + f.Domain + ": \"gatepost keys rotate " + f.Domain + "\" makes its first keys and says what to publish.",
			}}
		},
	},
	{
		ID: "dkim-not-confirmed", Severity: check.Info, Reference: "RFC 6376 3.1",
		Title: "No DKIM key was found among the usual selectors",
		Why:   "Selectors cannot be listed, so that this says nothing for certain: the domain may sign with one that was not tried.",
		Explain: "A key is found by the selector in a signature. Without a signature one can but try names that many use. Look into a message " +
			"of the domain for s= in its DKIM-Signature, and ask again with it:\n\n\tgatepost check example.com --selector SELECTOR\n\n" +
			"If its messages have no such header field, they are not signed.",
		Look: func(f *facts.Facts) []check.Seen {
			if !nothing(f) || errors.Is(f.DKIM.Below.Err, dns.ErrNXDomain) || f.Options.Seen.DKIM {
				return nil
			}
			return []check.Seen{{
				Subject: "_domainkey." + f.Domain,
				Detail:  fmt.Sprintf("Of %d selectors that were tried, none has a key%s.", f.DKIM.Tried, revoked(f)),
				Advice:  "Name a selector that the domain signs with: s= in the DKIM-Signature of one of its messages.",
			}}
		},
	},
}

// revoked says of keys that are none any more.
func revoked(f *facts.Facts) string {
	if len(f.DKIM.Selectors) == 0 {
		return ""
	}
	return " that was not revoked"
}

// nothing tells whether a domain that sends has no key under any selector that was tried, but for some that were revoked, and all of them
// answered.
func nothing(f *facts.Facts) bool {
	for i := range f.DKIM.Selectors {
		if s := &f.DKIM.Selectors[i]; len(s.Texts) > 0 && !errors.Is(s.Err, dkim.ErrRevoked) {
			return false
		}
	}
	if slices.ContainsFunc(f.DKIM.Wildcard.TXT, facts.MeantAsKey) {
		return false
	}
	return len(f.DKIM.Dangling) == 0 && f.Sends() && !f.Unknown(facts.DKIM)
}
