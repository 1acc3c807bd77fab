package dmarc

import (
	"context"
	"strings"
)

// maxIdentifiers bounds the walks that the identifiers of one message can cause.
const maxIdentifiers = 20

// Evaluate holds a message's identifiers against the policy (RFC 9989 5.3).
//
// A temporary error counts only where it could have made the message pass: that of a signature which is not aligned does not keep a
// policy from being applied.
func (p *Policy) Evaluate(ctx context.Context, ids Identifiers) Result {
	r := Result{
		Code: None, AuthorDomain: p.AuthorDomain, PolicyDomain: p.PolicyDomain,
		Policy: p.Applicable, Disposition: DispositionNone, Err: p.Err,
	}
	var strictSPF, strictDKIM bool
	if p.Record != nil {
		r.Record, r.Testing = p.Record.Text, p.Record.Testing
		strictSPF, strictDKIM = p.Record.StrictSPF, p.Record.StrictDKIM
	}
	spf := p.judge(ctx, ids.SPF, strictSPF)
	dkim := verdict{}
	ids.DKIM = ids.DKIM[:min(len(ids.DKIM), maxIdentifiers)]
	for _, id := range ids.DKIM {
		v := p.judge(ctx, id, strictDKIM)
		dkim.pass = dkim.pass || v.pass
		if dkim.unknown == nil {
			dkim.unknown = v.unknown
		}
		if dkim.pass {
			break
		}
	}
	r.Aligned = Alignment{SPF: spf.pass, DKIM: dkim.pass}
	r.OrganizationalDomain = p.organizationFor(ctx, ids)
	unknown := spf.unknown
	if unknown == nil {
		unknown = dkim.unknown
	}
	switch {
	case p.Record == nil && p.failed:
		r.Code = TempError
	case p.Record == nil:
	case spf.pass || dkim.pass:
		r.Code, r.Err = Pass, nil
	case p.failed || unknown != nil:
		r.Code = TempError
		if unknown != nil {
			r.Err = unknown
		}
	default:
		r.Code = Fail
		r.Disposition = soften(p.Applicable, p.Record.Testing)
	}
	return r
}

// A verdict is what one mechanism gives: an aligned pass, or why it might have been one.
type verdict struct {
	pass    bool
	unknown error
}

// judge tells whether an identifier passed and is aligned with the Author Domain (4.4).
func (p *Policy) judge(ctx context.Context, id Identifier, strict bool) verdict {
	if id.Domain == "" || id.Code != "pass" && id.Code != "temperror" {
		return verdict{}
	}
	aligned, err := p.aligned(ctx, id.Domain, strict)
	switch {
	case err != nil:
		return verdict{unknown: err}
	case aligned && id.Code == "pass":
		return verdict{pass: true}
	case aligned:
		return verdict{unknown: &temporary{id.Domain}}
	}
	return verdict{}
}

// aligned compares a domain with the Author Domain (4.10.2). What cannot be aligned is not asked about: the Organizational Domain of a
// domain is never anything but the domain itself or one above it. So nobody's broken name servers, in a foreign domain, stand in the
// way of a policy.
func (p *Policy) aligned(ctx context.Context, domain string, strict bool) (bool, error) {
	if domain == p.AuthorDomain {
		return true, nil
	}
	if strict || p.Record == nil || !related(domain, p.AuthorDomain) {
		return false, nil
	}
	org, err := p.organization(ctx)
	if err != nil || !within(domain, org) {
		return false, err
	}
	other, err := p.finder.organizationalDomain(ctx, domain)
	return err == nil && other == org, err
}

// organizationFor is the Organizational Domain for a message, or empty where it could not be found out. If every domain that passed
// is the Author Domain, and that has a record, it counts as the Organizational Domain, and nothing is asked (4.10.2).
func (p *Policy) organizationFor(ctx context.Context, ids Identifiers) string {
	if p.OrganizationalDomain != "" || p.Record == nil {
		return p.OrganizationalDomain
	}
	same := false
	for i := -1; i < len(ids.DKIM); i++ {
		id := ids.SPF
		if i >= 0 {
			id = ids.DKIM[i]
		}
		switch {
		case id.Code != "pass" || !related(id.Domain, p.AuthorDomain):
		case id.Domain == p.AuthorDomain:
			same = true
		default:
			org, _ := p.organization(ctx)
			return org
		}
	}
	if same {
		return p.AuthorDomain
	}
	org, _ := p.organization(ctx) // to be told to people: no result depends on it
	return org
}

// related tells whether two domains lie in the same top-level domain, without which they have no Organizational Domain in common.
func related(a, b string) bool {
	return a[strings.LastIndexByte(a, '.')+1:] == b[strings.LastIndexByte(b, '.')+1:]
}

// within tells whether a domain is org or lies below it.
func within(domain, org string) bool {
	above, ok := strings.CutSuffix(domain, org)
	return ok && (above == "" || above[len(above)-1] == '.')
}

// temporary says that an aligned identifier could not be checked.
type temporary struct{ domain string }

func (e *temporary) Error() string {
	return "the aligned identifier " + e.domain + " could not be checked: a temporary DNS failure"
}

// soften applies t=y: the policy one level lower (4.7).
func soften(d Disposition, testing bool) Disposition {
	switch {
	case testing && d == DispositionReject:
		return DispositionQuarantine
	case testing && d == DispositionQuarantine:
		return DispositionNone
	}
	return d
}
