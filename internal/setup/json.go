package setup

import (
	"time"

	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// A Document is a plan as --json prints it.
type Document struct {
	Domain  string       `json:"domain"`
	Looked  bool         `json:"looked"`
	Records []RecordJSON `json:"records"`
	Way     []StepJSON   `json:"dmarc"`
	After   []LaterJSON  `json:"after"`
	LookUp  []BlankJSON  `json:"look_up"`
	Notes   []string     `json:"notes"`
}

// A RecordJSON is one record or file.
type RecordJSON struct {
	Name      string   `json:"name"`
	Type      string   `json:"type"`
	Old       string   `json:"old"`
	New       string   `json:"new"`
	Zone      string   `json:"zone"`
	For       string   `json:"for"`
	Why       string   `json:"why"`
	Service   string   `json:"service"`
	State     string   `json:"state"` // there, new, change, remove, blank, held, elsewhere
	Blanks    []string `json:"blanks"`
	Held      string   `json:"held"`
	Elsewhere string   `json:"elsewhere"`
}

// A StepJSON is a step of the way to p=reject.
type StepJSON struct {
	Step   int    `json:"step"`
	On     string `json:"on"`
	Policy string `json:"policy"`
	When   string `json:"when"`
	What   string `json:"what"`
	Name   string `json:"name"`
	Record string `json:"record"`
}

// A LaterJSON is something to be done later.
type LaterJSON struct {
	On   string       `json:"on"`
	What string       `json:"what"`
	When string       `json:"when"`
	Do   []ChangeJSON `json:"do"`
}

// A ChangeJSON is one change.
type ChangeJSON struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Old  string `json:"old"`
	New  string `json:"new"`
	Zone string `json:"zone"`
}

// A BlankJSON is what only a service's settings show.
type BlankJSON struct {
	Service string   `json:"service"`
	Blanks  []string `json:"blanks"`
	Docs    string   `json:"docs"`
}

// Document is the plan for a program to read.
func (p *Plan) Document() Document {
	d := Document{Domain: p.Domain, Looked: p.Looked, Records: []RecordJSON{}, Way: []StepJSON{}, After: []LaterJSON{}, LookUp: []BlankJSON{}, Notes: p.Notes}
	if d.Notes == nil {
		d.Notes = []string{}
	}
	for i := range p.Records {
		r := &p.Records[i]
		j := RecordJSON{r.Name, r.Type, r.Old, r.New, "", r.For, r.Why, r.Service, r.State(), r.Blanks, r.Held, r.Elsewhere}
		if len(r.Blanks) == 0 && r.Type != publish.File {
			j.Zone = r.Zone()
		}
		if j.Blanks == nil {
			j.Blanks = []string{}
		}
		d.Records = append(d.Records, j)
	}
	for _, s := range p.Way {
		d.Way = append(d.Way, StepJSON{s.Number, s.On.Format(time.DateOnly), s.Policy, s.When, s.What, s.Change.Name, s.Change.New})
	}
	for _, l := range p.After {
		j := LaterJSON{l.On.Format(time.DateOnly), l.What, l.When, []ChangeJSON{}}
		for _, c := range l.Do {
			zone := ""
			if c.Type != publish.File {
				zone = c.Zone()
			}
			j.Do = append(j.Do, ChangeJSON{c.Name, c.Type, c.Old, c.New, zone})
		}
		d.After = append(d.After, j)
	}
	for _, b := range p.LookUp {
		d.LookUp = append(d.LookUp, BlankJSON{b.Service, b.Blanks, b.Docs})
	}
	return d
}

// State says in a word what is to be done about a record.
func (r *Record) State() string {
	switch {
	case r.Held != "":
		return "held"
	case len(r.Blanks) > 0:
		return "blank"
	case r.There():
		return "there"
	case r.Elsewhere != "":
		return "elsewhere"
	case r.New == "":
		return "remove"
	case r.Old != "":
		return "change"
	}
	return "new"
}
