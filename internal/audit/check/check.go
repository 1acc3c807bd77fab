// Package check says what a check is: one thing that can be wrong with what a domain publishes, as a small value in a table.
//
//	{
//		ID: "spf-softfail", Severity: check.Warning, Title: "SPF ends in ~all", Reference: "RFC 7208 5.1",
//		Why: "…", Explain: "…",
//		Look: func(f *facts.Facts) []check.Seen { … },
//	}
//
// The tables are in the packages beside this one, an area each. To add a check is to add a value to one of them; its explanation on the
// command line and in the documents, its place in every output and its tests follow from that.
package check

import (
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// A Severity says how much a finding matters.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // something does not work, or not as its owner thinks
	Warning Severity = "warning" // it works, and should be better
	Info    Severity = "info"    // worth knowing
	Unknown Severity = "unknown" // the answer could not be had
)

// A Grade is the letter that a domain gets.
type Grade string

// The grades, the best first. Undecided is for a domain of which too little could be had.
const (
	A         Grade = "A"
	AMinus    Grade = "A-"
	B         Grade = "B"
	C         Grade = "C"
	D         Grade = "D"
	F         Grade = "F"
	Undecided Grade = "?"
)

// A Check looks for one thing that can be wrong.
type Check struct {
	ID        string   // stable: scripts rely on it
	Severity  Severity // of its findings, unless a finding has another
	Title     string   // what is wrong, in at most 60 characters, without a subject: "SPF ends in ~all"
	Why       string   // why it matters, in a sentence
	Explain   string   // what it is, what comes of it and how to mend it: paragraphs, parted by empty lines; what begins with a tab is shown as it is
	Reference string   // the standard's section: "RFC 7208 5.1"

	// Cap is the best grade that a domain with such a finding can have. Where it is empty the severity and the area decide.
	Cap Grade

	// Narrows is set where the fix takes away addresses that passed, since that is the point of it.
	Narrows bool

	// Unveils is set where the fix brings into view what nobody looked at so far. That there are faults in it too is no reason against the fix.
	Unveils bool

	// Look gives what is wrong, once for each subject. It asks nobody: all there is to know is in the facts. What could not be had is
	// never taken for absent.
	Look func(*facts.Facts) []Seen
}

// A Seen is what a check saw at one subject.
type Seen struct {
	Subject  string           // the name that it was seen at
	Detail   string           // what was seen, in a sentence or two: numbers, terms, names
	Advice   string           // what to do, where that is not, or not only, a record to publish
	Aside    string           // what is to be known of the fix, and said only where one is shown
	Fix      []publish.Change // what to publish instead, the record that mends the finding first
	Severity Severity         // where it is not the check's
	Cap      Grade            // where it is not the check's
}
