package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit/bimicheck"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/danecheck"
	"github.com/gatepost-mail/gatepost/internal/audit/dkimcheck"
	"github.com/gatepost-mail/gatepost/internal/audit/dmarccheck"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/mxcheck"
	"github.com/gatepost-mail/gatepost/internal/audit/spfcheck"
	"github.com/gatepost-mail/gatepost/internal/audit/stscheck"
)

// Catalogue are all checks, in the order in which they are told, and what is said of an area whose answers could not be had.
func Catalogue() []check.Check { return slices.Clone(catalogue) }

// Explain finds a check by its id.
func Explain(id string) (check.Check, bool) {
	i := slices.IndexFunc(catalogue, func(c check.Check) bool { return c.ID == id })
	if i < 0 {
		return check.Check{}, false
	}
	return catalogue[i], true
}

var catalogue = slices.Concat(
	spfcheck.Checks(), dkimcheck.Checks(), dmarccheck.Checks(), mxcheck.Checks(), danecheck.Checks(), stscheck.Checks(), bimicheck.Checks(),
	unknowns(),
)

// AreaOf is the area that a check belongs to by its id, of which one may be the beginning of another's.
func AreaOf(id string) facts.Area {
	var best facts.Area
	for _, a := range facts.Areas {
		if strings.HasPrefix(id, string(a)+"-") && len(a) > len(best) {
			best = a
		}
	}
	return best
}

// unknowns are findings about what could not be had, one an area.
func unknowns() []check.Check {
	var all []check.Check
	for _, area := range facts.Areas {
		all = append(all, check.Check{
			ID: string(area) + "-unknown", Severity: check.Unknown, Reference: "RFC 2308 7",
			Title: "Answers for " + strings.ToUpper(string(area)) + " could not be had",
			Why:   "What could not be looked at is neither right nor wrong, and nothing is said of it here.",
			Explain: "A name server failed or did not answer in time, or a web server or mail server could not be reached. " +
				"Nothing is concluded from that: a record that was not seen may well be there.\n\n" +
				"Look again later. If it stays, ask the name servers of the domain one by one:\n\n" +
				"\tdig +short NS example.com\n\tdig @ns1.example.net TXT example.com",
			Look: func(f *facts.Facts) []check.Seen { return unanswered(f, area) },
		})
	}
	return all
}

// mostNames bounds how many names a finding names.
const mostNames = 5

func unanswered(f *facts.Facts, area facts.Area) []check.Seen {
	var names []string
	n := 0
	for _, failure := range f.Failures {
		if failure.Area != area {
			continue
		}
		n++
		names = append(names, failure.String())
	}
	if n == 0 {
		return nil
	}
	slices.Sort(names)
	if n > mostNames {
		names = append(names[:mostNames], fmt.Sprintf("and %d more", n-mostNames))
	}
	return []check.Seen{{Subject: f.Domain, Detail: strings.Join(names, "; ") + ".", Advice: "Look again later."}}
}
