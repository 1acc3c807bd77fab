package dmarccheck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// reports are the checks of where reports go.
var reports = []check.Check{
	{
		ID: "dmarc-rua-missing", Severity: check.Warning, Reference: "RFC 9989 4.7", Cap: check.AMinus,
		Title: "No reports are asked for",
		Why:   "Nobody sees whose mail fails, neither who forges nor which of your own servers is not set up.",
		Explain: "Receivers send a report a day to the addresses of rua: how much mail came in the domain's name, from where, and " +
			"what passed. Without it, mail of yours that begins to fail is noticed when somebody complains." +
			digPolicy,
		Look: ruaMissing,
	},
	{
		ID: "dmarc-rua-invalid", Severity: check.Error, Reference: "RFC 9989 4.6", Cap: check.B,
		Title: "An address in rua is none",
		Why:   "No report goes there, and nobody is told.",
		Explain: "rua holds URIs, set off by commas: mailto:name@example.com. Usual slips are to leave out mailto:, to write " +
			"mailto://, to separate addresses by spaces or semicolons, and a comma too many. Exclamation marks and commas within " +
			"an address are written %21 and %2C." +
			digPolicy,
		Look: func(f *facts.Facts) []check.Seen { return badURIs(f, "rua") },
	},
	{
		ID: "dmarc-ruf-invalid", Severity: check.Error, Reference: "RFC 9989 4.6", Cap: check.AMinus,
		Title: "An address in ruf is none",
		Why:   "No failure report goes there, and nobody is told.",
		Explain: "ruf holds URIs, set off by commas: mailto:name@example.com. Usual slips are to leave out mailto:, to write " +
			"mailto://, to separate addresses by spaces or semicolons, and a comma too many." +
			digPolicy,
		Look: func(f *facts.Facts) []check.Seen { return badURIs(f, "ruf") },
	},
	{
		ID: "dmarc-rua-domain-no-mx", Severity: check.Error, Reference: "RFC 9990 4", Cap: check.B,
		Title: "Reports go to a domain that takes no mail",
		Why:   "They are lost, and if the domain is not registered whoever registers it reads them.",
		Explain: "The domain of a report address has no mail server: it does not exist, has a null MX, or has neither an MX nor " +
			"an address. Mostly a service was left, or a name is misspelled. Reports tell who sends in your name and how much; " +
			"they should not end with a stranger.\n\n" +
			"\tdig +short MX reports.example.net",
		Look: deaf,
	},
	{
		ID: "dmarc-external-unauthorised", Severity: check.Error, Reference: "RFC 9990 4", Cap: check.B,
		Title: "The other side has not agreed to take reports",
		Why:   "Receivers do not send reports to another organization that does not say that it wants them.",
		Explain: "Where a report address belongs to another Organizational Domain, receivers look for a text there by which it " +
			"agrees: for reports about example.com to an address at reports.example.net, at\n\n" +
			"\texample.com._report._dmarc.reports.example.net\n\n" +
			"It begins with v=DMARC1. Without it no report is sent, so that nobody can bury a stranger in reports. The record is " +
			"theirs to publish: send it to them. Services that read reports do so once a domain is set up with them, often by a " +
			"wildcard (*._report._dmarc.reports.example.net).\n\n" +
			"\tdig +short TXT example.com._report._dmarc.reports.example.net",
		Look: unauthorised,
	},
	{
		ID: "dmarc-override-other-host", Severity: check.Error, Reference: "RFC 9990 4", Cap: check.B,
		Title: "The other side sends reports on to another host",
		Why:   "Receivers then send them to neither address.",
		Explain: "The text by which another organization agrees to take reports may name an address in place of yours, with rua. " +
			"It must be at the same host; otherwise no report goes to either, since it could be used to make a third party the " +
			"target. It is theirs to mend.\n\n" +
			"\tdig +short TXT example.com._report._dmarc.reports.example.net",
		Look: astray,
	},
	{
		ID: "dmarc-many-report-addresses", Severity: check.Warning, Reference: "RFC 7489 6.2, RFC 9989 C.7", Cap: check.AMinus,
		Title: "More than two report addresses",
		Why:   "A receiver need not send to more than two, and many do not.",
		Explain: "Receivers may bound how many addresses they send to, and the older standard asked them for two. Which of them " +
			"gets nothing is not yours to say. Have reports go to one address, and passed on from there." +
			digPolicy,
		Look: tooMany,
	},
	{
		ID: "dmarc-not-mailto", Severity: check.Warning, Reference: "RFC 9989 4.7", Cap: check.AMinus,
		Title: "A report address is not a mailto: one",
		Why:   "Receivers need only know mailto:, and hardly any knows another.",
		Explain: "Any URI may stand in rua and ruf, but receivers ignore those whose scheme they do not know. Nearly all send by " +
			"mail alone." +
			digPolicy,
		Look: notMail,
	},
	{
		ID: "dmarc-size-limit", Severity: check.Warning, Reference: "RFC 9989 C.4", Cap: check.AMinus,
		Title: "A report address has a size limit",
		Why:   "Newer receivers ignore it, and some older ones send nothing because of it.",
		Explain: "mailto:name@example.com!10m asked for reports of ten megabytes at most. RFC 9989 took that away. Older readers " +
			"that take it for part of the address send the report nowhere." +
			digPolicy,
		Look: sizes,
	},
	{
		ID: "dmarc-ruf-privacy", Severity: check.Info, Reference: "RFC 9991 7",
		Title: "Failure reports are asked for",
		Why:   "They hold parts of single messages: addresses, subjects, sometimes text.",
		Explain: "ruf asks for a report of each message that fails. Such reports can hold personal data of people who wrote or " +
			"were written to, and few receivers send them. Who gets them should be allowed to read them, which often needs a " +
			"contract where it is another organization. If nobody reads them, take ruf away." +
			digPolicy,
		Look: func(f *facts.Facts) []check.Seen {
			r := f.DMARC.Record
			if r == nil {
				return nil
			}
			ruf, ok := r.Tag("ruf")
			if !ok {
				return nil
			}
			return []check.Seen{atPolicy(f, "ruf is %s.", listed([]string{ruf.Value}))}
		},
	},
}

func ruaMissing(f *facts.Facts) []check.Seen {
	r := f.DMARC.Record
	if !usable(f) || !f.Sends() || asksNothing(r) {
		return nil
	}
	if _, ok := r.Tag("rua"); ok {
		return nil
	}
	s := atPolicy(f, "There is no rua.")
	if mailbox(f) == "" {
		s.Advice = "Add rua=mailto:ADDRESS, where ADDRESS is a mailbox that somebody or some program reads."
		return []check.Seen{s}
	}
	s.Aside = "Put a mailbox of its own in the place of postmaster, or that of a service which reads such reports."
	text, err := dmarc.Set(r.Text, "rua", mailbox(f))
	return with(f, s, text, err)
}

// of are the addresses of one tag.
func of(f *facts.Facts, tag string) []facts.ReportAddress {
	var all []facts.ReportAddress
	for _, a := range f.DMARC.Reports {
		if a.Tag == tag {
			all = append(all, a)
		}
	}
	return all
}

// rewritten is the record with other addresses in a tag. With none of them left the tag goes; but under p=none, which is of no use without
// one, a mailbox of the domain takes their place.
func rewritten(f *facts.Facts, text, tag string, addresses []string) (string, error) {
	if len(addresses) > 0 {
		return dmarc.Set(text, tag, strings.Join(addresses, ","))
	}
	if tag == "rua" && f.DMARC.Record.Policy == dmarc.DispositionNone {
		if mailbox(f) == "" {
			return "", errNobody
		}
		return dmarc.Set(text, tag, mailbox(f))
	}
	return dmarc.Unset(text, tag)
}

func badURIs(f *facts.Facts, tag string) []check.Seen {
	all := of(f, tag)
	var bad, addresses []string
	lost := false
	for _, a := range all {
		if a.Err == nil {
			addresses = append(addresses, a.Text)
			continue
		}
		if a.Text == "" {
			bad = append(bad, "nothing stands between two commas, or behind the last")
			continue
		}
		lost = true
		bad = append(bad, a.Err.Error())
		addresses = append(addresses, repairURI(a.Text)...)
	}
	if len(bad) == 0 {
		return nil
	}
	if len(bad) > mostListed {
		bad = append(bad[:mostListed], "and more")
	}
	s := atPolicy(f, "%s is %s: %s.", tag, tagText(f, tag), strings.Join(bad, "; "))
	if !lost && len(addresses) > 0 {
		s.Severity, s.Cap = check.Warning, check.AMinus
	}
	s.Aside = "What could be made an address is one here. Look whether it is the right one."
	text, err := rewritten(f, f.DMARC.Record.Text, tag, addresses)
	return with(f, s, text, err)
}

func tagText(f *facts.Facts, tag string) string {
	t, _ := f.DMARC.Record.Tag(tag)
	return listed([]string{t.Value})
}

// repairURIs makes addresses of a whole list.
func repairURIs(value string) []string {
	var all []string
	for text := range strings.SplitSeq(value[:min(len(value), mostRepaired)], ",") {
		all = append(all, repairURI(text)...)
	}
	return all[:min(len(all), mostListed)]
}

// mostRepaired bounds how far a list of addresses is read that is wrong.
const mostRepaired = 2000

// repairURI makes addresses of what was meant to be one or, set off by the wrong mark, several. What it cannot make one of is left out.
func repairURI(text string) []string {
	var all []string
	for _, word := range strings.Fields(text) {
		word, _, _ = strings.Cut(word, "!")
		lower := strings.ToLower(word)
		for _, scheme := range []string{"mailto://", "mailto:", "mailto=", "mailto", "mail:"} {
			if strings.HasPrefix(lower, scheme) {
				word = word[len(scheme):]
				break
			}
		}
		word = strings.Trim(word, "<>()[]\"':;/.")
		local, domain, ok := strings.Cut(word, "@")
		if !ok || local == "" || !isHost(domain) || !isPlain(local) {
			continue
		}
		all = append(all, "mailto:"+word)
	}
	return all
}

func isHost(s string) bool {
	if !strings.Contains(s, ".") || strings.Contains(s, "..") || len(s) > 253 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c|0x20 < 'a' && c != '.' && c != '-' && (c < '0' || c > '9') || c|0x20 > 'z' {
			return false
		}
	}
	return true
}

func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte("!,;@:\"\\()<>[]", s[i]) >= 0 {
			return false
		}
	}
	return true
}

func deaf(f *facts.Facts) []check.Seen {
	var all []check.Seen
	var hosts []string
	for _, a := range f.DMARC.Reports {
		if a.Deaf == "" || slices.Contains(hosts, a.Host) {
			continue
		}
		hosts = append(hosts, a.Host)
		s := check.Seen{Subject: a.Host, Detail: fmt.Sprintf("%s names an address at %s, and %s.", a.Tag, a.Host, a.Deaf)}
		text, err := f.DMARC.Record.Text, error(nil)
		for _, tag := range []string{"rua", "ruf"} {
			var kept []string
			gone := false
			for _, b := range of(f, tag) {
				if b.Host == a.Host {
					gone = true
				} else {
					kept = append(kept, b.Text)
				}
			}
			if gone && err == nil {
				text, err = rewritten(f, text, tag, kept)
			}
		}
		s.Advice = "Put in an address that takes mail. Without one that is better, leave this one out."
		all = append(all, with(f, s, text, err)...)
	}
	return all
}

func unauthorised(f *facts.Facts) []check.Seen {
	var all []check.Seen
	var hosts []string
	for i := range f.DMARC.Reports {
		a := &f.DMARC.Reports[i]
		if !a.External || a.Agreed || a.Consent.Unknown() || a.Deaf != "" || slices.Contains(hosts, a.Host) {
			continue
		}
		hosts = append(hosts, a.Host)
		all = append(all, check.Seen{
			Subject: a.Consent.Name,
			Detail:  fmt.Sprintf("%s names an address at %s, and no text at %s begins with v=DMARC1.", a.Tag, a.Host, a.Consent.Name),
			Advice: fmt.Sprintf("The record is to be published by whoever runs %s: send it to them, or set up %s with that service. "+
				"Or have reports go to an address of your own.", a.Host, f.Domain),
			Fix: []publish.Change{{Name: a.Consent.Name, Type: "TXT", New: "v=DMARC1;"}},
		})
	}
	return all
}

func astray(f *facts.Facts) []check.Seen {
	var all []check.Seen
	var hosts []string
	for i := range f.DMARC.Reports {
		a := &f.DMARC.Reports[i]
		if len(a.Astray) == 0 || slices.Contains(hosts, a.Host) {
			continue
		}
		hosts = append(hosts, a.Host)
		all = append(all, check.Seen{
			Subject: a.Consent.Name,
			Detail:  fmt.Sprintf("The text there has reports of %s go to %s, which is not at %s.", a.Tag, listed(a.Astray), a.Host),
			Advice:  fmt.Sprintf("Whoever runs %s must name an address at %s, or none.", a.Host, a.Host),
		})
	}
	return all
}

func tooMany(f *facts.Facts) []check.Seen {
	var all []string
	for _, tag := range []string{"rua", "ruf"} {
		n := 0
		for _, a := range of(f, tag) {
			if a.Err == nil {
				n++
			}
		}
		if n > 2 {
			all = append(all, fmt.Sprintf("%s has %d addresses", tag, n))
		}
	}
	if len(all) == 0 {
		return nil
	}
	s := atPolicy(f, "%s.", strings.Join(all, ", "))
	s.Advice = "Keep the two that matter most, or one that passes reports on."
	return []check.Seen{s}
}

func notMail(f *facts.Facts) []check.Seen {
	return withoutOdd(f, func(a *facts.ReportAddress) (odd bool, instead string) {
		return a.Err == nil && a.URI.Scheme != "mailto", ""
	})
}

func sizes(f *facts.Facts) []check.Seen {
	return withoutOdd(f, func(a *facts.ReportAddress) (odd bool, instead string) {
		return a.Err == nil && a.URI.Size != "", a.URI.Text
	})
}

// withoutOdd tells of report addresses that are not as they should be, and writes others in their place, or none.
func withoutOdd(f *facts.Facts, judge func(*facts.ReportAddress) (odd bool, instead string)) []check.Seen {
	if f.DMARC.Record == nil {
		return nil
	}
	var odd []string
	text, err := f.DMARC.Record.Text, error(nil)
	for _, tag := range []string{"rua", "ruf"} {
		var kept []string
		before := len(odd)
		for _, a := range of(f, tag) {
			wrong, instead := judge(&a)
			if !wrong {
				kept = append(kept, a.Text)
				continue
			}
			if odd = append(odd, a.Text); instead != "" {
				kept = append(kept, instead)
			}
		}
		if len(odd) > before && err == nil {
			text, err = rewritten(f, text, tag, kept)
		}
	}
	if len(odd) == 0 {
		return nil
	}
	return with(f, atPolicy(f, "%s.", listed(odd)), text, err)
}
