package dmarc

import (
	"context"
)

// maxIdentifiers bounds the walks that the identifiers of one message can cause.
const maxIdentifiers = 20

// Evaluate holds a message's identifiers against the policy (RFC 9989 5.3).
//
// A temporary error counts only where it could have made the message pass: that of a signature which is not aligned does not keep a
// policy from being applied.
func (p *Policy) Evaluate(ctx context.Context, ids Identifiers) Result {
	r := Result{
		Code: None, AuthorDomain: p.AuthorDomain, OrganizationalDomain: p.OrganizationalDomain,
		PolicyDomain: p.PolicyDomain, Policy: p.Applicable, Disposition: DispositionNone, Err: p.Err,
	}
	var strictSPF, strictDKIM bool
	if p.Record != nil {
		r.Record, r.Testing = p.Record.Text, p.Record.Testing
		strictSPF, strictDKIM = p.Record.StrictSPF, p.Record.StrictDKIM
	}
	spf := p.judge(ctx, ids.SPF, strictSPF)
	dkim := verdict{}
	for _, id := range ids.DKIM[:min(len(ids.DKIM), maxIdentifiers)] {
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

func (p *Policy) aligned(ctx context.Context, domain string, strict bool) (bool, error) {
	if domain == p.AuthorDomain {
		return true, nil
	}
	if strict {
		return false, nil
	}
	if p.OrganizationalDomain == "" {
		return false, p.Err
	}
	org, err := p.finder.organizationalDomain(ctx, domain)
	return err == nil && org == p.OrganizationalDomain, err
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
