package people

import "slices"

// An Access is somebody who asks: a person by a session, or a program by a token. It is not changed once it is made.
type Access struct {
	Name    string // for logs, and as the author of what is done
	Person  int64
	Token   int64 // 0: a session
	Session Hash  // zero: a token
	Address string
	Fresh   bool // the session began less than FreshFor ago

	grants  []Grant
	groups  []Group
	ceiling Role   // of a token
	within  string // likewise: the group, or Everything
}

// NewAccess is that of a person with grants over groups.
func NewAccess(name string, grants []Grant, groups []Group) *Access {
	return &Access{Name: name, grants: grants, groups: groups, ceiling: Owner, within: Everything}
}

// Within is the access with no more than a role over a group, as a token has it: never fresh, for nobody signs in with one.
func (a *Access) Within(role Role, over string) *Access {
	less := *a
	less.ceiling, less.within, less.Fresh = min(a.ceiling, role), over, false
	return &less
}

// Everywhere is the role over everything, and what is not of one domain.
func (a *Access) Everywhere() Role {
	if a == nil || a.within != Everything {
		return Nobody
	}
	return min(a.highest(func(g Grant) bool { return g.Over == Everything }), a.ceiling)
}

// Over is the role over a domain.
func (a *Access) Over(domain string) Role {
	if a == nil || !a.covers(a.within, domain) {
		return Nobody
	}
	return min(a.highest(func(g Grant) bool { return a.covers(g.Over, domain) }), a.ceiling)
}

// Anywhere is the highest role over anything that there is.
func (a *Access) Anywhere() Role {
	if a == nil {
		return Nobody
	}
	return min(a.highest(func(g Grant) bool { return a.meet(g.Over, a.within) }), a.ceiling)
}

// meet tells whether a domain can be in both of two groups.
func (a *Access) meet(one, other string) bool {
	if one == Everything {
		one, other = other, one
	}
	for i := range a.groups {
		if a.groups[i].Name == one && (other == Everything || slices.ContainsFunc(a.groups, func(g Group) bool { return g.Name == other && g.meets(&a.groups[i]) })) {
			return true
		}
	}
	return one == Everything
}

// Holds is the role over a group as such, or over Everything: what can be given on over it.
func (a *Access) Holds(group string) Role {
	if a == nil || a.within != Everything && a.within != group {
		return Nobody
	}
	return min(a.highest(func(g Grant) bool { return g.Over == Everything || g.Over == group }), a.ceiling)
}

// Seen are those of the domains that it may see.
func (a *Access) Seen(domains []string) []string {
	return slices.DeleteFunc(slices.Clone(domains), func(d string) bool { return a.Over(d) < Viewer })
}

func (a *Access) highest(counts func(Grant) bool) Role {
	highest := Nobody
	for _, g := range a.grants {
		if counts(g) {
			highest = max(highest, g.Role)
		}
	}
	return highest
}

// covers tells whether a domain is in a group. One that the configuration does not name any more is empty.
func (a *Access) covers(group, domain string) bool {
	if group == Everything {
		return true
	}
	return slices.ContainsFunc(a.groups, func(g Group) bool { return g.Name == group && g.Has(domain) })
}
