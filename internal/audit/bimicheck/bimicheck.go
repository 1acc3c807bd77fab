// Package bimicheck has the checks of a domain's logo (BIMI, draft-brand-indicators-for-message-identification).
//
// A logo is an extra: a domain without one lacks nothing, and nothing is said of it.
package bimicheck

import (
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/bimi"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// Checks are all of them, in the order in which they are told.
func Checks() []check.Check { return slices.Concat(record, logo, certificate) }

const (
	draft      = "draft-brand-indicators-for-message-identification"
	svgDraft   = "draft-svg-tiny-ps-abrotman"
	fetchDraft = "draft-fetch-validation-vmc-wchuang"
)

// taking tells whether the domain wants a logo shown.
func taking(f *facts.Facts) bool { return f.BIMI.Record != nil && !f.BIMI.Record.Declined() }

// put makes a fix of a text in the place of the record, if there is one.
func put(f *facts.Facts, seen check.Seen, text string, err error) []check.Seen {
	if seen.Subject = f.BIMI.TXT.Name; err == nil && text != f.BIMI.Texts[0] {
		if _, err := bimi.Parse(text); err == nil {
			seen.Fix = []publish.Change{{Name: f.BIMI.TXT.Name, Type: "TXT", Old: f.BIMI.Texts[0], New: text}}
		}
	}
	return []check.Seen{seen}
}

// of tells of the faults of a kind, in one finding.
func of(faults []bimi.Fault, kind bimi.Kind, subject, advice string) []check.Seen {
	const most = 5
	var details []string
	n := 0
	for _, fault := range faults {
		if fault.Kind != kind {
			continue
		}
		if n++; n <= most {
			details = append(details, fault.Detail)
		} else if n == most+1 {
			details = append(details, "and more")
		}
	}
	if n == 0 {
		return nil
	}
	text := strings.Join(details, "; ")
	return []check.Seen{{Subject: subject, Detail: strings.ToUpper(text[:1]) + text[1:] + ".", Advice: advice}}
}

// short bounds what is told of a stranger's text.
func short(text string) string {
	const most = 100
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
