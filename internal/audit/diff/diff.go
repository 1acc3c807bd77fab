// Package diff tells what has changed with a domain since it was audited before.
//
//	earlier, err := diff.Read(file)  // what gatepost check --json printed then
//	d := earlier.Compare(report)
//	fmt.Println(d.New, d.Mended)
//
// A finding is the same as an earlier one if its id and its subject are; what it says in detail may differ. Where answers could not be had,
// then or now, nothing is called new or mended.
package diff

import (
	"time"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

// A State is what a finding is, held against the earlier ones.
type State string

// The states.
const (
	New    State = "new"
	Known  State = "known"
	Untold State = "untold" // its area was unknown then, or it is that an area is unknown
)

// A Finding is one of the earlier audit, or a new one, by what they have in common.
type Finding struct {
	ID       string         `json:"id"`
	Severity check.Severity `json:"severity"`
	Subject  string         `json:"subject"`
	Title    string         `json:"title"`
}

// An Earlier is what an audit found of a domain before.
type Earlier struct {
	Domain    string    `json:"domain"`
	CheckedAt time.Time `json:"checked_at"`
	Grade     string    `json:"grade"`
	Findings  []Finding `json:"findings"`
}

// A Diff is what has changed since.
type Diff struct {
	Since  time.Time // zero where the domain was not audited before: everything is new then
	Grade  string    // the earlier one
	States []State   // of the report's findings, one each
	New    []Finding
	Mended []Finding
	Untold []Finding // earlier ones of areas that are unknown now
}

// Audits are earlier ones, by domain.
type Audits map[string]*Earlier

// Compare holds a report against the earlier one of its domain.
func (a Audits) Compare(r *audit.Report) *Diff {
	earlier := a[r.Domain]
	if earlier == nil {
		earlier = &Earlier{}
	}
	d := &Diff{Since: earlier.CheckedAt, Grade: earlier.Grade, States: make([]State, len(r.Findings))}
	left := map[Finding][]Finding{}
	unknownThen, unknownNow := map[facts.Area]bool{}, map[facts.Area]bool{}
	for _, f := range earlier.Findings {
		if f.Severity == check.Unknown {
			unknownThen[audit.AreaOf(f.ID)] = true
			continue
		}
		left[key(f)] = append(left[key(f)], f)
	}
	for i := range r.Findings {
		f := of(&r.Findings[i])
		area := audit.AreaOf(f.ID)
		switch k := key(f); {
		case f.Severity == check.Unknown:
			unknownNow[area] = true
			d.States[i] = Untold
		case len(left[k]) > 0:
			left[k] = left[k][1:]
			d.States[i] = Known
		case unknownThen[area]:
			d.States[i] = Untold
		default:
			d.States[i] = New
			d.New = append(d.New, f)
		}
	}
	for _, f := range earlier.Findings { // in their order
		k := key(f)
		if f.Severity == check.Unknown || len(left[k]) == 0 {
			continue
		}
		left[k] = left[k][1:]
		if unknownNow[audit.AreaOf(f.ID)] {
			d.Untold = append(d.Untold, f)
		} else {
			d.Mended = append(d.Mended, f)
		}
	}
	return d
}

// key is what two findings have in common that are the same. JSON has no bytes that are no UTF-8.
func key(f Finding) Finding { return Finding{ID: f.ID, Subject: string([]rune(f.Subject))} }

func of(f *audit.Finding) Finding { return Finding{f.ID, f.Severity, f.Subject, f.Title} }
