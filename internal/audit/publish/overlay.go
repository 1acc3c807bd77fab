package publish

import (
	"context"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
)

// Overlay answers as next does once the changes were made. What the changes do not touch, next is asked for.
func Overlay(next dns.Resolver, changes []Change) dns.Resolver {
	o := &overlay{next: next, changes: map[string][]Change{}}
	for _, c := range changes {
		if c.Type != File {
			o.changes[c.Name] = append(o.changes[c.Name], c)
		}
	}
	return o
}

type overlay struct {
	next    dns.Resolver
	changes map[string][]Change // by name
}

// Lookup implements [dns.Resolver].
func (o *overlay) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	canonical, err := dns.ToASCII(name)
	if err != nil {
		return dns.Answer{}, err
	}
	changes := o.changes[canonical]
	if len(changes) == 0 {
		answer, err := o.next.Lookup(ctx, canonical, typ)
		if err == nil && answer.Name != canonical && len(o.changes[answer.Name]) > 0 {
			return o.Lookup(ctx, answer.Name, typ) // an alias for a name where something changes
		}
		return answer, err
	}
	var old, added []string
	instead := map[string]string{} // texts, which stay in their order
	alias, unaliased := "", false
	for _, c := range changes {
		switch {
		case c.Type == "CNAME" && typ != dns.TypeCNAME:
			alias, unaliased = strings.TrimSuffix(c.New, "."), c.Old != ""
		case c.Type == typ.String():
			if typ == dns.TypeTXT && c.Old != "" && c.New != "" {
				instead[c.Old] = c.New
				continue
			}
			if c.Old != "" {
				old = append(old, c.Old)
			}
			if c.New != "" {
				added = append(added, c.New)
			}
		}
	}
	if alias != "" {
		return o.Lookup(ctx, alias, typ)
	}
	var answer dns.Answer
	if !unaliased {
		answer, err = o.next.Lookup(ctx, canonical, typ)
		if len(old)+len(added)+len(instead) == 0 || err != nil && !dns.IsVoid(err) {
			return answer, err
		}
	}
	answer = without(answer, old)
	for i, text := range answer.TXT {
		if next, ok := instead[text]; ok {
			answer.TXT[i] = next
			delete(instead, text)
		}
	}
	for _, c := range changes { // what one was to be put in the place of may not be there
		if text, ok := instead[c.Old]; ok && c.Type == typ.String() {
			added = append(added, text)
			delete(instead, c.Old)
		}
	}
	for _, value := range added {
		more, err := read(ctx, canonical, typ, value)
		if err != nil {
			return dns.Answer{}, &dns.Error{Name: canonical, Type: typ, Kind: dns.ErrServFail, Err: err}
		}
		answer = with(answer, more)
	}
	if empty(answer) {
		kind := dns.ErrNoData
		return dns.Answer{}, &dns.Error{Name: canonical, Type: typ, Kind: kind}
	}
	answer.Name = canonical
	return answer, nil
}

// read makes an answer of one new value, by way of a master file.
func read(ctx context.Context, name string, typ dns.Type, value string) (dns.Answer, error) {
	zone, err := dns.ParseZone(strings.NewReader(Change{Name: name, Type: typ.String(), New: value}.Zone()), "change")
	if err != nil {
		return dns.Answer{}, err
	}
	return zone.Lookup(ctx, name, typ)
}

// without is an answer without some values. The slices of an answer are shared, so that it gets its own.
func without(a dns.Answer, old []string) dns.Answer {
	gone := func(value string) bool {
		return slices.ContainsFunc(old, func(o string) bool { return same(o, value) })
	}
	a.TXT = slices.DeleteFunc(slices.Clone(a.TXT), func(s string) bool { return slices.Contains(old, s) })
	a.Names = slices.DeleteFunc(slices.Clone(a.Names), gone)
	a.Records = slices.DeleteFunc(slices.Clone(a.Records), gone)
	a.MX = slices.DeleteFunc(slices.Clone(a.MX), func(m dns.MX) bool { return gone(MX(m)) })
	addrs := a.Addrs
	a.Addrs = nil
	for _, ip := range addrs {
		if !gone(ip.String()) {
			a.Addrs = append(a.Addrs, ip)
		}
	}
	return a
}

// same tells whether two values are one, however their white space, their case and their final dots are written.
func same(a, b string) bool {
	plain := func(s string) string {
		return strings.TrimSuffix(strings.ToLower(strings.Join(strings.Fields(s), " ")), ".")
	}
	return plain(a) == plain(b)
}

func with(a, more dns.Answer) dns.Answer {
	a.TXT = append(a.TXT, more.TXT...)
	a.Addrs = append(a.Addrs, more.Addrs...)
	a.MX = append(a.MX, more.MX...)
	a.Names = append(a.Names, more.Names...)
	a.Records = append(a.Records, more.Records...)
	if a.TTL == 0 {
		a.TTL = more.TTL
	}
	return a
}

func empty(a dns.Answer) bool {
	return len(a.TXT)+len(a.Addrs)+len(a.MX)+len(a.Names)+len(a.Records) == 0
}
