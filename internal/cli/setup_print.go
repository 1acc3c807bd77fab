package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/setup"
)

// A setupReport is what --json prints.
type setupReport struct {
	setup.Document
	Keys    []setupKey  `json:"keys"`
	Lookups *spfLookups `json:"spf_lookups"` // null: not counted
	Audit   *planAudit  `json:"audit"`       // null: not audited
}

type setupKey struct {
	Selector string `json:"selector"`
	File     string `json:"file"`
	Record   string `json:"record"`
}

type spfLookups struct {
	Sum     int       `json:"sum"`
	Counted bool      `json:"counted"` // false: the sum is the least that it can be
	Terms   []spfTerm `json:"terms"`
}

type spfTerm struct {
	Term    string `json:"term"`
	Lookups int    `json:"lookups"`
	Error   string `json:"error"`
}

type planAudit struct {
	Grade    check.Grade   `json:"grade"`
	End      check.Grade   `json:"grade_at_the_end"`
	Findings []planFinding `json:"findings"`
}

type planFinding struct {
	ID       string         `json:"id"`
	Severity check.Severity `json:"severity"`
	Subject  string         `json:"subject"`
	Title    string         `json:"title"`
	Detail   string         `json:"detail"`
	Planned  bool           `json:"planned"` // it goes on the way
}

func (r *setupRun) printJSON() error {
	d := setupReport{Document: r.plan.Document(), Keys: []setupKey{}, Lookups: r.lookups(), Audit: r.audit()}
	for _, k := range r.answers.Keys {
		d.Keys = append(d.Keys, setupKey{k.Selector, k.File, k.Record})
	}
	return printJSON(r.cmd.OutOrStdout(), d)
}

// lookups counts what the SPF record takes, where somebody can be asked.
func (r *setupRun) lookups() *spfLookups {
	if r.resolver == nil || !r.answers.Sends {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.cmd.Context(), 2*r.common.Timeout)
	defer cancel()
	costs, sum := r.plan.CountSPF(ctx, r.resolver)
	l := &spfLookups{Sum: sum, Counted: true, Terms: []spfTerm{}}
	for _, c := range costs {
		t := spfTerm{Term: c.Term, Lookups: c.Lookups}
		if c.Err != nil {
			t.Error, l.Counted = c.Err.Error(), false
		}
		l.Terms = append(l.Terms, t)
	}
	return l
}

// audit audits what the plan would have published: now, and at the end of the way. What is gone by then is planned.
func (r *setupRun) audit() *planAudit {
	if r.resolver == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.cmd.Context(), 3*r.common.Timeout)
	defer cancel()
	now, end := r.plan.Audit(ctx, r.resolver, r.table, false), r.plan.Audit(ctx, r.resolver, r.table, true)
	a := &planAudit{Grade: now.Grade, End: end.Grade, Findings: []planFinding{}}
	for _, f := range now.Findings {
		if f.Severity == check.Info {
			continue
		}
		gone := !slices.ContainsFunc(end.Findings, func(e audit.Finding) bool { return e.ID == f.ID && e.Subject == f.Subject })
		a.Findings = append(a.Findings, planFinding{f.ID, f.Severity, f.Subject, f.Title, f.Detail, gone})
	}
	return a
}

// list prints the plan for a person: what to look up, what to publish, the way from there, and what to know.
func (r *setupRun) list() {
	s := newScreen(r.cmd.OutOrStdout(), r.common.NoColor)
	p := r.plan
	lookups, audit := r.judged()
	r.headline(s)
	for _, b := range p.LookUp {
		r.lookUp(s, b)
	}
	n := 0
	for i := range p.Records {
		if rec := &p.Records[i]; !rec.There() {
			n++
			printPlanned(s, n, rec)
		}
	}
	var there []string
	for i := range p.Records {
		if rec := &p.Records[i]; rec.There() && rec.Held == "" {
			if where := strings.ToUpper(rec.For) + " at " + rec.Name; !slices.Contains(there, where) {
				there = append(there, where)
			}
		}
	}
	if there != nil {
		s.heading("Published already, as it should be")
		s.prose("  ", strings.Join(there, ", ")+".")
	}
	r.keysMade(s)
	printWay(s, p)
	r.counted(s, lookups)
	r.audited(s, audit)
	if len(p.Notes) > 0 {
		s.heading("To know")
		for _, note := range p.Notes {
			s.item(note)
		}
	}
	r.next(s)
}

func (s screen) heading(text string) {
	s.line("")
	s.line(s.paint(bold, text))
}

// prose writes a text wrapped behind an indent.
func (s screen) prose(indent, text string) {
	for _, line := range wrap(printable(text), s.width-len(indent)) {
		s.line(indent + line)
	}
}

// item writes a text wrapped behind a dash.
func (s screen) item(text string) {
	mark := "  - "
	for _, line := range wrap(printable(text), s.width-len(mark)) {
		s.line(mark + line)
		mark = "    "
	}
}

func (r *setupRun) headline(s screen) {
	count := map[string]int{}
	for i := range r.plan.Records {
		count[r.plan.Records[i].State()]++
	}
	var parts []string
	for _, c := range []struct{ state, one, many string }{
		{"new", "1 record to publish", "%d records to publish"}, {"change", "1 to change", "%d to change"}, {"remove", "1 to remove", "%d to remove"},
		{"blank", "1 that needs something looked up", "%d that need something looked up"}, {"held", "1 to be looked at by hand", "%d to be looked at by hand"},
		{"elsewhere", "1 for somebody else", "%d for somebody else"}, {"there", "1 there already", "%d there already"},
	} {
		switch n := count[c.state]; {
		case n == 1:
			parts = append(parts, c.one)
		case n > 1:
			parts = append(parts, fmt.Sprintf(c.many, n))
		}
	}
	s.line(s.paint(bold, r.plan.Domain))
	s.prose("  ", strings.Join(parts, ", ")+".")
	if !r.plan.Looked {
		s.prose("  ", "What is published was not looked at: where there is such a record already, edit it rather than adding a second one.")
	}
}

func (r *setupRun) lookUp(s screen, b setup.Blank) {
	s.heading("Look up in the settings of " + printable(b.Name))
	s.prose("  ", "{"+strings.Join(b.Blanks, "}, {")+"}")
	if b.Docs != "" {
		s.line("  see " + printable(b.Docs))
	}
	line := "  then: gatepost setup " + r.plan.Domain
	for _, word := range b.Blanks {
		next := " --value " + b.Service + "." + word + "=…"
		if len([]rune(line))+len([]rune(next)) > s.width-2 {
			s.line(line + " \\")
			line = "     "
		}
		line += next
	}
	s.line(line)
}

// printPlanned prints one record: what for, what stands there, and what is to stand there, whole, to be copied.
func printPlanned(s screen, n int, r *setup.Record) {
	what := map[string]string{"new": "publish", "change": "change", "remove": "remove", "blank": "look up, then publish", "held": "look at it by hand", "elsewhere": "published by " + r.Elsewhere}[r.State()]
	title := strings.ToUpper(r.For)
	if r.Type == setup.File {
		what = "serve at"
	}
	s.heading(fmt.Sprintf("%d. %s: %s", n, title, what))
	where := r.Name
	if r.Type != setup.File {
		where += "  " + r.Type
	}
	s.line("  " + printable(where))
	s.prose("  ", r.Why)
	if r.Held != "" {
		s.prose("  ", "Not as it is: "+r.Held+".")
	}
	if r.Old != "" && r.Type != setup.File {
		s.line("  " + s.paint(red, "- "+printable(r.Old)))
	}
	switch {
	case r.New == "":
	case r.Type == setup.File:
		for line := range strings.Lines(r.New) {
			s.line("    " + printable(strings.TrimRight(line, "\r\n")))
		}
	default:
		if r.Old != "" || len(r.Blanks) > 0 || r.Held != "" {
			s.line("  " + s.paint(green, "+ "+printable(r.New)))
		}
		if len(r.Blanks) == 0 && r.Held == "" {
			printZone(s, r.Zone())
		}
	}
}

// printZone writes a record as a zone file has it.
func printZone(s screen, zone string) {
	for line := range strings.Lines(zone) {
		s.line("    " + printable(strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", "  ")))
	}
}

func (r *setupRun) keysMade(s screen) {
	if len(r.answers.Keys) == 0 {
		return
	}
	s.heading("Keys of your own")
	for _, k := range r.answers.Keys {
		s.line("  " + printable(k.Selector) + "  " + printable(k.File))
	}
	s.prose("  ", "Keep the private halves secret. Let your servers sign with them once DNS shows the records; the gate does so by itself (gatepost keys status).")
}

// printWay prints the dated steps to p=reject, and what else comes later.
func printWay(s screen, p *setup.Plan) {
	if len(p.Way) > 1 {
		s.heading("The way to p=reject")
		for i, step := range p.Way {
			when := step.On.Format(time.DateOnly)
			if i == 0 {
				when = "now"
			}
			s.line(fmt.Sprintf("  %s  %s", s.paint(bold, pad(fmt.Sprintf("step %d, %s", step.Number, when), 20)), printable(step.Policy)))
			if step.When != "" {
				s.prose("    ", "First see: "+step.When)
			}
			s.prose("    ", step.What)
			if i > 0 {
				printZone(s, step.Change.Zone())
			}
		}
		s.prose("  ", "The dates are the earliest; what must be seen decides. \"gatepost setup "+p.Domain+" --step N\" gives the records of a step.")
	}
	for _, l := range p.After {
		s.heading("Later: " + l.What + ", from " + l.On.Format(time.DateOnly) + " on")
		s.prose("  ", "First see: "+l.When)
		for _, c := range l.Do {
			if c.Type == setup.File {
				s.line("  serve at " + printable(c.Name))
				for line := range strings.Lines(c.New) {
					s.line("    " + printable(strings.TrimRight(line, "\r\n")))
				}
				continue
			}
			printZone(s, c.Zone())
		}
	}
}

// judged is what is asked of DNS once there is a plan, before any of it is printed.
func (r *setupRun) judged() (*spfLookups, *planAudit) {
	defer r.asking()()
	return r.lookups(), r.audit()
}

func (r *setupRun) counted(s screen, l *spfLookups) {
	if !r.answers.Sends {
		return
	}
	s.heading("SPF look-ups")
	if l == nil {
		s.prose("  ", "They were not counted, since nobody was asked. More than ten are an error (RFC 7208 4.6.4).")
		return
	}
	for _, t := range l.Terms {
		text := fmt.Sprintf("  %2d  %s", t.Lookups, printable(t.Term))
		if t.Error != "" {
			text += ": not counted: " + printable(t.Error)
		}
		s.prose("  ", strings.TrimSpace(text))
	}
	switch {
	case l.Sum > setup.MostLookups:
		s.prose("  ", fmt.Sprintf("More than %d look-ups are an error (RFC 7208 4.6.4): this record lets in nobody. Let services that sign with DKIM go without an include, or send from subdomains of their own.", setup.MostLookups))
	case !l.Counted:
		s.prose("  ", fmt.Sprintf("At least %d of %d; some could not be counted.", l.Sum, setup.MostLookups))
	default:
		s.prose("  ", fmt.Sprintf("%d of %d.", l.Sum, setup.MostLookups))
	}
}

func (r *setupRun) audited(s screen, a *planAudit) {
	if a == nil {
		return
	}
	s.heading("What an audit says of this plan")
	text := "Grade " + string(a.Grade) + " once it is published"
	if a.End != a.Grade {
		text += ", " + string(a.End) + " at the end of the way"
	}
	s.prose("  ", text+".")
	for _, f := range a.Findings {
		planned := ""
		if f.Planned {
			planned = " (as planned, for now)"
		}
		s.item(fmt.Sprintf("%s: %s: %s%s", f.Severity, f.Subject, f.Title, planned))
	}
}

func (r *setupRun) next(s screen) {
	s.heading("Next")
	command := "gatepost setup " + r.plan.Domain
	var steps []string
	if len(r.present) > 0 {
		steps = append(steps, "Plan again once DNS answers: "+command)
	}
	if len(r.plan.Changes()) > 0 {
		steps = append(steps, "Publish the records, or have it done: "+command+" --apply")
	}
	steps = append(steps, "See that they are there: "+command+" --verify")
	for i, step := range steps {
		for j, line := range wrap(step, s.width-5) {
			if j == 0 {
				s.line(fmt.Sprintf("  %d. %s", i+1, line))
				continue
			}
			s.line("     " + line)
		}
	}
}
