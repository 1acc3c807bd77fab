package dmarccheck

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// with gives a finding the text that is to take the record's place. Where the record stands behind a CNAME, with whoever holds it, that
// is advice and no change of the domain's.
func with(f *facts.Facts, s check.Seen, text string, err error) []check.Seen {
	d := &f.DMARC
	switch {
	case err != nil || len(d.Texts) != 1 || text == d.Texts[0]:
	case d.Holder() != d.Asked.Name:
		s.Advice = join(s.Advice, "The record is kept at "+d.Holder()+", where the CNAME leads, and has to be changed there.")
		if len(text) <= mostShown {
			s.Advice = shown(s.Advice+" It should be:", text)
		}
	default:
		s.Fix = []publish.Change{{Name: d.Asked.Name, Type: "TXT", Old: d.Texts[0], New: text}}
	}
	return []check.Seen{s}
}

// atPolicy is a finding at the name of the record of the domain itself.
func atPolicy(f *facts.Facts, format string, args ...any) check.Seen {
	return check.Seen{Subject: f.DMARC.Asked.Name, Detail: fmt.Sprintf(format, args...)}
}

// mostRemoved bounds how many records a fix takes away.
const mostRemoved = 8

// instead puts one text in the place of several at _dmarc. An empty one only takes them away.
func instead(f *facts.Facts, text string, gone []string) []publish.Change {
	if len(gone) > mostRemoved || f.DMARC.Holder() != f.DMARC.Asked.Name && !f.DMARC.Wildcard || text == "" && len(gone) == 0 {
		return nil
	}
	var all []publish.Change
	if text != "" {
		c := publish.Change{Name: f.DMARC.Asked.Name, Type: "TXT", New: text}
		if i := slices.Index(gone, text); i >= 0 {
			c.Old, gone = text, slices.Delete(slices.Clone(gone), i, i+1)
		} else if len(gone) > 0 {
			c.Old, gone = gone[0], gone[1:]
		}
		all = append(all, c)
	}
	for _, old := range gone {
		all = append(all, publish.Change{Name: f.DMARC.Asked.Name, Type: "TXT", Old: old})
	}
	return all
}

// starter is the record to begin with. A domain that sends no mail has nothing to lose. One that does watches first, and must have
// somewhere to watch: whoever takes mail has postmaster (RFC 5321 4.5.1), whereas any other name that we put there might be nobody's. It
// is empty where there is no such address.
func starter(f *facts.Facts) string {
	switch {
	case !f.Sends():
		return "v=DMARC1; p=reject"
	case mailbox(f) != "":
		return "v=DMARC1; p=none; rua=" + mailbox(f)
	}
	return ""
}

const (
	adviceSilent = "The domain sends no mail, so all mail in its name is forged. A subdomain that sends is under this policy too, unless " +
		"it has a record of its own."
	adviceWatch = "This asks receivers for reports and changes nothing else. Postmaster is an address that you have, since the domain " +
		"takes mail; put a mailbox of its own in its place, or that of a service which reads such reports. Read them for some weeks, " +
		"then go on " +
		"to quarantine and reject."
	adviceNowhere = "Publish a policy that only asks for reports, with the address of a mailbox that you read. No mail server of the domain was " +
		"seen, so that it has to be one of another domain, which must say that it wants the reports:\n\n" +
		"\tv=DMARC1; p=none; rua=mailto:ADDRESS"
)

// start says what comes of the record to begin with.
func start(f *facts.Facts, s *check.Seen) {
	switch {
	case !f.Sends():
		s.Advice = adviceSilent
	case mailbox(f) != "":
		s.Aside = adviceWatch
	default:
		s.Advice = adviceNowhere
	}
}

// shown puts a record on a line of its own behind some words. One that is long they have to do without.
func shown(words, text string) string {
	if len(text) > mostShown {
		return words
	}
	return words + "\n\n\t" + text
}

// mailbox is an address at the domain that is certainly somebody's, as rua has it. A mail server without an address takes no mail.
func mailbox(f *facts.Facts) string {
	for i := range f.MX.Hosts {
		if len(f.MX.Hosts[i].Addrs) > 0 {
			return "mailto:postmaster@" + f.Domain
		}
	}
	return ""
}

// watched is a record under p=none, which is of no use unless somebody gets reports.
func watched(f *facts.Facts, text string) (string, error) {
	if !f.Sends() {
		return dmarc.Set(text, "p", "reject")
	}
	text, err := dmarc.Set(text, "p", "none")
	if err != nil {
		return "", err
	}
	r, _ := dmarc.Inspect(text)
	if r == nil || len(r.AggregateURIs) > 0 {
		return text, nil
	}
	if rua, ok := r.Tag("rua"); ok {
		if addresses := repairURIs(rua.Value); len(addresses) > 0 {
			return dmarc.Set(text, "rua", strings.Join(addresses, ","))
		}
	}
	if mailbox(f) == "" {
		return "", errNobody
	}
	return dmarc.Set(text, "rua", mailbox(f))
}

const (
	adviceTakesEffect = "The policy takes effect with this, perhaps for the first time. If nobody has read reports yet, publish none first."
	adviceSoftened    = "reject was written there, and is none here: mail of the domain is not signed with DKIM, and reject must not go by SPF alone " +
		"(RFC 9989 7.4). Raise it once what is yours is signed."
)

// first is a policy that takes effect for the first time, and what is to be known of that. reject is not begun with where nothing is signed.
func first(f *facts.Facts, text string) (record, aside string, err error) {
	r, _ := dmarc.Inspect(text)
	if r == nil || r.Policy != dmarc.DispositionReject || !f.Sends() || f.Options.Seen.DKIM || len(f.DKIM.Selectors) > 0 ||
		!errors.Is(f.DKIM.Below.Err, dns.ErrNXDomain) {
		return text, adviceTakesEffect, nil
	}
	text, err = watched(f, text)
	return text, adviceSoftened, err
}

// raised is a record with the next policy, without the tags that are gone from the standard.
func raised(text, p string) (string, error) {
	text, err := dmarc.Set(text, "p", p)
	for _, tag := range []string{"pct", "rf", "ri"} {
		if err == nil {
			text, err = dmarc.Unset(text, tag)
		}
	}
	return text, err
}

// lack is the grade of a domain to which no policy applies, and empty where one does.
func lack(f *facts.Facts) check.Grade {
	if applies, known := f.DMARC.Applies(); applies || !known {
		return ""
	}
	return check.F
}

// drop takes away parts of a record between its semicolons.
func drop(text string, gone func(i int, part string) bool) string {
	parts := strings.Split(text, ";")
	kept := parts[:1]
	for i, part := range parts[1:] {
		if !gone(i, part) {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ";")
}

// nameOf is the name of the tag in a part of a record; ok is false where it is none.
func nameOf(part string) (name string, ok bool) {
	name, _, ok = strings.Cut(part, "=")
	return strings.ToLower(trim(name)), ok
}

func trim(s string) string { return strings.Trim(s, " \t") }

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + " " + b
}

// isDisposition tells whether a value is one that p, sp and np can have.
func isDisposition(value string) bool {
	switch dmarc.Disposition(strings.ToLower(value)) {
	case dmarc.DispositionNone, dmarc.DispositionQuarantine, dmarc.DispositionReject:
		return true
	}
	return false
}

var strengths = []dmarc.Disposition{dmarc.DispositionNone, dmarc.DispositionQuarantine, dmarc.DispositionReject}

func strength(d dmarc.Disposition) int { return slices.Index(strengths, d) }

// meant is the disposition that a value was to be, as far as that can be told: it is one but for what stands around it, or but for two
// letters.
func meant(value string) string {
	value = strings.ToLower(value)
	if len(value) > 30 {
		return ""
	}
	word := strings.TrimFunc(value, func(r rune) bool { return r < 'a' || r > 'z' })
	for _, d := range strengths {
		if word == string(d) || len(word) > 3 && distance(word, string(d)) <= 2 {
			return string(d)
		}
	}
	return ""
}

// distance is how many letters must be put in, taken away or changed to make one word of another.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
