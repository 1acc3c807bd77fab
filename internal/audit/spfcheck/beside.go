package spfcheck

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/spf"
)

// beside are the checks of mechanisms that are better not used, and of what stands beside the record.
var beside = []check.Check{
	{
		ID: "spf-ptr", Severity: check.Warning, Reference: "RFC 7208 5.5", Narrows: true,
		Title: "The record has ptr",
		Why:   "ptr is slow, burdens name servers that are not yours, and is not evaluated by every receiver.",
		Explain: "ptr lets in clients whose address has a name below the domain. RFC 7208 says not to use it. List the addresses of those servers, by ip4, " +
			"ip6, a or mx; then take ptr out.\n\n\tdig +short -x 192.0.2.1",
		Look: ptr,
	},
	{
		ID: "spf-p-macro", Severity: check.Warning, Reference: "RFC 7208 7.2", Cap: check.AMinus,
		Title: "A term has the macro p in it",
		Why:   "%{p} costs a look-up of the client's name in DNS, is slow, and is unknown for most.",
		Explain: "%{p} stands for the validated name of the client's address. RFC 7208 says not to use it. %{i} (the address) or %{h} (the HELO name) does " +
			"in most cases.",
		Look: pMacro,
	},
	{
		ID: "spf-exp-target-bad", Severity: check.Warning, Reference: "RFC 7208 6.2", Cap: check.AMinus,
		Title: "exp leads to no text",
		Why:   "The explanation that senders are to be shown is not there, or cannot be read: they are shown none.",
		Explain: "exp= names a domain with one TXT record, whose text receivers may show to whom they refuse. It is of visible ASCII characters and " +
			"macros.\n\n\tdig +short TXT explain._spf.example.com",
		Look: explanation,
	},
	{
		ID: "spf-nonsending-not-bare", Severity: check.Warning, Reference: "RFC 7208 10.1.2",
		Title: "The record lets nobody in and does not say so",
		Why:   "A domain that sends no mail is forged all the more gladly where its record leaves room.",
		Explain: "Nobody passes by the record, so that the domain sends no mail or all of it fails. If it sends none, v=spf1 -all says so, and every receiver " +
			"understands it. If it does send, list what sends for it.",
		Look: nonsending,
	},
	{
		ID: "spf-helo-host-no-record", Severity: check.Info, Reference: "RFC 7208 2.3, 10.1.3",
		Title: "A mail server's own name has no SPF record",
		Why:   "Bounces are sent with an empty MAIL FROM, and are judged by the name that the server says HELO with.",
		Explain: "Receivers check the HELO name too, and it alone for mail without MAIL FROM. A record for each mail server that sends lets its own address " +
			"in:\n\n\tmx.example.com. IN TXT \"v=spf1 a -all\"\n\nServers that only receive have no need of it.",
		Look: heloHosts,
	},
	{
		ID: "spf-wildcard-for-parked", Severity: check.Info, Reference: "RFC 7208 3.5, 10.1.2",
		Title: "Names below a domain without mail have no SPF record",
		Why:   "The domain says that it sends no mail, and what is below it says nothing.",
		Explain: "SPF is not inherited: mail from a name below the domain is judged by that name's record, of which there is none. Where the domain has no " +
			"names that send, one wildcard covers them:\n\n\t*.example.com. IN TXT \"v=spf1 -all\"\n\n" +
			"A wildcard does not stand for names that have records of another type; those need a record each.",
		Look: parked,
	},
}

func ptr(f *facts.Facts) []check.Seen {
	var all []check.Seen
	f.SPF.Tree.Each(func(p *facts.Policy) {
		gone := stepsOf(p, func(s *facts.Step) bool { return s.Kind == spf.KindPTR && s.Err == nil && !s.Dead })
		if len(gone) == 0 || !ours(f, p) {
			return
		}
		seen := check.Seen{
			Subject: p.Domain, Detail: fmt.Sprintf("In %s: %s.", whose(f, p), told(gone)),
			Advice: "First list the servers that pass by ptr alone, as ip4 and ip6: those whose names are below the domain.",
		}
		if letsIn(p, gone) {
			seen.Fix = out(p, gone)
		}
		all = append(all, seen)
	})
	return once(all)
}

func pMacro(f *facts.Facts) []check.Seen {
	var all []check.Seen
	f.SPF.Tree.Each(func(p *facts.Policy) {
		uses := stepsOf(p, func(s *facts.Step) bool { return s.Err == nil && !s.Dead && s.Kind != spf.KindModifier && s.Uses('p') })
		if len(uses) > 0 && ours(f, p) {
			all = append(all, check.Seen{
				Subject: p.Domain, Detail: fmt.Sprintf("In %s: %s.", whose(f, p), told(uses)), Advice: "Use another macro, such as %{i}, or list addresses.",
			})
		}
	})
	return once(all)
}

func explanation(f *facts.Facts) []check.Seen {
	a := &f.SPF.Exp
	exp := steps(f, func(s *facts.Step) bool { return s.Kind == spf.KindExp && s.Err == nil })
	if a.Name == "" || a.Unknown() || len(exp) == 0 {
		return nil
	}
	detail := ""
	switch {
	case a.Absent():
		detail = "has no text"
	case len(a.TXT) > 1:
		detail = fmt.Sprintf("has %d texts", len(a.TXT))
	default:
		if _, err := spf.ParseTerm("x=" + strings.ReplaceAll(a.TXT[0], " ", "_")); err != nil {
			detail = fmt.Sprintf("has a text that cannot be read: %q", clip(a.TXT[0]))
		}
	}
	if detail == "" {
		return nil
	}
	return []check.Seen{{
		Subject: a.Name, Detail: fmt.Sprintf("%s: the name %s.", clip(exp[0].Text), detail),
		Advice: "Publish the text, or take exp= out.", Fix: out(f.SPF.Tree, exp),
	}}
}

func nonsending(f *facts.Facts) []check.Seen {
	if !bare(f) {
		return nil
	}
	seen := check.Seen{Subject: f.Domain, Detail: fmt.Sprintf("The record is %q.", clip(f.SPF.Record.Text))}
	if !f.Receives() || f.MX.Null {
		seen.Fix = change(f, "v=spf1 -all")
		seen.Aside = "If the domain does send mail, list what sends for it in place of that."
	} else {
		seen.Advice = "List what sends for the domain; if nothing does, publish v=spf1 -all."
	}
	return []check.Seen{seen}
}

func heloHosts(f *facts.Facts) []check.Seen {
	var all []check.Seen
	for i := range f.SPF.Servers {
		a := &f.SPF.Servers[i]
		if a.Unknown() || !f.Sends() || a.Found() && (a.Answer.Name != a.Name || hasRecord(a.TXT)) {
			continue
		}
		if !hasAddress(f, a.Name) {
			continue
		}
		all = append(all, check.Seen{
			Subject: a.Name, Detail: "No text of " + a.Name + " begins with v=spf1.",
			Fix: []publish.Change{{Name: a.Name, Type: "TXT", New: "v=spf1 a -all"}},
		})
	}
	return once(all)
}

// hasAddress tells whether a mail server has an address under its own name: an alias cannot have a text as well.
func hasAddress(f *facts.Facts, name string) bool {
	for i := range f.MX.Hosts {
		if h := &f.MX.Hosts[i]; h.Name == name {
			return h.A.Found() && h.A.Answer.Name == name || h.AAAA.Found() && h.AAAA.Answer.Name == name
		}
	}
	return false
}

func hasRecord(texts []string) bool {
	for _, txt := range texts {
		if spf.IsRecord(txt) {
			return true
		}
	}
	return false
}

func parked(f *facts.Facts) []check.Seen {
	a := &f.SPF.Star
	if f.Sends() || a.Name == "" || a.Unknown() || hasRecord(a.TXT) {
		return nil
	}
	return []check.Seen{{
		Subject: a.Name, Detail: "Names below the domain that have no records have no SPF record either.",
		Fix: []publish.Change{{Name: a.Name, Type: "TXT", New: "v=spf1 -all"}},
	}}
}
