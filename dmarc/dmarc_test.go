package dmarc_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/dns"
)

// Each file of testdata holds a zone, and cases: the Author Domain, the identifiers and what must come of them. A new case is a new
// line, or a new file, and no code.
//
//	-- zone --
//	_dmarc.example.com. TXT "v=DMARC1; p=reject"
//	-- cases --
//	# a comment
//	from=a.example.com spf=b.example.com:pass dkim=c.example.com:fail method=psl => result=pass org=example.com …
//
// Names after "=>" are those of Result: result, org, at (the policy domain), policy, disposition, spf, dkim (alignment), queries.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { runFile(t, file) })
	}
}

func runFile(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for _, f := range archive.Files {
		parts[f.Name] = string(f.Data)
	}
	zone, err := dns.ParseZone(strings.NewReader(parts["zone"]), file)
	if err != nil {
		t.Fatal(err)
	}
	failing := map[string]bool{}
	for _, name := range strings.Fields(parts["servfail"]) {
		failing[name] = true
	}
	lines := bufio.NewScanner(strings.NewReader(parts["cases"]))
	ran := 0
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		ran++
		runCase(t, &counting{zone: zone, failing: failing}, line)
	}
	if ran == 0 {
		t.Error("the file holds no case")
	}
}

func runCase(t *testing.T, resolver *counting, line string) {
	asked, wanted, ok := strings.Cut(line, "=>")
	if !ok {
		t.Fatalf("no => in %q", line)
	}
	var from string
	var ids dmarc.Identifiers
	var o dmarc.Options
	for _, word := range strings.Fields(asked) {
		key, value, _ := strings.Cut(word, "=")
		domain, code, _ := strings.Cut(value, ":")
		switch key {
		case "from":
			from = value
		case "spf":
			ids.SPF = dmarc.Identifier{Domain: domain, Code: code}
		case "dkim":
			ids.DKIM = append(ids.DKIM, dmarc.Identifier{Domain: domain, Code: code})
		case "method":
			o.Method = dmarc.Method(value)
		default:
			t.Fatalf("%q in %q", key, line)
		}
	}
	ctx := context.Background()
	r := dmarc.Discover(ctx, resolver, from, o).Evaluate(ctx, ids)
	got := map[string]string{
		"result": string(r.Code), "org": r.OrganizationalDomain, "at": r.PolicyDomain, "policy": string(r.Policy),
		"disposition": string(r.Disposition), "spf": fmt.Sprint(r.Aligned.SPF), "dkim": fmt.Sprint(r.Aligned.DKIM),
		"queries": fmt.Sprint(len(resolver.asked)), "asked": strings.Join(resolver.asked, ","), "error": fmt.Sprint(r.Err != nil),
	}
	for _, word := range strings.Fields(wanted) {
		key, want, _ := strings.Cut(word, "=")
		if value, known := got[key]; !known {
			t.Fatalf("%q in %q", key, line)
		} else if value != want {
			t.Errorf("%s\ngot %s=%s (%v), asked for %s", line, key, value, r.Err, resolver.asked)
		}
	}
}

// counting is a zone that some names of which cannot be reached, and that remembers what it was asked.
type counting struct {
	zone    *dns.Zone
	failing map[string]bool
	asked   []string
}

func (c *counting) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	c.asked = append(c.asked, name)
	if c.failing[name] {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrServFail}
	}
	return c.zone.Lookup(ctx, name, typ)
}

func TestTheWalkNeverAsksMoreThanEightNames(t *testing.T) {
	zone, err := dns.ParseZone(strings.NewReader(""), "empty")
	if err != nil {
		t.Fatal(err)
	}
	c := &counting{zone: zone}
	dmarc.Discover(context.Background(), c, strings.Repeat("a.", 100)+"example.com", dmarc.Options{})
	if len(c.asked) != 8 {
		t.Errorf("asked %d names: %v", len(c.asked), c.asked)
	}
}

func TestTheWalkFromNineLabelsAsksTheLastSevenNext(t *testing.T) {
	zone, _ := dns.ParseZone(strings.NewReader(""), "empty")
	c := &counting{zone: zone}
	dmarc.Discover(context.Background(), c, "a.b.c.d.e.f.g.example.com", dmarc.Options{})
	want := "_dmarc.a.b.c.d.e.f.g.example.com _dmarc.c.d.e.f.g.example.com _dmarc.d.e.f.g.example.com _dmarc.e.f.g.example.com " +
		"_dmarc.f.g.example.com _dmarc.g.example.com _dmarc.example.com _dmarc.com"
	if got := strings.Join(c.asked, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, txt string
		want      string // "p sp np dkim/spf psd fo t, rua; ruf" or the error
		warnings  int
	}{
		{"least", "v=DMARC1; p=none", "none none none r/r u 0 n", 0},
		{"all tags", "v=DMARC1; p=reject; sp=quarantine; np=reject; adkim=s; aspf=s; fo=1:d; psd=n; t=y; rua=mailto:a@example.com; ruf=mailto:b@example.com",
			"reject quarantine reject s/s n 1:d y, mailto:a@example.com; mailto:b@example.com", 0},
		{"order is free after v", "v=DMARC1; sp=none; p=reject", "reject none none r/r u 0 n", 0},
		{"np falls back to sp", "v=DMARC1; p=reject; sp=quarantine", "reject quarantine quarantine r/r u 0 n", 0},
		{"white space", "v \t= DMARC1 ;p\t=\treject ; ", "reject reject reject r/r u 0 n", 0},
		{"no semicolon at the end", "v=DMARC1;p=reject", "reject reject reject r/r u 0 n", 0},
		{"tag names and values in upper case", "V=DMARC1; P=REJECT; T=Y", "reject reject reject r/r u 0 y", 0},
		{"unknown tag", "v=DMARC1; p=reject; x=1", "reject reject reject r/r u 0 n", 0},
		{"the version is case-sensitive", "v=dmarc1; p=reject", "does not begin with v=DMARC1", 0},
		{"another version", "v=DMARC12; p=reject", "does not begin with v=DMARC1", 0},
		{"the version is not first", "p=reject; v=DMARC1", "does not begin with v=DMARC1", 0},
		{"p missing without rua", "v=DMARC1", "no usable policy: p is missing", 0},
		{"p missing with rua", "v=DMARC1; rua=mailto:a@example.com", "none none none r/r u 0 n, mailto:a@example.com; ", 1},
		{"p invalid with rua", "v=DMARC1; p=block; rua=mailto:a@example.com", "none none none r/r u 0 n, mailto:a@example.com; ", 1},
		{"sp invalid with rua", "v=DMARC1; p=reject; sp=block; rua=mailto:a@example.com", "none none none r/r u 0 n, mailto:a@example.com; ", 1},
		{"np invalid without rua", "v=DMARC1; p=reject; np=block", "no usable policy: np=block: the value is none, quarantine or reject", 0},
		{"p invalid and rua without a valid URI", "v=DMARC1; p=block; rua=a@example.com", "no usable policy: p=block: the value is none, quarantine or reject; rua: \"a@example.com\" is no URI; an address is written mailto:name@example.com", 0},
		{"invalid adkim means its default", "v=DMARC1; p=reject; adkim=x; aspf=", "reject reject reject r/r u 0 n", 2},
		{"gone tags", "v=DMARC1; p=reject; pct=50; rf=afrf; ri=3600", "reject reject reject r/r u 0 n", 3},
		{"size limit is gone", "v=DMARC1; p=none; rua=mailto:a@example.com!10m,https://example.com/r", "none none none r/r u 0 n, mailto:a@example.com https://example.com/r; ", 1},
		{"fo without ruf is ignored", "v=DMARC1; p=none; fo=1", "none none none r/r u 0 n", 0},
		{"fo 0 and 1 exclude each other", "v=DMARC1; p=none; fo=0:1; ruf=mailto:a@example.com", "none none none r/r u 0 n, ; mailto:a@example.com", 1},
		{"a tag twice", "v=DMARC1; p=reject; p=none", "reject reject reject r/r u 0 n", 1},
		{"a tag without =", "v=DMARC1; p=reject; nonsense", "reject reject reject r/r u 0 n", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := dmarc.Parse(c.txt)
			got, warnings := "", 0
			if err != nil {
				got = err.Error()
			} else {
				got, warnings = show(r), len(r.Warnings)
			}
			if got != c.want || warnings != c.warnings {
				t.Errorf("Parse(%q)\ngot  %s, %d warnings\nwant %s, %d warnings", c.txt, got, warnings, c.want, c.warnings)
			}
		})
	}
}

func TestWhatIsSaidOfARecordIsBoundedAndPrintable(t *testing.T) {
	for _, txt := range []string{
		"v=DMARC1; p=\r\nX-Injected: yes",
		"v=DMARC1; p=" + strings.Repeat("x", 60_000),
		"v=DMARC1" + strings.Repeat(";\x1b", 30_000),
		"v=DMARC1; p=none; rua=" + strings.Repeat("\xffé,", 30_000),
		"v=DMARC1; p=none" + strings.Repeat("; p\x00=1", 10_000),
		"v=DMARC1; p=none; ruf=mailto:a@example.com; fo=" + strings.Repeat("\n:", 20_000),
	} {
		r, err := dmarc.Parse(txt)
		said := fmt.Sprint(err)
		if err == nil {
			said = strings.Join(r.Warnings, "; ")
		}
		if len(said) > 16<<10 || strings.ContainsFunc(said, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
			t.Errorf("Parse(%.40q…) says %d bytes: %.200q", txt, len(said), said)
		}
	}
}

func show(r *dmarc.Record) string {
	mode := map[bool]string{false: "r", true: "s"}
	flag := map[bool]string{false: "n", true: "y"}
	s := fmt.Sprintf("%s %s %s %s/%s %c %s %s", r.Policy, r.SubdomainPolicy, r.NonExistentPolicy, mode[r.StrictDKIM], mode[r.StrictSPF],
		r.PublicSuffixDomain, r.FailureOptions, flag[r.Testing])
	if len(r.AggregateURIs)+len(r.FailureURIs) == 0 {
		return s
	}
	uris := func(list []dmarc.URI) string {
		var texts []string
		for _, u := range list {
			texts = append(texts, u.Text)
		}
		return strings.Join(texts, " ")
	}
	return s + ", " + uris(r.AggregateURIs) + "; " + uris(r.FailureURIs)
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"v=DMARC1; p=none", "v=DMARC1;p=reject;rua=mailto:a@b.example!5m,https://x", "v=DMARC1", ";;;=", "v=DMARC1; fo=0:1:d:s; ruf=mailto:x@y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, txt string) {
		r, err := dmarc.Parse(txt)
		if err != nil {
			var syntax *dmarc.SyntaxError
			if !errors.As(err, &syntax) {
				t.Errorf("Parse(%q): %T", txt, err)
			}
			return
		}
		if !dmarc.IsRecord(txt) {
			t.Errorf("%q parses and is no record", txt)
		}
		for _, tag := range r.Tags {
			if !strings.EqualFold(txt[tag.Pos:tag.Pos+min(len(tag.Name), len(txt)-tag.Pos)], tag.Name) && isASCII(txt) {
				t.Errorf("%q: tag %q is not at %d", txt, tag.Name, tag.Pos)
			}
		}
		again, err := dmarc.Parse(print(r))
		if err != nil || show(again) != show(r) {
			t.Errorf("%q is printed as %q, which reads %v, %v", txt, print(r), again, err)
		}
	})
}

// print writes the record from its members.
func print(r *dmarc.Record) string {
	flag := map[bool]string{false: "n", true: "y"}
	mode := map[bool]string{false: "r", true: "s"}
	s := fmt.Sprintf("v=DMARC1; p=%s; sp=%s; np=%s; adkim=%s; aspf=%s; psd=%c; t=%s; fo=%s", r.Policy, r.SubdomainPolicy, r.NonExistentPolicy,
		mode[r.StrictDKIM], mode[r.StrictSPF], r.PublicSuffixDomain, flag[r.Testing], r.FailureOptions)
	for tag, uris := range map[string][]dmarc.URI{"rua": r.AggregateURIs, "ruf": r.FailureURIs} {
		var texts []string
		for _, u := range uris {
			texts = append(texts, u.Text)
		}
		if texts != nil {
			s += "; " + tag + "=" + strings.Join(texts, ",")
		}
	}
	return s
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}

func FuzzDiscover(f *testing.F) {
	f.Add("a.b.example.com", "v=DMARC1; p=reject", "v=DMARC1; p=none; psd=y", uint8(1))
	f.Add("example.com", "v=DMARC1; p=reject; np=none", "x", uint8(3))
	f.Fuzz(func(t *testing.T, domain, one, two string, bits uint8) {
		name, err := dns.ToASCII(domain)
		if err != nil {
			return
		}
		r := &random{texts: []string{one, two}, bits: bits}
		ctx := context.Background()
		p := dmarc.Discover(ctx, r, name, dmarc.Options{})
		result := p.Evaluate(ctx, dmarc.Identifiers{SPF: dmarc.Identifier{Domain: name, Code: "pass"}})
		if r.walks > 8 {
			t.Errorf("%s: %d queries", name, r.walks)
		}
		if result.Code == dmarc.Fail {
			t.Errorf("%s: SPF passed for the Author Domain itself, and the result is %+v", name, result)
		}
		below := dmarc.Identifier{Domain: "below." + name, Code: "pass"}
		result = p.Evaluate(ctx, dmarc.Identifiers{DKIM: []dmarc.Identifier{below, below, below}})
		if r.walks > 16 {
			t.Errorf("%s: %d queries, for it and one identifier below it", name, r.walks)
		}
		if (result.Disposition != dmarc.DispositionNone) && result.Code != dmarc.Fail {
			t.Errorf("%s: %+v", name, result)
		}
	})
}

// random answers one of two texts, nothing, or a failure, as bits say.
type random struct {
	texts []string
	bits  uint8
	walks int
}

func (r *random) Lookup(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
	if typ != dns.TypeTXT {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrNXDomain}
	}
	r.walks++
	defer func() { r.bits = r.bits>>1 | r.bits<<7 }()
	switch r.bits & 3 {
	case 0:
		return dns.Answer{TXT: r.texts}, nil
	case 1:
		return dns.Answer{TXT: r.texts[:1]}, nil
	case 2:
		return dns.Answer{TXT: r.texts[1:]}, nil
	}
	return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrServFail}
}

func Example() {
	zone, err := dns.ParseZone(strings.NewReader(`_dmarc.example.com. TXT "v=DMARC1; p=reject; sp=quarantine"`), "example")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	ctx := context.Background()
	policy := dmarc.Discover(ctx, zone, "news.example.com", dmarc.Options{})
	fmt.Println(policy.OrganizationalDomain, policy.Applicable)

	aligned := dmarc.Identifiers{DKIM: []dmarc.Identifier{{Domain: "example.com", Code: "pass"}}}
	fmt.Println(policy.Evaluate(ctx, aligned).Code)

	foreign := dmarc.Identifiers{SPF: dmarc.Identifier{Domain: "mailer.example", Code: "pass"}}
	result := policy.Evaluate(ctx, foreign)
	fmt.Println(result.Code, result.Disposition)
	// Output:
	// example.com quarantine
	// pass
	// fail quarantine
}

func BenchmarkOwnRecordAlignedExactly(b *testing.B) {
	zone, err := dns.ParseZone(strings.NewReader(`_dmarc.example.com. TXT "v=DMARC1; p=reject; rua=mailto:dmarc@example.com"`), "example")
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	ids := dmarc.Identifiers{DKIM: []dmarc.Identifier{{Domain: "example.com", Code: "pass"}}}
	b.ReportAllocs()
	for b.Loop() {
		if r := dmarc.Discover(ctx, zone, "example.com", dmarc.Options{}).Evaluate(ctx, ids); r.Code != dmarc.Pass {
			b.Fatal(r)
		}
	}
}
