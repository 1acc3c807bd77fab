package dmarccheck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

// known are the tags of RFC 9989, and those that it took away from RFC 7489.
var known = []string{"v", "p", "sp", "np", "adkim", "aspf", "fo", "psd", "rua", "ruf", "t", "pct", "rf", "ri"}

func isKnown(tag string) bool { return slices.Contains(known, tag) }

// tags are the checks of how the record is written.
var tags = []check.Check{
	{
		ID: "dmarc-pct", Severity: check.Warning, Reference: "RFC 9989 A.6",
		Title: "pct is gone from the standard",
		Why:   "Newer receivers apply the policy to all mail, older ones to a share of it.",
		Explain: "pct=25 asked receivers to apply the policy to a quarter of what fails. It never worked alike anywhere, and RFC " +
			"9989 took it away: who follows it applies the policy to everything. Older readers still honour it, so that the same " +
			"record means two things.\n\n" +
			"What was pct=0 is t=y now. pct=100 says what is so without it." +
			digPolicy,
		Look: pct,
	},
	{
		ID: "dmarc-rf", Severity: check.Warning, Reference: "RFC 9989 C.5.2", Cap: check.AMinus,
		Title: "rf is gone from the standard",
		Why:   "It has no effect: there is one format of failure reports.",
		Explain: "rf named the format of failure reports, of which there was only ever one, afrf. RFC 9989 took it away. Some " +
			"older readers drop a record with a value of rf that they do not know." +
			digPolicy,
		Look: func(f *facts.Facts) []check.Seen { return obsolete(f, "rf", "afrf") },
	},
	{
		ID: "dmarc-ri", Severity: check.Warning, Reference: "RFC 9989 C.5.2", Cap: check.AMinus,
		Title: "ri is gone from the standard",
		Why:   "It has no effect: reports come once a day.",
		Explain: "ri asked for reports at an interval, in seconds. Hardly anybody ever sent them more often than daily, and RFC " +
			"9989 took it away." +
			digPolicy,
		Look: func(f *facts.Facts) []check.Seen { return obsolete(f, "ri", "86400") },
	},
	{
		ID: "dmarc-unknown-tag", Severity: check.Warning, Reference: "RFC 9989 4.7", Cap: check.AMinus,
		Title: "The record has something that is no DMARC tag",
		Why:   "Receivers ignore it, so that what it was to say is not said.",
		Explain: "Tags that the standard does not know are ignored, and so is text between semicolons that has no equals sign. Mostly a " +
			"tag is misspelled, or a letter comes from another " +
			"alphabet and only looks right, or a second address was set off by a semicolon where a comma belongs.\n\n" +
			"Tags: " + strings.Join(known[:11], ", ") + ".\n\n\tdig +short TXT _dmarc.example.com",
		Look: unknownTags,
	},
	{
		ID: "dmarc-duplicate-tag", Severity: check.Warning, Reference: "RFC 9989 4.7, RFC 6376 3.2",
		Title: "A tag stands twice",
		Why:   "Some receivers take the first, some the last, and some drop the record.",
		Explain: "The syntax of DMARC records is that of DKIM's tag lists, where a tag that stands twice makes the whole list " +
			"invalid. Not every receiver is so strict, and those that are not differ in which one counts. The record proposed " +
			"keeps the first of each." +
			digPolicy,
		Look: duplicates,
	},
	{
		ID: "dmarc-adkim-invalid", Severity: check.Warning, Reference: "RFC 9989 4.7", Cap: check.AMinus,
		Title: "adkim is neither r nor s",
		Why:   "It counts as r, relaxed, whatever was meant.",
		Explain: "adkim says how close the domain of a DKIM signature must be to that of From: s for the same, r for one of the " +
			"same organization. Any other value counts as r." +
			digPolicy,
		Look: func(f *facts.Facts) []check.Seen { return oneOf(f, "adkim", "r", "s") },
	},
	{
		ID: "dmarc-aspf-invalid", Severity: check.Warning, Reference: "RFC 9989 4.7", Cap: check.AMinus,
		Title: "aspf is neither r nor s",
		Why:   "It counts as r, relaxed, whatever was meant.",
		Explain: "aspf says how close the domain of MAIL FROM must be to that of From: s for the same, r for one of the same " +
			"organization. Any other value counts as r." +
			digPolicy,
		Look: func(f *facts.Facts) []check.Seen { return oneOf(f, "aspf", "r", "s") },
	},
	{
		ID: "dmarc-psd-invalid", Severity: check.Warning, Reference: "RFC 9989 4.7", Cap: check.AMinus,
		Title: "psd is none of u, y and n",
		Why:   "It counts as u: receivers find out by other records what the Organizational Domain is.",
		Explain: "psd=n makes the domain an Organizational Domain, psd=y is for public suffixes alone, and u is what holds " +
			"without it. Any other value counts as u." +
			digPolicy,
		Look: func(f *facts.Facts) []check.Seen { return oneOf(f, "psd", "u", "y", "n") },
	},
	{
		ID: "dmarc-t-invalid", Severity: check.Warning, Reference: "RFC 9989 4.7", Cap: check.AMinus,
		Title: "t is neither y nor n",
		Why:   "It counts as n: the policy is applied in full.",
		Explain: "t=y asks receivers to apply the policy one step lower. Any value but y counts as n, which is what holds without " +
			"it." +
			digPolicy,
		Look: func(f *facts.Facts) []check.Seen { return oneOf(f, "t", "n", "y") },
	},
	{
		ID: "dmarc-fo-invalid", Severity: check.Warning, Reference: "RFC 9989 4.7", Cap: check.AMinus,
		Title: "fo has something other than 0, 1, d and s",
		Why:   "It counts as 0: failure reports only where neither SPF nor DKIM passes.",
		Explain: "fo says when a failure report is wanted: 0 where neither SPF nor DKIM gives an aligned pass, 1 where one of " +
			"them does not, d where a signature fails, s where SPF fails. Several are separated by colons: fo=1:d:s." +
			digPolicy,
		Look: foInvalid,
	},
	{
		ID: "dmarc-fo-0-with-1", Severity: check.Warning, Reference: "RFC 9989 4.7", Cap: check.AMinus,
		Title: "fo has 0 and 1, which exclude each other",
		Why:   "Receivers fall back to 0, or each does as it likes.",
		Explain: "0 asks for a failure report where neither SPF nor DKIM gives an aligned pass, 1 where one of them does not. " +
			"Whoever wants 1 gets all that 0 would give. The record proposed keeps 1." +
			digPolicy,
		Look: foBoth,
	},
	{
		ID: "dmarc-fo-without-ruf", Severity: check.Warning, Reference: "RFC 9989 4.7", Cap: check.AMinus,
		Title: "fo without ruf has no effect",
		Why:   "There is nobody to send the failure reports to that it is about.",
		Explain: "fo says when failure reports are wanted, and ruf to whom they go. Without ruf receivers must ignore fo. Few " +
			"receivers send failure reports at all, and they hold personal data: to take fo away is usually better than to add ruf." +
			digPolicy,
		Look: func(f *facts.Facts) []check.Seen {
			r := f.DMARC.Record
			if r == nil {
				return nil
			}
			fo, ok := r.Tag("fo")
			if _, ruf := r.Tag("ruf"); !ok || ruf {
				return nil
			}
			text, err := dmarc.Unset(r.Text, "fo")
			return with(f, atPolicy(f, "fo is %s, and there is no ruf.", listed([]string{fo.Value})), text, err)
		},
	},
	{
		ID: "dmarc-answer-large", Severity: check.Warning, Reference: "RFC 7208 3.4, RFC 9715", Cap: check.AMinus,
		Title: "The answer for _dmarc is large",
		Why:   "Answers that do not fit into one packet are asked for again by TCP, and lost where that is blocked.",
		Explain: "All texts at _dmarc come in one answer. Beyond some 450 bytes it may not fit into the 512 that old resolvers " +
			"and middleboxes allow. Take away texts that do not belong there, addresses that nobody reads and tags that say what " +
			"is so without them.\n\n" +
			"\tdig TXT _dmarc.example.com | grep SIZE",
		Look: large,
	},
	{
		ID: "dmarc-p-not-second", Severity: check.Info, Reference: "RFC 7489 6.3",
		Title: "p is not the second tag",
		Why:   "RFC 7489 wanted it there, and some old readers drop the record otherwise.",
		Explain: "Since RFC 9989 the order of tags is free, but for v, which comes first. RFC 7489 wanted p to follow it at once. " +
			"To keep to that costs nothing." +
			digPolicy,
		Look: func(f *facts.Facts) []check.Seen {
			r := f.DMARC.Record
			if !usable(f) || r.Tags[0].Name == "p" {
				return nil
			}
			p, _ := r.Tag("p")
			text, err := dmarc.Unset(r.Text, "p")
			if err == nil {
				text, err = dmarc.Set(text, "p", p.Value)
			}
			return with(f, atPolicy(f, "%s stands between v and p.", listed([]string{r.Tags[0].Name})), text, err)
		},
	},
}

func pct(f *facts.Facts) []check.Seen {
	r := f.DMARC.Record
	if r == nil {
		return nil
	}
	t, ok := r.Tag("pct")
	if !ok {
		return nil
	}
	s := atPolicy(f, "pct is %s.", listed([]string{t.Value}))
	text, err := dmarc.Unset(r.Text, "pct")
	switch n := strings.TrimLeft(t.Value, "0"); {
	case n == "100":
		s.Detail += " That is what is so without it."
		s.Severity, s.Cap = check.Info, check.A
	case n == "" && t.Value != "":
		s.Detail += " Older readers apply the policy to no mail, newer ones to all."
		s.Advice = "t=y says in newer words what pct=0 was used for. Take it away when the test is over."
		if err == nil && r.Policy != dmarc.DispositionNone && !r.Testing {
			text, err = dmarc.Set(text, "t", "y")
		}
	default:
		s.Detail += " Newer receivers apply the policy to all mail that fails, whatever it says."
		s.Aside = "With this, older receivers apply the policy to all mail too. " +
			"If the reports do not allow for that yet, go back to the milder policy."
	}
	if r.Policy == dmarc.DispositionNone && s.Cap == "" {
		s.Cap = check.AMinus
	}
	return with(f, s, text, err)
}

func obsolete(f *facts.Facts, tag, standard string) []check.Seen {
	r := f.DMARC.Record
	if r == nil {
		return nil
	}
	t, ok := r.Tag(tag)
	if !ok {
		return nil
	}
	s := atPolicy(f, "%s is %s.", tag, listed([]string{t.Value}))
	if t.Value == standard {
		s.Severity, s.Cap = check.Info, check.A
	}
	text, err := dmarc.Unset(r.Text, tag)
	return with(f, s, text, err)
}

func unknownTags(f *facts.Facts) []check.Seen {
	if f.DMARC.Record == nil {
		return nil
	}
	var odd []string
	text := drop(f.DMARC.Record.Text, func(_ int, part string) bool {
		name, ok := nameOf(part)
		if trim(part) == "" || ok && isKnown(name) {
			return false
		}
		odd = append(odd, trim(part))
		return true
	})
	if len(odd) == 0 {
		return nil
	}
	s := atPolicy(f, "%s.", listed(odd))
	s.Advice = "If it was meant for something that the standard has, write that instead of taking it away."
	return with(f, s, text, nil)
}

func duplicates(f *facts.Facts) []check.Seen {
	if f.DMARC.Record == nil {
		return nil
	}
	seen := map[string]bool{"v": true}
	var twice []string
	text := drop(f.DMARC.Record.Text, func(_ int, part string) bool {
		name, ok := nameOf(part)
		if !ok || !isKnown(name) {
			return false
		}
		if seen[name] {
			twice = append(twice, trim(part))
			return true
		}
		seen[name] = true
		return false
	})
	if len(twice) == 0 {
		return nil
	}
	s := atPolicy(f, "%s: each has a tag before it of the same name.", listed(twice))
	s.Aside = "This keeps the first of each. If another was meant, keep that."
	return with(f, s, text, nil)
}

// oneOf looks at a tag that has few values, of which the first is what counts otherwise.
func oneOf(f *facts.Facts, tag string, values ...string) []check.Seen {
	r := f.DMARC.Record
	if r == nil {
		return nil
	}
	t, ok := r.Tag(tag)
	if !ok || slices.Contains(values, strings.ToLower(t.Value)) {
		return nil
	}
	s := atPolicy(f, "%s is %s.", tag, listed([]string{t.Value}))
	s.Advice = fmt.Sprintf("The values are %s.", strings.Join(values, ", "))
	s.Aside = fmt.Sprintf("This keeps what is so now, %s.", values[0])
	text, err := dmarc.Unset(r.Text, tag)
	return with(f, s, text, err)
}

// options are those of fo, and whether all are good.
func options(value string) (all []string, good bool) {
	good = true
	for option := range strings.SplitSeq(strings.ToLower(value), ":") {
		option = trim(option)
		if len(option) != 1 || !strings.Contains("01ds", option) {
			good = false
		}
		if len(all) < mostListed+1 && !slices.Contains(all, option) {
			all = append(all, option)
		}
	}
	return all, good
}

func foInvalid(f *facts.Facts) []check.Seen {
	r := f.DMARC.Record
	if r == nil {
		return nil
	}
	fo, ok := r.Tag("fo")
	if !ok {
		return nil
	}
	if _, good := options(fo.Value); good {
		return nil
	}
	text, err := dmarc.Unset(r.Text, "fo")
	repaired := strings.Join(strings.FieldsFunc(fo.Value, func(c rune) bool { return strings.ContainsRune(",;/ \t:", c) }), ":")
	if _, good := options(repaired); good {
		text, err = dmarc.Set(r.Text, "fo", repaired)
	}
	return with(f, atPolicy(f, "fo is %s.", listed([]string{fo.Value})), text, err)
}

func foBoth(f *facts.Facts) []check.Seen {
	r := f.DMARC.Record
	if r == nil {
		return nil
	}
	fo, ok := r.Tag("fo")
	if !ok {
		return nil
	}
	all, good := options(fo.Value)
	if !good || !slices.Contains(all, "0") || !slices.Contains(all, "1") {
		return nil
	}
	all = slices.DeleteFunc(all, func(o string) bool { return o == "0" })
	text, err := dmarc.Set(r.Text, "fo", strings.Join(all, ":"))
	return with(f, atPolicy(f, "fo is %s.", listed([]string{fo.Value})), text, err)
}

// mostBytes is how large the answer may be before it is worth a word.
const mostBytes = 450

func large(f *facts.Facts) []check.Seen {
	a := &f.DMARC.Asked
	n := 0
	for _, text := range a.TXT {
		n += 12 + len(text) + len(text)/255 + 1
	}
	if n += 12 + len(a.Name) + 6; n <= mostBytes {
		return nil
	}
	s := atPolicy(f, "The answer has some %d bytes in %d texts.", n, len(a.TXT))
	s.Advice = "Take away what is not needed."
	return []check.Seen{s}
}
