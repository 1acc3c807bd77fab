// Package dkimcheck has the checks of a domain's DKIM keys (RFC 6376, 8301, 8463).
//
// Selectors cannot be listed: what is looked at are those that answered of the ones that were tried. That none did is no fault, and
// only where _domainkey does not exist is there certainly no key.
package dkimcheck

import (
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// Checks are all of them, in the order in which they are told.
func Checks() []check.Check { return slices.Concat(record, key, tags, use, found) }

// rotate is how a key is changed for a better one. No text can be given for it: the key has to be made.
const rotate = "Make a new key under another selector, publish it, sign with it, and take the old one away a week later. " +
	"Gatepost does all of it: \"gatepost keys rotate DOMAIN\"; \"gatepost keys generate --domain DOMAIN --selector SELECTOR\" only makes the key."

// rotateFor fills in the domain.
func rotateFor(f *facts.Facts) string { return strings.ReplaceAll(rotate, "DOMAIN", f.Domain) }

// each lets a function look at each selector's record.
func each(look func(*facts.Facts, *facts.Selector) (check.Seen, bool)) func(*facts.Facts) []check.Seen {
	return func(f *facts.Facts) []check.Seen {
		var all []check.Seen
		for i := range f.DKIM.Selectors {
			s := &f.DKIM.Selectors[i]
			if seen, ok := look(f, s); ok {
				seen.Subject = s.Asked.Name
				all = append(all, seen)
			}
		}
		return all
	}
}

// put makes a finding's fix of a new text. Where the record is elsewhere, whoever keeps it has to publish it.
func put(f *facts.Facts, s *facts.Selector, seen check.Seen, text string, err error) (check.Seen, bool) {
	if _, bad := dkim.EveryTag(text); bad != nil || err != nil || text == s.Text { // nothing may be left of a record that was no key
		return seen, true
	}
	name := s.Asked.Name
	if s.Alias != "" {
		name = s.Alias
		if !within(name, f.Organizational) {
			seen.Advice = strings.TrimSpace(seen.Advice + " The record is at " + name + ", and whoever keeps that has to mend it.")
			return seen, true
		}
	}
	if s.Wildcard {
		return seen, true // it is the wildcard that has to be changed
	}
	seen.Fix = []publish.Change{{Name: name, Type: "TXT", Old: s.Text, New: text}}
	return seen, true
}

func within(name, domain string) bool {
	return domain != "" && (name == domain || strings.HasSuffix(name, "."+domain))
}

// get is the value of a tag of the record, also of one that is no key.
func get(s *facts.Selector, name string) (string, bool) {
	for _, t := range s.Tags {
		if t.Name == name {
			return t.Value, true
		}
	}
	return "", false
}

// once is the value of a tag that stands in the record once. Where it is there twice, that comes first.
func once(s *facts.Selector, name string) (string, bool) {
	value, n := "", 0
	for _, t := range s.Tags {
		if t.Name == name {
			value = t.Value
			n++
		}
	}
	return value, n == 1
}

// words are the parts of a list with colons, as written.
func words(list string) []string {
	var all []string
	for w := range strings.SplitSeq(list, ":") {
		all = append(all, strings.TrimSpace(w))
	}
	return all
}

// short bounds what is told of a stranger's text.
func short(text string) string {
	const most = 80
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
