package policy

import (
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/gatepost-mail/gatepost/internal/verify"
)

// A Memory is what is remembered of a message: an Evaluation of which only a part is known any more.
type Memory struct {
	Evaluation *verify.Evaluation
	Known      map[string]bool // the names, as rules write them, whose values it has
	Signatures map[string]bool // the members of its signatures that it has

	// Told tells what else is known of a rule's condition; nil: nothing.
	Told func(when string) (holds, known bool)

	found map[string]ref.Val // what Deduce found
	asked []string           // that a rule missed; the number of an unknown is the place in it
}

// A Possibility is what may have become of a message.
type Possibility struct {
	Rule   string `json:"rule"` // empty: none decides
	Action Action `json:"action"`
}

// A Recall is what a policy makes of a memory.
type Recall struct {
	Possible []Possibility // in the order of the rules; a single one is certain
	Lacks    []string      // names whose values would tell more, sorted
}

// Recall decides on a message that is known only in part. A condition that depends on what is not known may hold or not, and then so may
// the rules behind it. Rules that only watch decide nothing.
func (p *Policy) Recall(m *Memory) Recall {
	s := subjects.Get().(*subject)
	defer s.release()
	s.Evaluation, s.memory = m.Evaluation, m
	var out Recall
	for i := range p.rules {
		r := &p.rules[i]
		if r.monitor || !r.concerns(m.Evaluation) {
			continue
		}
		holds, action, lacks := r.recall(s)
		if !holds && len(lacks) == 0 {
			continue
		}
		out.Possible = append(out.Possible, Possibility{r.name, action})
		if len(lacks) == 0 {
			slices.Sort(out.Lacks)
			return out
		}
		for _, name := range lacks {
			if !slices.Contains(out.Lacks, name) {
				out.Lacks = append(out.Lacks, name)
			}
		}
	}
	slices.Sort(out.Lacks)
	out.Possible = append(out.Possible, Possibility{Action: Accept})
	return out
}

// recall tells whether a rule holds and what it does then, or what is lacking to tell. One that cannot be applied defers.
func (r *rule) recall(s *subject) (holds bool, does Action, lacks []string) {
	m := s.memory
	if m.Told != nil {
		if holds, known := m.Told(r.source); known {
			return holds, r.action, nil
		}
	}
	m.asked = m.asked[:0]
	v, _, err := r.when.program.Eval(s)
	if err != nil {
		return true, Defer, nil
	}
	switch v := v.(type) {
	case types.Bool:
		return bool(v), r.action, nil
	case *types.Unknown:
		for _, id := range v.IDs() {
			if id >= 0 && id < int64(len(m.asked)) {
				lacks = append(lacks, m.asked[id])
			}
		}
		if len(lacks) > 0 {
			return false, r.action, lacks
		}
	}
	return true, Defer, nil
}

// Deduce finds out more about a message by what rules of this policy said of it, by their conditions. A value that would have made one of
// them say something else cannot have been; where one alone is left, that is it.
func (p *Policy) Deduce(m *Memory, said map[string]bool) {
	s := subjects.Get().(*subject)
	defer s.release()
	s.Evaluation, s.memory = m.Evaluation, m
	// Whether a condition is as it was said, as far as can be told.
	could := func(about string) bool {
		for i := range p.rules {
			r := &p.rules[i]
			holds, is := said[r.source]
			if !is || !strings.Contains(r.source, about) {
				continue
			}
			m.asked = m.asked[:0]
			if v, _, err := r.when.program.Eval(s); err == nil && v == types.Bool(!holds) {
				return false
			}
		}
		return true
	}
	if m.found == nil {
		m.found = map[string]ref.Val{}
	}
	for i := range names {
		n := &names[i]
		values := n.values()
		if m.Known[n.name] || len(values) == 0 || !p.Mentions(n.name) {
			continue
		}
		var left []ref.Val
		for _, v := range values {
			if m.found[n.name] = v; could(n.name) {
				left = append(left, v)
			}
		}
		if delete(m.found, n.name); len(left) == 1 {
			m.found[n.name] = left[0]
		}
	}
}

// values are all that a name can be, where these are few.
func (n *name) values() (all []ref.Val) {
	if n.typ == cel.BoolType {
		return []ref.Val{types.False, types.True}
	}
	for _, w := range n.words {
		all = append(all, types.String(w))
	}
	return all
}

// lacks is what is to be said of a name that the Evaluation tells nothing of.
func (m *Memory) lacks(name string) ref.Val {
	if v := m.found[name]; v != nil {
		return v
	}
	id := slices.Index(m.asked, name)
	if id < 0 {
		id, m.asked = len(m.asked), append(m.asked, name)
	}
	return types.NewUnknown(int64(id), nil)
}

// A Rule is a rule's name, its condition as written, and what it does.
type Rule struct {
	Name    string
	When    string
	Action  Action
	Monitor bool
}

// List gives the rules in order.
func (p *Policy) List() []Rule {
	all := make([]Rule, len(p.rules))
	for i := range p.rules {
		r := &p.rules[i]
		all[i] = Rule{r.name, r.source, r.action, r.monitor}
	}
	return all
}

// Mentions tells whether a condition speaks of a name, or of one that begins so.
func (p *Policy) Mentions(name string) bool {
	return slices.ContainsFunc(p.rules, func(r rule) bool { return strings.Contains(r.source, name) })
}
