package audit

import (
	"context"
	"slices"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// rounds bounds how many fixes are laid upon one another.
const rounds = 24

// mend makes one set of changes of all fixes: each is laid upon those before it, and the facts are looked at anew, so that a record which
// several findings are about comes out with all of them mended. What only a stranger can publish is left out, and so is what takes addresses
// away without need: whoever has looked for them can do that alone.
func mend(ctx context.Context, before *facts.Facts, findings []Finding) []publish.Change {
	var all []publish.Change
	tried := map[string]bool{}
	f := before
	for range rounds {
		next := nextFix(findings, tried, all)
		if next == nil || ctx.Err() != nil {
			break
		}
		tried[next.ID+" "+next.Subject] = true
		if f != before && !proved(ctx, f, findings, next) {
			continue
		}
		all = merge(all, next.Changes)
		f = published(ctx, before, all)
		findings = look(f)
		sortFindings(findings)
	}
	return all
}

// nextFix is the first that was not tried. What is merely worth knowing is mended where the record is written anew as it is.
func nextFix(all []Finding, tried map[string]bool, made []publish.Change) *Finding {
	for i := range all {
		f := &all[i]
		if fits(f) && (f.Severity != check.Info || rewritten(f.Changes, made)) && !tried[f.ID+" "+f.Subject] {
			return f
		}
	}
	return nil
}

// fits tells whether a fix is one to publish with all others.
func fits(f *Finding) bool {
	return len(f.Changes) > 0 && !(f.check.Narrows && f.Severity == check.Warning) &&
		!slices.ContainsFunc(f.Changes, func(c publish.Change) bool { return c.Elsewhere })
}

// rewritten tells whether changes are all to records that others made.
func rewritten(changes, made []publish.Change) bool {
	for _, c := range changes {
		if c.Old == "" || !slices.ContainsFunc(made, func(m publish.Change) bool { return m.Name == c.Name && m.Type == c.Type && m.New == c.Old }) {
			return false
		}
	}
	return true
}

// merge adds changes to those that were made before. What one of them put there and the next takes away need not be published.
func merge(all, more []publish.Change) []publish.Change {
	for _, c := range more {
		placed := false
		for i := range all {
			if a := &all[i]; a.Name == c.Name && a.Type == c.Type && c.Old != "" && a.New == c.Old {
				a.New, placed = c.New, true
				break
			}
		}
		if !placed {
			all = append(all, c)
		}
	}
	kept := all[:0]
	for _, c := range all {
		if c.Old != c.New {
			kept = append(kept, c)
		}
	}
	return kept
}
