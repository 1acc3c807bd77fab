package audit

import (
	"cmp"
	"slices"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// noDomain is the check of whether the domain is there at all.
const noDomain = "mx-no-such-domain"

// look lets every check look at the facts.
func look(f *facts.Facts) []Finding {
	var all []Finding
	gone := f.Gone()
	for i := range catalogue {
		c := &catalogue[i]
		if gone && c.ID != noDomain && c.Severity != check.Unknown {
			continue // what is missing of a domain that does not exist need not be told one by one
		}
		for _, seen := range c.Look(f) {
			finding := Finding{
				ID: c.ID, Area: AreaOf(c.ID), Severity: cmp.Or(seen.Severity, c.Severity), Subject: seen.Subject, Title: c.Title,
				Detail: seen.Detail, Why: c.Why, Advice: seen.Advice, Changes: seen.Fix, Reference: c.Reference, check: c,
				cap: cmp.Or(seen.Cap, c.Cap), aside: seen.Aside,
			}
			for j := range seen.Fix {
				seen.Fix[j].Elsewhere = seen.Fix[j].Type != publish.File && !f.Owns(seen.Fix[j].Name)
			}
			if slices.ContainsFunc(seen.Fix, tooLong) {
				finding.Changes = nil
			} else if len(seen.Fix) > 0 {
				finding.Fix = seen.Fix[0].New
			}
			all = append(all, finding)
		}
	}
	return all
}

// maxRecord is how long a record may be that is offered: one that is longer is to be written anew, and not to be edited.
const maxRecord = 4096

func tooLong(c publish.Change) bool {
	return c.Type != publish.File && max(len(c.Old), len(c.New)) > maxRecord
}

var severities = []check.Severity{check.Error, check.Warning, check.Unknown, check.Info}

// sortFindings puts first what matters most: by severity, then by what it does to the grade, then in the order of the catalogue.
func sortFindings(all []Finding) {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(
			slices.Index(severities, a.Severity)-slices.Index(severities, b.Severity),
			rank(capOf(&b))-rank(capOf(&a)),
		)
	})
}
