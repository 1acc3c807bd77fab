package insight

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A judge classes the sources of one domain. What is known of all of them tells of each.
type judge struct {
	d       *DomainFacts
	span    int
	own     senders.Own
	signing map[string]map[netip.Addr]bool // "domain selector": from where its signatures pass
}

func newJudge(d *DomainFacts, span int) *judge {
	j := &judge{d: d, span: span, signing: map[string]map[netip.Addr]bool{}}
	j.own = senders.Own{Networks: d.Networks, Services: slices.Clone(d.Services)}
	for _, list := range [][]SourceFacts{d.Sources, d.Earlier} {
		for i := range list {
			s := &list[i]
			for _, p := range s.DKIM {
				if p.Result != "pass" {
					continue
				}
				key := p.Name + " " + p.Selector
				if j.signing[key] == nil {
					j.signing[key] = map[netip.Addr]bool{}
				}
				j.signing[key][s.IP] = true
			}
			j.passing(s)
		}
	}
	return j
}

// nearlyAll is the share of messages, in percent, from which on a source counts as one that passes.
const nearlyAll = 95

// passing notes what a source that passes by SPF tells of where the domain's mail comes from. One that passes by DKIM alone may be a
// forwarder.
func (j *judge) passing(s *SourceFacts) {
	if s.Messages == 0 || s.Figures.SPF*100 < s.Messages*nearlyAll {
		return
	}
	add(&j.own.ASNs, s.Address.ASN)
	add(&j.own.Countries, s.Address.Country)
	if m := s.Match; m.Service != nil && m.Proof && m.Service.Category != senders.Cloud {
		add(&j.own.Services, m.Service.ID)
	}
}

func add[T comparable](to *[]T, v T) {
	var zero T
	if v != zero && !slices.Contains(*to, v) {
		*to = append(*to, v)
	}
}

// source is what is known of some addresses that belong together, in the words of package senders. The first address stands for all.
func (j *judge) source(all []*SourceFacts) *senders.Source {
	first := all[0]
	s := &senders.Source{Domain: j.d.Name, IP: first.IP, Span: j.span, Service: first.Match, Own: j.own, Mark: j.mark(first)}
	s.Own.Authorised = first.Authorised
	if a := first.Address; !a.LookedAt.IsZero() {
		s.Named, s.ASN, s.Country = a.PTR != store.NameUnknown, a.ASN, a.Country
		switch {
		case a.PTR == "", a.PTR == store.NameUnknown:
		case a.Confirmed:
			s.PTR = []string{a.PTR}
		default:
			s.Unconfirmed = []string{a.PTR}
		}
	}
	days, authors := map[int64]bool{}, map[string]bool{}
	for _, f := range all {
		refused := f.Quarantined + f.Rejected
		for _, r := range f.Results {
			s.Results = append(s.Results, results(r, &refused)...)
		}
		for _, p := range f.DKIM {
			s.DKIM = append(s.DKIM, senders.Signature{Domain: p.Name, Selector: p.Selector, Result: p.Result, Count: p.Messages,
				Elsewhere: j.elsewhere(p.Name+" "+p.Selector, all)})
		}
		for _, p := range f.SPF {
			s.SPF = append(s.SPF, senders.SPFResult{Domain: p.Name, Scope: p.Scope, Result: p.Result, Count: p.Messages})
		}
		for _, p := range f.EnvelopeFrom {
			s.Envelopes = append(s.Envelopes, senders.Count{Name: p.Name, Count: p.Messages})
		}
		for _, p := range f.Reasons {
			s.Reasons = append(s.Reasons, senders.Reason{Type: p.Name, Count: p.Messages})
		}
		for _, p := range f.HeaderFrom {
			authors[p.Name] = true
		}
		for _, d := range f.Days {
			days[d.Day.Unix()] = true
		}
	}
	s.Days, s.HeaderFroms = len(days), len(authors)
	s.Results, s.DKIM, s.SPF = together(s.Results), together(s.DKIM), together(s.SPF)
	s.Envelopes, s.Reasons = together(s.Envelopes), together(s.Reasons)
	return s
}

// results splits a result by what became of the messages: those that failed are refused before any that passed.
func results(p store.Part, refused *int64) []senders.Result {
	r := senders.Result{DKIM: p.DKIM, SPF: p.SPF, Count: p.Messages}
	if p.Passed > 0 || *refused == 0 {
		return []senders.Result{r}
	}
	n := min(*refused, r.Count)
	*refused -= n
	kept, thrown := r, r
	thrown.Disposition, thrown.Count = "reject", n
	kept.Count -= n
	if kept.Count == 0 {
		return []senders.Result{thrown}
	}
	return []senders.Result{thrown, kept}
}

// together adds up what is the same but for its count.
func together[T senders.Result | senders.Signature | senders.SPFResult | senders.Count | senders.Reason](all []T) []T {
	at := map[T]int{}
	var sums []T
	for _, v := range all {
		key := v
		count := countOf(&key)
		n := *count
		*count = 0
		i, ok := at[key]
		if !ok {
			i = len(sums)
			at[key], sums = i, append(sums, key)
		}
		*countOf(&sums[i]) += n
	}
	return sums
}

func countOf[T any](v *T) *int64 {
	switch v := any(v).(type) {
	case *senders.Result:
		return &v.Count
	case *senders.Signature:
		return &v.Count
	case *senders.SPFResult:
		return &v.Count
	case *senders.Count:
		return &v.Count
	case *senders.Reason:
		return &v.Count
	}
	panic("no count")
}

// elsewhere tells whether signatures of a key pass in mail from addresses that are none of these.
func (j *judge) elsewhere(key string, these []*SourceFacts) bool {
	for ip := range j.signing[key] {
		if !slices.ContainsFunc(these, func(s *SourceFacts) bool { return s.IP == ip }) {
			return true
		}
	}
	return false
}

// mark finds an administrator's word on a source: on the address, on the smallest network around it, or on its service. One for the
// domain goes before one for all.
func (j *judge) mark(s *SourceFacts) *senders.Mark {
	var best *store.SourceMark
	weight := -1
	for i := range j.d.Marks {
		m := &j.d.Marks[i]
		w := s.hasMark(m)
		if w < 0 {
			continue
		}
		if m.Domain != "" {
			w += 2000
		}
		if w > weight {
			best, weight = m, w
		}
	}
	if best == nil {
		return nil
	}
	return &senders.Mark{Kind: senders.Kind(best.Class), By: best.Author, Note: best.Reason}
}

// hasMark tells how closely a mark names a source; below 0 if it does not.
func (s *SourceFacts) hasMark(m *store.SourceMark) int {
	if p, err := netip.ParsePrefix(m.Source); err == nil {
		if p.Contains(s.IP.Unmap()) {
			return 1 + p.Bits()
		}
	} else if ip, err := netip.ParseAddr(m.Source); err == nil {
		if ip.Unmap() == s.IP.Unmap() {
			return 1000
		}
	} else if s.Match.Service != nil && s.Match.Proof && s.Match.Service.ID == m.Source {
		return 0
	}
	return -1
}

// group says to which group a source belongs, and what that is called.
func group(s *SourceFacts) (key, name string) {
	switch m, a := s.Match, s.Address; {
	case m.Service != nil && m.Proof && m.Service.Category != senders.Cloud:
		name = m.Service.Name
		if m.Through != nil {
			name += " (through " + m.Through.Name + ")"
		}
		return "service:" + m.Service.ID, name
	case a.Confirmed && a.PTR != "":
		org := senders.OrganizationalDomain(strings.ToLower(strings.TrimSuffix(a.PTR, ".")))
		return "host:" + org, org
	case a.ASN != 0 && a.ASName != "":
		return fmt.Sprint("network:", a.ASN), fmt.Sprintf("%s (AS%d)", a.ASName, a.ASN)
	case !s.IP.IsValid():
		return "address:", "no address given"
	}
	return "address:" + s.IP.String(), s.IP.String()
}
