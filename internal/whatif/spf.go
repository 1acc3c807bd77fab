package whatif

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/spf"
)

// An SPFChange is a record that a domain might publish.
type SPFChange struct {
	Domain string
	Period insight.Period
	Record string
}

// SPF is what a record would answer for the addresses that were seen in a period.
type SPF struct {
	Domain     string         `json:"domain"`
	Period     insight.Period `json:"period"`
	Now        string         `json:"now"` // the record as it is published; empty without one
	Record     insight.Record `json:"record"`
	Lookups    SPFLookups     `json:"lookups"`
	Reported   []string       `json:"reported"` // the domains whose reports tell of it
	Messages   int64          `json:"messages"` // that these count
	Asked      int64          `json:"asked"`    // of them, those for which the record is asked
	Same       int64          `json:"same"`     // of these, those with the same result
	Fewer      Kinds          `json:"fewer"`    // that pass SPF, and would not
	More       Kinds          `json:"more"`     // that do not, and would
	Other      int64          `json:"other"`    // that do not either way, with another result
	Lost       Kinds          `json:"lost"`     // that pass DMARC, and would not
	Gained     Kinds          `json:"gained"`   // that do not, and would
	Undecided  int64          `json:"undecided"`
	Small      int64          `json:"small"`   // from sources that were too many and too small to look at
	Changes    []SPFSource    `json:"changes"` // those that would pass no more first, and the most messages
	Confidence Confidence     `json:"confidence"`
	Notes      []string       `json:"notes"`

	unanswered int64 // for want of DNS
}

// SPFLookups are the terms of a record and all beneath it that ask DNS. More than so many, and receivers may give up (RFC 7208 4.6.4).
type SPFLookups struct {
	Now    int  `json:"now"`    // as it is; 0 also where there is no record
	Then   int  `json:"then"`   // by the record
	Most   int  `json:"most"`   // that are allowed
	Partly bool `json:"partly"` // DNS did not answer for all of them: Then is the least that it may be
}

// An SPFSource is an address that would have another result.
type SPFSource struct {
	IP       netip.Addr   `json:"ip"`
	Key      string       `json:"key"`    // of the group that it belongs to; empty if it was not looked at
	Name     string       `json:"name"`   // of the group
	Domain   string       `json:"domain"` // whose reports tell of it
	Kind     senders.Kind `json:"kind"`
	Envelope string       `json:"envelope"` // the domain of MAIL FROM, or HELO's where that was null
	Now      spf.Code     `json:"now"`
	Then     spf.Code     `json:"then"`
	Term     string       `json:"term"` // which would match
	Reason   string       `json:"reason"`
	Messages int64        `json:"messages"`
	Lost     int64        `json:"lost"`   // of them, those that would fail DMARC thereby
	Gained   int64        `json:"gained"` // or pass it

	domain int // its place
}

// spfTime is how long the records are evaluated for.
const spfTime = 40 * time.Second

const (
	maxReported = 20   // domains whose reports are looked at
	maxAsked    = 5000 // questions that a record makes us ask DNS: it may ask another for each address
	maxChanged  = 200  // addresses that are looked at in detail for whose they are
)

// SPF answers for which addresses a record would answer otherwise. It wraps [ErrNoReports] and [ErrDNS].
func (a *Asker) SPF(ctx context.Context, c SPFChange) (*SPF, error) {
	out := &SPF{Domain: c.Domain, Period: c.Period, Record: insight.Record{Name: c.Domain, Type: "TXT", Value: c.Record}, Changes: []SPFSource{}, Notes: []string{}}
	changes, err := a.spfChanges(ctx, out)
	if err != nil {
		return nil, err
	}
	if out.Reported, err = a.related(ctx, c.Domain, c.Period); err != nil {
		return nil, err
	}
	if len(out.Reported) == 0 {
		return nil, fmt.Errorf("%s: %w", c.Domain, ErrNoReports)
	}
	f, err := a.Insight.Fetch(ctx, out.Reported, c.Period)
	if err != nil {
		return nil, err
	}
	asked := facts.Remember(dns.Limit(a.Insight.DNS, maxAsked))
	r := &retry{out: out, now: asked, then: &touched{next: publish.Overlay(asked, changes), name: c.Domain},
		names: newNames(a.Insight.DNS, a.Insight.Method, c.Domain), answers: map[question]*answer{}, by: map[place]*SPFSource{}}
	for i, name := range out.Reported {
		if err := a.again(ctx, r, i, name); err != nil {
			return nil, err
		}
	}
	if err := a.whose(ctx, r, f); err != nil {
		return nil, err
	}
	out.lookups(ctx, r)
	r.note(changes)
	return out, nil
}

const mostLookups = 10 // RFC 7208 4.6.4

// lookups counts what the records cost.
func (s *SPF) lookups(ctx context.Context, r *retry) {
	ctx, cancel := context.WithDeadline(ctx, r.until)
	defer cancel()
	s.Lookups.Most = mostLookups
	if now := facts.SPFTree(ctx, r.now, s.Domain); now != nil {
		s.Lookups.Now = now.Lookups
	}
	if then := facts.SPFTree(ctx, r.then, s.Domain); then != nil {
		s.Lookups.Then, s.Lookups.Partly = then.Lookups, then.Partly
	}
}

// spfChanges finds the record that goes.
func (a *Asker) spfChanges(ctx context.Context, out *SPF) ([]publish.Change, error) {
	found, err := a.Insight.DNS.Lookup(ctx, out.Domain, dns.TypeTXT)
	if err != nil && !dns.IsVoid(err) {
		return nil, fmt.Errorf("%s: its SPF record: %w: %w", out.Domain, ErrDNS, err)
	}
	var changes []publish.Change
	for _, txt := range found.TXT {
		if spf.IsRecord(txt) {
			changes = append(changes, publish.Change{Name: out.Domain, Type: "TXT", Old: txt})
		}
	}
	switch len(changes) {
	case 0:
		out.Notes = append(out.Notes, "No SPF record is published.")
		changes = []publish.Change{{Name: out.Domain, Type: "TXT"}}
	case 1:
		out.Now = changes[0].Old
	default:
		out.Notes = append(out.Notes, fmt.Sprintf("There are %d SPF records, so that none is used. All of them would go.", len(changes)))
	}
	changes[0].New = out.Record.Value
	return changes, nil
}

// related are the domains whose reports may tell of an envelope domain: itself, those above and those below it.
func (a *Asker) related(ctx context.Context, domain string, p insight.Period) ([]string, error) {
	all, err := a.Store.Domains(ctx, store.Question{From: p.From, To: p.To, Verified: a.Insight.Verified})
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(d store.DomainFigures) bool {
		return d.Messages == 0 || d.Domain != domain && !strings.HasSuffix(d.Domain, "."+domain) && !strings.HasSuffix(domain, "."+d.Domain)
	})
	slices.SortStableFunc(all, func(x, y store.DomainFigures) int { return cmp.Compare(y.Messages, x.Messages) })
	var names []string
	for _, d := range all[:min(len(all), maxReported)] {
		names = append(names, d.Domain)
	}
	return names, nil
}

// A retry is records being evaluated.
type retry struct {
	out     *SPF
	now     dns.Resolver
	then    *touched
	names   *names
	answers map[question]*answer
	until   time.Time
	by      map[place]*SPFSource
	failed  bool
}

type question struct {
	ip       netip.Addr
	envelope string
}

type place struct {
	question
	domain int
}

type answer struct {
	now, then spf.Code
	term      string
	reason    string
	asked     bool // the record is asked at all
}

// again evaluates what the reports of a domain tell of.
func (a *Asker) again(ctx context.Context, r *retry, i int, domain string) error {
	q := a.question(domain, r.out.Period)
	days, err := a.Store.ReportDays(ctx, q)
	if err != nil {
		return err
	}
	var messages int64
	for _, d := range days {
		messages += d.Messages
	}
	top, err := a.Store.TopSources(ctx, q, looked)
	if err != nil {
		return err
	}
	var ips []netip.Addr
	for _, s := range top {
		ips = append(ips, s.IP)
	}
	all, err := a.Store.Alike(ctx, q, ips, 0)
	if err != nil {
		return err
	}
	if r.until.IsZero() {
		r.until = time.Now().Add(spfTime)
	}
	checked, cancel := context.WithDeadline(ctx, r.until)
	defer cancel()
	r.out.Messages += messages
	for j := range all {
		messages -= all[j].Messages
		r.one(checked, &all[j], i)
	}
	r.out.Small += max(0, messages)
	return ctx.Err()
}

// one holds some messages against both records.
func (r *retry) one(ctx context.Context, m *store.Alike, domain int) {
	q := question{m.IP, envelope(m)}
	if q.envelope == "" || !q.ip.IsValid() {
		if m.SPF == "pass" || len(m.AuthSPF) > 0 {
			r.out.Undecided += m.Messages // the reporter told of SPF, and not of whose
		}
		return
	}
	answer := r.ask(ctx, q)
	if !answer.asked {
		return
	}
	r.out.Asked += m.Messages
	switch {
	case answer.now == spf.TempError || answer.then == spf.TempError:
		r.failed = true
		r.out.unanswered += m.Messages
		r.out.Undecided += m.Messages
		return
	case answer.now == answer.then:
		r.out.Same += m.Messages
		return
	}
	at := place{q, domain}
	s := r.by[at]
	if s == nil {
		s = &SPFSource{IP: q.ip, Envelope: q.envelope, Now: answer.now, Then: answer.then, Term: answer.term, Reason: answer.reason, domain: domain}
		r.by[at] = s
	}
	s.Messages += m.Messages
	if m.DKIM == "pass" || answer.now != spf.Pass && answer.then != spf.Pass {
		return // DMARC does not mind
	}
	aligned, sure := true, true
	if m.SPF != "pass" {
		aligned, sure = r.names.alignedSPF(ctx, m.HeaderFrom, q.envelope)
	}
	switch {
	case !sure:
		r.names.failed = true
	case aligned && answer.now == spf.Pass:
		s.Lost += m.Messages
	case aligned:
		s.Gained += m.Messages
	}
}

// envelope is the domain that SPF is evaluated for.
func envelope(m *store.Alike) string {
	helo := ""
	for _, s := range m.AuthSPF {
		switch {
		case s.Domain == "":
		case s.Scope != "helo":
			return s.Domain
		case helo == "":
			helo = s.Domain
		}
	}
	from := m.EnvelopeFrom[strings.LastIndexByte(m.EnvelopeFrom, '@')+1:]
	return cmp.Or(from, helo)
}

func (r *retry) ask(ctx context.Context, q question) *answer {
	if known := r.answers[q]; known != nil {
		return known
	}
	query := spf.Query{IP: q.ip, Helo: q.envelope, MailFrom: "postmaster@" + q.envelope}
	r.then.asked = false
	then := spf.Check(ctx, r.then, query)
	known := &answer{then: then.Code, term: then.Term, asked: r.then.asked}
	if then.Err != nil {
		known.reason = then.Err.Error()
	}
	if known.asked {
		known.now = spf.Check(ctx, r.now, query).Code
	}
	r.answers[q] = known
	return known
}

// touched notes whether the record of a domain is asked for.
type touched struct {
	next  dns.Resolver
	name  string
	asked bool
}

// Lookup implements [dns.Resolver].
func (t *touched) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	if typ == dns.TypeTXT && strings.EqualFold(strings.TrimSuffix(name, "."), t.name) {
		t.asked = true
	}
	return t.next.Lookup(ctx, name, typ)
}

// alignedSPF tells whether an envelope domain is aligned with an Author Domain, as its policy has it.
func (n *names) alignedSPF(ctx context.Context, author, envelope string) (aligned, sure bool) {
	p := n.of(ctx, author)
	if p == nil || p.Record == nil {
		return n.aligned(ctx, author, envelope)
	}
	r := p.Evaluate(ctx, dmarc.Identifiers{SPF: dmarc.Identifier{Domain: envelope, Code: "pass"}})
	return r.Aligned.SPF, r.Code != dmarc.TempError
}

// whose says of each address that changes whose it is, and counts.
func (a *Asker) whose(ctx context.Context, r *retry, f *insight.Facts) error {
	for _, s := range r.by {
		r.out.Changes = append(r.out.Changes, *s)
	}
	sortChanges(r.out.Changes)
	ips := make([][]netip.Addr, len(f.Domains))
	for i, s := range r.out.Changes {
		if i < maxChanged {
			ips[s.domain] = append(ips[s.domain], s.IP)
		}
	}
	for i := range f.Domains {
		if err := a.Insight.More(ctx, f, i, ips[i]); err != nil {
			return err
		}
	}
	sum := f.Sum()
	groups := map[place]*insight.Group{}
	for i := range sum.Domains {
		for j := range sum.Domains[i].Groups {
			g := &sum.Domains[i].Groups[j]
			for _, ip := range g.IPs {
				groups[place{question{ip: ip}, i}] = g
			}
		}
	}
	out := r.out
	for i := range out.Changes {
		s := &out.Changes[i]
		s.Name, s.Kind, s.Domain = s.IP.String(), senders.Unclear, f.Domains[s.domain].Name
		if g := groups[place{question{ip: s.IP}, s.domain}]; g != nil {
			s.Key, s.Name, s.Kind = g.Key, g.Name, g.Class.Kind
		}
		switch {
		case s.Now == spf.Pass:
			out.Fewer.add(s.Kind, s.Messages)
		case s.Then == spf.Pass:
			out.More.add(s.Kind, s.Messages)
		default:
			out.Other += s.Messages
		}
		if s.Lost > 0 {
			out.Lost.add(s.Kind, s.Lost)
		}
		if s.Gained > 0 {
			out.Gained.add(s.Kind, s.Gained)
		}
	}
	out.Confidence = confidence(&sum.Domains[0], &f.Domains[0], out.Period)
	return nil
}

func sortChanges(all []SPFSource) {
	rank := func(s *SPFSource) int {
		switch spf.Pass {
		case s.Now:
			return 0
		case s.Then:
			return 1
		}
		return 2
	}
	slices.SortFunc(all, func(a, b SPFSource) int {
		return cmp.Or(cmp.Compare(rank(&a), rank(&b)), cmp.Compare(b.Messages, a.Messages), a.IP.Compare(b.IP), cmp.Compare(a.Envelope, b.Envelope),
			cmp.Compare(a.domain, b.domain))
	})
}

// note says what the numbers do not.
func (r *retry) note(changes []publish.Change) {
	out := r.out
	if r.failed || r.names.failed {
		out.Notes = append(out.Notes, "DNS did not answer for every domain: what depends on it is counted as undecided.")
	}
	for _, c := range changes {
		for _, text := range []string{c.Old, c.New} {
			low := strings.ToLower(text)
			if strings.Contains(low, "%{s") || strings.Contains(low, "%{l") || strings.Contains(low, "%{h") {
				out.Notes = append(out.Notes, "A record asks by the sender's whole address or by HELO (%{s}, %{l}, %{h}), which reports do not have: it was asked for postmaster.")
				return
			}
		}
	}
}

// AllFailed tells whether DNS answered for nothing that the record is asked for.
func (s *SPF) AllFailed() bool { return s.Asked > 0 && s.unanswered == s.Asked }
