package facts

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/ipset"
	"github.com/gatepost-mail/gatepost/spf"
)

const (
	maxCount  = 1000 // look-ups; records that include each other twice double with each level
	maxOpaque = 100
	maxTurns  = 64 // changes between terms that let in and terms that do not, of one record
)

type state uint8

const (
	isNew state = iota
	isOpen
	isDone
)

var everybody = ipset.Of(netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0"))

// count says what a policy and all beneath it come to. It calls itself, as deep as there are policies at most.
func count(p *Policy) {
	p.state = isOpen
	t := tally{p: p}
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Dead || s.Qualifier == 0 {
			continue
		}
		if s.Err == nil {
			t.cost(s)
		}
		t.add(s)
	}
	t.flush()
	p.Ends, p.End = spf.Neutral, p
	if all := p.Step(spf.KindAll); all != nil && all.Err == nil {
		p.Ends = all.Result()
	} else if s := p.Step(spf.KindRedirect); s != nil && s.Err == nil {
		t.cost(s)
		t.redirect(s)
	}
	p.Pass = t.pass
	p.state = isDone
}

// A tally adds the terms of one policy up.
type tally struct {
	p             *Policy
	pass, blocked ipset.Set
	pending       []netip.Prefix // of terms that are alike
	sets          []ipset.Set
	plus          bool // they let in
	turns         int
	ptr           bool // the look-up of %{p} is counted
}

// add adds a mechanism.
func (t *tally) add(s *Step) {
	if plus := s.Qualifier == '+'; plus != t.plus {
		t.flush()
		t.plus = plus
	}
	if s.Err != nil {
		return
	}
	switch s.Kind {
	case spf.KindAll:
		t.sets = append(t.sets, everybody)
	case spf.KindInclude:
		if next := s.Policy; next != nil && s.Problem != Loop {
			t.sets = append(t.sets, next.Pass)
			if t.plus {
				for _, term := range next.Opaque {
					t.opaque(term)
				}
			}
		} else if s.Problem == Varies && t.plus {
			t.opaque(atRoot(s.Term, t.p.Domain))
		}
	case spf.KindExists, spf.KindPTR:
		if t.plus && s.Voids4 == 0 {
			t.opaque(atRoot(s.Term, t.p.Domain))
		}
	default:
		if s.Problem == Varies && t.plus {
			t.opaque(atRoot(s.Term, t.p.Domain))
		}
		t.pending = append(t.pending, s.Addrs...)
	}
}

// cost counts the look-ups of a term and of what is beneath it.
func (t *tally) cost(s *Step) {
	if !s.Kind.AsksDNS() {
		return
	}
	s.Lookups = 1
	if !t.ptr && s.Uses('p') { // RFC 7208 4.6.4
		s.Lookups++
		t.ptr = true
	}
	if next := s.Policy; next != nil {
		if next.state == isNew {
			count(next)
		}
		s.Problem = next.Problem
		if next.state == isOpen {
			s.Problem = Loop
		} else {
			s.Lookups = min(s.Lookups+next.Lookups, maxCount)
			s.Voids4 = min(next.Voids4, maxCount)
			s.Voids6 = min(next.Voids6, maxCount)
			t.p.Partly = t.p.Partly || next.Partly
		}
	}
	if s.Voids4 > 0 && s.Voids6 > 0 && s.Problem == "" && s.Policy == nil {
		s.Problem = Void
	}
	if s.Problem == Temporary || s.Problem == NotFollowed || s.Problem == Varies && s.Kind == spf.KindInclude {
		t.p.Partly = true
	}
	t.p.Lookups = min(t.p.Lookups+s.Lookups, maxCount)
	t.p.Voids4 = min(t.p.Voids4+s.Voids4, maxCount)
	t.p.Voids6 = min(t.p.Voids6+s.Voids6, maxCount)
}

// redirect goes on with another policy, for whom no term matched (RFC 7208 6.1).
func (t *tally) redirect(s *Step) {
	next := s.Policy
	if next == nil || s.Problem == Loop {
		return
	}
	t.p.Ends, t.p.End = next.Ends, next.End
	t.pass = t.pass.Union(next.Pass.Without(t.blocked))
	for _, term := range next.Opaque {
		t.opaque(term)
	}
}

// Without tells whether the same addresses pass without some terms of the domain's own record.
func (s *SPFFacts) Without(gone ...*Step) bool {
	if s.Tree == nil {
		return false
	}
	rest := &Policy{Domain: s.Tree.Domain, Record: s.Tree.Record}
	t := tally{p: rest}
	for i := range s.Tree.Steps {
		step := &s.Tree.Steps[i]
		switch {
		case step.Dead || slices.Contains(gone, step) || step.Err != nil:
		case step.Kind == spf.KindRedirect:
			t.flush()
			t.redirect(step)
		case step.Qualifier != 0:
			t.add(step)
		}
	}
	t.flush()
	rest.Pass = t.pass
	after := SPFFacts{Tree: rest}
	return after.Covers(s)
}

// flush ends a run of terms that are alike: what they match and none before did is let in, or is not.
func (t *tally) flush() {
	match := ipset.Of(t.pending...)
	t.pending = t.pending[:0]
	for _, s := range t.sets {
		match = match.Union(s)
	}
	t.sets = t.sets[:0]
	switch {
	case match.Empty():
	case t.plus:
		t.pass = t.pass.Union(match.Without(t.blocked))
	case t.turns < maxTurns: // beyond that it is taken to block nobody
		t.turns++
		t.blocked = t.blocked.Union(match.Without(t.pass))
	}
}

func (t *tally) opaque(term string) {
	if len(t.p.Opaque) < maxOpaque && !slices.Contains(t.p.Opaque, term) {
		t.p.Opaque = append(t.p.Opaque, term)
	}
}

// atRoot is a term whose addresses cannot be counted, as it would have to be written to mean the same in another record. Where its
// macros say in whose record it stands, that can't be, and it is told apart by a name that no term has.
func atRoot(t *spf.Term, domain string) string {
	c := *t
	switch {
	case c.Uses('d') || c.Uses('p'):
		return c.String() + " of " + domain
	case c.DomainSpec == "":
		c.DomainSpec = domain
	default:
		if strings.IndexByte(c.DomainSpec, '%') < 0 {
			c.DomainSpec = strings.ToLower(strings.TrimSuffix(c.DomainSpec, "."))
		}
	}
	return c.String()
}
