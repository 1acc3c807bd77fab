package facts

import (
	"context"
	"errors"
	"net/netip"
	"sync"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/spf"
)

// What a tree may make us do. A record with more than this is broken many times over.
const (
	maxPolicies = 60
	maxTreeAsks = 200
	maxTerms    = 10000 // of all records together
	maxMXHosts  = 10    // RFC 7208 4.6.4
)

// A walker follows a record breadth first: all that is to be asked on one level is asked at once.
type walker struct {
	g        *gatherer
	policies map[string]*Policy
	next     []query
	asks     int
	terms    int
}

// A query is a question of the tree, and who wants to know.
type query struct {
	asked  Asked
	policy *Policy // whose record is asked for
	step   *Step   // whose addresses or hosts are
}

// walk makes the tree of the domain's record.
func (g *gatherer) walk(ctx context.Context, record *spf.Record) *Policy {
	w := &walker{g: g, policies: map[string]*Policy{}}
	root := w.policy(g.f.Domain)
	if len(g.f.SPF.Texts) > 1 {
		root.Problem = ManyRecords
	}
	w.read(root, record)
	for len(w.next) > 0 {
		now := w.next
		w.next = nil
		w.ask(ctx, now)
		for i := range now {
			if q := &now[i]; q.policy != nil {
				w.found(q.policy, &q.asked)
			} else {
				w.hosts(q.step, &q.asked)
			}
		}
	}
	count(root)
	return root
}

// ask puts questions, several at once.
func (w *walker) ask(ctx context.Context, all []query) {
	if len(all) == 1 {
		q := &all[0].asked
		*q = w.g.ask(ctx, SPF, q.Name, q.Type)
		return
	}
	var wg sync.WaitGroup
	for first := range min(atOnce, len(all)) {
		wg.Go(func() {
			for i := first; i < len(all); i += atOnce {
				q := &all[i].asked
				*q = w.g.ask(ctx, SPF, q.Name, q.Type)
			}
		})
	}
	wg.Wait()
}

// want keeps a question for the next level, unless there were too many.
func (w *walker) want(q query, name string, typ dns.Type) bool {
	if w.asks == maxTreeAsks {
		return false
	}
	w.asks++
	q.asked = Asked{Name: name, Type: typ}
	w.next = append(w.next, q)
	return true
}

func (w *walker) policy(domain string) *Policy {
	p := &Policy{Domain: domain, Service: w.g.f.Options.Table.Include(domain)}
	w.policies[domain] = p
	return p
}

// found reads the record of a policy out of an answer.
func (w *walker) found(p *Policy, a *Asked) {
	text := ""
	for _, txt := range a.TXT {
		if !spf.IsRecord(txt) {
			continue
		}
		if text != "" {
			p.Problem = ManyRecords
		}
		if text == "" {
			text = txt
		}
	}
	switch {
	case a.Unknown():
		p.Problem = Temporary
	case isNXDomain(a.Err):
		p.Problem = NoDomain
	case text == "":
		p.Problem = NoRecord
	default:
		record, _ := spf.Parse(text)
		w.read(p, record)
	}
}

func isNXDomain(err error) bool { return errors.Is(err, dns.ErrNXDomain) }

func organizational(name string) string { return senders.OrganizationalDomain(name) }

// read goes through a record, and wants to know what its terms ask for.
func (w *walker) read(p *Policy, record *spf.Record) {
	p.Record = record
	terms := record.Terms
	if left := maxTerms - w.terms; len(terms) > left {
		terms = terms[:left]
		p.Partly = true
	}
	w.terms += len(terms)
	p.Steps = make([]Step, len(terms))
	all := false
	for i := range terms {
		t := &terms[i]
		p.Steps[i].Term = t
		if t.Err != nil && p.Problem == "" {
			p.Problem = Syntax
		}
		switch {
		case t.Kind == spf.KindAll && t.Err == nil && !all:
			all = true
		case t.Qualifier != 0:
			p.Steps[i].Dead = all
		}
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		s.Dead = s.Dead || s.Kind == spf.KindRedirect && all
		if !s.Dead && s.Err == nil {
			w.step(p, s)
		}
	}
}

// step wants to know what a term asks for.
func (w *walker) step(p *Policy, s *Step) {
	switch {
	case s.Kind == spf.KindIP4 || s.Kind == spf.KindIP6:
		s.Addrs = []netip.Prefix{s.Prefix}
		return
	case !s.Kind.AsksDNS():
		return
	}
	name, err := s.Target(p.Domain, w.g.f.Domain)
	switch {
	case errors.Is(err, spf.ErrMacro):
		s.Problem = Varies
		return
	case err != nil && (s.Kind == spf.KindInclude || s.Kind == spf.KindRedirect):
		s.Problem = BadTarget
		return
	case err != nil: // nothing is asked, and nobody matches
		return
	}
	s.Name = name
	ok := true
	switch s.Kind {
	case spf.KindInclude, spf.KindRedirect:
		if s.Policy = w.policies[name]; s.Policy != nil {
			s.Again = true
			return
		}
		ok = len(w.policies) < maxPolicies && w.want(query{policy: w.policy(name)}, name, dns.TypeTXT)
		if ok {
			s.Policy = w.policies[name]
		} else {
			delete(w.policies, name)
		}
	case spf.KindA:
		ok = w.addresses(s, name)
	case spf.KindMX:
		ok = w.want(query{step: s}, name, dns.TypeMX)
	case spf.KindExists:
		ok = w.want(query{step: s}, name, dns.TypeA)
	}
	if !ok {
		s.Problem = NotFollowed
	}
}

// addresses asks for both families: each client is asked for by its own.
func (w *walker) addresses(s *Step, name string) bool {
	s.Voids4, s.Voids6 = 1, 1 // until an address is found
	return w.want(query{step: s}, name, dns.TypeA) && w.want(query{step: s}, name, dns.TypeAAAA)
}

// hosts takes an answer for a, mx or exists.
func (w *walker) hosts(s *Step, a *Asked) {
	switch {
	case a.Unknown():
		s.Problem = Temporary
		s.Voids4, s.Voids6 = 0, 0
		return
	case s.Kind == spf.KindExists:
		if a.Absent() {
			s.Voids4, s.Voids6 = 1, 1
		}
		return
	case a.Type == dns.TypeMX:
		w.exchangers(s, a)
		return
	case isNXDomain(a.Err) && s.Kind == spf.KindA:
		s.Problem = NoDomain
	}
	for _, ip := range a.Addrs {
		bits := int(s.Bits4)
		if ip.Is6() {
			bits = int(s.Bits6)
			s.Voids6 = 0
		} else {
			s.Voids4 = 0
		}
		if p, err := ip.Prefix(bits); err == nil {
			s.Addrs = append(s.Addrs, p)
		}
	}
	if s.Problem == Temporary || s.Problem == NotFollowed {
		s.Voids4, s.Voids6 = 0, 0
	}
}

func (w *walker) exchangers(s *Step, a *Asked) {
	s.Voids4, s.Voids6 = 1, 1
	if isNXDomain(a.Err) {
		s.Problem = NoDomain
		return
	}
	s.Hosts = len(a.MX)
	if s.Hosts > maxMXHosts {
		s.Problem = TooManyMX
	}
	for i, mx := range a.MX {
		if mx.Host == "" {
			continue
		}
		if i >= maxMXHosts || !w.addresses(s, mx.Host) {
			break
		}
	}
}
