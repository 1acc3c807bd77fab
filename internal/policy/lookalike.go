package policy

import (
	"strings"

	"golang.org/x/net/idna"

	"github.com/gatepost-mail/gatepost/internal/nearest"
)

// longestName bounds what is compared: no domain is longer (RFC 1035 2.3.4).
const longestName = 253

// sameLook are letters that read alike, the longer first.
var sameLook = strings.NewReplacer("rn", "m", "vv", "w", "cl", "d", "0", "o", "1", "l", "i", "l", "5", "s", "-", "", "_", "")

// resembles tells whether a domain is made to be taken for one of ours: it reads like it, or has our name as a part of its own. Our
// own domain and those beneath it do not resemble it: they are it.
func resembles(domain, own string) bool {
	domain, own = strings.Trim(lower(domain), "."), strings.Trim(lower(own), ".")
	if domain == "" || own == "" || len(domain) > longestName || len(own) > longestName || beneath(domain, own) {
		return false
	}
	a, b := look(domain), look(own)
	if a == b {
		return true
	}
	name, _, _ := strings.Cut(own, ".") // ours without what is ours no longer: "example" of example.com
	if len(name) >= leastPart && strings.Contains(a, look(name)) {
		return true
	}
	return len(b) >= leastPart && nearest.Edits(a, b) == 1
}

// leastPart is how long our name has to be for a part of another to mean anything.
const leastPart = 5

// look is a domain as it strikes the eye.
func look(domain string) string {
	if strings.Contains(domain, "xn--") {
		if u, err := idna.ToUnicode(domain); err == nil {
			domain = fold.Replace(u)
		}
	}
	return sameLook.Replace(domain)
}

// fold turns the letters of other scripts that are drawn like Latin ones into these (a selection of Unicode's confusables).
var fold = strings.NewReplacer(
	"а", "a", "е", "e", "о", "o", "р", "p", "с", "c", "х", "x", "у", "y", "і", "i", "ѕ", "s", "ј", "j", "ԁ", "d", "һ", "h", "ԛ", "q", "ԝ", "w", "к", "k", "м", "m", "т", "t", "в", "b", "н", "h",
	"α", "a", "ο", "o", "ρ", "p", "ν", "v", "ι", "i", "κ", "k", "τ", "t", "υ", "u", "γ", "y",
	"à", "a", "á", "a", "â", "a", "ä", "a", "ã", "a", "å", "a", "è", "e", "é", "e", "ê", "e", "ë", "e", "ì", "i", "í", "i", "î", "i", "ï", "i", "ı", "i",
	"ò", "o", "ó", "o", "ô", "o", "ö", "o", "õ", "o", "ø", "o", "ù", "u", "ú", "u", "û", "u", "ü", "u", "ç", "c", "ñ", "n", "ý", "y", "ÿ", "y", "ß", "ss", "ł", "l", "š", "s", "ž", "z",
)
