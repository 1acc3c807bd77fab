package aggregate

import (
	"bytes"
	"net/netip"
)

// record reads a record (RFC 9990 3.1.1.7). It reports whether it can be told where its messages came from; without that it counts for
// nothing.
func (r *Reader) record(rec *Record) bool {
	*rec = Record{Reasons: rec.Reasons[:0], Auth: Auth{DKIM: rec.Auth.DKIM[:0], SPF: rec.Auth.SPF[:0]}, Extensions: rec.Extensions[:0]}
	r.enter()
	var had set
	for {
		switch e := r.child("record"); e {
		case end:
			if r.err != nil {
				return false
			}
			r.missing(had, identifiers)
			r.missing(had, authResults)
			if !had.has(row) {
				r.warn(wLeftOut, "row", "")
			}
			return rec.SourceIP.IsValid()
		case row:
			if r.first(&had, e, "row") {
				r.row(rec)
			}
		case identifiers:
			if r.first(&had, e, "identifiers") {
				r.identifiers(rec)
			}
		case authResults:
			if r.first(&had, e, "auth_results") {
				r.authResults(rec)
			}
		case foreign:
			r.extension(&rec.Extensions)
		default:
			r.unexpected(e, "record", true)
		}
	}
}

// missing notes that an element is not there.
func (r *Reader) missing(had set, e element) {
	if !had.has(e) && r.err == nil {
		r.warn(wMissing, names[e], "")
	}
}

// row reads where from and how many (RFC 9990 3.1.1.8).
func (r *Reader) row(rec *Record) {
	r.enter()
	var had set
	for {
		switch e := r.child("row"); e {
		case end:
			if !had.has(sourceIP) && r.err == nil {
				r.warn(wLeftOut, "source_ip", "")
			}
			r.missing(had, count)
			r.missing(had, policyEvaluated)
			return
		case sourceIP:
			if r.first(&had, e, "source_ip") && !r.address(rec) {
				rec.SourceIP = netip.Addr{}
			}
		case count:
			if r.first(&had, e, "count") {
				rec.Count = r.number("count")
			}
		case policyEvaluated:
			if r.first(&had, e, "policy_evaluated") {
				r.policyEvaluated(rec)
			}
		default:
			r.unexpected(e, "row", true)
		}
	}
}

// policyEvaluated reads what DMARC made of the messages (RFC 9990 3.1.1.9).
func (r *Reader) policyEvaluated(rec *Record) {
	r.enter()
	var had set
	for {
		switch e := r.child("policy_evaluated"); e {
		case end:
			r.missing(had, disposition)
			if r.err == nil && !had.has(dkim) {
				r.warn(wMissing, "policy_evaluated/dkim", "")
			}
			if r.err == nil && !had.has(spf) {
				r.warn(wMissing, "policy_evaluated/spf", "")
			}
			return
		case disposition:
			if r.first(&had, e, "disposition") {
				rec.Disposition = r.word("disposition", dispositions)
			}
		case dkim:
			if r.first(&had, e, "policy_evaluated/dkim") {
				rec.DKIM = r.word("policy_evaluated/dkim", evaluated)
			}
		case spf:
			if r.first(&had, e, "policy_evaluated/spf") {
				rec.SPF = r.word("policy_evaluated/spf", evaluated)
			}
		case reason:
			if len(rec.Reasons) == r.opt.MaxPerRecord {
				r.warn(wTooMany, "reason", "")
				r.skip()
				break
			}
			r.reason(rec)
		default:
			r.unexpected(e, "policy_evaluated", true)
		}
	}
}

// reason reads why the policy was not followed (RFC 9990 3.1.1.14).
func (r *Reader) reason(rec *Record) {
	r.enter()
	r.stray, r.full = r.stray[:0], false
	var had set
	var why Reason
	for {
		switch e := r.child("reason"); e {
		case end:
			if r.err != nil {
				return
			}
			r.endReason(rec, why)
			return
		case typ:
			if r.first(&had, e, "reason/type") {
				why.Type = r.word("reason/type", reasonTypes)
			}
		case comment:
			if r.first(&had, e, "reason/comment") {
				why.Comment = r.string("reason/comment")
			}
		default:
			r.unexpected(e, "reason", true)
		}
	}
}

// endReason keeps a reason that says anything. Some reporters put its text right into the reason.
func (r *Reader) endReason(rec *Record, why Reason) {
	text := bytes.TrimSpace(r.stray)
	r.stray, r.full = r.stray[:0], false
	if len(text) > 0 {
		came := r.str.string(cut(text, r.opt.MaxText))
		var small [24]byte
		word := ""
		if len(text) <= len(small) {
			word = reasonTypes(appendLower(small[:0], text))
		}
		switch {
		case why.Type == "" && word != "":
			why.Type = word
			r.warn(wReasonType, "reason", came)
		case why.Comment == "":
			why.Comment = came
			r.warn(wReasonText, "reason", came)
		default:
			r.warn(wStray, "reason", came)
		}
	}
	switch {
	case why == Reason{}:
		r.warn(wLeftOut, "type and no comment in a reason", "")
		return
	case why.Type == "":
		r.warn(wMissing, "reason/type", "")
	}
	rec.Reasons = append(rec.Reasons, why)
}

// identifiers reads the domains that DMARC looked at (RFC 9990 3.1.1.10).
func (r *Reader) identifiers(rec *Record) {
	r.enter()
	var had set
	for {
		switch e := r.child("identifiers"); e {
		case end:
			r.missing(had, headerFrom)
			return
		case headerFrom:
			if r.first(&had, e, "header_from") {
				if rec.HeaderFrom = r.domain("header_from"); rec.HeaderFrom == "" && r.err == nil {
					r.warn(wEmpty, "header_from", "")
				}
			}
		case envelopeFrom:
			if r.first(&had, e, "envelope_from") {
				rec.EnvelopeFrom = r.domain("envelope_from")
			}
		case envelopeTo:
			if r.first(&had, e, "envelope_to") {
				rec.EnvelopeTo = r.domain("envelope_to")
			}
		default:
			r.unexpected(e, "identifiers", true)
		}
	}
}

// authResults reads what SPF and DKIM said (RFC 9990 3.1.1.11).
func (r *Reader) authResults(rec *Record) {
	r.enter()
	for {
		switch e := r.child("auth_results"); e {
		case end:
			if len(rec.Auth.DKIM)+len(rec.Auth.SPF) == 0 && r.feedback.Namespace != Namespace9990 && r.err == nil {
				r.warn(wEmpty, "auth_results", "")
			}
			return
		case dkim:
			if len(rec.Auth.DKIM) == r.opt.MaxPerRecord {
				r.warn(wTooMany, "auth_results/dkim", "")
				r.skip()
				break
			}
			r.authDKIM(rec)
		case spf:
			if len(rec.Auth.SPF) == r.opt.MaxPerRecord {
				r.warn(wTooMany, "auth_results/spf", "")
				r.skip()
				break
			}
			r.authSPF(rec)
		default:
			r.unexpected(e, "auth_results", true)
		}
	}
}

// authDKIM reads what became of a signature (RFC 9990 3.1.1.12).
func (r *Reader) authDKIM(rec *Record) {
	r.enter()
	var had set
	var a AuthDKIM
	for {
		switch e := r.child("auth_results/dkim"); e {
		case end:
			if r.err != nil {
				return
			}
			if had == 0 {
				r.warn(wLeftOut, "domain and no result in auth_results/dkim", "")
				return
			}
			if !had.has(result) {
				r.warn(wMissing, "auth_results/dkim/result", "")
			}
			r.checkDomain("auth_results/dkim/domain", a.Domain)
			rec.Auth.DKIM = append(rec.Auth.DKIM, a)
			return
		case domain:
			if r.first(&had, e, "auth_results/dkim/domain") {
				a.Domain = r.domain("auth_results/dkim/domain")
			}
		case selector:
			if r.first(&had, e, "auth_results/dkim/selector") {
				a.Selector = r.string("auth_results/dkim/selector")
			}
		case result:
			if r.first(&had, e, "auth_results/dkim/result") {
				a.Result = r.word("auth_results/dkim/result", dkimResults)
			}
		case humanResult:
			if r.first(&had, e, "auth_results/dkim/human_result") {
				a.HumanResult = r.string("auth_results/dkim/human_result")
			}
		default:
			r.unexpected(e, "auth_results/dkim", true)
		}
	}
}

// authSPF reads what SPF said (RFC 9990 3.1.1.13).
func (r *Reader) authSPF(rec *Record) {
	r.enter()
	var had set
	var a AuthSPF
	for {
		switch e := r.child("auth_results/spf"); e {
		case end:
			if r.err != nil {
				return
			}
			if had == 0 {
				r.warn(wLeftOut, "domain and no result in auth_results/spf", "")
				return
			}
			if !had.has(result) {
				r.warn(wMissing, "auth_results/spf/result", "")
			}
			r.checkDomain("auth_results/spf/domain", a.Domain)
			rec.Auth.SPF = append(rec.Auth.SPF, a)
			return
		case domain:
			if r.first(&had, e, "auth_results/spf/domain") {
				a.Domain = r.domain("auth_results/spf/domain")
			}
		case scope:
			if r.first(&had, e, "auth_results/spf/scope") {
				a.Scope = r.word("auth_results/spf/scope", scopes)
			}
		case result:
			if r.first(&had, e, "auth_results/spf/result") {
				a.Result = r.word("auth_results/spf/result", spfResults)
			}
		case humanResult:
			if r.first(&had, e, "auth_results/spf/human_result") {
				a.HumanResult = r.string("auth_results/spf/human_result")
			}
		default:
			r.unexpected(e, "auth_results/spf", true)
		}
	}
}

// checkDomain notes a result that does not say of which domain it is.
func (r *Reader) checkDomain(where, domain string) {
	switch domain {
	case "":
		r.warn(wMissing, where, "")
	case "not.evaluated":
		r.warn(wPlaceholder, where, domain)
	}
}
