package spfcheck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/flatten"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/spf"
)

// The limits of RFC 7208 4.6.4.
const (
	maxLookups = 10
	nearLimit  = 8
	maxVoids   = 2
	maxMX      = 10
)

// maxCandidates bounds how many terms are held against all others. A record with more of them that ask DNS is to be written anew.
const maxCandidates = 40

// maxRedundancy bounds what it costs to find out which terms can go, counted in networks: for each that does, all that are left are tried,
// and for each of those the networks of all the others are put together, or cut out of one another.
const maxRedundancy = 4_000_000

// limits are the checks of what a receiver is asked to do.
var limits = []check.Check{
	{
		ID: "spf-too-many-lookups", Severity: check.Error, Reference: "RFC 7208 4.6.4",
		Title: "More than ten terms ask DNS",
		Why:   "Receivers stop at the eleventh with permerror: servers that come late in the record do not pass, and nor does DMARC by SPF.",
		Explain: "The terms include, a, mx, ptr, exists and redirect make the receiver ask DNS. It does so for ten of them, those in included records " +
			"counted as well, and no further. ip4, ip6 and all cost nothing.\n\n" +
			"What helps, in this order. Take out what is of no use: services that you no longer have, names without addresses, terms whose " +
			"addresses another term has too. Take out services whose return path is their own: for their mail, receivers do not look at your " +
			"record. Let a service send from a subdomain, which has a record of its own. Write ip4 and ip6 for a and mx of your own servers, " +
			"whose addresses you know.\n\n" +
			"Flattening, which is to write out the addresses of a service in place of its include, is the last resort: services change their " +
			"addresses and tell nobody, and then your mail fails until the record follows. Whoever flattens has to watch each service, by a " +
			"program, every day.",
		Look: tooMany,
	},
	{
		ID: "spf-lookups-near-limit", Severity: check.Warning, Reference: "RFC 7208 4.6.4", Cap: check.AMinus,
		Title: "Nearly ten terms ask DNS",
		Why:   "One more, which a service may add to its own record any day, and all may fail.",
		Explain: "Ten terms of a record and of those that it includes may ask DNS. Records of services change: one that includes one more record than " +
			"before counts against you. Keep some room, by the means that gatepost check --explain spf-too-many-lookups names.",
		Look: nearTooMany,
	},
	{
		ID: "spf-mx-over-10", Severity: check.Error, Reference: "RFC 7208 4.6.4",
		Title: "mx leads to more than ten names",
		Why:   "Receivers look up ten names of an mx, and the result is permerror where there are more.",
		Explain: "An mx of an SPF record stands for all mail servers of a domain, ten at most. Most of them receive mail and never send any. Write " +
			"those that send as ip4 and ip6, or as a:, in place of mx.\n\n\tdig +short MX example.com",
		Look: mxOver,
	},
	{
		ID: "spf-void-over-2", Severity: check.Error, Reference: "RFC 7208 4.6.4",
		Title: "More than two terms look for what does not exist",
		Why:   "Receivers stop at the third look-up that finds nothing, with permerror, so that no records are made to have others searched for names.",
		Explain: "A term that asks DNS and finds nothing is void. Two are allowed. A client with an IPv6 address has its IPv6 addresses looked up and no " +
			"others, so that an a or mx whose names have IPv4 addresses only is void for it.\n\n" +
			"Take the names out that no longer exist. Write servers that have IPv4 addresses only as ip4.",
		Look: manyVoids,
	},
	{
		ID: "spf-void-any", Severity: check.Warning, Reference: "RFC 7208 4.6.4", Cap: check.AMinus,
		Title: "A term looks for what does not exist",
		Why:   "It lets nobody in and uses up one of the two look-ups that may find nothing.",
		Explain: "A name in the record, or in one that it includes, is not there. In your own record, take it out. In that of a service, tell the " +
			"service: the third such term makes the record of each of its customers fail.",
		Look: anyVoid,
	},
}

// costs are the terms of a record that ask DNS, with how many times.
func costs(p *facts.Policy) string {
	var texts []string
	for i := range p.Steps {
		if s := &p.Steps[i]; s.Lookups > 0 {
			texts = append(texts, fmt.Sprintf("%s %d", clip(s.Text), s.Lookups))
		}
	}
	return list(texts)
}

func lookups(f *facts.Facts) int {
	if f.SPF.Tree == nil {
		return 0
	}
	return f.SPF.Tree.Lookups
}

func atLeast(p *facts.Policy) string {
	if p.Partly {
		return "at least "
	}
	return ""
}

func tooMany(f *facts.Facts) []check.Seen {
	n := lookups(f)
	if n <= maxLookups {
		return nil
	}
	p := f.SPF.Tree
	seen := check.Seen{
		Subject: f.Domain, Detail: fmt.Sprintf("There are %s%d, where ten are allowed: %s.", atLeast(p), n, costs(p)),
	}
	gone := redundant(f, maxLookups)
	if len(gone) > 0 {
		seen.Detail += fmt.Sprintf(" What lets nobody in that the rest does not let in too: %s.", told(gone))
		seen.Fix = out(p, gone)
	}
	seen.Advice = ownReturnPaths(f)
	if saved(gone) < n-maxLookups {
		seen.Fix = nil
		words := []string{"Take out what is of no use."}
		if len(gone) > 0 {
			words[0] = "Take out " + told(gone) + ", and what else is of no use."
		}
		words = append(words, seen.Advice)
		if flat, err := flatten.Make(f); err == nil {
			words = append(words, fmt.Sprintf("As a last resort, flatten %s: %s with %s; %s must then be watched for changes every day.",
				list(flat.Watch), plural(len(flat.Records), "record", "records"), plural(flat.Networks, "network", "networks"), list(flat.Watch)))
		}
		words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
		seen.Advice = strings.Join(words, " ")
	}
	return []check.Seen{seen}
}

func saved(gone []*facts.Step) int {
	n := 0
	for _, s := range gone {
		n += s.Lookups
	}
	return n
}

// ownReturnPaths names services for whose mail the record is not looked at.
func ownReturnPaths(f *facts.Facts) string {
	var texts []string
	for _, s := range steps(f, func(s *facts.Step) bool {
		return s.Kind == spf.KindInclude && s.Policy != nil && s.Policy.Service != nil
	}) {
		service := s.Policy.Service
		if len(service.Aligns) > 0 && !service.CanAlign(senders.BySPF) {
			texts = append(texts, fmt.Sprintf("%s of %s (%s)", clip(s.Text), service.Name, plural(s.Lookups, "look-up", "look-ups")))
		}
	}
	if len(texts) == 0 {
		return ""
	}
	return "Mail of these services has a return path of their own, as far as we know, so that the include does nothing for it: " + list(texts) + "."
}

// redundant are terms without which the same addresses pass: the costliest first, and of those that cost the same the last, until no more
// look-ups are left than may be, or nothing more can go.
func redundant(f *facts.Facts, most int) []*facts.Step {
	p := f.SPF.Tree
	candidates := steps(f, func(s *facts.Step) bool {
		return s.Lookups > 0 && s.Qualifier == '+' && s.Problem != facts.Temporary && s.Problem != facts.NotFollowed
	})
	if n := len(candidates); n > maxCandidates || n*n/2*(n+turns(p))*p.Pass.Spans() > maxRedundancy {
		return nil
	}
	var gone []*facts.Step
	for len(candidates) > 0 && p.Lookups-saved(gone) > most {
		best := -1
		for i, s := range candidates {
			if (best < 0 || s.Lookups >= candidates[best].Lookups) && f.SPF.Without(append(gone[:len(gone):len(gone)], s)...) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		gone = append(gone, candidates[best])
		candidates = append(candidates[:best:best], candidates[best+1:]...)
	}
	return gone
}

// turns is how often terms that let in and terms that do not follow upon each other.
func turns(p *facts.Policy) int {
	n := 0
	for i := range p.Steps[:max(len(p.Steps)-1, 0)] {
		if (p.Steps[i].Qualifier == '+') != (p.Steps[i+1].Qualifier == '+') {
			n++
		}
	}
	return n
}

func nearTooMany(f *facts.Facts) []check.Seen {
	n := lookups(f)
	if n < nearLimit || n > maxLookups {
		return nil
	}
	seen := check.Seen{
		Subject: f.Domain, Detail: fmt.Sprintf("There are %s%d, where ten are allowed: %s.", atLeast(f.SPF.Tree), n, costs(f.SPF.Tree)),
		Advice: strings.TrimSpace("Take out what is of no use before another service comes. " + ownReturnPaths(f)),
	}
	if gone := redundant(f, nearLimit-1); n-saved(gone) < nearLimit {
		seen.Detail += fmt.Sprintf(" What lets nobody in that the rest does not let in too: %s.", told(gone))
		seen.Fix = out(f.SPF.Tree, gone)
	}
	return []check.Seen{seen}
}

func mxOver(f *facts.Facts) []check.Seen {
	var all []check.Seen
	f.SPF.Tree.Each(func(p *facts.Policy) {
		for _, s := range stepsOf(p, func(s *facts.Step) bool { return s.Problem == facts.TooManyMX }) {
			all = append(all, check.Seen{
				Subject: s.Name, Detail: fmt.Sprintf("%s in the record of %s leads to %d names.", clip(s.Text), p.Domain, s.Hosts),
				Advice: "Write the servers that send as ip4 and ip6 in place of " + clip(s.Text) + ".",
			})
		}
	})
	return once(all)
}

// mostSubjects bounds how many findings a check has.
const mostSubjects = 20

// once leaves one finding for each subject, and bounds how many there are.
func once(all []check.Seen) []check.Seen {
	known := map[string]bool{}
	kept := all[:0]
	for _, s := range all {
		if !known[s.Subject] && len(kept) < mostSubjects {
			known[s.Subject] = true
			kept = append(kept, s)
		}
	}
	return kept
}

// isVoid tells whether a term finds nothing for anybody.
func isVoid(s *facts.Step) bool { return s.Policy == nil && s.Voids4 > 0 && s.Voids6 > 0 }

func manyVoids(f *facts.Facts) []check.Seen {
	p := f.SPF.Tree
	if p == nil || p.Voids4 <= maxVoids && p.Voids6 <= maxVoids {
		return nil
	}
	seen := check.Seen{Subject: f.Domain, Detail: fmt.Sprintf("There are %d for clients of IPv4 and %d for those of IPv6, where two are allowed.", p.Voids4, p.Voids6)}
	if p.Voids4 <= maxVoids && !p.Pass.Has6() { // only strangers are affected: they get permerror in place of fail
		seen.Severity = check.Warning
	}
	gone := steps(f, isVoid)
	if len(gone) > 0 {
		seen.Detail += fmt.Sprintf(" Nothing is found for %s.", told(gone))
		if letsIn(p, gone) {
			seen.Fix = out(p, gone)
		}
	}
	if only4 := steps(f, func(s *facts.Step) bool { return s.Policy == nil && s.Voids4 == 0 && s.Voids6 > 0 }); len(only4) > 0 && p.Voids6 > maxVoids {
		lead := "lead"
		if len(only4) == 1 {
			lead = "leads"
		}
		seen.Advice = fmt.Sprintf("%s %s to IPv4 addresses only: write those as ip4.", told(only4), lead)
		if p.Voids6-len(gone) > maxVoids {
			seen.Fix = withAddresses(f, only4, gone)
		}
	}
	return []check.Seen{seen}
}

// withAddresses writes terms as the addresses that they lead to, and takes others out.
func withAddresses(f *facts.Facts, names, gone []*facts.Step) []publish.Change {
	var edits []edit
	for _, s := range names {
		var words []string
		for _, p := range s.Addrs {
			word := address(p.Addr())
			if p.Bits() < p.Addr().BitLen() {
				word = mechanismOf(p.Addr()) + p.String()
			}
			if s.Qualifier != '+' {
				word = string(s.Qualifier) + word
			}
			words = append(words, word)
		}
		if len(words) == 0 || s.Problem != "" {
			return nil
		}
		edits = append(edits, edit{s.Term, strings.Join(words, " ")})
	}
	for _, s := range gone {
		edits = append(edits, edit{s.Term, ""})
	}
	return change(f, apply(f.SPF.Tree.Record.Text, edits))
}

func anyVoid(f *facts.Facts) []check.Seen {
	root := f.SPF.Tree
	var all []check.Seen
	root.Each(func(p *facts.Policy) {
		gone := stepsOf(p, func(s *facts.Step) bool {
			return isVoid(s) && classify(s) == right && (p != root || s.Kind == spf.KindExists)
		})
		if len(gone) == 0 {
			return
		}
		seen := check.Seen{Subject: p.Domain, Detail: fmt.Sprintf("In the record of %s, nothing is found for %s.", p.Domain, told(gone))}
		if ours(f, p) && letsIn(p, gone) {
			seen.Fix = out(p, gone)
		} else if p.Service != nil {
			seen.Advice = "Tell " + p.Service.Name + ", whose record it is."
		} else {
			seen.Advice = "Tell whoever runs " + p.Domain + "."
		}
		all = append(all, seen)
	})
	return once(all)
}
