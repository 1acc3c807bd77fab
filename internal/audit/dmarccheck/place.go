package dmarccheck

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

var errNobody = errors.New("nobody would get the reports")

// place are the checks of whether there is one record, where it is looked for, that is known for one.
var place = []check.Check{
	{
		ID: "dmarc-missing", Severity: check.Error, Reference: "RFC 9989 4.5", Cap: check.F,
		Title: "There is no DMARC policy",
		Why:   "Anybody can write in the domain's name, and no receiver is asked to do anything about it.",
		Explain: "SPF and DKIM say who sent a message; neither is about the address in From, which is what people see. DMARC ties " +
			"the two together, and says what is to be done with mail that has the domain in From and passes neither. Without a " +
			"policy of the domain's own, or of the Organizational Domain above it, that is nothing. Large receivers take mail " +
			"without DMARC for suspect.\n\n" +
			"A domain that sends begins with p=none and an address for reports, which changes nothing for its mail. The reports " +
			"show who sends in its name. What is yours and fails is mended; then the policy is raised to quarantine, and to " +
			"reject.\n\n" +
			"A domain that sends no mail has nothing to wait for and publishes p=reject at once.\n\n" +
			"What receivers see:" +
			digPolicy,
		Look: missing,
	},
	{
		ID: "dmarc-multiple", Severity: check.Error, Reference: "RFC 9989 4.10",
		Title: "There are several DMARC records",
		Why:   "Receivers drop all of them, as if there were none.",
		Explain: "Exactly one text at _dmarc may begin with v=DMARC1. With two, a receiver cannot know which is meant, and the " +
			"standard has it drop both. This comes of adding a record where the old one should have been changed: often a " +
			"service's set-up page asks to \"add\" one.\n\n" +
			"Keep one. Which of them it is to be is yours to say; the one proposed is that with the milder policy, so that mail " +
			"which nobody stopped so far is not stopped all at once." +
			digPolicy,
		Look: multiple,
	},
	{
		ID: "dmarc-version-bad", Severity: check.Error, Reference: "RFC 9989 4.7",
		Title: "A DMARC record does not begin with v=DMARC1",
		Why:   "Receivers ignore a text that does not begin exactly so.",
		Explain: "The first thing in the record must be v=DMARC1, in this spelling: \"DMARC1\" in capitals, followed by a " +
			"semicolon or by nothing. Whatever else begins the text makes it one that is not about DMARC. Usual slips: v=dmarc1; " +
			"v=DMARC; another tag first; a comma or nothing in place of the semicolon; quotation marks that became part of the " +
			"text; letters of another alphabet that look alike, from a word processor." +
			digPolicy,
		Look: func(f *facts.Facts) []check.Seen { return near(f, false) },
	},
	{
		ID: "dmarc-leading-space", Severity: check.Error, Reference: "RFC 9989 4.8",
		Title: "White space stands before v=DMARC1",
		Why:   "Strict readers take the text for one that is not about DMARC.",
		Explain: "The record must begin with v=DMARC1, with nothing before it. A space is easily copied along into a form and is " +
			"hard to see; dig shows it behind the quotation mark:\n\n" +
			"\tdig +short TXT _dmarc.example.com\n\n" +
			"Some receivers forgive it and others do not, so that the policy works here and not there.",
		Look: func(f *facts.Facts) []check.Seen { return near(f, true) },
	},
	{
		ID: "dmarc-wrong-location", Severity: check.Error, Reference: "RFC 9989 4.5",
		Title: "A DMARC record stands where nobody looks for it",
		Why:   "Receivers ask at _dmarc below the domain and nowhere else.",
		Explain: "The policy of example.com is the text at _dmarc.example.com. One at example.com itself, at dmarc without the " +
			"underscore, or at _dmarc.example.com.example.com, which is what many forms make of a full name, is never read.\n\n" +
			"Move it. In most forms of DNS providers the name to put in is _dmarc alone.\n\n" +
			"\tdig +short TXT example.com\n\tdig +short TXT _dmarc.example.com",
		Look: misplaced,
	},
	{
		ID: "dmarc-spf-at-dmarc", Severity: check.Error, Reference: "RFC 9989 4.10",
		Title: "An SPF record answers at _dmarc",
		Why:   "It is of no use there, and often hides that there is no DMARC record.",
		Explain: "A text that begins with v=spf1 comes back for _dmarc. Either it was put there by mistake, or a wildcard " +
			"(*.example.com) answers for every name that has no text of its own. A record at _dmarc itself ends that for this " +
			"name: a wildcard answers only for names that do not exist.\n\n" +
			"\tdig +short TXT _dmarc.example.com\n\tdig +short TXT any-name-at-all.example.com",
		Look: spfThere,
	},
	{
		ID: "dmarc-dangling-cname", Severity: check.Warning, Reference: "RFC 1034 3.6.2",
		Title: "The CNAME at _dmarc leads to no policy",
		Why:   "The domain is without DMARC, and whoever gets hold of the target decides its policy.",
		Explain: "_dmarc is an alias for a name elsewhere, as services which look after the policy ask for, and nothing answers " +
			"there: the service was left or has gone, or the target is misspelled. If the target's domain is free, anyone can " +
			"register it and publish a policy for yours, with reports to himself.\n\n" +
			"Take the CNAME away and publish the record itself, or set up the service again.\n\n" +
			"\tdig +short CNAME _dmarc.example.com\n\tdig TXT _dmarc.example.com",
		Look: dangling,
	},
	{
		ID: "dmarc-unrelated-txt", Severity: check.Warning, Reference: "RFC 9989 4.10", Cap: check.AMinus,
		Title: "A text at _dmarc has nothing to do with DMARC",
		Why:   "It makes answers larger for nothing, and simple readers trip over it.",
		Explain: "Receivers drop texts at _dmarc that do not begin with v=DMARC1. Some old readers take the first text for the " +
			"policy or give up at the second. Verification tokens belong to the domain itself." +
			digPolicy,
		Look: unrelated,
	},
	{
		ID: "dmarc-cname-delegated", Severity: check.Info, Reference: "RFC 9989 4.10",
		Title: "The policy is kept elsewhere, by a CNAME",
		Why:   "Whoever holds the target can change the domain's policy and where its reports go.",
		Explain: "_dmarc is an alias, and the record is that of the target. Receivers follow it; that is a proper way to have a " +
			"service look after the policy. It does mean that the policy changes without the domain's own zone changing, and that " +
			"it is gone when the service is.\n\n" +
			"\tdig +short CNAME _dmarc.example.com",
		Look: func(f *facts.Facts) []check.Seen {
			d := &f.DMARC
			if len(d.Texts) == 0 || d.Holder() == d.Asked.Name {
				return nil
			}
			return []check.Seen{atPolicy(f, "The record is that of %s.", d.Holder())}
		},
	},
}

func missing(f *facts.Facts) []check.Seen {
	d := &f.DMARC
	applies, known := d.Applies()
	if applies || !known || len(d.Texts)+len(d.Near) > 0 || d.Alias.Found() || hasSPF(d.Others) || len(strays(f)) > 0 {
		return nil // or another check says why
	}
	s := atPolicy(f, "No text at %s begins with v=DMARC1", d.Asked.Name)
	var above []string
	for i := range d.Walk[1:] {
		above = append(above, d.Walk[i+1].Asked.Name)
	}
	if len(above) > 0 {
		s.Detail += ", and there is none that counts at " + strings.Join(above, ", ")
	}
	s.Detail += "."
	if d.Holder() != d.Asked.Name {
		s.Detail += " The name is an alias for " + d.Holder() + "."
	}
	if d.Policy.Err != nil {
		why := d.Policy.Err.Error()
		s.Detail += " What is above is of no use: " + why[:min(len(why), mostShown)] + "."
	}
	start(f, &s)
	s.Fix = instead(f, starter(f), nil)
	return []check.Seen{s}
}

func multiple(f *facts.Facts) []check.Seen {
	d := &f.DMARC
	if len(d.Texts) < 2 {
		return nil
	}
	s := atPolicy(f, "%d texts begin with v=DMARC1: %s.", len(d.Texts), listed(d.Texts))
	s.Cap = lack(f)
	kept := keep(f, d.Texts)
	s.Advice, s.Aside = "Only one of them may be left.", "Keep this one, or another that you know to be right, and take away the rest."
	s.Fix = instead(f, kept, d.Texts)
	return []check.Seen{s}
}

// keep is which of several records to keep: one that works, with an address for reports, and the mildest. Where nothing is sent, the
// strictest.
func keep(f *facts.Facts, texts []string) string {
	best, bestScore := starter(f), -1
	for _, text := range texts[:min(len(texts), mostRemoved)] {
		r, err := dmarc.Parse(text)
		if err != nil {
			continue
		}
		score := 2 - strength(r.Policy)
		if !f.Sends() {
			score = strength(r.Policy)
		}
		if len(r.AggregateURIs) > 0 {
			score += 3
		}
		if score > bestScore {
			best, bestScore = text, score
		}
	}
	return best
}

// near looks at texts that were meant as a record: those that only have white space too much, or all others.
func near(f *facts.Facts, spaced bool) []check.Seen {
	d := &f.DMARC
	var texts []string
	for _, text := range d.Near {
		if dmarc.IsRecord(strings.TrimSpace(text)) == spaced {
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	s := atPolicy(f, "The text is %s.", listed(texts))
	s.Cap = lack(f)
	text := ""
	switch {
	case len(d.Texts) > 0:
		s.Advice = "A record that counts stands beside it; take this one away."
		s.Severity, s.Cap = check.Warning, check.AMinus
	default:
		var err error
		s.Advice = "Let the text begin with v=DMARC1."
		if text = repair(texts[0]); text != "" {
			text, s.Aside, err = first(f, text)
		}
		if text == "" || err != nil {
			text = starter(f)
			start(f, &s)
		}
	}
	s.Fix = instead(f, text, texts)
	return []check.Seen{s}
}

// repair makes a record of a text that was meant to be one. It is empty where none comes of it that works.
func repair(text string) string {
	text = strings.Trim(strings.TrimSpace(text), "\"'`\ufeff\u201c\u201d\u00a0\u200b ")
	if !dmarc.IsRecord(text) {
		rest := text
		if strings.IndexByte(text, ';') < 0 {
			rest = strings.ReplaceAll(text, ",", ";")
		}
		repaired := "v=DMARC1"
		for i, part := range strings.Split(rest, ";") {
			if at := strings.Index(strings.ToUpper(part), "DMARC"); i == 0 && at >= 0 && at < 16 && at+5 <= len(part) {
				part = strings.TrimLeft(strings.TrimPrefix(part[at+5:], "1"), " \t,:.")
			}
			name, ok := nameOf(part)
			if trim(part) == "" || ok && name == "v" || i == 0 && !isKnown(name) {
				continue
			}
			if i == 0 {
				part = " " + trim(part)
			}
			repaired += ";" + part
		}
		text = repaired
	}
	text = repairTags(text)
	if r, err := dmarc.Parse(text); err != nil || r.Policy == dmarc.DispositionNone && len(r.AggregateURIs) == 0 {
		return ""
	}
	return text
}

// repairTags writes policies and addresses as they were meant, where that can be told.
func repairTags(text string) string {
	r, err := dmarc.Inspect(text)
	if r == nil || err == nil {
		return text
	}
	for _, name := range []string{"p", "sp", "np", "rua", "ruf"} {
		t, ok := r.Tag(name)
		value := ""
		switch {
		case !ok:
			continue
		case name == "rua" || name == "ruf":
			value = strings.Join(repairURIs(t.Value), ",")
		case isDisposition(t.Value):
			continue
		case name == "p":
			value = cmp.Or(meant(t.Value), "none") // as which it counts
		default:
			if value = meant(t.Value); value == "" {
				text, _ = dmarc.Unset(text, name)
			}
		}
		if better, err := dmarc.Set(text, name, value); err == nil && value != "" {
			text = better
		}
	}
	return text
}

// A stray is a policy at a name where nobody looks.
type stray struct {
	name string
	text string
}

func strays(f *facts.Facts) []stray {
	var all []stray
	for _, text := range f.TXT.TXT {
		if dmarc.IsRecord(text) {
			all = append(all, stray{f.Domain, text})
			break
		}
	}
	for i := range f.DMARC.Strays {
		a := &f.DMARC.Strays[i]
		for _, text := range a.TXT {
			if dmarc.IsRecord(text) && a.Answer.Name == a.Name {
				all = append(all, stray{a.Name, text})
				break
			}
		}
	}
	return all
}

func misplaced(f *facts.Facts) []check.Seen {
	d := &f.DMARC
	if d.Asked.Unknown() {
		return nil
	}
	var all []check.Seen
	for _, stray := range strays(f) {
		s := check.Seen{Subject: stray.name, Cap: lack(f), Advice: "Take it away there, and have the policy at " + d.Asked.Name + "."}
		s.Detail = fmt.Sprintf("The text at %s is %s.", stray.name, listed([]string{stray.text}))
		remove := publish.Change{Name: stray.name, Type: "TXT", Old: stray.text}
		switch {
		case len(d.Texts) > 0:
			s.Severity, s.Cap, s.Fix = check.Warning, check.AMinus, []publish.Change{remove}
			s.Detail += " Another stands at " + d.Asked.Name + ", where it belongs; this one only misleads."
		case d.Asked.Absent() && !d.Alias.Found():
			text := stray.text
			if _, err := dmarc.Parse(text); err != nil {
				text = starter(f)
			}
			if text != "" {
				s.Fix = []publish.Change{{Name: d.Asked.Name, Type: "TXT", New: text}, remove}
			}
		}
		all = append(all, s)
	}
	return all
}

func spfThere(f *facts.Facts) []check.Seen {
	d := &f.DMARC
	if !hasSPF(d.Others) {
		return nil
	}
	var gone []string
	for _, text := range d.Others {
		if isSPF(text) {
			gone = append(gone, text)
		}
	}
	s := atPolicy(f, "The text is %s.", listed(gone))
	s.Cap = lack(f)
	text := ""
	if d.Wildcard {
		s.Detail += " It answers for any name below the domain: there is a wildcard."
	}
	if len(d.Texts)+len(d.Near) == 0 {
		text = starter(f)
		if start(f, &s); d.Wildcard && text != "" {
			s.Aside = join("The wildcard need not go: a record at "+d.Asked.Name+" itself hides it there.", s.Aside)
		}
	} else if s.Cap == "" {
		s.Severity, s.Cap = check.Warning, check.AMinus
		s.Advice = "Take it away; the policy stands beside it."
	}
	s.Fix = instead(f, text, gone)
	return []check.Seen{s}
}

func dangling(f *facts.Facts) []check.Seen {
	d := &f.DMARC
	if !d.Alias.Found() || !d.Target.Absent() && !d.Loop {
		return nil
	}
	s := atPolicy(f, "It is an alias for %s, where there is no text.", d.Target.Name)
	switch {
	case d.Loop:
		s.Detail = fmt.Sprintf("It is an alias for %s, and the aliases lead in a circle.", d.Target.Name)
	case d.Free:
		s.Detail = fmt.Sprintf("It is an alias for %s, in a domain that is not registered: whoever registers it writes the policy.",
			d.Target.Name)
	}
	if s.Cap = lack(f); s.Cap != "" || d.Free {
		s.Severity = check.Error
	}
	start(f, &s)
	if text := starter(f); text != "" {
		s.Fix = []publish.Change{
			{Name: d.Asked.Name, Type: "TXT", New: text},
			{Name: d.Asked.Name, Type: "CNAME", Old: d.Target.Name + "."},
		}
	}
	return []check.Seen{s}
}

func unrelated(f *facts.Facts) []check.Seen {
	d := &f.DMARC
	if d.Wildcard {
		return nil
	}
	gone := slices.DeleteFunc(slices.Clone(d.Others), isSPF)
	if len(gone) == 0 {
		return nil
	}
	s := atPolicy(f, "%s.", listed(gone))
	s.Advice = "Take it away, or move it to the name that it is for."
	s.Fix = instead(f, "", gone)
	return []check.Seen{s}
}

func hasSPF(texts []string) bool { return slices.ContainsFunc(texts, isSPF) }

func isSPF(text string) bool { return len(text) >= 6 && strings.EqualFold(text[:6], "v=spf1") }

// mostListed bounds how many things a finding names, and mostShown how much of each.
const (
	mostListed = 4
	mostShown  = 300
)

// listed writes texts in quotation marks, cut where they are long.
func listed(texts []string) string {
	var all []string
	for i, text := range texts {
		if i == mostListed {
			all = append(all, fmt.Sprintf("and %d more", len(texts)-mostListed))
			break
		}
		if len(text) > mostShown {
			text = text[:mostShown] + "…"
		}
		all = append(all, fmt.Sprintf("%q", text))
	}
	return strings.Join(all, ", ")
}
