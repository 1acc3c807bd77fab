package spfcheck

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/spf"
)

const permerror = "A record with one wrong term is wrong as a whole: the result is permerror, and no mail of the domain passes."

// syntax are the checks of how the terms are written. Each wrong term belongs to one of them.
var syntax = []check.Check{
	wrong(missingSpace, check.Check{
		ID: "spf-missing-space", Reference: "RFC 7208 4.6.1",
		Title: "Two terms stand together without a space",
		Explain: "Terms are parted by spaces, and by nothing else: no comma, no semicolon, no line end. Without one, two terms become a third that " +
			"means nothing, or another domain.\n\n" +
			"\tv=spf1 ip4:192.0.2.7~all    wrong\n\tv=spf1 ip4:192.0.2.7 ~all   right",
	}),
	wrong(includeEquals, check.Check{
		ID: "spf-include-equals", Reference: "RFC 7208 4.6.1, 6",
		Title: "A mechanism is written with = in place of a colon",
		Why:   "It is read as a modifier that nobody knows, and ignored: whom it is to let in does not pass.",
		Explain: "Mechanisms are written with a colon, include:_spf.example.net, and modifiers with an equals sign, redirect=_spf.example.net. " +
			"Written the other way round, include=_spf.example.net is a modifier that no receiver knows. Unknown modifiers are ignored, so that " +
			"nothing complains and nobody is let in.",
	}),
	wrong(duplicateModifier, check.Check{
		ID: "spf-duplicate-modifier", Reference: "RFC 7208 6",
		Title: "redirect or exp stands there twice",
		Explain: "redirect= and exp= may stand in a record once each. A second one makes the record wrong, even where it says the same.\n\n" +
			"To let in whom two records let in, include both and end in -all:\n\n\tv=spf1 include:a.example.net include:b.example.net -all",
	}),
	wrong(macroInIP, check.Check{
		ID: "spf-macro-in-ip", Reference: "RFC 7208 5.6",
		Title: "ip4 or ip6 has a macro in it",
		Explain: "ip4 and ip6 take an address or a network as it is. Macros stand in the domains of include, a, mx, ptr, exists, redirect and exp " +
			"only. What is to be looked up for the client's address is written with exists:\n\n\tv=spf1 exists:%{i}._spf.example.com -all",
	}),
	wrong(badAddress, check.Check{
		ID: "spf-bad-address-or-prefix", Reference: "RFC 7208 5.6",
		Title: "An address or a prefix length cannot be read",
		Explain: "ip4 takes four numbers from 0 to 255 and a prefix length of up to 32, ip6 an IPv6 address and up to 128. a and mx take a name, with " +
			"/24 for IPv4 and //64 for IPv6 behind it. No ports, no ranges, no masks, no names.\n\n" +
			"\tip4:192.0.2.0/24  ip6:2001:db8::/32  a:mail.example.com/28//64",
	}),
	wrong(macroInvalid, check.Check{
		ID: "spf-macro-invalid", Reference: "RFC 7208 7",
		Title: "A macro cannot be read",
		Explain: "A macro is %{, a letter of s l o d i p v h, perhaps a number, perhaps r, perhaps delimiters, and }. A percent sign by itself is written " +
			"%%. The letters c, r and t are for the text of an explanation.",
	}),
	wrong(nonASCII, check.Check{
		ID: "spf-non-ascii", Severity: check.Warning, Reference: "RFC 7208 3.1",
		Title: "There are characters that are not ASCII",
		Explain: "A record is of visible ASCII characters and spaces. Others come from documents and letters: a long dash in place of a hyphen, curved " +
			"quotation marks, a space that does not break, characters that nobody sees. The domain of another script is written as an A-label:\n\n" +
			"\tinclude:xn--bcher-kva.example\n\nLook at the very bytes:\n\n\tdig +short TXT example.com",
	}),
	wrong(unknownMechanism, check.Check{
		ID: "spf-unknown-mechanism", Reference: "RFC 7208 4.6.1",
		Title: "There is no such mechanism",
		Explain: "The mechanisms are all, include, a, mx, ptr, ip4, ip6 and exists; the modifiers redirect= and exp=. A bare address or domain is no " +
			"mechanism: ip4:, ip6:, a: or include: goes before it.",
	}),
	wrong(otherSyntax, check.Check{
		ID: "spf-syntax", Reference: "RFC 7208 4.6",
		Title: "A term cannot be read",
		Explain: "What is wrong, and at which byte of the record, is said with the finding. Try the record before you publish it:\n\n" +
			"\tgatepost spf --zone new.zone --ip 192.0.2.1 --mail-from a@example.com --helo mx.example.com",
	}),
}

// A class is what is wrong with a term.
type class uint8

const (
	right class = iota
	missingSpace
	includeEquals
	duplicateModifier
	macroInIP
	badAddress
	macroInvalid
	nonASCII
	unknownMechanism
	otherSyntax
	seam // told with strings that were cut
)

// wrong makes the check of a class.
func wrong(which class, c check.Check) check.Check {
	if c.Severity == "" {
		c.Severity = check.Error
	}
	if c.Why == "" {
		c.Why = permerror
	}
	c.Look = func(f *facts.Facts) []check.Seen { return ofClass(f, which) }
	return c
}

// ofClass tells of all terms of a class, and mends them. A term whose meaning can't be told is taken out: it lets nobody in as it is.
func ofClass(f *facts.Facts, which class) []check.Seen {
	if f.SPF.Tree == nil {
		return nil
	}
	p := f.SPF.Tree
	var edits []edit
	var details []string
	lost, broken := false, false
	for i := range p.Steps {
		s := &p.Steps[i]
		if classify(s) != which {
			continue
		}
		text, ok := mended(p, i, which)
		detail := fmt.Sprintf("%q", clip(s.Text))
		if s.Err != nil {
			broken = true
			detail += fmt.Sprintf(" at byte %d: %s", s.Err.Pos, s.Err.Reason)
		}
		if ok && text != "" {
			detail += fmt.Sprintf("; %q is likely meant", clip(text))
		}
		lost = lost || !ok
		details = append(details, detail)
		edits = append(edits, edit{s.Term, text})
		if which == unknownMechanism && joins(p, i) { // "- all": the term behind belongs to it
			edits = append(edits, edit{p.Steps[i+1].Term, ""})
		}
	}
	if len(edits) == 0 {
		return nil
	}
	seen := check.Seen{Subject: f.Domain, Detail: strings.Join(details[:min(len(details), mostTold)], ". ") + "."}
	if lost {
		seen.Aside = "What is not plain is left out of the record below. If it was to let somebody in, add that, written properly."
	}
	if broken && which == nonASCII {
		seen.Severity = check.Error
	}
	if text := apply(p.Record.Text, edits); len(text) > len("v=spf1") {
		seen.Fix = change(f, text)
	}
	return []check.Seen{seen}
}

// classify says what is wrong with a term. A term can be wrong without breaking a rule of the grammar: it is then another than was meant.
func classify(s *facts.Step) class {
	t := s.Term
	switch {
	case !isASCII(t.Text):
		return nonASCII
	case t.Err == nil:
		return classifyGood(s)
	case t.Kind == spf.KindRedirect || t.Kind == spf.KindExp:
		if strings.Contains(t.Err.Reason, "once only") {
			return duplicateModifier
		}
	case isMechanismWithEquals(t):
		return includeEquals
	}
	if _, ok := split(t); ok {
		if isSeam(t) {
			return seam
		}
		return missingSpace
	}
	isIP := t.Kind == spf.KindIP4 || t.Kind == spf.KindIP6
	switch {
	case isIP && strings.IndexByte(t.Text, '%') >= 0:
		return macroInIP
	case isIP || (t.Kind == spf.KindA || t.Kind == spf.KindMX) && (strings.Contains(t.Err.Reason, "prefix length") || strings.Contains(t.Err.Reason, "belongs to ip4")):
		return badAddress
	case strings.IndexByte(t.Text, '%') >= 0 && t.Kind != spf.KindInvalid:
		return macroInvalid
	case t.Kind == spf.KindInvalid && !strings.Contains(t.Err.Reason, "modifier"):
		return unknownMechanism
	}
	return otherSyntax
}

func classifyGood(s *facts.Step) class {
	if isMechanismWithEquals(s.Term) {
		return includeEquals
	}
	if s.Problem == facts.NoDomain || s.Problem == facts.Void { // "include:_spf.example.net-all" is a domain as well
		if _, ok := split(s.Term); ok {
			if isSeam(s.Term) {
				return seam
			}
			return missingSpace
		}
	}
	return right
}

// isMechanismWithEquals tells whether a mechanism was written as a modifier.
func isMechanismWithEquals(t *spf.Term) bool {
	name, value, ok := strings.Cut(strings.TrimLeft(t.Text, "+-~?"), "=")
	if !ok || value == "" {
		return false
	}
	switch strings.ToLower(name) {
	case "include", "a", "mx", "ptr", "ip4", "ip6", "exists":
		return true
	}
	return false
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
