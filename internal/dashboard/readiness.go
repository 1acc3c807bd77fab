package dashboard

import (
	"context"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/people"
)

// ReadinessIn asks how far a domain is on the way to p=reject.
type ReadinessIn struct {
	Domain string `path:"domain" doc:"The domain"`
	Days
}

// Readiness is the way of a domain to p=reject.
type Readiness struct {
	insight.Readiness
	Made Made `json:"made"`
}

// Readiness tells how far a domain is, as gatepost readiness does.
func (d *Desk) Readiness(ctx context.Context, who *people.Access, in *ReadinessIn) (*Readiness, error) {
	p, err := d.askedPeriod(who, in.Days)
	if err != nil {
		return nil, err
	}
	kept, made, err := d.looked(ctx, in.Domain, p)
	if err != nil {
		return nil, err
	}
	return &Readiness{Readiness: kept.readiness, Made: made}, nil
}

// Title is that of the page.
func (r *Readiness) Title() string { return "The way to p=reject" }

// Crumbs are the pages above.
func (r *Readiness) Crumbs() []Crumb { return domainCrumbs(r.Domain) }

// Done is how many steps are.
func (r *Readiness) Done() (n int) {
	for i := range r.Steps {
		if r.Steps[i].State == insight.Reached {
			n++
		}
	}
	return n
}

// Try is where it is seen what the record would do that is to be published next; empty where there is nothing to see.
func (r *Readiness) Try() string {
	switch r.Next {
	case "quarantine", "reject":
		return whatIfPath(r.Domain, "dmarc") + "?policy=" + r.Next
	case "own", "unknown", "settled", "forwarders", "enough":
		if r.Policy == "quarantine" {
			return whatIfPath(r.Domain, "dmarc") + "?policy=reject"
		}
		return whatIfPath(r.Domain, "dmarc") + "?policy=quarantine"
	}
	return ""
}

// Tables has the steps.
func (r *Readiness) Tables() []Table {
	return []Table{{
		Name: "steps", Columns: []string{"step", "title", "state", "evidence", "in the way"},
		Rows: func(yield func([]string) bool) {
			for i := range r.Steps {
				s := &r.Steps[i]
				if !yield([]string{s.ID, s.Title, string(s.State), strings.Join(s.Evidence, " "), strings.Join(s.Blocks, " ")}) {
					return
				}
			}
		},
	}}
}
