package insight

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A Source is all that is known of one: an address, or those that are one thing to a person.
type Source struct {
	Domain        string
	Key           string // of its group
	Name          string
	Classes       []Class // what its addresses are, the most messages first: one, mostly
	store.Figures         // of the period
	First, Last   time.Time
	Addresses     []Address // the most messages first
	Days          []Day     // each of the period
	Service       *senders.Service
	Docs          string // of the service
	Marks         []store.SourceMark

	HeaderFrom, EnvelopeFrom, DKIM, SPF, Results, Dispositions, Reasons, Reporters []store.Part

	of []*SourceFacts
}

// Marked are those of some marks that are about the source, the one that holds first.
func (s *Source) Marked(all []store.SourceMark) []store.SourceMark { return marksOf(all, s.of) }

// A Class is what some addresses of a source are.
type Class struct {
	senders.Class
	store.Figures
	New bool
}

// An Address is one of a source.
type Address struct {
	store.Address
	store.Figures
	Kind        senders.Kind
	First, Last time.Time
}

const addressKey = "address:"

// AddressOf is the address that a source is named by, alone or as the key of a group.
func AddressOf(source string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(strings.TrimPrefix(source, addressKey))
	return ip.Unmap().WithZone(""), err == nil
}

// Source finds a source of a domain, by the domain's place in the facts: by an address, or by the key of a group. It is nil if there is none.
func (f *Facts) Source(domain int, source string) *Source {
	d := &f.Domains[domain]
	var of []*SourceFacts
	ip, one := AddressOf(source)
	key, name := source, ""
	for i := range d.Sources {
		s := &d.Sources[i]
		k, n := group(s)
		if s.Messages > 0 && (one && s.IP.Unmap() == ip || !one && k == source) {
			of, key, name = append(of, s), k, n
		}
	}
	if len(of) == 0 {
		return nil
	}
	slices.SortStableFunc(of, func(a, b *SourceFacts) int { return cmp.Compare(b.Messages, a.Messages) })
	out := &Source{Domain: d.Name, Key: key, Name: name, Marks: marksOf(d.Marks, of), of: of}
	if one {
		out.Name = ip.String()
	}
	if m := of[0].Match; m.Service != nil && m.Proof {
		out.Service, out.Docs = m.Service, m.Service.Docs
	}
	f.classes(d, of, out)
	f.parts(of, out)
	return out
}

// classes says what the addresses are, and how each day was.
func (f *Facts) classes(d *DomainFacts, of []*SourceFacts, out *Source) {
	kinds := map[netip.Addr]senders.Kind{}
	in := map[netip.Addr]bool{}
	for _, s := range of {
		in[s.IP] = true
	}
	only := *d
	for _, g := range f.groups(d, kinds) {
		if g.Key == out.Key && slices.ContainsFunc(g.IPs, func(ip netip.Addr) bool { return in[ip] }) {
			c := Class{Class: g.Class, Figures: g.Figures, New: g.New}
			if len(of) < len(g.IPs) { // the evidence of one address, not that of its group
				c.Class, c.Figures = senders.Classify(newJudge(d, f.Period.Len()).source(of)), of[0].Figures
				c.New = f.Period.Has(of[0].First) && d.First.Before(f.Period.From)
			}
			out.Classes = append(out.Classes, c)
		}
	}
	only.Sources, only.Earlier, only.Days = nil, nil, nil
	byDay := map[time.Time]*store.DayFigures{}
	for _, s := range of {
		only.Sources = append(only.Sources, *s)
		out.Figures.Add(s.Figures)
		for _, day := range s.Days {
			if byDay[day.Day] == nil {
				byDay[day.Day] = &store.DayFigures{Day: day.Day}
			}
			byDay[day.Day].Figures.Add(day.Figures)
		}
		if !s.First.IsZero() && (out.First.IsZero() || s.First.Before(out.First)) {
			out.First = s.First
		}
		if s.Last.After(out.Last) {
			out.Last = s.Last
		}
		a := Address{Address: s.Address, Figures: s.Figures, Kind: kinds[s.IP], First: s.First, Last: s.Last}
		a.IP = s.IP
		out.Addresses = append(out.Addresses, a)
	}
	for _, day := range byDay {
		only.Days = append(only.Days, *day)
	}
	alone := Facts{Period: f.Period, Trend: f.Period}
	out.Days = alone.days(&only, kinds)
}

// mostParts are the lines of a list.
const mostParts = 100

// parts puts together what reports say of the addresses.
func (f *Facts) parts(of []*SourceFacts, out *Source) {
	for _, list := range []struct {
		to   *[]store.Part
		from func(*SourceFacts) []store.Part
	}{
		{&out.HeaderFrom, func(s *SourceFacts) []store.Part { return s.HeaderFrom }},
		{&out.EnvelopeFrom, func(s *SourceFacts) []store.Part { return s.EnvelopeFrom }},
		{&out.DKIM, func(s *SourceFacts) []store.Part { return s.DKIM }},
		{&out.SPF, func(s *SourceFacts) []store.Part { return s.SPF }},
		{&out.Results, func(s *SourceFacts) []store.Part { return s.Results }},
		{&out.Dispositions, func(s *SourceFacts) []store.Part { return s.Dispositions }},
		{&out.Reasons, func(s *SourceFacts) []store.Part { return s.Reasons }},
		{&out.Reporters, func(s *SourceFacts) []store.Part { return s.Reporters }},
	} {
		at := map[store.Part]int{}
		all := []store.Part{}
		for _, s := range of {
			for _, p := range list.from(s) {
				key := p
				key.Messages, key.Passed = 0, 0
				i, ok := at[key]
				if !ok {
					i = len(all)
					at[key], all = i, append(all, key)
				}
				all[i].Messages += p.Messages
				all[i].Passed += p.Passed
			}
		}
		slices.SortStableFunc(all, func(a, b store.Part) int { return cmp.Compare(b.Messages, a.Messages) })
		*list.to = all[:min(len(all), mostParts)]
	}
}
