package spfcheck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/spf"
)

// An edit puts a text in the place of a term; an empty one takes the term out.
type edit struct {
	term *spf.Term
	text string
}

// apply edits a record, and leaves all else byte for byte.
func apply(record string, edits []edit) string {
	slices.SortFunc(edits, func(a, b edit) int { return a.term.Pos - b.term.Pos })
	var b strings.Builder
	from := 0
	for _, e := range edits {
		at := e.term.Pos
		if e.text == "" { // with the spaces before it
			at = len(strings.TrimRight(record[:at], " "))
		}
		b.WriteString(record[from:at])
		b.WriteString(e.text)
		from = e.term.Pos + len(e.term.Text)
	}
	b.WriteString(record[from:])
	return b.String()
}

// change puts a new record in the place of the domain's own.
func change(f *facts.Facts, text string) []publish.Change {
	return changeAt(f.SPF.Tree, text)
}

// changeAt puts a new record in the place of a policy's.
func changeAt(p *facts.Policy, text string) []publish.Change {
	if p == nil || text == "" || text == p.Record.Text || !spf.IsRecord(text) {
		return nil
	}
	return []publish.Change{{Name: p.Domain, Type: "TXT", Old: p.Record.Text, New: text}}
}

// out takes terms out of a policy's record. It makes no change that would leave a record that says nothing of anybody.
func out(p *facts.Policy, steps []*facts.Step) []publish.Change {
	if len(steps) == 0 {
		return nil
	}
	var edits []edit
	for _, s := range steps {
		edits = append(edits, edit{s.Term, ""})
	}
	text := apply(p.Record.Text, edits)
	if after, _ := spf.Parse(text); after == nil || len(after.Terms) == 0 {
		return nil
	}
	return changeAt(p, text)
}

// letsIn tells whether a record would still let somebody in without some of its terms.
func letsIn(p *facts.Policy, without []*facts.Step) bool {
	for i := range p.Steps {
		s := &p.Steps[i]
		passes := s.Qualifier == '+' && s.Kind != spf.KindAll && s.Err == nil || s.Kind == spf.KindRedirect
		if passes && !s.Dead && !slices.Contains(without, s) {
			return true
		}
	}
	return false
}

// ours tells whether whoever owns the domain can change a policy.
func ours(f *facts.Facts, p *facts.Policy) bool {
	org := f.Organizational
	return p.Domain == org || strings.HasSuffix(p.Domain, "."+org)
}

// steps are the terms of the domain's own record that fit.
func steps(f *facts.Facts, fits func(*facts.Step) bool) []*facts.Step {
	if f.SPF.Tree == nil {
		return nil
	}
	return stepsOf(f.SPF.Tree, fits)
}

func stepsOf(p *facts.Policy, fits func(*facts.Step) bool) []*facts.Step {
	var all []*facts.Step
	for i := range p.Steps {
		if fits(&p.Steps[i]) {
			all = append(all, &p.Steps[i])
		}
	}
	return all
}

// mostTold bounds how many terms a finding names.
const mostTold = 8

// told names terms.
func told(all []*facts.Step) string {
	var texts []string
	for _, s := range all {
		texts = append(texts, clip(s.Text))
	}
	return list(texts)
}

// list writes a list out, and says how much more there is where it is long.
func list(texts []string) string {
	if n := len(texts); n > mostTold {
		return strings.Join(texts[:mostTold], ", ") + fmt.Sprintf(" and %d more", n-mostTold)
	}
	return strings.Join(texts, ", ")
}

// clip shortens what may be as long as a record.
func clip(s string) string {
	const most = 120
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
