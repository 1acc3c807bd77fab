package insight

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// How much is looked at to tell an audit what was seen of a domain.
const (
	seenDays      = 30
	seenSelectors = 50
	seenSources   = 200
	seenDecisions = 2000 // the last that the gate made
	seenQueries   = 200  // of DNS, to class the sources
)

// Seen is what is known of a domain from the mail of the last days, for an audit of it, by reports and by what the gate itself decided: who
// sends for it, and which of its signatures pass. Whether a signature leaves the end of the body unsigned is not among it: neither reports
// nor decisions tell.
//
// All of it was said by strangers, so that an audit may ask DNS by it, and believes DNS.
func (a *Asker) Seen(ctx context.Context, domain string, now time.Time) (facts.Seen, error) {
	w := &witness{domain: domain, org: senders.OrganizationalDomain(domain), selectors: map[string]int64{}, gate: map[netip.Addr]*facts.Source{}}
	if err := a.reported(ctx, w, Period{To: DayOf(now)}.Last(seenDays)); err != nil {
		return facts.Seen{}, err
	}
	decided, err := a.Store.Decisions(ctx, store.DecisionFilter{Domain: domain, Since: now.AddDate(0, 0, -seenDays), Limit: seenDecisions})
	if err != nil {
		return facts.Seen{}, err
	}
	for i := range decided {
		w.decided(&decided[i])
	}
	w.Sources = append(w.Sources, w.clients()...)
	slices.SortStableFunc(w.Sources, func(a, b facts.Source) int { return cmp.Compare(b.Messages, a.Messages) })
	w.Sources = w.Sources[:min(len(w.Sources), seenSources)]
	w.Selectors = w.most()
	return w.Seen, nil
}

// reported fetches what reports say. Of a domain that none is about, DNS is not asked either.
func (a *Asker) reported(ctx context.Context, w *witness, p Period) error {
	q := store.Question{Domains: []string{w.domain}, From: p.From, To: p.To, Verified: a.Verified}
	days, err := a.Store.ReportDays(ctx, q)
	if err != nil || len(days) == 0 {
		return err
	}
	limited := *a
	if a.DNS != nil {
		limited.DNS = dns.Limit(facts.Remember(a.DNS), seenQueries)
	}
	asked, cancel := context.WithTimeout(ctx, dnsTime)
	defer cancel()
	d := &DomainFacts{Name: w.domain, Networks: a.Networks}
	if err := limited.marks(ctx, d); err != nil {
		return err
	}
	limited.services(asked, d)
	if err := limited.sources(ctx, asked, q, d); err != nil {
		return err
	}
	j := newJudge(d, p.Len())
	for i := range d.Sources {
		w.reported(&d.Sources[i], senders.Classify(j.source([]*SourceFacts{&d.Sources[i]})).Kind)
	}
	return nil
}

// A witness gathers what was seen.
type witness struct {
	facts.Seen
	domain, org string
	selectors   map[string]int64             // messages
	gate        map[netip.Addr]*facts.Source // whom the gate heard
}

// reported notes a source.
func (w *witness) reported(s *SourceFacts, class senders.Kind) {
	if s.Messages == 0 {
		return
	}
	for _, p := range s.HeaderFrom {
		w.Sends = w.Sends || p.Passed > 0 && strings.EqualFold(p.Name, w.domain)
	}
	for _, p := range s.DKIM {
		if p.Result == "pass" {
			w.signed(p.Name, p.Selector, p.Messages)
		}
	}
	source := facts.Source{IP: s.IP, Messages: s.Messages, Asked: asked(s, w.domain), Class: class}
	if m := s.Match; m.Service != nil && m.Proof {
		source.Service = m.Service.Name
	}
	w.Sources = append(w.Sources, source)
}

// asked is for how many messages of a source a receiver asked the SPF record of a domain. Where reports do not say whose it asked, it may be
// all.
func asked(s *SourceFacts, domain string) int64 {
	told, own := int64(0), int64(0)
	for _, p := range s.SPF {
		if p.Name == "" {
			continue
		}
		told += p.Messages
		if strings.EqualFold(p.Name, domain) {
			own += p.Messages
		}
	}
	if told == 0 {
		return s.Messages
	}
	return min(own, s.Messages)
}

// decided notes a message that the gate saw.
func (w *witness) decided(d *store.Decision) {
	if d.AuthorDomain == w.domain && d.DMARC == "pass" {
		w.Sends = true
	}
	for _, s := range d.DKIM {
		if s.Result == "pass" {
			w.signed(s.SDID, s.Selector, 1)
		}
	}
	w.heard(d)
}

// heard notes a client of the gate. Who passes is the domain's; whose else may be is not told by one receiver's mail.
func (w *witness) heard(d *store.Decision) {
	if !d.ClientIP.IsValid() {
		return
	}
	s := w.gate[d.ClientIP]
	if s == nil {
		s = &facts.Source{IP: d.ClientIP, Class: senders.Unclear}
		w.gate[d.ClientIP] = s
	}
	s.Messages++
	asked := d.EnvelopeDomain == w.domain
	if asked {
		s.Asked++
	}
	if d.AuthorDomain == w.domain && d.DMARC == "pass" || asked && len(d.SPF) > 0 && d.SPF[0].Result == "pass" {
		s.Class = senders.Passing
	}
}

// clients are those whom no report told of, in the order of their addresses.
func (w *witness) clients() []facts.Source {
	for i := range w.Sources {
		delete(w.gate, w.Sources[i].IP)
	}
	var all []facts.Source
	for _, ip := range slices.SortedFunc(maps.Keys(w.gate), netip.Addr.Compare) {
		all = append(all, *w.gate[ip])
	}
	return all
}

// signed notes a signature that passed. One of a domain beside it stands for it under DMARC, and has no selector of its own.
func (w *witness) signed(by, selector string, messages int64) {
	by = strings.ToLower(by)
	if senders.OrganizationalDomain(by) != w.org {
		return
	}
	w.DKIM = true
	if by == w.domain && selector != "" {
		w.selectors[strings.ToLower(selector)] += messages
	}
}

// most are the selectors of the most messages, those first.
func (w *witness) most() []string {
	all := slices.SortedFunc(maps.Keys(w.selectors), func(a, b string) int {
		return cmp.Or(cmp.Compare(w.selectors[b], w.selectors[a]), cmp.Compare(a, b))
	})
	return all[:min(len(all), seenSelectors)]
}
