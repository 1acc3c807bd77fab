package spfcheck

import (
	"math/bits"
	"net/netip"
	"strconv"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/nearest"
	"github.com/gatepost-mail/gatepost/spf"
)

// mended is what a wrong term was meant to be, where that is plain.
func mended(p *facts.Policy, i int, which class) (string, bool) {
	t := p.Steps[i].Term
	switch which {
	case missingSpace:
		return split(t)
	case includeEquals:
		return good(strings.Replace(t.Text, "=", ":", 1))
	case duplicateModifier:
		return "", true
	case badAddress:
		return mendAddress(t)
	case nonASCII:
		return mendLetters(t)
	case unknownMechanism:
		if joins(p, i) {
			return good(t.Text + p.Steps[i+1].Text)
		}
		return mendName(t)
	case otherSyntax:
		return mendOther(t)
	}
	return "", false
}

// good gives terms that can be read, parted by spaces.
func good(text string) (string, bool) {
	words := strings.Fields(text)
	for _, word := range words {
		if _, err := spf.ParseTerm(word); err != nil {
			return "", false
		}
	}
	return strings.Join(words, " "), len(words) > 0
}

// beginnings are what a term begins with and hardly any domain has in it.
var beginnings = []string{
	"-all", "~all", "?all", "+all", "include:", "ip4:", "ip6:", "exists:", "redirect=", "exp=", "a:", "mx:", "ptr:",
}

// maxSplit bounds how long a term may be that is looked at for another within it.
const maxSplit = 2048

// split parts terms that stand together, where each is one by itself.
func split(t *spf.Term) (string, bool) {
	if len(t.Text) > maxSplit {
		return "", false
	}
	rest := strings.ToLower(t.Text)
	var words []string
	from := 0
	for from < len(t.Text) {
		at := -1
		for _, b := range beginnings {
			if i := strings.Index(rest[from+1:], b); i >= 0 && (at < 0 || from+1+i < at) {
				if whole(t.Text, from, from+1+i) {
					at = from + 1 + i
				}
			}
		}
		if at < 0 {
			break
		}
		words = append(words, t.Text[from:at])
		from = at
	}
	if len(words) == 0 {
		return "", false
	}
	return good(strings.Join(append(words, t.Text[from:]), " "))
}

// whole tells whether a part of a term is one by itself.
func whole(s string, from, to int) bool {
	t, err := spf.ParseTerm(strings.TrimRight(s[from:to], ",;"))
	return err == nil && t.Kind != spf.KindModifier
}

// mendLetters writes what documents make of ASCII characters as it was typed.
func mendLetters(t *spf.Term) (string, bool) {
	text := lettersOfDocuments.Replace(t.Text)
	if words, ok := good(text); ok {
		return words, true
	}
	at := strings.IndexAny(text, ":=")
	if at < 0 {
		return "", false
	}
	name, err := dns.ToASCII(text[at+1:])
	if err != nil {
		return "", false
	}
	return good(text[:at+1] + name)
}

var lettersOfDocuments = strings.NewReplacer(
	"\u2010", "-", "\u2011", "-", "\u2012", "-", "\u2013", "-", "\u2014", "-", "\u2212", "-", "\u02dc", "~", "\u223c", "~", "\uff1a", ":", "\uff1d", "=",
	"\u00a0", " ", "\u2009", " ", "\u202f", " ", "\u200b", "", "\u200c", "", "\u200d", "", "\u2060", "", "\ufeff", "", "\u00ad", "",
	"\u201c", "", "\u201d", "", "\u201e", "", "\u2018", "", "\u2019", "",
)

// joins tells whether a term is the beginning of the next: "-" of "all", "include:" of a domain.
func joins(p *facts.Policy, i int) bool {
	t := p.Steps[i].Term
	if i+1 == len(p.Steps) || strings.Trim(t.Text, "+-~?") != "" {
		return false
	}
	_, ok := good(t.Text + p.Steps[i+1].Text)
	return ok && p.Steps[i+1].Text[0] != '+' && p.Steps[i+1].Text[0] != '-'
}

var mechanisms = []string{"all", "include", "mx", "ptr", "ip4", "ip6", "exists"}

// mendName finds the mechanism that a name was meant to be.
func mendName(t *spf.Term) (string, bool) {
	text := strings.TrimRight(strings.Trim(t.Text, `"'`), ".,;")
	if words, ok := good(strings.NewReplacer(",", " ", ";", " ", "\t", " ", "\r", " ", "\n", " ").Replace(text)); ok && words != t.Text {
		return words, true
	}
	if words, ok := bareAddress(text); ok {
		return words, true
	}
	start := len(text) - len(strings.TrimLeft(text, "+-~?"))
	sign, name, arg := text[:start], text[start:], ""
	if at := strings.IndexAny(name, ":/="); at >= 0 {
		name, arg = name[:at], name[at:]
	}
	switch strings.ToLower(name) {
	case "ip", "ipv4", "ipv6", "ip4v", "ip6v":
		return bareAddress(strings.TrimLeft(arg, ":="))
	}
	if len(name) < 2 {
		return "", false
	}
	if word := nearest.Word(name, mechanisms); word != "" {
		return good(sign + word + arg)
	}
	return "", false
}

// bareAddress writes an address or a network as the mechanism that it belongs to.
func bareAddress(text string) (string, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return mechanismOf(p.Addr()) + text, true
	}
	if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
		return mechanismOf(ip) + text, true
	}
	return "", false
}

func mechanismOf(ip netip.Addr) string {
	if ip.Is4() {
		return "ip4:"
	}
	return "ip6:"
}

// address is an address as a term.
func address(ip netip.Addr) string {
	ip = ip.Unmap().WithZone("")
	return mechanismOf(ip) + ip.String()
}

// mendAddress mends what can go wrong with an address, a network or a prefix length.
func mendAddress(t *spf.Term) (string, bool) {
	start := len(t.Text) - len(strings.TrimLeft(t.Text, "+-~?"))
	sign, text := t.Text[:start], t.Text[start:]
	name, arg, found := strings.Cut(text, ":")
	if !found && (t.Kind == spf.KindIP4 || t.Kind == spf.KindIP6) {
		return "", false
	}
	if t.Kind == spf.KindA || t.Kind == spf.KindMX {
		if words, ok := bareAddress(arg); ok {
			return sign + words, true
		}
		return mendLengths(sign + text)
	}
	arg = strings.TrimSpace(strings.Trim(arg, `"'[]`))
	if words, ok := severalAddresses(sign, arg); ok {
		return words, true
	}
	if words, ok := oneAddress(arg); ok {
		return sign + words, true
	}
	if strings.ContainsAny(strings.ToLower(arg), "ghijklmnopqrstuvwxyz") && !strings.ContainsAny(arg, ":/") { // a name
		return good(sign + "a:" + arg)
	}
	return mendLengths(sign + name + ":" + arg)
}

func severalAddresses(sign, arg string) (string, bool) {
	parts := strings.FieldsFunc(arg, func(r rune) bool { return r == ',' || r == ';' || r == '\t' })
	if len(parts) < 2 && !strings.HasSuffix(arg, ",") && !strings.HasSuffix(arg, ";") {
		return "", false
	}
	var words []string
	for _, part := range parts {
		part = strings.TrimPrefix(strings.TrimPrefix(part, "ip4:"), "ip6:")
		word, ok := oneAddress(part)
		if !ok {
			return "", false
		}
		words = append(words, sign+word)
	}
	return strings.Join(words, " "), len(words) > 0
}

// oneAddress reads an address with a mask, a port or an asterisk in it, or of the other family.
func oneAddress(arg string) (string, bool) {
	arg = strings.TrimRight(arg, ".")
	if words, ok := bareAddress(arg); ok {
		return words, true
	}
	if ap, err := netip.ParseAddrPort(arg); err == nil {
		return bareAddress(ap.Addr().String())
	}
	if base, mask, ok := strings.Cut(arg, "/"); ok {
		if n, ok := maskBits(mask); ok {
			return bareAddress(base + "/" + strconv.Itoa(n))
		}
	}
	if base, ok := strings.CutSuffix(arg, ".*"); ok && strings.Count(base, ".") == 2 {
		return bareAddress(base + ".0/24")
	}
	return "", false
}

// maskBits is the prefix length of a mask such as 255.255.255.0.
func maskBits(mask string) (int, bool) {
	ip, err := netip.ParseAddr(mask)
	if err != nil || !ip.Is4() {
		return 0, false
	}
	b := ip.As4()
	n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	ones := bits.LeadingZeros32(^n)
	return ones, ones > 0 && n == ^uint32(0)<<(32-ones)
}

// mendLengths mends prefix lengths: none behind a slash, leading zeros, one slash where two belong.
func mendLengths(text string) (string, bool) {
	base, lengths, ok := strings.Cut(text, "/")
	if !ok {
		return "", false
	}
	var numbers []string
	for _, n := range strings.Split(lengths, "/") {
		numbers = append(numbers, strings.TrimLeft(n, "0"))
	}
	switch {
	case len(numbers) == 1 && numbers[0] == "" && lengths == "":
		return good(base)
	case len(numbers) == 1 && numbers[0] != "":
		return good(base + "/" + numbers[0])
	case len(numbers) == 2 && numbers[0] != "" && numbers[1] != "":
		return good(base + "/" + numbers[0] + "//" + numbers[1])
	}
	return "", false
}

// mendOther mends what is left: punctuation at the ends, colons and equals signs that stand for each other, a link in place of a name.
func mendOther(t *spf.Term) (string, bool) {
	text := strings.TrimRight(strings.Trim(t.Text, `"'`), ",;")
	if words, ok := good(strings.NewReplacer("\t", " ", "\r", " ", "\n", " ", ";", " ", ",", " ").Replace(text)); ok {
		return words, true
	}
	name, arg, ok := strings.Cut(text, ":")
	if !ok {
		return good(strings.TrimRight(text, ":."))
	}
	switch strings.ToLower(strings.TrimLeft(name, "+-~?")) {
	case "redirect", "exp":
		return good(strings.TrimLeft(name, "+-~?") + "=" + arg)
	case "all":
		return good(name)
	}
	for _, before := range []string{"https://", "http://", "mailto:", "@", "."} {
		arg = strings.TrimPrefix(arg, before)
	}
	return good(name + ":" + strings.TrimRight(arg, "/."))
}
