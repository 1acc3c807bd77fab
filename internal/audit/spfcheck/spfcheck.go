// Package spfcheck has the checks of a domain's SPF record (RFC 7208).
//
// A fix is an edit of the record's text: what is wrong in it is changed, and every other byte stays. The files go by theme: the record as
// a whole, its syntax, its limits, the records that it leads to, its end, its addresses, and what stands beside it.
package spfcheck

import (
	"slices"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
)

// Checks are all of them, in the order in which they are told.
func Checks() []check.Check {
	return slices.Concat(record, syntax, limits, tree, ending, addresses, beside)
}
