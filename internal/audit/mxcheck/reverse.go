package mxcheck

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

// reverse are the checks of the names that addresses have. What iprev calls permerror has none; what it calls fail has one that does not
// lead back.
var reverse = []check.Check{
	{
		ID: "mx-no-ptr", Severity: check.Warning, Reference: "RFC 1912 2.1",
		Title: "A mail server's address has no name",
		Why:   "Where the server sends as well, many receivers refuse mail of an address without a name.",
		Explain: "A PTR record gives an address a name. Receivers take a server without one for a machine that is not meant to send mail, and many " +
			"refuse what it sends. A server that only takes mail works without.\n\n\tdig +short -x 192.0.2.25\n\n" +
			"The record is in the hands of whoever gave you the address: there is mostly a place for it with the provider's other settings. " +
			"The name is to lead back to the address.",
		Look: each(func(f *facts.Facts, h *facts.Host) *check.Seen {
			var all, advice []string
			for _, r := range h.Reverse {
				if r.Code == "permerror" {
					all = append(all, r.IP.String())
					advice = append(advice, fmt.Sprintf("%s. IN PTR %s.", dns.ReverseName(r.IP), h.Name))
				}
			}
			if len(all) == 0 {
				return nil
			}
			return strangers(f, h, check.Seen{
				Subject: h.Name, Detail: fmt.Sprintf("There is no PTR record for %s.", strings.Join(all, ", ")),
				Advice: "Have whoever gave you the address publish:\n\n\t" + strings.Join(advice, "\n\t"),
			})
		}),
	},
	{
		ID: "mx-ptr-unconfirmed", Severity: check.Warning, Reference: "RFC 1912 2.1, RFC 8601 2.7.3",
		Title: "The name of a mail server's address does not lead back",
		Why:   "A name that does not lead back to the address proves nothing, and receivers treat it as none.",
		Explain: "Whoever owns an address can give it any name. Receivers therefore look the name up: only where it has the address is it taken for " +
			"true.\n\n\tdig +short -x 192.0.2.25\n\tdig +short A mx.example.com\n\n" +
			"Give the name the address, or have the PTR record name the server as the MX record does.",
		Look: each(func(f *facts.Facts, h *facts.Host) *check.Seen {
			var all []string
			for _, r := range h.Reverse {
				if r.Code == "fail" {
					names := r.Published[:min(len(r.Published), 3)]
					all = append(all, fmt.Sprintf("%s has the name %s, which does not have that address", r.IP, strings.Join(names, ", ")))
				}
			}
			if len(all) == 0 {
				return nil
			}
			return strangers(f, h, check.Seen{
				Subject: h.Name, Detail: strings.Join(all, "; ") + ".",
				Advice: "Give the name that address, or have the PTR record name " + h.Name + ".",
			})
		}),
	},
}

// strangers makes little of what is wrong with a server that only its operator can mend: the domain's own mail may well leave by another.
func strangers(f *facts.Facts, h *facts.Host, seen check.Seen) *check.Seen {
	if !f.Owns(h.Name) {
		seen.Severity, seen.Advice = check.Info, "Whoever runs "+h.Name+" can mend it. It matters where your mail leaves by the same address."
	}
	return &seen
}
