package facts

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
)

// testKey is an Ed25519 key record; otherKey is another.
const (
	testKey  = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	otherKey = "v=DKIM1; k=ed25519; p=eNBq9wl7BWnpp1qbH9XUYUNUuLGh0TvHEeqrbl05oTY="
)

// asked counts and keeps the questions to a zone, of which some names fail, and others are answered by a function.
type asked struct {
	zone    *dns.Zone
	failing string // a name, or what comes before it
	answer  func(name string, typ dns.Type) (dns.Answer, bool)

	mu    sync.Mutex
	names []string
}

func (a *asked) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	a.mu.Lock()
	a.names = append(a.names, name+" "+typ.String())
	a.mu.Unlock()
	if a.failing != "" && strings.HasPrefix(name, a.failing) {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrTimeout}
	}
	if a.answer != nil {
		if answer, ok := a.answer(name, typ); ok {
			return answer, nil
		}
	}
	return a.zone.Lookup(ctx, name, typ)
}

// below are the questions about names of keys.
func (a *asked) below() []string {
	return slices.DeleteFunc(slices.Clone(a.names), func(n string) bool { return !strings.Contains(n, "_domainkey") })
}

func resolver(t *testing.T, zone string) *asked {
	t.Helper()
	z, err := dns.ParseZone(strings.NewReader(zone), "test.zone")
	if err != nil {
		t.Fatal(err)
	}
	return &asked{zone: z}
}

func gatherKeys(r dns.Resolver, o Options) *Facts {
	o.Resolver = r
	return Gather(context.Background(), "example.com", o)
}

func names(d *DKIMFacts) []string {
	all := []string{}
	for _, s := range d.Selectors {
		all = append(all, s.Name)
	}
	return all
}

func TestAWildcardMakesNoSelectorFound(t *testing.T) {
	for what, zone := range map[string]string{
		"a key":             `*._domainkey.example.com. IN TXT "` + testKey + `"`,
		"of the domain":     `*.example.com. IN TXT "` + testKey + `"`,
		"another's record":  `*.example.com. IN TXT "v=spf1 -all"`,
		"an alias":          "*._domainkey.example.com. IN CNAME key.example.net.\n" + `key.example.net. IN TXT "` + testKey + `"`,
		"an alias to a key": "*.example.com. IN CNAME key.example.net.\n" + `key.example.net. IN TXT "` + testKey + `"`,
	} {
		r := resolver(t, zone+"\n"+`dkim2._domainkey.example.com. IN TXT "`+otherKey+`"`)
		f := gatherKeys(r, Options{})
		if got := names(&f.DKIM); !slices.Equal(got, []string{"dkim2"}) {
			t.Errorf("%s: got %v, want the one that is published by its name", what, got)
		}
		f = gatherKeys(resolver(t, zone), Options{})
		if got := names(&f.DKIM); len(got) > 0 || !f.DKIM.Wildcard.Found() {
			t.Errorf("%s alone: got %v, want none, for there is but the wildcard: %v", what, got, f.DKIM.Wildcard)
		}
	}
}

func TestASelectorThatWasSeenIsKeptThoughItIsTheWildcards(t *testing.T) {
	f := gatherKeys(resolver(t, `*._domainkey.example.com. IN TXT "`+testKey+`"`), Options{Seen: Seen{Selectors: []string{"zebra"}}})
	if len(f.DKIM.Selectors) != 1 || f.DKIM.Selectors[0].Name != "zebra" || !f.DKIM.Selectors[0].Wildcard || !f.DKIM.Selectors[0].Usable() {
		t.Errorf("got %+v", f.DKIM.Selectors)
	}
}

// A name server may make an answer for each name, none like another.
func TestAnswersThatAreMadeForEachNameAreNoSelectors(t *testing.T) {
	r := resolver(t, `example.com. IN TXT "v=spf1 -all"`)
	r.answer = func(name string, typ dns.Type) (dns.Answer, bool) {
		if typ != dns.TypeTXT || !strings.HasSuffix(name, "._domainkey.example.com") {
			return dns.Answer{}, false
		}
		return dns.Answer{Name: name, TXT: []string{testKey + "; n=" + name}}, true
	}
	f := gatherKeys(r, Options{Selectors: []string{"given"}})
	if got := names(&f.DKIM); !slices.Equal(got, []string{"given"}) {
		t.Errorf("got %v, want the one that was given", got)
	}
}

func TestNothingIsGuessedBelowANameThatDoesNotExist(t *testing.T) {
	r := resolver(t, `example.com. IN TXT "v=spf1 mx -all"`)
	f := gatherKeys(r, Options{})
	if got := r.below(); !slices.Equal(got, []string{"_domainkey.example.com TXT"}) || f.DKIM.Tried != 0 {
		t.Errorf("%d selectors were tried, by %v", f.DKIM.Tried, got)
	}
}

// Some name servers deny a name that has only names below it.
func TestWhatWasSeenIsAskedForThoughTheNameAboveIsDenied(t *testing.T) {
	r := resolver(t, `s1._domainkey.example.com. IN TXT "`+testKey+`"`)
	denying := resolverFunc(func(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
		if name == "_domainkey.example.com" {
			return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrNXDomain}
		}
		return r.Lookup(ctx, name, typ)
	})
	f := gatherKeys(denying, Options{Seen: Seen{Selectors: []string{"s1"}}})
	if got := names(&f.DKIM); !slices.Equal(got, []string{"s1"}) {
		t.Errorf("got %v", got)
	}
}

type resolverFunc func(context.Context, string, dns.Type) (dns.Answer, error)

func (f resolverFunc) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	return f(ctx, name, typ)
}

func TestSelectorsAreTriedInTheOrderOfHowMuchIsKnownOfThem(t *testing.T) {
	r := resolver(t, "example.com. IN MX 10 mx1.mailbox.org.\nzebra._domainkey.example.com. IN TXT \"x\"\n"+
		`example.com. IN TXT "v=spf1 include:spf.protection.outlook.com -all"`)
	f := &Facts{Domain: "example.com"}
	gathered := gatherKeys(r, Options{Selectors: []string{"Given", "s1"}, Seen: Seen{Selectors: []string{"seen", "given"}}})
	f.Options, f.MX, f.SPF = gathered.Options, gathered.MX, gathered.SPF
	var got []string
	for _, c := range (&gatherer{f: f}).selectors() {
		got = append(got, fmt.Sprintf("%s/%v", c.name, c.guessed))
	}
	want := []string{"given/false", "s1/false", "seen/false", "mbo0001/true", "mbo0002/true"}
	at := slices.Index(got, "selector1/true")
	if len(got) < 50 || !slices.Equal(got[:3], want[:3]) || slices.Index(got, "mbo0001/true") < 3 || at < 3 || at > slices.Index(got, "google/true") {
		t.Errorf("got %v,\nwant %v…, with those of services before those that others use", got, want)
	}
	if slices.Index(got, "s1/true") >= 0 {
		t.Errorf("s1 is there twice: %v", got)
	}
}

func TestSelectorsThatStrangersNameAreBounded(t *testing.T) {
	seen := []string{"UPPER", "bücher", strings.Repeat("a", 64), strings.Repeat("a.", 120), "", "a..b", "a b", "tab\t", "x\x00"}
	for i := range 2000 {
		seen = append(seen, fmt.Sprintf("s-%d", i))
	}
	r := resolver(t, `zebra._domainkey.example.com. IN TXT "`+testKey+`"`)
	f := gatherKeys(r, Options{Seen: Seen{Selectors: seen}})
	if f.DKIM.Tried > mostNamed+len(common)+len(usual) {
		t.Errorf("%d selectors were tried", f.DKIM.Tried)
	}
	for _, name := range []string{"upper._domainkey.example.com TXT", "xn--bcher-kva._domainkey.example.com TXT", "google._domainkey.example.com TXT"} {
		if !slices.Contains(r.names, name) {
			t.Errorf("%s was not asked", name)
		}
	}
	if len(r.names) > maxQueries {
		t.Errorf("%d questions", len(r.names))
	}
	for _, n := range r.names {
		if strings.ContainsAny(n[:strings.LastIndexByte(n, ' ')], " \t\x00") {
			t.Errorf("asked for %q", n)
		}
	}
}

func TestAGuessThatFailsMattersOnlyWhereNothingIsFound(t *testing.T) {
	zone := `s1._domainkey.example.com. IN TXT "` + testKey + `"`
	r := resolver(t, zone)
	r.failing = "mail1."
	if f := gatherKeys(r, Options{}); f.Unknown(DKIM) {
		t.Errorf("a key was found, and yet: %v", f.Failures)
	}
	r = resolver(t, zone)
	r.failing = "s1."
	if f := gatherKeys(r, Options{}); !f.Unknown(DKIM) || len(f.DKIM.Selectors) > 0 {
		t.Errorf("no key was found, since it did not answer: %v, %v", f.Failures, f.DKIM.Selectors)
	}
	r = resolver(t, zone)
	r.failing = "given."
	if f := gatherKeys(r, Options{Selectors: []string{"given"}}); !f.Unknown(DKIM) {
		t.Error("the selector that was given did not answer, and nothing is said of it")
	}
}

// Where nothing answers, time-outs must not add up.
func TestGuessingEndsWhereNothingAnswers(t *testing.T) {
	r := resolver(t, `example.com. IN TXT "v=spf1 -all"`)
	n := 0
	dead := resolverFunc(func(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
		if strings.HasSuffix(name, "._domainkey.example.com") {
			r.mu.Lock()
			n++
			r.mu.Unlock()
			return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrTimeout}
		}
		if name == "_domainkey.example.com" {
			return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrNoData}
		}
		return r.Lookup(ctx, name, typ)
	})
	f := gatherKeys(dead, Options{})
	if n > 4 || !f.Unknown(DKIM) {
		t.Errorf("%d questions, failures %v", n, f.Failures)
	}
}

func TestAnAliasForNothingIsTold(t *testing.T) {
	f := gatherKeys(resolver(t, "selector2._domainkey.example.com. IN CNAME selector2.dkim.example.net."), Options{})
	want := Alias{"selector2", "selector2._domainkey.example.com", "selector2.dkim.example.net", false}
	if len(f.DKIM.Dangling) != 1 || f.DKIM.Dangling[0] != want || len(f.DKIM.Selectors) != 0 {
		t.Errorf("got %+v, %+v", f.DKIM.Dangling, f.DKIM.Selectors)
	}
}

func TestTheKeyIsTheOneThatAVerifierFinds(t *testing.T) {
	for _, c := range []struct {
		name  string
		texts []string
		text  string
		keys  int
	}{
		{"a token beside it", []string{"token=1", testKey}, testKey, 1},
		{"a broken one before it", []string{"v=DKIM1; p=!", testKey}, testKey, 2},
		{"a revoked one after a broken one", []string{"v=DKIM1; p=!", "v=DKIM1; p="}, "v=DKIM1; p=", 2},
		{"broken ones", []string{"v=DKIM1; p=!", "v=DKIM1; p=?"}, "v=DKIM1; p=!", 2},
		{"none", []string{"v=spf1 -all"}, "v=spf1 -all", 0},
	} {
		s := Selector{Asked: Asked{Answer: dns.Answer{TXT: c.texts}}}
		s.read()
		if s.Text != c.text || len(s.Texts) != c.keys {
			t.Errorf("%s: got %q of %d, want %q of %d", c.name, s.Text, len(s.Texts), c.text, c.keys)
		}
	}
}

func TestWhatIsMeantAsAKey(t *testing.T) {
	for text, want := range map[string]bool{
		testKey: true, "k=rsa; p=MIG": true, "p=": true, "v=DKIM1": true, "v=dkim1; k=rsa": true, `"v=DKIM1\; k=rsa"`: true, "k=rsa;\np=MIG": true,
		"v=spf1 -all": false, "v=DMARC1; p=none": false, "google-site-verification=abc": false, "": false, "MS=ms123": false, "t=y": true, "o=~": false,
		"dkim=all": false, "v=BIMI1; l=": false,
	} {
		if got := MeantAsKey(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestAKeyHasOneNameWhateverStandsBesideIt(t *testing.T) {
	hash := func(text string) string {
		s := Selector{Asked: Asked{Answer: dns.Answer{TXT: []string{text}}}}
		s.read()
		return s.Hash()
	}
	a, b, c := hash(testKey), hash(strings.Replace(testKey, "p=11qY", "t=s; p= 11qY ", 1)), hash(otherKey)
	if a == "" || a != b || a == c || hash("v=DKIM1; p=") != "" {
		t.Errorf("got %q, %q, %q", a, b, c)
	}
}
