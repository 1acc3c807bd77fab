package render

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/spf"
)

// spfTree draws what the SPF record includes, a line each; nil where it leads to no other.
func spfTree(f *facts.Facts) []string {
	root := f.SPF.Tree
	if root == nil || len(f.SPF.Targets()) == 0 {
		return nil
	}
	b := branch{Term: root.Domain, Below: branches(root, 0)}
	b.Note = fmt.Sprintf("%d of 10 look-ups", root.Lookups)
	if voids := max(root.Voids4, root.Voids6); voids > 0 {
		b.Note += fmt.Sprintf(", %d of 2 void", voids)
	}
	if root.Partly {
		b.Note += " at least"
	}
	return draw(b)
}

// maxDepth bounds how deep a tree is drawn: ten look-ups lead no deeper.
const maxDepth = 12

// branches are the terms of a record. Networks that stand together are one branch.
func branches(p *facts.Policy, depth int) []branch {
	if p == nil || depth > maxDepth {
		return nil
	}
	var all []branch
	for i := 0; i < len(p.Steps); i++ {
		s := &p.Steps[i]
		if s.Kind == spf.KindIP4 || s.Kind == spf.KindIP6 {
			n := 1
			for i+n < len(p.Steps) && !p.Steps[i+n].Dead && (p.Steps[i+n].Kind == spf.KindIP4 || p.Steps[i+n].Kind == spf.KindIP6) {
				n++
			}
			if n > 1 && !s.Dead {
				all = append(all, branch{Term: plural(n, "network"), Note: sizes(p.Steps[i : i+n])})
				i += n - 1
				continue
			}
		}
		b := branch{Term: s.Text, Note: noteOf(s)}
		if s.Policy != nil && !s.Again && !s.Dead {
			b.Below = branches(s.Policy, depth+1)
		}
		all = append(all, b)
	}
	return all
}

// noteOf says what a term costs and whom it lets in.
func noteOf(s *facts.Step) string {
	if s.Dead {
		return "never looked at"
	}
	var parts []string
	if s.Lookups > 0 {
		parts = append(parts, plural(s.Lookups, "look-up"))
	}
	switch {
	case s.Policy != nil && s.Problem == "":
		parts = append(parts, addresses(s.Policy.Pass.Count4(), !s.Policy.Pass.Empty() && s.Policy.Pass.Count4() == 0))
		if s.Policy.Service != nil {
			parts = append(parts, s.Policy.Service.Name)
		}
	case len(s.Addrs) > 0:
		parts = append(parts, sizes([]facts.Step{*s}))
	}
	if s.Problem != "" {
		parts = append(parts, string(s.Problem))
	}
	if s.Again {
		parts = append(parts, "as above")
	}
	return strings.Join(parts, ", ")
}

func addresses(v4 uint64, only6 bool) string {
	switch {
	case only6:
		return "IPv6 addresses"
	case v4 == 1:
		return "1 address"
	}
	return fmt.Sprintf("%d addresses", v4)
}

// sizes counts the addresses of some terms. Those of IPv6 are too many to be told.
func sizes(all []facts.Step) string {
	var v4 uint64
	six := false
	for _, s := range all {
		for _, p := range s.Addrs {
			if p.Addr().Is4() {
				v4 += 1 << (32 - p.Bits())
			} else {
				six = true
			}
		}
	}
	switch {
	case v4 == 0 && six:
		return "IPv6"
	case six:
		return addresses(v4, false) + ", and IPv6"
	}
	return addresses(v4, false)
}
