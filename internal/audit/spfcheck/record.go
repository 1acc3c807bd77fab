package spfcheck

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/spf"
)

// record are the checks of whether there is one record, and one only, and of the texts beside it.
var record = []check.Check{
	{
		ID: "spf-missing", Severity: check.Error, Reference: "RFC 7208 3",
		Title: "There is no SPF record",
		Why:   "Receivers cannot tell the domain's own servers from a stranger's.",
		Explain: "An SPF record names the servers that send mail for the domain. Without one, anybody can put the domain into MAIL FROM, and " +
			"receivers have nothing to hold that against.\n\n" +
			"List what sends for the domain, and let the record end in -all. It is a TXT record of the domain itself:\n\n" +
			"\tdig +short TXT example.com\n\n" +
			"A domain that sends no mail says so, with a record that lets nobody in:\n\n" +
			"\texample.com. IN TXT \"v=spf1 -all\"",
		Look: missing,
	},
	{
		ID: "spf-multiple", Severity: check.Error, Reference: "RFC 7208 3.2, 4.5", Unveils: true,
		Title: "There is more than one SPF record",
		Why:   "Receivers use none of several records: the result is permerror for all mail of the domain.",
		Explain: "A domain has one SPF record. Where there are several, receivers do not choose: the result is permerror, and nobody passes.\n\n" +
			"It comes about when a service asks for a record of its own and it is added instead of being merged. What the records say belongs " +
			"into one: the terms of all, and one all at the end.\n\n" +
			"\tdig +short TXT example.com | grep -i spf1",
		Look: multiple,
	},
	{
		ID: "spf-leading-space", Severity: check.Error, Reference: "RFC 7208 4.5",
		Title: "Something stands before v=spf1",
		Why:   "A text is an SPF record only if v=spf1 is the first that it says; this one is not seen by any receiver.",
		Explain: "The first six characters of an SPF record are v=spf1. A space, a quotation mark or an invisible character before them makes it " +
			"another text, and the domain one without SPF.\n\n" +
			"It mostly comes from copying a record out of a letter or a document, quotation marks and all, into a form that adds its own. Look at " +
			"the very bytes:\n\n" +
			"\tdig +short TXT example.com | head -3 | od -c",
		Look: leadingSpace,
	},
	{
		ID: "spf-near-miss", Severity: check.Error, Reference: "RFC 7208 4.5",
		Title: "A text is meant as an SPF record and is none",
		Why:   "A text is an SPF record only if it begins with v=spf1 and a space; this one is not seen by any receiver.",
		Explain: "The version is v=spf1, in any case of letters, with a space behind it. There is no other version: v=spf2 never was one, and " +
			"v=spf10, v=spf1; or v=spf1mx are other words.",
		Look: nearMiss,
	},
	{
		ID: "spf-string-over-255", Severity: check.Warning, Reference: "RFC 7208 3.3",
		Title: "A long record was cut at 255 bytes",
		Why:   "What was cut, or grew together, is read otherwise than it was written, or not at all.",
		Explain: "A string in DNS has 255 bytes at most. A longer record is several strings, and receivers put them together with nothing between " +
			"them: a space that is to part two terms has to stand in one of the strings.\n\n" +
			"\texample.com. IN TXT ( \"v=spf1 include:a.example.net \" \"include:b.example.net -all\" )\n\n" +
			"Some forms cut a text at 255 bytes and say nothing of it. Keep the record short where yours does, or ask whoever runs the name server.",
		Look: overlong,
	},
	{
		ID: "spf-answer-large", Severity: check.Warning, Reference: "RFC 7208 3.4", Cap: check.AMinus,
		Title: "The answer to the question for SPF is large",
		Why:   "An answer of more than 512 bytes does not come through every resolver and firewall by UDP, and then SPF fails for a while.",
		Explain: "The SPF record comes with all other texts of the domain: the tokens by which services see that it is yours, and the like. RFC 7208 " +
			"advises to keep the whole below 512 bytes, with room to spare: 450.\n\n" +
			"Take away tokens that have served. Most are looked at once only. Put the terms of the SPF record into a record below the domain and " +
			"include it, where that does not cost a look-up too many.\n\n" +
			"\tdig TXT example.com | grep 'MSG SIZE'",
		Look: large,
	},
	{
		ID: "spf-type-99", Severity: check.Warning, Reference: "RFC 7208 3.1", Cap: check.AMinus,
		Title: "There is a record of the type SPF",
		Why:   "No receiver asks for the type SPF (99) any more, and what it says parts from the TXT record sooner or later.",
		Explain: "SPF had a record type of its own once, with the number 99. RFC 7208 gave it up: only TXT counts. Take the record away.\n\n" +
			"\tdig +short TYPE99 example.com",
		Look: oldType,
	},
	{
		ID: "spf-sender-id", Severity: check.Warning, Reference: "RFC 6686 6", Cap: check.AMinus,
		Title: "There is a Sender ID record",
		Why:   "Nobody evaluates spf2.0 records: they make the answer larger and say nothing.",
		Explain: "Sender ID (RFC 4406) was an experiment that ended long ago; its records begin with spf2.0. Take it away. DMARC does what it was for: " +
			"it holds the From that people see to the domain.",
		Look: senderID,
	},
}

func missing(f *facts.Facts) []check.Seen {
	if f.TXT.Unknown() || len(f.SPF.Texts) > 0 {
		return nil
	}
	for _, txt := range f.TXT.TXT {
		if _, ok := shorn(txt); ok || isNear(txt) { // what is wrong is told of that text
			return nil
		}
	}
	text, advice := "v=spf1 -all", "If the domain does send mail, put what sends for it before -all."
	if f.Receives() || f.Options.Seen.Sends {
		text, advice = "v=spf1 mx -all", "Add what else sends for the domain, before -all."
		if include := hosted(f); include != "" { // what takes mail there is not what sends it
			text = "v=spf1 include:" + include + " -all"
		}
	}
	for _, ip := range f.Options.Servers {
		if with, err := spf.Add(text, address(ip)); err == nil {
			text = with
		}
	}
	return []check.Seen{{
		Subject: f.Domain, Detail: "No text of the domain begins with v=spf1.", Aside: advice,
		Fix: []publish.Change{{Name: f.Domain, Type: "TXT", New: text}},
	}}
}

// hosted is what the service that the first mail server belongs to has its customers include; empty where none is known.
func hosted(f *facts.Facts) string {
	if len(f.MX.Hosts) == 0 || f.Owns(f.MX.Hosts[0].Name) {
		return ""
	}
	service := f.Options.Table.Named(f.MX.Hosts[0].Name).Service
	if service == nil || strings.ContainsAny(service.Include, "{ %") {
		return ""
	}
	return service.Include
}

func multiple(f *facts.Facts) []check.Seen {
	texts := f.SPF.Texts
	if len(texts) < 2 {
		return nil
	}
	var fix []publish.Change
	if merged := merge(texts); merged != "" {
		fix = []publish.Change{{Name: f.Domain, Type: "TXT", Old: texts[0], New: merged}}
	}
	var quoted []string
	for i, text := range texts {
		quoted = append(quoted, `"`+clip(text)+`"`)
		if i > 0 && len(fix) > 0 {
			fix = append(fix, publish.Change{Name: f.Domain, Type: "TXT", Old: text})
		}
	}
	return []check.Seen{{
		Subject: f.Domain, Detail: fmt.Sprintf("There are %d: %s.", len(texts), list(quoted)),
		Advice: "Publish one record with the terms of all, and take the others away. Leave out of it what no longer sends for you.",
		Fix:    fix,
	}}
}

// maxMerged bounds how many records are made one.
const maxMerged = 10

// merge makes one record of several: the first, with the terms of the others where they are of use. Its end is that of the strictest. It is
// empty where there are more terms than a record can well have.
func merge(texts []string) string {
	merged, end, redirects := texts[0], byte(0), []string(nil)
	for i, text := range texts {
		r, _ := spf.Parse(text)
		if i > 0 && len(r.Terms) > maxMoved || i == maxMerged {
			return ""
		}
		for j := range r.Terms {
			t := &r.Terms[j]
			switch {
			case t.Kind == spf.KindAll && t.Err == nil:
				if end == 0 || strings.IndexByte("+?~-", t.Qualifier) > strings.IndexByte("+?~-", end) {
					end = t.Qualifier
				}
			case t.Kind == spf.KindRedirect && t.Err == nil:
				redirects = append(redirects, t.DomainSpec)
			case i > 0:
				if with, err := spf.Add(merged, t.Text); err == nil {
					merged = with
				}
			}
		}
	}
	if len(redirects) == 1 && end == 0 {
		if with, err := spf.Add(merged, "redirect="+redirects[0]); err == nil {
			return with
		}
	}
	for _, domain := range redirects { // beside all, a redirect is not followed (RFC 7208 6.1)
		if with, err := spf.Remove(merged, "redirect="+domain); err == nil {
			merged = with
		}
		if with, err := spf.Add(merged, "include:"+domain); err == nil {
			merged = with
		}
	}
	if end == 0 {
		end = '-'
	}
	if with, err := spf.SetAll(merged, end); err == nil {
		merged = with
	}
	return merged
}

// shorn takes away what may stand before and behind a record by mistake. It is not ok where nothing does, or where none is beneath.
func shorn(txt string) (string, bool) {
	const around = " \t\r\n\"'`\u00a0\u200b\u200c\u200d\u2060\ufeff\u201c\u201d\u201e\u2018\u2019"
	text := strings.TrimLeft(txt, around)
	if len(text) == len(txt) || !spf.IsRecord(text) {
		return "", false
	}
	return strings.TrimRight(text, around), true
}

func leadingSpace(f *facts.Facts) []check.Seen {
	for _, txt := range f.TXT.TXT {
		if text, ok := shorn(txt); ok {
			return almost(f, txt, text, fmt.Sprintf("A text has %s before v=spf1.", plural(len(txt)-len(strings.TrimLeft(txt, " ")), "space", "spaces")))
		}
	}
	return nil
}

// almost tells of a text that would be a record.
func almost(f *facts.Facts, txt, text, detail string) []check.Seen {
	if !strings.HasPrefix(txt, " ") {
		detail = fmt.Sprintf("The text is %q.", clip(txt))
	}
	seen := check.Seen{Subject: f.Domain, Detail: detail}
	if len(f.SPF.Texts) > 0 {
		seen.Detail += " The domain has an SPF record beside it."
		seen.Advice = "Take the text away, and add to the record what is to be of use of it."
		return []check.Seen{seen}
	}
	if text != "" {
		seen.Fix = []publish.Change{{Name: f.Domain, Type: "TXT", Old: txt, New: text}}
	} else {
		seen.Advice = "Write it anew: v=spf1, a space, and the terms with a space between them."
	}
	return []check.Seen{seen}
}

// isNear tells whether a text is meant as an SPF record though it is none.
func isNear(txt string) bool {
	if spf.IsRecord(txt) || isSenderID(txt) {
		return false
	}
	if _, ok := shorn(txt); ok {
		return false
	}
	_, rest := version(txt)
	return rest >= 0
}

// version reads what stands where v=spf1 ought to, by the ways in which people get it wrong: other separators, no separator, another number. rest is
// where the terms begin; -1 where it is nothing of the kind.
func version(txt string) (word string, rest int) {
	s := strings.ToLower(txt[:min(len(txt), 40)])
	i := len(s) - len(strings.TrimLeft(s, " \t\"'"))
	skip := func(set string) {
		for i < len(s) && strings.IndexByte(set, s[i]) >= 0 {
			i++
		}
	}
	hasV := false
	if i < len(s) && s[i] == 'v' {
		hasV = true
		i++
		skip(" =:-")
	}
	switch {
	case strings.HasPrefix(s[i:], "spf"), strings.HasPrefix(s[i:], "sfp"), strings.HasPrefix(s[i:], "psf"):
		i += 3
	default:
		return "", -1
	}
	bare := i == len(s) || s[i] == ' ' && hasV
	skip(" -=_.")
	digits := i
	skip("0123456789")
	if digits == i && !bare { // a word that only begins alike
		return "", -1
	}
	skip(";,:.")
	if !hasV && (digits == i || i == len(s) || s[i] != ' ') {
		return "", -1
	}
	return txt[:i], i
}

func nearMiss(f *facts.Facts) []check.Seen {
	for _, txt := range f.TXT.TXT {
		if !isNear(txt) {
			continue
		}
		_, rest := version(txt)
		terms := strings.Join(strings.FieldsFunc(strings.Trim(txt[rest:], "\"'"), func(r rune) bool {
			return r == ' ' || r == '\t' || r == '\r' || r == '\n' || r == ';'
		}), " ")
		text := strings.TrimSpace("v=spf1 " + terms)
		if r, err := spf.Parse(text); err != nil || len(r.Terms) == 0 {
			text = ""
		}
		return almost(f, txt, text, "")
	}
	return nil
}

// mostBytes is what RFC 7208 3.4 advises, udpBytes what every resolver takes, and ednsBytes what most take with EDNS (RFC 9715).
const (
	mostBytes = 450
	udpBytes  = 512
	ednsBytes = 1232
)

// answerSize is how many bytes the answer with all texts has (RFC 1035 4.1), with EDNS and without signatures.
func answerSize(name string, texts []string) int {
	size := 12 + len(name) + 2 + 4 + 11
	for _, txt := range texts {
		size += 12 + len(txt) + max(1, (len(txt)+254)/255)
	}
	return size
}

func large(f *facts.Facts) []check.Seen {
	size := answerSize(f.Domain, f.TXT.TXT)
	if len(f.SPF.Texts) == 0 || size <= mostBytes {
		return nil
	}
	record := len(f.SPF.Texts[0])
	detail := fmt.Sprintf("The answer has %d bytes with all %s, %d of them the SPF record.", size, plural(len(f.TXT.TXT), "text", "texts"), record)
	if size > udpBytes && size <= ednsBytes {
		detail += fmt.Sprintf(" More than %d do not fit into UDP everywhere.", udpBytes)
	}
	advice := "Take away texts that have served, such as tokens that prove to a service that the domain is yours."
	switch {
	case len(f.TXT.TXT) == 1:
		advice = "Shorten the record: write networks in place of single addresses, or put some of its terms into a record below the domain and include that."
	case answerSize(f.Domain, f.SPF.Texts[:1]) > mostBytes:
		advice += " That alone will not do: shorten the SPF record too. Write networks in place of single addresses, or put some of its terms into a record below " +
			"the domain and include that."
	}
	seen := check.Seen{Subject: f.Domain, Detail: detail, Advice: advice}
	if size > ednsBytes {
		seen.Detail += fmt.Sprintf(" More than %d are asked for again by TCP.", ednsBytes)
		seen.Cap = check.B
	}
	return []check.Seen{seen}
}

// overlong sees the traces of a text that was too long for a string.
func overlong(f *facts.Facts) []check.Seen {
	if f.SPF.Tree == nil {
		return nil
	}
	r := f.SPF.Record
	var edits []edit
	for _, s := range steps(f, func(s *facts.Step) bool { return classify(s) == seam }) {
		if text, ok := split(s.Term); ok {
			edits = append(edits, edit{s.Term, text})
		}
	}
	switch n := len(r.Text); {
	case len(edits) > 0:
		return []check.Seen{{
			Subject: f.Domain, Severity: check.Error,
			Detail: fmt.Sprintf("Where two strings of the record meet there is no space: %q.", clip(edits[0].term.Text)),
			Advice: "Let one of the two strings end, or the other begin, with a space.",
			Fix:    change(f, apply(r.Text, edits)),
		}}
	case n == 255 && f.SPF.Tree.Step(spf.KindAll) == nil && f.SPF.Tree.Step(spf.KindRedirect) == nil:
		last := &r.Terms[len(r.Terms)-1]
		return []check.Seen{{
			Subject: f.Domain,
			Detail:  fmt.Sprintf("The record has 255 bytes and ends in %q, without all or redirect: the rest of it was cut off.", clip(last.Text)),
			Advice:  "Publish the whole record again, in strings of 255 bytes at most.",
		}}
	}
	return nil
}

// isSeam tells whether a term lies where one string of a record ends and the next begins.
func isSeam(t *spf.Term) bool {
	seam := (t.Pos/255 + 1) * 255
	return t.Pos < seam && seam < t.Pos+len(t.Text)
}

func oldType(f *facts.Facts) []check.Seen {
	if !f.SPF.Type99.Found() || len(f.SPF.Type99.Records) == 0 {
		return nil
	}
	var fix []publish.Change
	for _, value := range f.SPF.Type99.Records {
		fix = append(fix, publish.Change{Name: f.Domain, Type: f.SPF.Type99.Type.String(), Old: value})
	}
	return []check.Seen{{
		Subject: f.Domain, Detail: "It says " + clip(f.SPF.Type99.Records[0]) + ".",
		Advice: "Take the record of the type SPF away, and keep the TXT record.", Fix: fix,
	}}
}

func isSenderID(txt string) bool { return len(txt) >= 6 && strings.EqualFold(txt[:6], "spf2.0") }

func senderID(f *facts.Facts) []check.Seen {
	for _, txt := range f.TXT.TXT {
		if isSenderID(txt) {
			return []check.Seen{{
				Subject: f.Domain, Detail: fmt.Sprintf("The text is %q.", clip(txt)), Advice: "Take the text away.",
				Fix: []publish.Change{{Name: f.Domain, Type: "TXT", Old: txt}},
			}}
		}
	}
	return nil
}
