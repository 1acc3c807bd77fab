package people

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// sorted are grants one a group, the highest, those over everything first.
func sorted(grants []Grant) []Grant {
	all := slices.DeleteFunc(slices.Clone(grants), func(g Grant) bool { return g.Role == Nobody })
	slices.SortFunc(all, func(a, b Grant) int {
		switch {
		case a.Over == b.Over:
			return int(b.Role) - int(a.Role)
		case a.Over == Everything:
			return -1
		case b.Over == Everything:
			return 1
		}
		return strings.Compare(a.Over, b.Over)
	})
	return slices.CompactFunc(all, func(a, b Grant) bool { return a.Over == b.Over })
}

// checkGrants gives grants as they are kept, or an Unfit where there is no such group.
func checkGrants(grants []Grant, groups []Group) ([]Grant, error) {
	for _, g := range grants {
		if g.Role < Nobody || g.Role > Owner {
			return nil, &Unfit{"role", "There are viewer, analyst and owner."}
		}
		if g.Role != Nobody && !known(g.Over, groups) {
			return nil, &Unfit{"over", fmt.Sprintf("There is no group %q. The configuration names the groups (web.group); * is everything.", g.Over)}
		}
	}
	return sorted(grants), nil
}

func known(group string, groups []Group) bool {
	return group == Everything || slices.ContainsFunc(groups, func(g Group) bool { return g.Name == group })
}

// Describe says grants in words: "owner of everything, viewer of shop".
func Describe(grants []Grant) string {
	if len(grants) == 0 {
		return "no role"
	}
	var all []string
	for _, g := range grants {
		over := g.Over
		if over == Everything {
			over = "everything"
		}
		all = append(all, g.Role.String()+" of "+over)
	}
	return strings.Join(all, ", ")
}

// Says says what somebody may do: "bob is viewer of everything".
func (p *Person) Says() string {
	if len(p.Grants) == 0 {
		return p.Name + " has no role"
	}
	return p.Name + " is " + Describe(p.Grants)
}

// SetGrants says what somebody may do, from the next request on. It wraps ErrLast, ErrNoPerson or an Unfit.
func (o *Office) SetGrants(ctx context.Context, id int64, grants []Grant) (Person, error) {
	all, err := checkGrants(grants, o.groups())
	if err != nil {
		return Person{}, err
	}
	return o.change(ctx, id, func(p *Person) error {
		p.Grants = all
		return nil
	})
}

// SetRole says what somebody may do over one group; Nobody takes it away.
func (o *Office) SetRole(ctx context.Context, id int64, over string, role Role) (Person, error) {
	if _, err := checkGrants([]Grant{{over, role}}, o.groups()); err != nil {
		return Person{}, err
	}
	return o.change(ctx, id, func(p *Person) error {
		others := slices.DeleteFunc(slices.Clone(p.Grants), func(g Grant) bool { return g.Over == over })
		p.Grants = sorted(append(others, Grant{over, role}))
		return nil
	})
}

// Disable locks somebody out, at once. Tokens of that person are good for nothing meanwhile; links for and by that person are withdrawn, and
// do not come back with Enable. It wraps ErrLast or ErrNoPerson.
func (o *Office) Disable(ctx context.Context, id int64) (Person, error) {
	p, err := o.change(ctx, id, func(p *Person) error {
		p.Disabled = true
		return nil
	})
	if err != nil {
		return Person{}, err
	}
	return p, errors.Join(o.Store.RemoveSessions(ctx, id, Hash{}), o.withdraw(ctx, func(l *Link) bool { return l.Person == id || l.Author == p.Name }))
}

// Enable lets somebody in again.
func (o *Office) Enable(ctx context.Context, id int64) (Person, error) {
	return o.change(ctx, id, func(p *Person) error {
		p.Disabled = false
		return nil
	})
}

// Remove deletes somebody with all that lets in. What the audit log has stays. It wraps ErrLast or ErrNoPerson.
func (o *Office) Remove(ctx context.Context, id int64) error { return o.Store.RemovePerson(ctx, id) }
