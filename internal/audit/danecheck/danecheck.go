// Package danecheck has the checks of DNSSEC, and of the TLSA records of mail servers (RFC 4035, 7672).
package danecheck

import (
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

// Checks are all of them, in the order in which they are told.
func Checks() []check.Check { return slices.Concat(signed, records, pairs) }

// own tells whether a name is within the domain's own, so that its owner can change what is there.
func own(f *facts.Facts, name string) bool {
	return name == f.Organizational || strings.HasSuffix(name, "."+f.Organizational)
}

// each looks at the TLSA records of every mail server that has some.
func each(look func(*facts.Facts, *facts.TLSA) *check.Seen) func(*facts.Facts) []check.Seen {
	return func(f *facts.Facts) []check.Seen {
		var all []check.Seen
		for i := range f.DANE.Servers {
			t := &f.DANE.Servers[i]
			if !t.Asked.Found() {
				continue
			}
			if seen := look(f, t); seen != nil {
				seen.Subject = t.Asked.Name
				all = append(all, *seen)
			}
		}
		return all
	}
}
