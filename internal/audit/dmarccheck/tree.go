package dmarccheck

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// tree are the checks of the domain's place among those above and below it.
var tree = []check.Check{
	{
		ID: "dmarc-psd-not-public-suffix", Severity: check.Error, Reference: "RFC 9989 4.7", Cap: check.C,
		Title: "psd=y on a domain that is no public suffix",
		Why:   "Each name below becomes an organization of its own: mail of subdomains no longer aligns with the domain's.",
		Explain: "psd=y says that anybody can have a name below the domain, as below com or co.uk. A receiver then takes the name " +
			"one label below for the Organizational Domain, so that mail from news.example.com is no longer of the same " +
			"organization as example.com. It is for registries. A domain that wants to say it is an organization of its own " +
			"publishes psd=n." +
			digPolicy,
		Look: func(f *facts.Facts) []check.Seen {
			r := f.DMARC.Record
			if r == nil || r.PublicSuffixDomain != 'y' || f.DMARC.Suffix {
				return nil
			}
			text, err := dmarc.Unset(r.Text, "psd")
			return with(f, atPolicy(f, "The record has psd=y, and %s is not on the public suffix list.", f.Domain), text, err)
		},
	},
	{
		ID: "dmarc-psd-with-ruf", Severity: check.Error, Reference: "RFC 9991 2", Cap: check.B,
		Title: "A public suffix asks for failure reports",
		Why:   "They would be about other people's mail, and receivers must not send them.",
		Explain: "A record with psd=y applies to domains of others that have no policy themselves. Failure reports hold parts of " +
			"messages, and those are none of the registry's: ruf of such a record is not used." +
			digPolicy,
		Look: func(f *facts.Facts) []check.Seen {
			r := f.DMARC.Record
			if r == nil || r.PublicSuffixDomain != 'y' {
				return nil
			}
			ruf, ok := r.Tag("ruf")
			if !ok {
				return nil
			}
			text, err := dmarc.Unset(r.Text, "ruf")
			return with(f, atPolicy(f, "The record has psd=y, and ruf is %s.", listed([]string{ruf.Value})), text, err)
		},
	},
	{
		ID: "dmarc-sp-ineffective", Severity: check.Warning, Reference: "RFC 9989 4.7", Cap: check.AMinus,
		Title: "sp or np below the Organizational Domain has no effect",
		Why:   "Receivers take the policy for subdomains from the Organizational Domain's record alone.",
		Explain: "A record counts for the very name that it stands at. Names below without one of their own have that of the " +
			"Organizational Domain, found by walking up the tree; records in between are passed over, and so is what they say in " +
			"sp and np.\n\n" +
			"For a subtree with a policy of its own, give each name in it that sends a record, or make this one the Organizational " +
			"Domain with psd=n, by which mail of the rest of the organization no longer aligns with it.\n\n" +
			"\tdig +short TXT _dmarc.dept.example.com\n\tdig +short TXT _dmarc.example.com",
		Look: spIneffective,
	},
	{
		ID: "dmarc-intermediate-record-ignored", Severity: check.Warning, Reference: "RFC 9989 4.10.2", Cap: check.B,
		Title: "A record between does not apply",
		Why:   "The domain is under the Organizational Domain's policy, and not under that of the name in between.",
		Explain: "For a domain without a record a receiver goes to the Organizational Domain, which is that of the records above " +
			"with the fewest labels. What stands in between is for mail from that very name alone. With records at " +
			"dept.example.com and example.com, a.dept.example.com is under example.com's.\n\n" +
			"If the one in between was meant, publish it for this domain too. Or say psd=n in it, which makes it the " +
			"Organizational Domain of all below it; mail that authenticates by the rest of the organization then no longer " +
			"aligns.\n\n" +
			"\tdig +short TXT _dmarc.a.dept.example.com\n\tdig +short TXT _dmarc.dept.example.com\n\tdig +short TXT " +
			"_dmarc.example.com",
		Look: intermediate,
	},
	{
		ID: "dmarc-beyond-8-labels", Severity: check.Warning, Reference: "RFC 9989 4.10, 5.1.8", Cap: check.B,
		Title: "A record is not found for names of so many labels",
		Why:   "Receivers ask at eight names at most, and leave out those between the first and the last seven labels.",
		Explain: "For a domain of more than eight labels a receiver asks at the domain itself and then at its last seven labels, " +
			"and upwards from there. A record at a name that it leaves out does not apply to anything below, whatever it says, " +
			"psd=n included. Such a domain needs a record of its own.\n\n" +
			"\tdig +short TXT _dmarc.mail.a.b.c.d.e.f.example.com",
		Look: beyond,
	},
	{
		ID: "dmarc-psl-and-walk-differ", Severity: check.Warning, Reference: "RFC 9989 C.3", Cap: check.AMinus,
		Title: "Older and newer receivers see another organization",
		Why:   "What aligns for one does not for the other.",
		Explain: "Newer receivers find the Organizational Domain by walking up the tree of DMARC records (RFC 9989), older ones " +
			"by the public suffix list (RFC 7489). Here the two come to different answers, so that mail which authenticates by " +
			"another name of the organization passes with some receivers and fails with others. Policies for subdomains are taken " +
			"from different records too.\n\n" +
			"Mostly the cure is a record at the name that the public suffix list gives; both then find it. Where psd=n parts a " +
			"subtree off on purpose, have mail authenticate by the very domain of From, which aligns by either." +
			digPolicy,
		Look: differ,
	},
	{
		ID: "dmarc-parent-without-psd", Severity: check.Warning, Reference: "RFC 9989 11.8", Cap: check.B,
		Title: "A public suffix above has a record without psd=y",
		Why:   "Receivers take the suffix for the organization: mail of any other domain below it aligns with this one's.",
		Explain: "The registry above publishes a DMARC record and does not say in it that it is a public suffix. Receivers that " +
			"walk up the tree then find it as the name with the fewest labels, and hold everybody below it for one organization. " +
			"Somebody else's domain there can authenticate mail in your name.\n\n" +
			"psd=n in the record of your own Organizational Domain ends the walk there.\n\n" +
			"\tdig +short TXT _dmarc.example.com\n\tdig +short TXT _dmarc.com",
		Look: parent,
	},
	{
		ID: "dmarc-on-public-suffix", Severity: check.Info, Reference: "RFC 9989 5.2",
		Title: "The domain is a public suffix",
		Why:   "Its record applies to domains of others below it that have none.",
		Explain: "Anybody can have a name below a public suffix. A record there should say psd=y, so that receivers do not take " +
			"all names below it for one organization, and should ask for no failure reports." +
			digPolicy,
		Look: func(f *facts.Facts) []check.Seen {
			r := f.DMARC.Record
			if !f.DMARC.Suffix || r == nil || r.PublicSuffixDomain == 'y' {
				return nil
			}
			s := atPolicy(f, "%s is on the public suffix list, or is a top-level domain, and its record does not say psd=y.", f.Domain)
			if text, err := dmarc.Set(r.Text, "psd", "y"); err == nil && len(text) <= mostShown {
				s.Advice = "If names below it are other people's, publish: " + text
			}
			return []check.Seen{s}
		},
	},
}

// below tells whether the domain lies below its Organizational Domain, where sp and np have no effect.
func below(f *facts.Facts) bool {
	return f.DMARC.Organizational != "" && f.DMARC.Organizational != f.Domain
}

func spIneffective(f *facts.Facts) []check.Seen {
	r := f.DMARC.Record
	if r == nil || !below(f) || r.PublicSuffixDomain == 'y' {
		return nil
	}
	var has []string
	text, err := r.Text, error(nil)
	for _, tag := range []string{"sp", "np"} {
		if t, ok := r.Tag(tag); ok {
			has = append(has, fmt.Sprintf("%s is %s", tag, listed([]string{t.Value})))
			if err == nil {
				text, err = dmarc.Unset(text, tag)
			}
		}
	}
	if len(has) == 0 {
		return nil
	}
	return with(f, atPolicy(f, "%s, and the Organizational Domain is %s.", strings.Join(has, ", "), f.DMARC.Organizational), text, err)
}

func intermediate(f *facts.Facts) []check.Seen {
	d := &f.DMARC
	if len(d.Texts) > 0 || d.Policy.Record == nil || d.Policy.PolicyDomain == f.Domain {
		return nil
	}
	for i := range d.Walk {
		step := &d.Walk[i]
		if i == 0 || step.Record == nil {
			continue
		}
		if step.Domain == d.Policy.PolicyDomain {
			break
		}
		s := check.Seen{
			Subject: step.Asked.Name,
			Detail: fmt.Sprintf("%s has no record. That of %s is passed over, and that of %s applies: the policy is %s.",
				f.Domain, step.Domain, d.Policy.PolicyDomain, d.Policy.Applicable),
			Advice: "If the record in between was meant to hold here, publish it for this domain too.",
			Fix:    inherited(f, step),
		}
		return []check.Seen{s}
	}
	return nil
}

// inherited publishes at the domain what a record above it says of subdomains.
func inherited(f *facts.Facts, step *facts.DMARCStep) []publish.Change {
	if !f.DMARC.Asked.Absent() || f.DMARC.Alias.Found() {
		return nil
	}
	text, err := dmarc.Set(step.Record.Text, "p", string(step.Record.SubdomainPolicy))
	for _, tag := range []string{"sp", "np", "psd"} {
		if err == nil {
			text, err = dmarc.Unset(text, tag)
		}
	}
	if err != nil {
		return nil
	}
	return []publish.Change{{Name: f.DMARC.Asked.Name, Type: "TXT", New: text}}
}

func beyond(f *facts.Facts) []check.Seen {
	d := &f.DMARC
	if r := d.Record; r != nil {
		if r.PublicSuffixDomain != 'n' || strings.Count(f.Domain, ".")+1 < 8 {
			return nil
		}
		s := atPolicy(f, "The record has psd=n, and %s has %d labels: no name below it finds the record.",
			f.Domain, strings.Count(f.Domain, ".")+1)
		s.Advice = "Give each name below that sends a record of its own."
		return []check.Seen{s}
	}
	if len(d.Texts) > 0 {
		return nil
	}
	for i := range d.Skipped {
		if step := &d.Skipped[i]; step.Record != nil {
			return []check.Seen{{
				Subject: step.Asked.Name,
				Detail: fmt.Sprintf("%s has %d labels and no record, and that of %s is not looked at.",
					f.Domain, strings.Count(f.Domain, ".")+1, step.Domain),
				Advice: "Publish the record for this domain too.",
				Fix:    inherited(f, step),
			}}
		}
	}
	return nil
}

func differ(f *facts.Facts) []check.Seen {
	d := &f.DMARC
	if d.Suffix || d.Policy.Record == nil || d.Organizational == "" || d.Organizational == f.Organizational || suffixWithout(f) != nil {
		return nil
	}
	s := atPolicy(f, "By the tree the Organizational Domain is %s, by the public suffix list %s.", d.Organizational, f.Organizational)
	s.Advice = fmt.Sprintf("Publish a record at _dmarc.%s.", f.Organizational)
	for i := range d.Walk {
		if step := &d.Walk[i]; step.Domain == d.Organizational && step.Record != nil && step.Record.PublicSuffixDomain == 'n' {
			s.Detail += " The record at " + step.Asked.Name + " says psd=n, which older receivers do not know."
			s.Severity, s.Cap = check.Info, check.A
			s.Advice = "Have mail authenticate by the very domain of From."
		}
	}
	return []check.Seen{s}
}

// suffixWithout is the public suffix above that has a record which does not say so, or nil.
func suffixWithout(f *facts.Facts) *facts.DMARCStep {
	for i := range f.DMARC.Walk {
		step := &f.DMARC.Walk[i]
		if i > 0 && step.Record != nil && step.Record.PublicSuffixDomain == 'u' && facts.IsPublicSuffix(step.Domain) {
			return step
		}
	}
	return nil
}

func parent(f *facts.Facts) []check.Seen {
	suffix := suffixWithout(f)
	if suffix == nil || f.DMARC.Suffix {
		return nil
	}
	s := check.Seen{
		Subject: suffix.Asked.Name,
		Detail:  fmt.Sprintf("%s is a public suffix, and its record is %s.", suffix.Domain, listed([]string{suffix.Record.Text})),
		Advice:  "Publish a record with psd=n at _dmarc." + f.Organizational + ".",
	}
	for i := range f.DMARC.Walk {
		step := &f.DMARC.Walk[i]
		if step.Domain != f.Organizational || step.Record == nil || step.Asked.Answer.Name != step.Asked.Name {
			continue
		}
		if text, err := dmarc.Set(step.Record.Text, "psd", "n"); err == nil {
			s.Fix = []publish.Change{{Name: step.Asked.Name, Type: "TXT", Old: step.Record.Text, New: text}}
			s.Advice = "psd=n has receivers stop at " + f.Organizational + "."
		}
	}
	return []check.Seen{s}
}
