package audit

import (
	"context"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// mostTried bounds the fixes that are tried: for each, all is gathered and looked at again. A domain with more wrong than that is made to
// have it.
const mostTried = 64

// prove tries each fix, and takes away those that do not mend what they are for, and those that there is no time to try.
// What is to be known of the others goes with the advice.
func prove(ctx context.Context, r *Report) {
	tried := 0
	for i := range r.Findings {
		f := &r.Findings[i]
		if len(f.Changes) == 0 {
			continue
		}
		switch tried++; {
		case tried > mostTried, !proved(ctx, r.Facts, r.Findings, f):
			f.Changes, f.Fix = nil, ""
		case f.aside != "":
			f.Advice = strings.TrimSpace(f.Advice + " " + f.aside)
		}
	}
}

// proved tells whether a finding is gone once its fix was published, nothing worse came in its area, and nobody who passed fails. That it
// is not seen where something could not be had proves nothing.
func proved(ctx context.Context, before *facts.Facts, known []Finding, f *Finding) bool {
	if ctx.Err() != nil {
		return false
	}
	after := published(ctx, before, f.Changes)
	if after.Unknown(f.Area) && !before.Unknown(f.Area) {
		return false
	}
	for _, found := range look(after) {
		switch {
		case found.ID == f.ID && found.Subject == f.Subject:
			return false
		case found.Severity == check.Error && found.Area == f.Area && !has(known, found.ID) && !f.check.Unveils:
			return false
		}
	}
	return f.check.Narrows || !narrower(before, after)
}

// published gathers the facts as they would be after changes.
func published(ctx context.Context, before *facts.Facts, changes []publish.Change) *facts.Facts {
	o := *before.Options
	o.Resolver = publish.Overlay(o.Resolver, changes)
	if o.Unchecked != nil {
		o.Unchecked = publish.Overlay(o.Unchecked, changes)
	}
	if o.Web != nil {
		o.Web = publish.Files(o.Web, changes)
	}
	return facts.Gather(ctx, before.Domain, o)
}

func has(all []Finding, ids ...string) bool {
	return slices.ContainsFunc(all, func(f Finding) bool { return slices.Contains(ids, f.ID) })
}

// narrower tells whether an address that passed SPF before does no longer.
func narrower(before, after *facts.Facts) bool {
	return !after.SPF.Covers(&before.SPF)
}
