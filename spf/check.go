package spf

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
)

// The limits of RFC 7208 4.6.4. Those for the names behind one mx or ptr are not to be changed.
const (
	defaultLookups     = 10
	defaultVoidLookups = 2
	maxMX              = 10
	maxPTR             = 10
)

// Check evaluates the policy of MailFrom's domain, or of Helo's where MailFrom is empty: check_host of RFC 7208 4.
//
// The time that it may take is the caller's to set, with ctx: 20 seconds at least (4.6.4). Reaching it is a TempError.
func Check(ctx context.Context, r dns.Resolver, q Query) Result {
	var terms [termBuffer]Term
	e := evaluation{ctx: ctx, resolver: r, q: &q, terms: terms[:0]}
	if err := e.begin(); err != nil {
		return Result{Code: None, Err: err}
	}
	o := e.check(e.domain, 0)
	res := Result{
		Code: o.code, Domain: e.domain, Term: o.term, Record: e.record,
		Lookups: e.lookups, VoidLookups: e.voids,
	}
	if o.err != nil {
		res.Err = o.err
	}
	if o.code == Fail && o.exp != "" {
		res.Explanation = e.explain(o.exp, o.domain)
	}
	res.Trace = e.lines
	return res
}

// termBuffer is how many terms, of all records being evaluated at once, need no memory of their own.
const termBuffer = 24

// An evaluation is one call of Check.
type evaluation struct {
	ctx      context.Context
	resolver dns.Resolver
	q        *Query

	ip     netip.Addr // never an IPv4-mapped one
	local  string     // of the sender
	domain string     // of the sender
	helo   string

	record     string // of domain
	terms      []Term // of the records being evaluated, the outermost first
	lookups    int
	voids      int
	explaining bool // the result is known: nothing counts any more
	ptr        reverse
	lines      []string
}

// An outcome is what one domain's policy gives.
type outcome struct {
	code   Code
	term   string // that matched, or that redirects
	domain string // whose record it stands in
	exp    string // the domain-spec of that record's exp
	next   string // where it redirects to
	err    *Error
}

// begin does the initial processing of RFC 7208 4.3.
func (e *evaluation) begin() error {
	e.ip = e.q.IP.Unmap().WithZone("") // RFC 7208 5: an IPv4-mapped client is an IPv4 client
	if !e.ip.IsValid() {
		return errors.New("the client has no address")
	}
	e.helo = clip(e.q.Helo)
	domain := e.q.MailFrom
	if domain == "" { // RFC 7208 2.4
		domain = e.q.Helo
	} else if at := strings.LastIndexByte(domain, '@'); at >= 0 {
		e.local, domain = clip(domain[:at]), domain[at+1:]
	}
	if e.local == "" {
		e.local = "postmaster"
	}
	var ok bool
	if e.domain, ok = initialDomain(domain); !ok {
		return fmt.Errorf("%s: %w", quote(domain), ErrNoDomain)
	}
	return nil
}

// check evaluates a domain's record, and those that it redirects to. It calls itself for include only, so the limit of look-ups
// bounds its depth.
func (e *evaluation) check(domain string, depth int) outcome {
	o := e.policy(domain, depth)
	for o.next != "" {
		from := o
		o = e.policy(from.next, depth)
		if err := o.fault(); err != nil {
			err.at(from.domain, from.term)
			o = outcome{code: err.code, err: err}
		}
	}
	return o
}

// fault is why a policy that a term leads to gives no answer. That it has no record is an error there (RFC 7208 5.2, 6.1).
func (o outcome) fault() *Error {
	if o.err == nil || o.err.Term != "" {
		return o.err
	}
	err := &Error{Err: o.err, code: o.code}
	if o.code == None {
		err.code = PermError
	}
	return err
}

// policy evaluates one record (RFC 7208 4.6).
func (e *evaluation) policy(domain string, depth int) outcome {
	record, err := e.fetch(domain)
	if err != nil {
		e.trace(depth, domain, "", err.code, err)
		return outcome{code: err.code, err: err}
	}
	if depth == 0 && e.record == "" {
		e.record = record
	}
	bottom := len(e.terms)
	o := e.evaluate(domain, record, depth)
	e.terms = e.terms[:bottom]
	return o
}

// evaluate tries the terms in order.
func (e *evaluation) evaluate(domain, record string, depth int) outcome {
	bottom := len(e.terms)
	if err := e.parse(record); err != nil {
		err.Domain = domain
		e.trace(depth, domain, err.Term, PermError, err)
		return outcome{code: PermError, err: err}
	}
	terms := e.terms[bottom:]
	for i := range terms {
		t := &terms[i]
		if t.Qualifier == 0 {
			continue
		}
		matches, err := e.match(t, domain, depth)
		if err != nil {
			err.at(domain, t.Text)
			e.trace(depth, domain, t.Text, err.code, err)
			return outcome{code: err.code, err: err}
		}
		if matches {
			e.trace(depth, domain, t.Text, t.Result(), nil)
			o := outcome{code: t.Result(), term: t.Text, domain: domain}
			if exp := find(terms, KindExp); exp != nil {
				o.exp = exp.DomainSpec
			}
			return o
		}
		e.trace(depth, domain, t.Text, "no match", nil)
	}
	return e.redirect(find(terms, KindRedirect), domain, depth)
}

// parse adds the terms of a record that can have a say, so that a long record costs no more memory than a short one. The first wrong
// term ends it, wherever it stands (RFC 7208 4.6).
func (e *evaluation) parse(record string) *Error {
	asking, most, decided := 0, e.maxLookups(), false
	for s := newScanner(record); ; {
		t, ok := s.next()
		if !ok {
			return nil
		}
		if t.Err != nil {
			return &Error{Term: t.Text, Err: t.Err, code: PermError}
		}
		switch t.Kind {
		case KindModifier:
			continue
		case KindRedirect, KindExp:
			e.terms = append(e.terms, t)
			continue
		}
		if decided { // nothing is tried after a term that is sure to match
			continue
		}
		switch t.Kind {
		case KindAll:
			decided = true
		case KindIP4, KindIP6:
			decided = t.Prefix.Contains(e.ip)
			if !decided && !e.q.Trace {
				continue
			}
		default:
			if asking++; asking > most+1 { // the one before has met the limit
				continue
			}
		}
		e.terms = append(e.terms, t)
	}
}

// redirect is the end of a record in which nothing matched (RFC 7208 4.7, 6.1).
func (e *evaluation) redirect(t *Term, domain string, depth int) outcome {
	if t == nil {
		e.trace(depth, domain, "", Neutral, nil)
		return outcome{code: Neutral}
	}
	name, err := e.policyName(t.DomainSpec, domain)
	if err != nil {
		err.at(domain, t.Text)
		e.trace(depth, domain, t.Text, err.code, err)
		return outcome{code: err.code, err: err}
	}
	e.trace(depth, domain, t.Text, Code(printable(name)), nil)
	return outcome{term: t.Text, domain: domain, next: name}
}

func find(terms []Term, k Kind) *Term {
	for i := range terms {
		if terms[i].Kind == k {
			return &terms[i]
		}
	}
	return nil
}

// trace writes down one step.
func (e *evaluation) trace(depth int, domain, term string, result Code, err *Error) {
	if !e.q.Trace {
		return
	}
	line := strings.Repeat("  ", depth) + printable(domain)
	if term != "" {
		line += ": " + quote(term)
	}
	line += " → " + string(result)
	if err != nil {
		line += " (" + err.reason() + ")"
	}
	e.lines = append(e.lines, line)
}
