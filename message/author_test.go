package message

import (
	"net/mail"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
)

func TestAuthorDomainIsTheAddressesNeverTheDecoys(t *testing.T) {
	for _, c := range []struct {
		name, from, domain string
		domains            []string // nil: domain alone
	}{
		{"plain address", `alice@example.com`, "example.com", nil},
		{"display name", `Alice Example <alice@example.com>`, "example.com", nil},
		{"folded", "Alice\r\n Example\r\n\t<alice@example.com>", "example.com", nil},
		{"upper case and final dot", `<alice@EXAMPLE.Com.>`, "example.com", nil},
		{"quoted local part with an address in it", `"someone@decoy.example"@example.com`, "example.com", nil},
		{"quoted local part in angle brackets", `"a <b@decoy.example>" <"x@decoy.example"@example.com>`, "example.com", nil},
		{"escaped quote in the display name", `"bank\" <ceo@decoy.example>" <alice@example.com>`, "example.com", nil},
		{"comment with an address", `alice@example.com (ceo@decoy.example)`, "example.com", nil},
		{"comment before, nested, with escapes", `(<ceo@decoy.example> (in \) here)) alice@example.com`, "example.com", nil},
		{"comment inside the address", `alice@(decoy.example)example.com`, "example.com", nil},
		{"white space around dots", "alice @ example . com", "example.com", nil},
		{"group", `Undisclosed: alice@example.com;`, "example.com", nil},
		{"group whose name is an address", `ceo@decoy.example: alice@example.com;`, "", []string{"decoy.example", "example.com"}},
		{"encoded word with an address", `=?utf-8?q?ceo=40decoy.example?= <alice@example.com>`, "example.com", nil},
		{"unquoted display name with an at sign", `ceo@decoy.example <alice@example.com>`, "example.com", nil},
		{"unquoted comma in the display name", `Example, Alice <alice@example.com>`, "example.com", nil},
		{"source route", `<@relay.decoy.example,@r2.decoy.example:alice@example.com>`, "example.com", nil},
		{"U-label", `Jürgen <jürgen@bücher.example>`, "xn--bcher-kva.example", nil},
		{"two addresses at one domain", `a@example.com, b@Example.COM`, "example.com", nil},
		{"two domains", `a@example.com, b@decoy.example`, "", []string{"example.com", "decoy.example"}},
		{"two angle addresses without a comma", `<a@example.com> <b@decoy.example>`, "", []string{"example.com", "decoy.example"}},
		{"two at signs in angle brackets", `<a@example.com@decoy.example>`, "", []string{"example.com", "decoy.example"}},
		{"two addresses without a comma", `a@example.com b@decoy.example`, "", []string{"example.com", "example.comb", "example.com.b", "b", "decoy.example"}},
		{"empty angle brackets", `ceo@example.com <>`, "example.com", nil},
		{"domain literal", `alice@[192.0.2.1]`, "", []string{}},
		{"NUL in the domain", "alice@example.com\x00.decoy.example", "", []string{"example.com"}},
		{"bare CR in the domain", "alice@example.com\r.decoy.example", "", []string{"example.com"}},
		{"label too long", `alice@` + strings.Repeat("a", 64) + `.example`, "", []string{}},
		{"quote without an end", `"ceo <alice@example.com>`, "example.com", nil},
		{"comment without an end", `(ceo <alice@example.com>`, "example.com", nil},
		{"angle bracket without an end", `Alice <alice@example.com`, "example.com", nil},
		{"white space in the domain", `x@ex ample.com`, "", []string{"ex", "example.com", "ex.ample.com", "ample.com"}},
		{"white space in the domain, in angle brackets", `"CEO" <x@ex ample.com>`, "", []string{"ex", "example.com", "ex.ample.com", "ample.com"}},
		{"comment in the middle of a label", `x@ex(a)ample.com`, "", []string{"ex", "example.com", "ex.ample.com", "ample.com"}},
		{"fold in the middle of a label", "<x@ex\r\n\tample.com>", "", []string{"ex", "example.com", "ex.ample.com", "ample.com"}},
		{"two dots", `x@example..com`, "", []string{"example", "example.com", "com"}},
		{"comma for a dot", `x@example,com`, "", []string{"example", "example.com"}},
		{"colon for a dot", `x@example:com`, "", []string{"example", "example.com"}},
		{"another domain behind the domain", `<x@evil.example()victim.com>`, "", []string{"evil.example", "evil.examplevictim.com", "evil.example.victim.com", "victim.com"}},
		{"encoded word for an address", `=?utf-8?q?ceo@held.example?=`, "", []string{"held.example"}},
		{"encoded word with a space for an address", `=?utf-8?q?ceo@held.example_?=`, "", []string{"held.example_", "held.example"}},
		{"encoded word with the at sign encoded", `=?utf-8?q?ceo=40held.example?=`, "", []string{"held.example"}},
		{"quotes around the address", `'ceo@example.com'`, "", []string{"example.com"}},
		{"a mark behind the domain", `ceo@example.com!`, "", []string{"example.com"}},
		{"an asterisk behind the domain", `<ceo@example.com*>`, "", []string{"example.com"}},
		{"the same domain twice", `<a@example.com@example.com>`, "", []string{"example.com"}},
		{"literal that is none", `[ <victim@example.com> ] <x@evil.example>`, "", []string{"example.com", "evil.example"}},
		{"name behind the address", `<alice@example.com> Alice`, "example.com", nil},
		{"no address", `Alice Example`, "", []string{}},
		{"nothing", ``, "", []string{}},
		{"at sign alone", `@`, "", []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := Header{NewField("From", " "+c.from)}.Author()
			want := c.domains
			if want == nil {
				want = []string{c.domain}
			}
			if a.Domain != c.domain || !slices.Equal(a.Domains, want) {
				t.Errorf("From: %s\ngot  %q of %q (%v)\nwant %q of %q", c.from, a.Domain, a.Domains, a.Err, c.domain, want)
			}
			if (a.Err == nil) != (a.Domain != "") {
				t.Errorf("From: %s: Domain %q with Err %v", c.from, a.Domain, a.Err)
			}
		})
	}
}

func TestTwoFromFieldsHaveNoAuthorDomainButAllDomains(t *testing.T) {
	h := Header{NewField("From", " a@example.com"), NewField("from", " b@decoy.example")}
	a := h.Author()
	if a.Domain != "" || !slices.Equal(a.Domains, []string{"example.com", "decoy.example"}) || a.Err == nil {
		t.Errorf("got %+v", a)
	}
	h = Header{NewField("From", " a@example.com"), NewField("From", " a@example.com")}
	if a := h.Author(); a.Domain != "" || a.Err == nil {
		t.Errorf("two From fields of one domain: got %+v, want no Author Domain", a)
	}
}

func TestAuthorDomainsAreCapped(t *testing.T) {
	var from strings.Builder
	for i := range 1000 {
		from.WriteString("a@" + strings.Repeat("x", i%60+1) + ".example, ")
	}
	if a := (Header{NewField("From", from.String())}).Author(); len(a.Domains) != maxAuthorDomains || !a.Beyond {
		t.Errorf("got %d domains, beyond %v, want %d and more", len(a.Domains), a.Beyond, maxAuthorDomains)
	}
}

func TestAVeryLongFromHasNoAuthorDomainAndTakesLittleMemory(t *testing.T) {
	for _, part := range []string{"a@", "<", "a@example.com,", "@example.com:", "("} {
		h := Header{NewField("From", " a@first.example, "+strings.Repeat(part, 1<<20/len(part)))}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a := h.Author()
		runtime.ReadMemStats(&after)
		used := after.TotalAlloc - before.TotalAlloc
		if a.Domain != "" || a.Err == nil || !slices.Contains(a.Domains, "first.example") || used > 4<<20 {
			t.Errorf("1 MiB of %q: got %q of %q (%v), with %d bytes of memory", part, a.Domain, a.Domains, a.Err, used)
		}
	}
}

func FuzzAuthor(f *testing.F) {
	for _, s := range []string{"a@example.com", `"x@y"@z.example`, "(((((", `<@a:b@c.example>`, "g: a@b.example, c@d.example;", "a@\x00", `"\`, "[", "a@b@c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, from string) {
		a := Header{NewField("From", from)}.Author()
		for _, d := range a.Domains {
			if again, err := dns.ToASCII(d); err != nil || again != d || domainPrefix(d) != len(d) {
				t.Errorf("%q: domain %q is not in its canonical form: %q, %v", from, d, again, err)
			}
		}
		parsed, err := mail.ParseAddress(from)
		if err != nil || strings.ContainsAny(from, "\r\n") {
			return
		}
		at := strings.LastIndexByte(parsed.Address, '@')
		want, err := dns.ToASCII(parsed.Address[at+1:])
		if err == nil && domainPrefix(want) < len(want) { // a domain in DNS, and nobody's address
			if a.Err == nil {
				t.Errorf("%q: got %q, want an error", from, a.Domain)
			}
			return
		}
		if err == nil && a.Domain != want && !slices.Contains(a.Domains, want) {
			t.Errorf("%q: got %q, where the standard library finds %q", from, a.Domains, want)
		}
	})
}
