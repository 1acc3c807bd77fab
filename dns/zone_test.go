package dns_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
)

const trees = `
$ORIGIN example.com.
$TTL 60
@               TXT  "apex"
a.b             TXT  "deep"
*.wild          TXT  "any"
known.wild      A    192.0.2.1
*.mail          CNAME @
alias           CNAME @
away            CNAME far.example.net.
loop            CNAME loop
under           DNAME example.com.
Case            TXT  "x"
_dmarc          TXT  "v=DMARC1; " "p=reject"
`

func parse(t testing.TB, text string) *dns.Zone {
	t.Helper()
	z, err := dns.ParseZone(strings.NewReader(text), "test.zone")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestZone(t *testing.T) {
	z := parse(t, trees)
	for _, q := range []struct {
		name string
		typ  dns.Type
		want string
	}{
		{"example.com", dns.TypeTXT, "[apex]"},
		{"Example.COM.", dns.TypeTXT, "[apex]"},
		{"case.example.com", dns.TypeTXT, "[x]"},
		{"_dmarc.example.com", dns.TypeTXT, "[v=DMARC1; p=reject]"},
		{"example.com", dns.TypeA, "no record of this type"},
		{"b.example.com", dns.TypeTXT, "no record of this type"}, // an empty non-terminal exists
		{"nowhere.example.com", dns.TypeTXT, "no such domain"},
		{"example.net", dns.TypeTXT, "no such domain"},
		{"x.wild.example.com", dns.TypeTXT, "[any]"},
		{"x.y.wild.example.com", dns.TypeTXT, "[any]"},
		{"x.wild.example.com", dns.TypeA, "no record of this type"},
		{"known.wild.example.com", dns.TypeTXT, "no record of this type"}, // the wildcard stands for names that do not exist
		{"x.known.wild.example.com", dns.TypeTXT, "no such domain"},
		{"x.mail.example.com", dns.TypeTXT, "[apex]"},
		{"alias.example.com", dns.TypeTXT, "[apex]"},
		{"alias.example.com", dns.TypeCNAME, "[example.com]"},
		{"away.example.com", dns.TypeTXT, "no such domain"},
		{"loop.example.com", dns.TypeTXT, "the name servers failed"},
		{"case.under.example.com", dns.TypeTXT, "[x]"},
		{"under.example.com", dns.TypeTXT, "no record of this type"}, // a DNAME stands for names below it alone
	} {
		a, err := z.Lookup(context.Background(), q.name, q.typ)
		if got := show(a, err); got != q.want {
			t.Errorf("%s %s: got %s, want %s", q.name, q.typ, got, q.want)
		}
	}
}

func TestZoneErrorsNameFileAndLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.zone")
	if err := os.WriteFile(path, []byte("a.example. TXT \"x\"\nb.example. A not-an-address\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := dns.ReadZone(path)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "line: 2") {
		t.Errorf("got %v", err)
	}
	if _, err := dns.ReadZone(filepath.Join(t.TempDir(), "missing.zone")); err == nil || !strings.Contains(err.Error(), "missing.zone") {
		t.Errorf("got %v", err)
	}
	if _, err := dns.ParseZone(strings.NewReader("$INCLUDE /etc/passwd\n"), "x"); err == nil {
		t.Error("$INCLUDE was obeyed")
	}
}

func TestZoneAnswersWithoutAllocating(t *testing.T) {
	z := parse(t, trees)
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() { z.Lookup(ctx, "_dmarc.example.com", dns.TypeTXT) }); n > 0 {
		t.Errorf("%.0f allocations", n)
	}
}

func TestOverlayAnswersItsOwnNamesAndNoOthers(t *testing.T) {
	front := parse(t, `
example.com.       TXT "new"
away.example.com.  CNAME behind.example.net.
`)
	behind := parse(t, `
example.com.        TXT "old"
example.com.        A 192.0.2.1
www.example.com.    A 192.0.2.2
behind.example.net. TXT "followed"
`)
	o := dns.Overlay(front, behind)
	for _, q := range []struct {
		name string
		typ  dns.Type
		want string
	}{
		{"example.com", dns.TypeTXT, "[new]"},
		{"example.com", dns.TypeA, "no record of this type"},
		{"www.example.com", dns.TypeA, "[192.0.2.2]"},
		{"away.example.com", dns.TypeTXT, "[followed]"},
		{"com", dns.TypeTXT, "no record of this type"},
		{"nowhere.example", dns.TypeTXT, "no such domain"},
	} {
		a, err := o.Lookup(context.Background(), q.name, q.typ)
		if got := show(a, err); got != q.want {
			t.Errorf("%s %s: got %s, want %s", q.name, q.typ, got, q.want)
		}
	}
}

func TestOverlayWithTheSOAOfAZoneIsAllOfThatZone(t *testing.T) {
	front := parse(t, `
example.com.          SOA ns1 hostmaster 1 7200 3600 1209600 3600
example.com.          TXT "new"
alias.example.com.    CNAME gone.example.com.
sub.example.com.      NS ns1.example.net.
`)
	behind := parse(t, `
_dmarc.example.com.   TXT "taken out"
gone.example.com.     TXT "taken out"
a.sub.example.com.    TXT "delegated"
example.net.          TXT "another's"
_dmarc.com.           TXT "above"
`)
	o := dns.Overlay(front, behind)
	for name, want := range map[string]string{
		"example.com":        "[new]",
		"_dmarc.example.com": "no such domain",
		"alias.example.com":  "no such domain",
		"a.sub.example.com":  "[delegated]",
		"example.net":        "[another's]",
		"_dmarc.com":         "[above]",
	} {
		a, err := o.Lookup(context.Background(), name, dns.TypeTXT)
		if got := show(a, err); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestToASCII(t *testing.T) {
	for in, want := range map[string]string{
		"example.com":                    "example.com",
		"EXAMPLE.com.":                   "example.com",
		"_dmarc.Example.com":             "_dmarc.example.com",
		"bücher.example":                 "xn--bcher-kva.example",
		"BÜCHER.example":                 "xn--bcher-kva.example",
		"xn--bcher-kva.example":          "xn--bcher-kva.example",
		"a-.example":                     "a-.example",
		"":                               "",
		".":                              "",
		"a..b":                           "",
		".a":                             "",
		"a b":                            "",
		"a\x00.b":                        "",
		strings.Repeat("a", 64):          "",
		strings.Repeat("abc.", 64) + "d": "",
	} {
		got, err := dns.ToASCII(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("ToASCII(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

func FuzzToASCII(f *testing.F) {
	for _, s := range []string{"example.com", "Bücher.example.", "a..b", "xn--a.b", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, domain string) {
		name, err := dns.ToASCII(domain)
		if err != nil {
			return
		}
		if again, err := dns.ToASCII(name); err != nil || again != name {
			t.Errorf("%q becomes %q, and that %q, %v", domain, name, again, err)
		}
		if len(name) > 253 {
			t.Errorf("%q becomes %d octets", domain, len(name))
		}
	})
}

func FuzzZone(f *testing.F) {
	f.Add(trees, "x.wild.example.com")
	f.Add("* TXT a\n", "b")
	f.Add("a CNAME b\nb DNAME a\n", "c.b")
	f.Fuzz(func(t *testing.T, text, name string) {
		z, err := dns.ParseZone(strings.NewReader(text), "fuzz")
		if err != nil {
			return
		}
		a, err := z.Lookup(context.Background(), name, dns.TypeTXT)
		if err == nil && len(a.TXT) == 0 {
			t.Errorf("%q in %q: neither an answer nor an error", name, text)
		}
	})
}
