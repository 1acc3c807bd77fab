package spfcheck

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/spf"
)

// ending are the checks of what becomes of whom no term matched, and of the order of terms.
var ending = []check.Check{
	{
		ID: "spf-plus-all", Severity: check.Error, Reference: "RFC 7208 5.1, 8.3", Cap: check.F, Narrows: true,
		Title: "The record lets everybody in",
		Why:   "Anybody's mail in the name of the domain passes SPF, and DMARC with it.",
		Explain: "+all, or all without a sign before it, says that every address of the world is yours. Spammers look for such domains. List what " +
			"sends for the domain, and end in -all.",
		Look: plusAll,
	},
	{
		ID: "spf-softfail", Severity: check.Warning, Reference: "RFC 7208 5.1, 8.5; RFC 9989 7.1",
		Title: "SPF ends in ~all",
		Why:   "It says of strangers that they are probably not yours, which leaves it to each receiver what to make of that.",
		Explain: "~all (softfail) is for the time in which a record is being made: it says \"probably not mine\". A domain in production says -all: " +
			"\"not mine\".\n\n" +
			"Receivers differ. Many take softfail in and mark it at most, so that a forger gets through. Some, this program's own presets " +
			"among them, refuse it as they refuse fail: then servers that you forgot are refused already, and -all changes nothing for them.\n\n" +
			"There is another side. A receiver may refuse mail for -all before it has looked at DKIM and DMARC (RFC 9989 7.1). Mail that is " +
			"forwarded, which keeps your address and comes from another server, passes DMARC by its DKIM signature; with -all, such a receiver never " +
			"comes to look. Where forwarded mail matters more than forged mail, and DMARC is at p=reject and all mail is signed, ~all is a " +
			"choice that one can defend.\n\n" +
			"Before the change, look at the reports of a month for servers of yours that the record does not let in. Then change one character.",
		Look: softfail,
	},
	{
		ID: "spf-neutral-all", Severity: check.Warning, Reference: "RFC 7208 5.1, 8.2",
		Title: "SPF ends in ?all",
		Why:   "It says nothing of strangers: receivers treat them as if there were no record.",
		Explain: "?all (neutral) makes no statement. It is to be treated like no record at all. End in -all once the record lists what sends for the " +
			"domain.",
		Look: neutral,
	},
	{
		ID: "spf-no-all-no-redirect", Severity: check.Warning, Reference: "RFC 7208 4.7",
		Title: "The record has no end",
		Why:   "Without all or redirect the record says nothing of strangers: the result is neutral.",
		Explain: "A record ends in all, which says what becomes of whom no term matched, or in redirect=, which leaves that to another. Where neither " +
			"is there it is as if it ended in ?all. End in -all.",
		Look: noEnd,
	},
	{
		ID: "spf-terms-after-all", Severity: check.Warning, Reference: "RFC 7208 5.1",
		Title: "Terms stand behind all",
		Why:   "all matches everybody, so that nothing behind it is looked at: whom it is to let in does not pass.",
		Explain: "Terms are tried from left to right, and all matches. What is to be let in stands before it.\n\n" +
			"\tv=spf1 -all include:_spf.example.net    wrong\n\tv=spf1 include:_spf.example.net -all    right",
		Look: afterAll,
	},
	{
		ID: "spf-redirect-with-all", Severity: check.Warning, Reference: "RFC 7208 6.1",
		Title: "redirect stands beside all",
		Why:   "redirect is not followed where there is an all: what it leads to is not in force.",
		Explain: "redirect= says who goes on where no term matched, and all matches always. If the other record is to be in force, take all out; if its " +
			"servers are to be let in, include it. Otherwise take redirect= out.",
		Look: redirectWithAll,
	},
	{
		ID: "spf-modifiers-before-mechanisms", Severity: check.Warning, Reference: "RFC 7208 6", Cap: check.AMinus,
		Title: "A modifier stands before mechanisms",
		Why:   "It is read as if it stood at the end, which is not how people read it.",
		Explain: "redirect= and exp= belong at the end of the record, after all mechanisms. Receivers take them anywhere; people, and some programs, " +
			"think that they take effect where they stand.",
		Look: modifiersFirst,
	},
}

// maxMoved bounds how many terms are put elsewhere.
const maxMoved = 100

// bare tells whether a record lets in nobody and does not say so plainly.
func bare(f *facts.Facts) bool {
	p := f.SPF.Tree
	if p == nil || p.Problem != "" || p.Partly || !p.Pass.Empty() || len(p.Opaque) > 0 || f.SPF.Nobody() || f.Options.Seen.Sends {
		return false
	}
	return len(steps(f, func(s *facts.Step) bool { return s.Problem.Breaks() || classify(s) != right })) == 0 // or it was to let somebody in
}

func plusAll(f *facts.Facts) []check.Seen {
	s := f.SPF.Tree.Step(spf.KindAll)
	if s == nil || s.Qualifier != '+' || s.Err != nil {
		return nil
	}
	seen := check.Seen{Subject: f.Domain, Detail: fmt.Sprintf("It ends in %s.", s.Text)}
	if letsIn(f.SPF.Tree, nil) {
		if text, err := spf.SetAll(f.SPF.Record.Text, '-'); err == nil {
			seen.Fix = change(f, text)
		}
		seen.Aside = "Before the change, add what else sends for the domain."
	} else {
		seen.Advice = "List what sends for the domain, and end in -all; a domain that sends nothing publishes v=spf1 -all."
	}
	if weigh(f, &seen) {
		seen.Fix = nil
	}
	return []check.Seen{seen}
}

// endsIn is the policy whose all decides with a qualifier, and whether we can change it.
func endsIn(f *facts.Facts, qualifier byte) (p *facts.Policy, all *facts.Step) {
	if f.SPF.Tree == nil {
		return nil, nil
	}
	p = f.SPF.Tree.End
	if all = p.Step(spf.KindAll); all == nil || all.Err != nil || all.Qualifier != qualifier {
		return nil, nil
	}
	return p, all
}

// toFail makes a policy end in -all.
func toFail(f *facts.Facts, p *facts.Policy, seen *check.Seen) {
	if !ours(f, p) {
		seen.Advice = strings.TrimSpace(seen.Advice + " The end is in the record of " + p.Domain + ": include it in place of redirect, and end in -all yourself.")
		return
	}
	if text, err := spf.SetAll(p.Record.Text, '-'); err == nil {
		seen.Fix = changeAt(p, text)
	}
}

func softfail(f *facts.Facts) []check.Seen {
	p, all := endsIn(f, '~')
	if p == nil || bare(f) {
		return nil
	}
	return stricter(f, p, check.Seen{
		Subject: p.Domain, Detail: told1(f, p, all) + " is for mail that no term before it lets in; receivers that block softfail refuse that already.", Advice: lookFirst + beforeDMARC,
	})
}

const lookFirst = "Look into DMARC reports for servers of yours that the record does not let in, and add those first."

// stricter has a policy end in -all, unless that turns away who is known to be the domain's own: that one is to be added first.
func stricter(f *facts.Facts, p *facts.Policy, seen check.Seen) []check.Seen {
	own := weigh(f, &seen)
	if toFail(f, p, &seen); own {
		seen.Fix = nil
	}
	return []check.Seen{seen}
}

func neutral(f *facts.Facts) []check.Seen {
	p, all := endsIn(f, '?')
	if p == nil || bare(f) {
		return nil
	}
	return stricter(f, p, check.Seen{Subject: p.Domain, Detail: told1(f, p, all) + " says nothing of whom no term matched.", Advice: lookFirst})
}

func noEnd(f *facts.Facts) []check.Seen {
	p := f.SPF.Tree
	if p == nil || p.Problem == facts.Syntax || bare(f) { // a wrong term may be meant as the end
		return nil
	}
	for i := range p.Steps {
		if k := p.Steps[i].Kind; k == spf.KindAll || k == spf.KindRedirect {
			return nil
		}
	}
	return stricter(f, p, check.Seen{Subject: f.Domain, Detail: "There is neither all nor redirect in the record."})
}

func afterAll(f *facts.Facts) []check.Seen {
	late := steps(f, func(s *facts.Step) bool { return s.Dead && s.Qualifier != 0 })
	if len(late) == 0 {
		return nil
	}
	seen := check.Seen{Subject: f.Domain, Detail: fmt.Sprintf("Behind %s there is %s.", f.SPF.Tree.Step(spf.KindAll).Text, told(late))}
	if len(late) > maxMoved {
		seen.Advice = "Put before all what is to be let in, and take the rest out."
		return []check.Seen{seen}
	}
	var edits []edit
	for _, s := range late {
		edits = append(edits, edit{s.Term, ""})
	}
	text := apply(f.SPF.Record.Text, edits)
	for _, s := range late {
		if s.Kind == spf.KindAll {
			continue
		}
		if with, err := spf.Add(text, s.Text); err == nil {
			text = with
		}
	}
	seen.Fix = change(f, text)
	seen.Aside = "In the record below they stand before all and are in force. Leave out what is of no use any more."
	return []check.Seen{seen}
}

func redirectWithAll(f *facts.Facts) []check.Seen {
	if f.SPF.Tree.Step(spf.KindAll) == nil {
		return nil
	}
	idle := steps(f, func(s *facts.Step) bool { return s.Kind == spf.KindRedirect && s.Err == nil })
	if len(idle) == 0 {
		return nil
	}
	return []check.Seen{{
		Subject: f.Domain, Detail: fmt.Sprintf("%s is not followed, since %s is there.", told(idle), f.SPF.Tree.Step(spf.KindAll).Text),
		Advice: "If what it leads to is to be let in, include it instead.", Fix: out(f.SPF.Tree, idle),
	}}
}

func modifiersFirst(f *facts.Facts) []check.Seen {
	if f.SPF.Tree == nil {
		return nil
	}
	last := -1
	for i := range f.SPF.Tree.Steps {
		if f.SPF.Tree.Steps[i].Qualifier != 0 {
			last = i
		}
	}
	var edits []edit
	var early []*facts.Step
	moved := ""
	for i := range f.SPF.Tree.Steps[:max(last, 0)] {
		if s := &f.SPF.Tree.Steps[i]; s.Qualifier == 0 && classify(s) == right {
			early = append(early, s)
			edits = append(edits, edit{s.Term, ""})
			moved += " " + s.Text
		}
	}
	if len(early) == 0 {
		return nil
	}
	text := apply(f.SPF.Record.Text, edits)
	return []check.Seen{{
		Subject: f.Domain, Detail: fmt.Sprintf("%s stands before %s.", told(early), clip(f.SPF.Tree.Steps[last].Text)),
		Fix: change(f, strings.TrimRight(text, " ")+moved),
	}}
}
