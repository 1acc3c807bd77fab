// Package stscheck has the checks of a domain's MTA-STS policy and the address for reports of failed TLS (RFC 8461, 8460).
package stscheck

import (
	"slices"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
)

// Checks are all of them, in the order in which they are told.
func Checks() []check.Check {
	return slices.Concat(record, file, policy, reports)
}
