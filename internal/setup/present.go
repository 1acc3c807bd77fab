package setup

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/senders"
)

// A Place is where records of one type are.
type Place struct {
	Name, Type string
}

// Present is what is published at the places that a plan is about.
type Present struct {
	sets map[Place]*found
}

// A found is what stands at a place. The zero value is that there is certainly nothing.
type found struct {
	values  []string // as in [publish.Change]
	alias   string   // where the name is an alias for another
	unknown error    // no answer was had
}

// Nothing is a Present of a domain that nobody looked at.
func Nothing() *Present { return &Present{} }

// Looked tells whether somebody looked.
func (p *Present) Looked() bool { return p.sets != nil }

func (p *Present) at(name, typ string) *found {
	if f := p.sets[Place{name, typ}]; f != nil {
		return f
	}
	return &found{}
}

// Places are those that a plan made of the answers is about.
func (a *Answers) Places(table *senders.Table) []Place {
	d := a.Domain
	all := []Place{
		{d, "TXT"}, {d, "MX"}, {"_dmarc." + d, "TXT"}, {"_smtp._tls." + d, "TXT"}, {"_mta-sts." + d, "TXT"},
		{"mta-sts." + d, "A"}, {"mta-sts." + d, "AAAA"}, {"mta-sts." + d, "CNAME"},
	}
	for _, s := range a.Services {
		service := table.Service(s.ID)
		if service == nil {
			continue
		}
		for _, r := range s.records(service, d) {
			if r.For != ForSPF && len(braces(r.Name)) == 0 {
				all = append(all, Place{r.Name, r.Type})
			}
		}
	}
	for _, k := range a.Keys {
		all = append(all, Place{k.Selector + "._domainkey." + d, "TXT"})
	}
	for _, o := range a.others() {
		all = append(all, Place{authorisation(d, o), "TXT"})
	}
	var unique []Place
	for _, p := range all {
		if !slices.Contains(unique, p) {
			unique = append(unique, p)
		}
	}
	return unique
}

// atOnce bounds how many questions are under way.
const atOnce = 8

// Look asks for what is published at some places.
func Look(ctx context.Context, r dns.Resolver, places []Place) *Present {
	p := &Present{sets: map[Place]*found{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	tokens := make(chan struct{}, atOnce)
	for _, place := range places {
		wg.Go(func() {
			tokens <- struct{}{}
			defer func() { <-tokens }()
			f := lookAt(ctx, r, place)
			mu.Lock()
			defer mu.Unlock()
			p.sets[place] = f
		})
	}
	wg.Wait()
	return p
}

func lookAt(ctx context.Context, r dns.Resolver, place Place) *found {
	if alias, err := r.Lookup(ctx, place.Name, dns.TypeCNAME); err == nil && len(alias.Names) > 0 {
		if place.Type == "CNAME" {
			return &found{values: []string{alias.Names[0] + "."}}
		}
		return &found{alias: alias.Names[0]}
	} else if !dns.IsVoid(err) {
		return &found{unknown: err}
	}
	switch place.Type {
	case "TXT":
		answer, err := r.Lookup(ctx, place.Name, dns.TypeTXT)
		return of(answer.TXT, err)
	case "MX":
		answer, err := r.Lookup(ctx, place.Name, dns.TypeMX)
		var all []string
		for _, mx := range answer.MX {
			all = append(all, publish.MX(mx))
		}
		return of(all, err)
	case "A", "AAAA":
		typ := dns.TypeA
		if place.Type == "AAAA" {
			typ = dns.TypeAAAA
		}
		answer, err := r.Lookup(ctx, place.Name, typ)
		var all []string
		for _, ip := range answer.Addrs {
			all = append(all, ip.String())
		}
		return of(all, err)
	}
	return &found{}
}

func of(values []string, err error) *found {
	if err != nil && !dns.IsVoid(err) {
		return &found{unknown: err}
	}
	return &found{values: values}
}

// same tells whether two values are one, however their case and their white space are written. Texts are compared as they are.
func same(typ, a, b string) bool {
	if typ == "TXT" {
		return a == b
	}
	return strings.EqualFold(strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " "))
}

func (f *found) has(typ, value string) bool {
	return slices.ContainsFunc(f.values, func(v string) bool { return same(typ, v, value) })
}

// Unknown are the places of which no answer was had, with what failed.
func (p *Present) Unknown() []string {
	var all []string
	for place, f := range p.sets {
		if f.unknown != nil {
			all = append(all, place.Name+" "+place.Type+": "+f.unknown.Error())
		}
	}
	slices.Sort(all)
	return all
}
