// Package flatten writes the addresses of services out in place of the includes that lead to them, so that a record with too many look-ups
// keeps within ten (RFC 7208 4.6.4). It is the last resort: services change their addresses, and mail fails until the record follows.
//
//	flat, err := flatten.Make(f)
//	for _, c := range flat.Records { fmt.Print(c.Zone()) }
//	fmt.Println("watch every day:", flat.Watch)
//
// No more is flattened than must be, what costs most first, and the networks are put together as far as they touch.
package flatten

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/ipset"
	"github.com/gatepost-mail/gatepost/spf"
)

const (
	maxLookups    = 10
	maxCandidates = 60   // terms that are written out
	maxRecord     = 400  // bytes of the domain's own record, which other texts stand beside
	maxBelow      = 1000 // and of those below it, which stand alone
)

// A Flat is a record with addresses in place of includes.
type Flat struct {
	Records  []publish.Change // the domain's own record first, then those that it includes
	Watch    []string         // domains whose records must be watched: what they let in now is written out
	Networks int              // that are written out
	Lookups  int              // that remain
}

// ErrNot is why a record can't be flattened.
var ErrNot = errors.New("cannot be flattened")

// Make flattens the record of a domain.
func Make(f *facts.Facts) (Flat, error) {
	p := f.SPF.Tree
	switch {
	case p == nil || p.Problem != "":
		return Flat{}, fmt.Errorf("%w: there is no record that can be read", ErrNot)
	case p.Partly:
		return Flat{}, fmt.Errorf("%w: not all that it leads to could be had", ErrNot)
	}
	candidates := candidates(p)
	for n := range candidates[:min(len(candidates), maxCandidates)] {
		flat := replace(f, candidates[:n+1])
		if flat.Lookups <= maxLookups {
			return flat, nil
		}
		if len(flat.Records) > maxLookups { // and more terms make more
			break
		}
	}
	return Flat{}, fmt.Errorf("%w: too much of it depends on the message, or there are too many networks", ErrNot)
}

// candidates are the terms that can be written out, what costs most first. Terms that let in whom nobody can count must stay, and those
// behind one that blocks somebody.
func candidates(p *facts.Policy) []*facts.Step {
	var all []*facts.Step
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Qualifier != '+' && s.Qualifier != 0 {
			break
		}
		counted := s.Kind == spf.KindA || s.Kind == spf.KindMX || s.Kind == spf.KindInclude && s.Policy != nil && len(s.Policy.Opaque) == 0
		if counted && s.Lookups > 0 && s.Qualifier == '+' && s.Problem == "" {
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(a, b *facts.Step) int { return b.Lookups - a.Lookups })
	return all
}

// replace writes some terms out. Where that makes the record too long, the networks go into records below the domain.
func replace(f *facts.Facts, gone []*facts.Step) Flat {
	p := f.SPF.Tree
	var flat Flat
	var set ipset.Set
	text := p.Record.Text
	flat.Lookups = p.Lookups
	for _, s := range slices.SortedFunc(slices.Values(gone), func(a, b *facts.Step) int { return b.Pos - a.Pos }) { // from the end, so that positions hold
		text = strings.TrimRight(text[:s.Pos], " ") + text[s.Pos+len(s.Text):]
		flat.Lookups -= s.Lookups
		flat.Watch = append(flat.Watch, s.Name)
		if s.Policy != nil {
			set = set.Union(s.Policy.Pass)
		} else {
			set = set.Union(ipset.Of(s.Addrs...))
		}
	}
	slices.Sort(flat.Watch)
	flat.Watch = slices.Compact(flat.Watch)
	networks := set.Prefixes()
	flat.Networks = len(networks)
	below := parts(networks, maxBelow)
	terms := words(networks)
	if len(text)+len(terms) > maxRecord {
		terms = ""
		for i, part := range below {
			name := fmt.Sprintf("_spf%d.%s", i+1, f.Domain)
			terms += " include:" + name
			flat.Records = append(flat.Records, publish.Change{Name: name, Type: "TXT", New: "v=spf1" + part + " -all"})
		}
		flat.Lookups += len(below)
	}
	at := len("v=spf1")
	text = text[:at] + terms + text[at:]
	flat.Records = slices.Insert(flat.Records, 0, publish.Change{Name: f.Domain, Type: "TXT", Old: p.Record.Text, New: text})
	return flat
}

// parts divides networks into records of a length.
func parts(networks []netip.Prefix, most int) []string {
	var all []string
	part := ""
	for _, p := range networks {
		word := words([]netip.Prefix{p})
		if len(part)+len(word) > most {
			all = append(all, part)
			part = ""
		}
		part += word
	}
	if part != "" {
		all = append(all, part)
	}
	return all
}

// words writes networks as terms, each with a space before it.
func words(networks []netip.Prefix) string {
	var b strings.Builder
	for _, p := range networks {
		if p.Addr().Is4() {
			b.WriteString(" ip4:")
		} else {
			b.WriteString(" ip6:")
		}
		if p.IsSingleIP() {
			b.WriteString(p.Addr().String())
		} else {
			b.WriteString(p.String())
		}
	}
	return b.String()
}
