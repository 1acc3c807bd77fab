// Package audit says what a domain publishes wrongly about its mail, and what to publish instead.
//
//	report := audit.Run(ctx, "example.com", facts.Options{Resolver: resolver})
//	fmt.Println(report.Grade, report.First)
//	for _, f := range report.Findings {
//		fmt.Println(f.ID, f.Title, f.Fix)
//	}
//
// First the facts are gathered (package facts), then every check of the catalogue looks at them (packages check and those beside it).
// What a check would have published is tried: it is laid over the DNS that was seen, everything is gathered and looked at again, and only
// if the finding is gone, nothing worse has come and nobody who passed fails is the fix shown.
package audit

import (
	"context"
	"time"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// A Report is what an audit of a domain found.
type Report struct {
	Domain    string
	CheckedAt time.Time
	Grade     check.Grade
	First     string // the one thing that would raise the grade, as a sentence; empty if nothing would
	Sends     bool
	Findings  []Finding        // what matters most first
	Publish   []publish.Change // all fixes that can be made, as one set of records
	Facts     *facts.Facts
}

// A Finding is one thing that is wrong or noteworthy with a domain.
type Finding struct {
	ID        string
	Area      facts.Area
	Severity  check.Severity
	Subject   string // the name that it was seen at
	Title     string
	Detail    string // what was seen
	Why       string
	Advice    string           // what to do, beside or in place of a record to publish
	Fix       string           // the value to publish; empty if there is none
	Changes   []publish.Change // the same with its place, and what else belongs to it
	Reference string

	check *check.Check
	cap   check.Grade // the best that a domain with it can have; empty where severity and area decide
	aside string      // what is to be known of the fix
}

// Run audits a domain, given in A-labels. It always answers: what could not be found out is among the findings.
func Run(ctx context.Context, domain string, o facts.Options) *Report {
	f := facts.Gather(ctx, domain, facts.Bound(o))
	r := &Report{Domain: domain, CheckedAt: f.At, Sends: f.Sends(), Findings: look(f), Facts: f}
	sortFindings(r.Findings)
	prove(ctx, r)
	r.Grade, r.First = grade(r)
	r.Publish = mend(ctx, f, r.Findings)
	return r
}
