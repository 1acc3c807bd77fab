package spfcheck

import (
	"fmt"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/spf"
)

// tree are the checks of the records that a record leads to.
var tree = []check.Check{
	{
		ID: "spf-include-loop", Severity: check.Error, Reference: "RFC 7208 5.2, 4.6.4",
		Title: "An include leads back to a record that it came from",
		Why:   "Receivers go round until ten look-ups are used up, and then the result is permerror.",
		Explain: "A record that includes itself, straight or by way of others, says nothing new the second time. Take out the include that leads " +
			"back.\n\n\tgatepost spf --trace --ip 192.0.2.1 --mail-from a@example.com --helo mx.example.com",
		Look: func(f *facts.Facts) []check.Seen { return loops(f, spf.KindInclude) },
	},
	{
		ID: "spf-redirect-loop", Severity: check.Error, Reference: "RFC 7208 6.1, 4.6.4",
		Title: "A redirect leads back to a record that it came from",
		Why:   "Receivers go round until ten look-ups are used up, and then the result is permerror.",
		Explain: "redirect= gives the word to another domain's record for whomever no term matched. Where that leads back there is no end. Let one of " +
			"the records end in -all.",
		Look: func(f *facts.Facts) []check.Seen { return loops(f, spf.KindRedirect) },
	},
	{
		ID: "spf-include-no-record", Severity: check.Error, Reference: "RFC 7208 5.2",
		Title: "An include leads to a domain without an SPF record",
		Why:   "Whoever no earlier term matched gets permerror: servers that come later in the record do not pass.",
		Explain: "An include of a domain that has no SPF record makes the whole evaluation fail. Services move their records, or a name has a letter " +
			"wrong.\n\n\tdig +short TXT _spf.example.net",
		Look: func(f *facts.Facts) []check.Seen { return noRecord(f, spf.KindInclude) },
	},
	{
		ID: "spf-redirect-no-record", Severity: check.Error, Reference: "RFC 7208 6.1",
		Title: "A redirect leads to a domain without an SPF record",
		Why:   "Whoever no earlier term matched gets permerror.",
		Explain: "redirect= leaves the end of the record to another domain's, and there is none. End the record in -all, or correct the name.\n\n" +
			"\tdig +short TXT _spf.example.net",
		Look: func(f *facts.Facts) []check.Seen { return noRecord(f, spf.KindRedirect) },
	},
	{
		ID: "spf-include-broken", Severity: check.Error, Reference: "RFC 7208 5.2, 6.1",
		Title: "An included record is wrong itself",
		Why:   "Its permerror becomes yours: servers that come later in your record do not pass.",
		Explain: "The record of a domain that yours includes or redirects to cannot be read, or there are several. Tell whoever runs the domain. If you " +
			"do not need it, take the term out.\n\n\tdig +short TXT _spf.example.net",
		Look: broken,
	},
	{
		ID: "spf-include-is-permissive", Severity: check.Error, Reference: "RFC 7208 5.2", Cap: check.F, Narrows: true,
		Title: "An included record lets everybody in",
		Why:   "Whoever it lets in passes for your domain: anybody can send in its name.",
		Explain: "An include takes over whom another record lets in. One that ends in +all, or has a network of all addresses in it, makes your record " +
			"worth nothing. Take the include out, and write the addresses of what you need from there.",
		Look: permissive,
	},
	{
		ID: "spf-dangling-include", Severity: check.Error, Reference: "RFC 7208 5.2",
		Title: "A term leads to a name that does not exist",
		Why:   "Whoever comes to own the name says who sends for you; until then an include of it makes the whole record fail.",
		Explain: "The service is gone, or the name has a letter wrong. If the registered domain does not exist either it may be free to take: whoever " +
			"registers it and publishes a record there can send mail as you that passes SPF, and DMARC with it.\n\n" +
			"Take the term out today.\n\n\tdig TXT _spf.example.net\n\tdig NS example.net",
		Look: dangling,
	},
}

// leading gives each term of the tree that leads to another record.
func leading(f *facts.Facts, give func(*facts.Policy, *facts.Step)) {
	f.SPF.Tree.Each(func(p *facts.Policy) {
		for i := range p.Steps {
			if s := &p.Steps[i]; s.Kind == spf.KindInclude || s.Kind == spf.KindRedirect {
				give(p, s)
			}
		}
	})
}

// without takes a term out that lets nobody in, where the record is ours and another term does let somebody in.
func without(f *facts.Facts, p *facts.Policy, s *facts.Step) []publish.Change {
	gone := []*facts.Step{s}
	if !ours(f, p) || !letsIn(p, gone) {
		return nil
	}
	if s.Kind != spf.KindRedirect {
		return out(p, gone)
	}
	text, err := spf.SetAll(apply(p.Record.Text, []edit{{s.Term, ""}}), '-')
	if err != nil {
		return nil
	}
	return changeAt(p, text)
}

// whose says whose record a term stands in.
func whose(f *facts.Facts, p *facts.Policy) string {
	if p == f.SPF.Tree {
		return "the record"
	}
	return "the record of " + p.Domain
}

// told1 tells of one term and where it stands.
func told1(f *facts.Facts, p *facts.Policy, s *facts.Step) string {
	return clip(s.Text) + " in " + whose(f, p)
}

// tell is what to do about a term of a record that is not ours.
func tell(f *facts.Facts, p *facts.Policy) string {
	switch {
	case ours(f, p):
		return "Take the term out, or correct the name."
	case p.Service != nil:
		return "Tell " + p.Service.Name + ", whose record it is; until it is mended, all who include it fail."
	}
	return "Tell whoever runs " + p.Domain + ", or take the include of it out."
}

func loops(f *facts.Facts, kind spf.Kind) []check.Seen {
	var all []check.Seen
	leading(f, func(p *facts.Policy, s *facts.Step) {
		told := len(all) > 0 && all[len(all)-1].Subject == p.Domain // of this record, by an earlier term
		if s.Kind == kind && s.Problem == facts.Loop && !told && len(all) < mostSubjects {
			all = append(all, check.Seen{
				Subject: p.Domain, Detail: fmt.Sprintf("%s leads back to %s.", told1(f, p, s), s.Name), Advice: tell(f, p), Fix: without(f, p, s),
			})
		}
	})
	return once(all)
}

func noRecord(f *facts.Facts, kind spf.Kind) []check.Seen {
	var all []check.Seen
	leading(f, func(p *facts.Policy, s *facts.Step) {
		subject := s.Name
		detail := told1(f, p, s)
		switch {
		case s.Kind != kind:
			return
		case s.Problem == facts.NoRecord:
			detail += ": the name has no SPF record."
		case s.Problem == facts.BadTarget:
			subject = p.Domain
			detail += ": that is no name that could have a record."
		default:
			return
		}
		all = append(all, check.Seen{Subject: subject, Detail: detail, Advice: tell(f, p), Fix: without(f, p, s)})
	})
	return once(all)
}

func broken(f *facts.Facts) []check.Seen {
	var all []check.Seen
	leading(f, func(p *facts.Policy, s *facts.Step) {
		detail := ""
		switch {
		case s.Policy == nil || s.Policy == f.SPF.Tree:
			return
		case s.Problem == facts.ManyRecords:
			detail = "there is more than one record"
		case s.Problem == facts.Syntax:
			for i := range s.Policy.Steps {
				if err := s.Policy.Steps[i].Err; err != nil {
					detail = fmt.Sprintf("%q: %s", clip(err.Term), err.Reason)
					break
				}
			}
		default:
			return
		}
		all = append(all, check.Seen{Subject: s.Name, Detail: fmt.Sprintf("%s leads to %s: %s.", told1(f, p, s), s.Name, detail), Advice: tell(f, s.Policy)})
	})
	return once(all)
}

func permissive(f *facts.Facts) []check.Seen {
	var all []check.Seen
	for _, s := range steps(f, func(s *facts.Step) bool {
		return s.Policy != nil && s.Policy != f.SPF.Tree && s.Policy.Everyone() && s.Qualifier != '-'
	}) {
		seen := check.Seen{
			Subject: s.Name, Detail: fmt.Sprintf("%s lets %s in.", clip(s.Text), count4(s.Policy)),
			Advice: "Take it out, and write the addresses of what you need from there as ip4 and ip6.",
		}
		if s.Kind == spf.KindInclude {
			seen.Fix = without(f, f.SPF.Tree, s)
		}
		all = append(all, seen)
	}
	return once(all)
}

func count4(p *facts.Policy) string {
	return fmt.Sprintf("%d IPv4 addresses", p.Pass.Count4())
}

func dangling(f *facts.Facts) []check.Seen {
	var all []check.Seen
	for _, o := range f.SPF.Orphans {
		leads := o.Step.Kind == spf.KindInclude || o.Step.Kind == spf.KindRedirect
		if !leads && o.Free == "" || classify(o.Step) != right {
			continue
		}
		detail := told1(f, o.Policy, o.Step) + " leads to " + o.Name + ", which does not exist."
		if o.Free != "" {
			detail += " Nor does " + o.Free + ": it may be free to take."
		}
		all = append(all, check.Seen{Subject: o.Name, Detail: detail, Advice: tell(f, o.Policy), Fix: without(f, o.Policy, o.Step)})
	}
	return once(all)
}
