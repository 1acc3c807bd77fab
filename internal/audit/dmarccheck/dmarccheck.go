// Package dmarccheck has the checks of a domain's DMARC policy (RFC 9989).
//
// Most look at the record of the domain itself. Those of what a policy asks for look at the one that applies, which for a subdomain is
// often that of the domain above it.
package dmarccheck

import (
	"slices"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
)

// Checks are all of them, in the order in which they are told.
func Checks() []check.Check { return slices.Concat(place, policy, tags, reports, tree) }

// digPolicy ends most explanations: how to see the record.
const digPolicy = "\n\n\tdig +short TXT _dmarc.example.com"
