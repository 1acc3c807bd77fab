package spfcheck

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/ipset"
	"github.com/gatepost-mail/gatepost/spf"
)

// addresses are the checks of whom the record lets in.
var addresses = []check.Check{
	{
		ID: "spf-own-server-not-covered", Severity: check.Error, Reference: "RFC 7208 3",
		Title: "A server of yours is not let in",
		Why:   "Its mail does not pass SPF, and is refused by whoever goes by the record.",
		Explain: "The addresses that were given as the domain's own servers are held against the record, with all that it includes. Those that it does " +
			"not let in are added as ip4 or ip6.\n\n\tgatepost spf --ip 192.0.2.1 --mail-from a@example.com --helo mx.example.com",
		Look: ownServers,
	},
	{
		ID: "spf-prefix-huge", Severity: check.Error, Reference: "RFC 7208 5.6",
		Title: "A network of the record is huge",
		Why:   "It lets in millions of machines of others, each of which can send as you.",
		Explain: "A prefix length of 8 or less lets in 16 million addresses and more: mostly a letter wrong, or /8 where /28 was meant. The servers that " +
			"send for a domain fit into small networks. Write those.",
		Look: func(f *facts.Facts) []check.Seen { return wide(f, 0, 8, 0, 16, false) },
	},
	{
		ID: "spf-wide-range", Severity: check.Warning, Reference: "RFC 7208 5.6",
		Title: "A network of the record is wide",
		Why:   "It lets in many machines that are likely not yours, each of which can send as you.",
		Explain: "A /16 of IPv4 has 65,536 addresses. Whoever gets one of them, as a customer of the same data centre or by breaking into a machine, can " +
			"send as you. Write the networks that your servers are in.",
		Look: func(f *facts.Facts) []check.Seen { return wide(f, 9, 16, 17, 32, true) },
	},
	{
		ID: "spf-private-address", Severity: check.Warning, Reference: "RFC 1918, RFC 6890", Cap: check.AMinus,
		Title: "The record has addresses that nobody can send from",
		Why:   "Private addresses are not used on the Internet: the term lets nobody in, and tells strangers of your network.",
		Explain: "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 127.0.0.0/8, fc00::/7 and the like are for use inside. Receivers see the public address that " +
			"your mail leaves by: list that one.\n\n" +
			"An own mail server that checks SPF for mail from inside is better told to trust its own network.",
		Look: private,
	},
	{
		ID: "spf-duplicate-terms", Severity: check.Warning, Reference: "RFC 7208 4.6.4", Cap: check.AMinus,
		Title:   "A term stands there twice",
		Why:     "The second is never of use, and costs bytes and look-ups.",
		Explain: "The first of two terms that match the same decides. Take the second out.",
		Look:    duplicates,
	},
	{
		ID: "spf-overlapping-terms", Severity: check.Warning, Reference: "RFC 7208 5.6", Cap: check.AMinus,
		Title: "A network lies within another",
		Why:   "The smaller one is never of use, and makes the record longer and harder to read.",
		Explain: "An address or a network that lies within another one of the record changes nothing. Take the smaller one out, or the larger one, if it " +
			"was not meant to be so large.",
		Look: overlapping,
	},
	{
		ID: "spf-a-or-mx-empty", Severity: check.Warning, Reference: "RFC 7208 5.3, 5.4", Cap: check.AMinus,
		Title: "a or mx leads to no address",
		Why:   "It lets nobody in, and uses up a look-up, and one of the two that may find nothing.",
		Explain: "The name has no A and no AAAA record, or no MX record. a stands for the addresses of the name itself, mx for those of its mail servers. " +
			"Take the term out, or correct the name.\n\n\tdig +short A example.com\n\tdig +short MX example.com",
		Look: empty,
	},
}

func ownServers(f *facts.Facts) []check.Seen {
	p := f.SPF.Tree
	if p == nil || p.Partly || len(p.Opaque) > 0 {
		return nil
	}
	text := f.SPF.Record.Text
	var out []string
	for _, ip := range f.Options.Servers {
		ip = ip.Unmap().WithZone("")
		if !ip.IsValid() || p.Pass.Contains(ip) {
			continue
		}
		out = append(out, ip.String())
		if with, err := spf.Add(text, address(ip)); err == nil {
			text = with
		}
	}
	if len(out) == 0 {
		return nil
	}
	return []check.Seen{{Subject: f.Domain, Detail: "The record does not let in " + list(out) + ".", Fix: change(f, text)}}
}

// wide finds networks of prefix lengths. Those of services are theirs to answer for, unless they are huge.
func wide(f *facts.Facts, from4, to4, from6, to6 int, oursOnly bool) []check.Seen {
	var all []check.Seen
	f.SPF.Tree.Each(func(p *facts.Policy) {
		if oursOnly && !ours(f, p) || p != f.SPF.Tree && p.Everyone() {
			return
		}
		var texts []string
		for i := range p.Steps {
			s := &p.Steps[i]
			if s.Qualifier != '+' {
				continue
			}
			for _, n := range s.Addrs {
				least, most := from4, to4
				if n.Addr().Is6() {
					least, most = from6, to6
				}
				if n.Bits() >= least && n.Bits() <= most && !isPrivate(n) {
					texts = append(texts, fmt.Sprintf("%s (%s)", clip(s.Text), size(n)))
					break
				}
			}
		}
		if len(texts) > 0 {
			seen := check.Seen{
				Subject: p.Domain, Detail: fmt.Sprintf("In %s: %s.", whose(f, p), list(texts)), Advice: "Write the networks in which your servers are.",
			}
			if f.SPF.Tree.Pass.Count4() >= 1<<31 { // as good as +all
				seen.Cap = check.F
			}
			all = append(all, seen)
		}
	})
	return once(all)
}

// size says how many addresses a network has.
func size(n netip.Prefix) string {
	if free := n.Addr().BitLen() - n.Bits(); free > 40 {
		return fmt.Sprintf("2^%d addresses", free)
	}
	return fmt.Sprintf("%d addresses", uint64(1)<<(n.Addr().BitLen()-n.Bits()))
}

func isPrivate(n netip.Prefix) bool { return facts.Unroutable.Covers(ipset.Of(n)) }

func private(f *facts.Facts) []check.Seen {
	var all []check.Seen
	f.SPF.Tree.Each(func(p *facts.Policy) {
		gone := stepsOf(p, func(s *facts.Step) bool {
			return (s.Kind == spf.KindIP4 || s.Kind == spf.KindIP6) && s.Err == nil && s.Qualifier == '+' && isPrivate(s.Prefix)
		})
		if len(gone) == 0 || !ours(f, p) {
			return
		}
		seen := check.Seen{Subject: p.Domain, Detail: fmt.Sprintf("In %s: %s.", whose(f, p), told(gone)), Advice: "List the public addresses that your mail leaves by."}
		if letsIn(p, gone) {
			seen.Fix = out(p, gone)
		}
		all = append(all, seen)
	})
	return once(all)
}

// alike tells whether a term matches what another does, whatever either makes of it.
func alike(a, b *spf.Term) bool {
	c := *a
	c.Qualifier = b.Qualifier
	return a.Qualifier != 0 && b.Qualifier != 0 && a.Err == nil && b.Err == nil && c.Same(b)
}

// maxCompared bounds how many terms are held against each other.
const maxCompared = 300

func duplicates(f *facts.Facts) []check.Seen {
	live := steps(f, func(s *facts.Step) bool { return !s.Dead && s.Qualifier != 0 && s.Err == nil })
	live = live[:min(len(live), maxCompared)]
	var again []*facts.Step
	for i, s := range live {
		if slices.ContainsFunc(live[:i], func(o *facts.Step) bool { return alike(o.Term, s.Term) }) {
			again = append(again, s)
		}
	}
	if len(again) == 0 {
		return nil
	}
	return []check.Seen{{Subject: f.Domain, Detail: told(again) + " stood there before.", Fix: out(f.SPF.Tree, again)}}
}

func overlapping(f *facts.Facts) []check.Seen {
	live := steps(f, func(s *facts.Step) bool {
		return !s.Dead && s.Qualifier == '+' && s.Err == nil && (s.Kind == spf.KindIP4 || s.Kind == spf.KindIP6)
	})
	live = live[:min(len(live), maxCompared)]
	var inner []*facts.Step
	var texts []string
	for _, s := range live {
		i := slices.IndexFunc(live, func(o *facts.Step) bool {
			return o != s && o.Prefix.Bits() < s.Prefix.Bits() && o.Prefix.Contains(s.Prefix.Addr())
		})
		if i >= 0 {
			inner = append(inner, s)
			texts = append(texts, s.Text+" lies within "+live[i].Text)
		}
	}
	if len(inner) == 0 {
		return nil
	}
	return []check.Seen{{Subject: f.Domain, Detail: list(texts) + ".", Fix: out(f.SPF.Tree, inner)}}
}

func empty(f *facts.Facts) []check.Seen {
	if p := f.SPF.Tree; p != nil && (p.Voids4 > maxVoids || p.Voids6 > maxVoids) { // spf-void-over-2 tells of them
		return nil
	}
	gone := steps(f, func(s *facts.Step) bool {
		return (s.Kind == spf.KindA || s.Kind == spf.KindMX) && isVoid(s) && !s.Dead && classify(s) == right
	})
	if len(gone) == 0 {
		return nil
	}
	seen := check.Seen{Subject: f.Domain, Detail: fmt.Sprintf("Nothing is found for %s.", told(gone))}
	if letsIn(f.SPF.Tree, gone) {
		seen.Fix = out(f.SPF.Tree, gone)
	} else {
		seen.Advice = "List what sends for the domain; a domain that sends nothing publishes v=spf1 -all."
	}
	return []check.Seen{seen}
}
