package spf

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
)

func TestMalformedDomainIsNoneWithoutAQuestion(t *testing.T) {
	z := newZone()
	long := strings.Repeat("a.", 126) + "ab"
	for _, name := range []string{
		"localhost", "[192.0.2.1]", "192.0.2.1", "a..example.com", ".example.com", "example.com..", "a b.example.com",
		strings.Repeat("a", 64) + ".example.com", long, "bad\x00.example.com", "", ".",
	} {
		want(t, ask(z, "192.0.2.1", from(""), helo(name)), None, ErrNoDomain)
		want(t, ask(z, "192.0.2.1", from("a@"+name)), None, ErrNoDomain)
	}
	if n := z.queries.Load(); n != 0 {
		t.Errorf("asked %d questions, want none", n)
	}
}

func TestDomainIsAskedForInALabels(t *testing.T) {
	z := newZone("xn--bcher-kva.example TXT v=spf1 exists:%{o}.%{d}.example.com", "xn--bcher-kva.example.xn--bcher-kva.example.example.com A 127.0.0.2")
	for _, name := range []string{"bücher.example", "BÜCHER.Example.", "XN--BCHER-KVA.example"} {
		res := ask(z, "192.0.2.1", from("a@"+name))
		want(t, res, Pass)
		if res.Domain != "xn--bcher-kva.example" {
			t.Errorf("%s: domain %q", name, res.Domain)
		}
	}
}

func TestMissingLocalPartIsPostmaster(t *testing.T) {
	z := newZone("example.com TXT v=spf1 exists:%{l}.l.example.com -all", "postmaster.l.example.com A 127.0.0.2")
	for _, sender := range []string{"@example.com", "example.com"} {
		want(t, ask(z, "192.0.2.1", from(sender)), Pass)
	}
	want(t, ask(z, "192.0.2.1", from(""), helo("example.com")), Pass)
}

func TestMappedClientIsAnIPv4Client(t *testing.T) {
	z := newZone("example.com TXT v=spf1 -ip6:::ffff:192.0.2.1 a//0 -all", "example.com A 192.0.2.1", "example.com AAAA 2001:db8::1")
	want(t, ask(z, "::ffff:192.0.2.1"), Pass)
}

func TestClientWithoutAddressIsNone(t *testing.T) {
	res := Check(context.Background(), newZone(), Query{MailFrom: "a@example.com"})
	if res.Code != None || res.Err == nil {
		t.Errorf("got %s (%v), want none with a reason", res.Code, res.Err)
	}
}

func TestLocalPartThatIsNotASCIIMatchesNothing(t *testing.T) {
	z := newZone("example.com TXT v=spf1 exists:%{l}.example.com -all")
	want(t, ask(z, "192.0.2.1", from("jos\u00e9@example.com")), Fail)
	if n := z.queries.Load(); n != 1 {
		t.Errorf("asked %d questions, want one", n)
	}
}

func TestFailureOfTheDNSIsTempError(t *testing.T) {
	for _, kind := range []string{"SERVFAIL", "TIMEOUT"} {
		for _, c := range []struct{ term, failing string }{
			{"", "example.com"}, {"a:f.example.com", "f.example.com"}, {"mx:f.example.com", "f.example.com"}, {"mx", "mx.example.com"},
			{"exists:f.example.com", "f.example.com"}, {"include:f.example.com", "f.example.com"}, {"redirect=f.example.com", "f.example.com"},
		} {
			z := newZone("example.com TXT v=spf1 "+c.term, "example.com MX mx.example.com", c.failing+" "+kind)
			if c.term == "" {
				delete(z.answers, "example.com TXT")
			}
			want(t, ask(z, "192.0.2.1"), TempError)
		}
	}
}

func TestUsedUpQueriesArePermError(t *testing.T) {
	for _, term := range []string{"a", "mx", "ptr", "exists:f.example.com", "include:f.example.com", "redirect=f.example.com", "exists:%{p}.f.example.com"} {
		z := newZone("example.com TXT v=spf1 "+term, "example.com A 192.0.2.1", "example.com MX example.com", "f.example.com A 192.0.2.1",
			"1.2.0.192.in-addr.arpa PTR example.com")
		q := Query{IP: netip.MustParseAddr("192.0.2.1"), MailFrom: "a@example.com"}
		want(t, Check(context.Background(), dns.Limit(z, 1), q), PermError, dns.ErrLimit)
	}
}

func TestEndOfTimeIsTempError(t *testing.T) {
	for _, term := range []string{"a", "ptr", "include:b.example.com"} {
		ctx, cancel := context.WithCancel(context.Background())
		z := newZone("example.com TXT v=spf1 " + term)
		stop := resolverFunc(func(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
			defer cancel()
			return z.Lookup(ctx, name, typ)
		})
		q := Query{IP: netip.MustParseAddr("192.0.2.1"), MailFrom: "a@example.com"}
		want(t, Check(ctx, stop, q), TempError, dns.ErrTimeout, context.Canceled)
		if n := z.queries.Load(); n != 1 {
			t.Errorf("%s: asked %d questions, want one", term, n)
		}
	}
}

type resolverFunc func(context.Context, string, dns.Type) (dns.Answer, error)

func (f resolverFunc) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	return f(ctx, name, typ)
}

func TestSyntaxErrorAnywhereComesBeforeEvaluation(t *testing.T) {
	z := newZone("example.com TXT v=spf1 a ip4:192.0.2.1 -all moo")
	res := ask(z, "192.0.2.1")
	want(t, res, PermError)
	var s *SyntaxError
	if !errors.As(res.Err, &s) || s.Term != "moo" || z.queries.Load() != 1 {
		t.Errorf("got the reason %v after %d questions, want the term moo after one", res.Err, z.queries.Load())
	}
}

func TestRedirectIsIgnoredBesideAll(t *testing.T) {
	res := ask(newZone("example.com TXT v=spf1 redirect=b.example.com ~all"), "192.0.2.1")
	want(t, res, SoftFail)
	if res.Term != "~all" || res.Lookups != 0 {
		t.Errorf("matched %q after %d look-ups, want ~all after none", res.Term, res.Lookups)
	}
}

func TestTargetThatIsNoDomainIsPermErrorForIncludeAndRedirect(t *testing.T) {
	for _, term := range []string{"include:%{d1}", "redirect=%{d1}", "include:a..%{d}", "redirect=%{h}"} {
		want(t, ask(newZone("example.com TXT v=spf1 "+term), "192.0.2.1", helo("[192.0.2.1]")), PermError, ErrTarget)
	}
}

func TestTargetThatIsNoNameMatchesNothingAndCostsNothing(t *testing.T) {
	z := newZone("example.com TXT v=spf1 a:%{h} mx:%{h} exists:%{h} ptr:%{h} a:a..example.com -all")
	res := ask(z, "192.0.2.1", helo("no..name"))
	want(t, res, Fail)
	if z.queries.Load() != 1 || res.VoidLookups != 0 {
		t.Errorf("asked %d questions, %d void, want one and none", z.queries.Load(), res.VoidLookups)
	}
}

func TestLimitsAreConfigurable(t *testing.T) {
	z := newZone("example.com TXT v=spf1 a:n1.example.com a:n2.example.com a:n3.example.com a:n4.example.com -all")
	want(t, ask(z, "192.0.2.1", func(q *Query) { q.MaxVoidLookups = 4 }), Fail)
	want(t, ask(z, "192.0.2.1", func(q *Query) { q.MaxVoidLookups = 3 }), PermError, ErrVoidLimit)
	want(t, ask(z, "192.0.2.1", func(q *Query) { q.MaxVoidLookups, q.MaxLookups = 4, 3 }), PermError, ErrLookupLimit)
}

func TestATermIsVoidOnceAtMost(t *testing.T) {
	z := newZone("example.com TXT v=spf1 mx -all", "example.com MX m1.example.com m2.example.com m3.example.com m4.example.com",
		"m3.example.com A 192.0.2.9")
	if res := ask(z, "192.0.2.1"); res.Code != Fail || res.VoidLookups != 0 {
		t.Errorf("one host has an address: got %s, %d void look-ups, want fail and none", res.Code, res.VoidLookups)
	}
	if res := ask(z, "2001:db8::1"); res.Code != Fail || res.VoidLookups != 1 {
		t.Errorf("no host has an address: got %s, %d void look-ups, want fail and one", res.Code, res.VoidLookups)
	}
}

func TestMacroPCountsItsLookupOnce(t *testing.T) {
	z := newZone("example.com TXT v=spf1 exists:%{p}.a.example.com exists:%{p}.b.example.com -all exp=e.example.com", "e.example.com TXT %{p}",
		"unknown.a.example.com AAAA ::1", "unknown.b.example.com AAAA ::1")
	z.log = true
	res := ask(z, "192.0.2.1")
	want(t, res, Fail)
	if res.Lookups != 3 || res.Explanation != "unknown" {
		t.Errorf("counted %d look-ups, explanation %q, want 3 and unknown", res.Lookups, res.Explanation)
	}
	if n := strings.Count(strings.Join(z.asked, "\n"), "arpa"); n != 1 {
		t.Errorf("asked %q, want the reverse name once", z.asked)
	}
}

func TestNullMXMatchesNothing(t *testing.T) {
	z := newZone("example.com TXT v=spf1 mx -all", "example.com MX .")
	if res := ask(z, "192.0.2.1"); res.Code != Fail || z.queries.Load() != 2 || res.VoidLookups != 0 {
		t.Errorf("got %s after %d questions, %d void", res.Code, z.queries.Load(), res.VoidLookups)
	}
}

func TestReasonNamesTheTermAndWhoseRecordHoldsIt(t *testing.T) {
	for _, c := range []struct{ inner, want string }{
		{"v=spf1 ip4:192.0.2 -all", `the record of b.example.com, at "ip4:192.0.2": this is not an IPv4 address of four numbers`},
		{"v=spf1 include:c.example.com -all", `the record of b.example.com, at "include:c.example.com": c.example.com: no SPF record: ` +
			`c.example.com TXT: no such domain`},
		{"v=spf1 a:\x1b[31m\xff.example.com", `the record of b.example.com, at "a:\x1b[31m\xff.example.com": only visible ASCII characters ` +
			`may stand in a record`},
		{"v=spf1 a:n1.example.com a:n2.example.com a:n3.example.com", `the record of b.example.com, at "a:n3.example.com": ` +
			`too many terms look for what does not exist: more than 2`},
		{"v=spf1 a:f.example.com", `the record of b.example.com, at "a:f.example.com": f.example.com A: no answer in time`},
		{"v=spf1 redirect=f.example.com", `the record of b.example.com, at "redirect=f.example.com": f.example.com: f.example.com TXT: ` +
			`no answer in time`},
		{"nothing", `the record of example.com, at "include:b.example.com": b.example.com: no SPF record`},
	} {
		res := ask(newZone("example.com TXT v=spf1 include:b.example.com -all", "b.example.com TXT "+c.inner, "f.example.com TIMEOUT"), "192.0.2.1")
		if res.Err == nil || res.Err.Error() != c.want {
			t.Errorf("%q: got the reason\n%v\nwant\n%s", c.inner, res.Err, c.want)
		}
	}
}

func TestTraceTellsHowTheResultCameAbout(t *testing.T) {
	z := newZone("example.com TXT v=spf1 ip4:192.0.2.9 include:_spf.example.net redirect=r.example.com", "_spf.example.net TXT v=spf1 a",
		"_spf.example.net A 192.0.2.8", "r.example.com TXT v=spf1 ~all")
	res := ask(z, "192.0.2.1")
	trace := []string{
		`example.com: "ip4:192.0.2.9" → no match`,
		`  _spf.example.net: "a" → no match`,
		`  _spf.example.net → neutral`,
		`example.com: "include:_spf.example.net" → no match`,
		`example.com: "redirect=r.example.com" → r.example.com`,
		`r.example.com: "~all" → softfail`,
	}
	if !slices.Equal(res.Trace, trace) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(res.Trace, "\n"), strings.Join(trace, "\n"))
	}
	if res := ask(z, "192.0.2.1", func(q *Query) { q.Trace = false }); res.Trace != nil {
		t.Errorf("a trace that nobody asked for: %q", res.Trace)
	}
}

func TestRecordIsThatOfTheDomainAsked(t *testing.T) {
	res := ask(newZone("example.com TXT v=spf1 redirect=b.example.com", "b.example.com TXT v=spf1 -all"), "192.0.2.1")
	if res.Record != "v=spf1 redirect=b.example.com" || res.Term != "-all" || res.Domain != "example.com" {
		t.Errorf("got domain %q, record %q, term %q", res.Domain, res.Record, res.Term)
	}
}

func TestLongRecordsCostNoMemory(t *testing.T) {
	long := strings.Repeat(" a mx ip4:203.0.113.1 ra=x", 2400)
	z := newZone("example.com TXT v=spf1 include:n0.example.com -all")
	for i := range 12 {
		z.add(fmt.Sprintf("n%d.example.com", i), "TXT", fmt.Sprintf("v=spf1 include:n%d.example.com%s -all", i+1, long))
	}
	q := Query{IP: netip.MustParseAddr("192.0.2.1"), MailFrom: "a@example.com"}
	want(t, Check(context.Background(), z, q), PermError, ErrLookupLimit)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	Check(context.Background(), z, q)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 100<<10 {
		t.Errorf("ten records of 60 KB each took %d bytes of memory", n)
	}
}

func TestTermsBeyondTheLimitAreStillMet(t *testing.T) {
	z := newZone("example.com TXT v=spf1"+strings.Repeat(" a", 50)+" redirect=b.example.com", "example.com A 192.0.2.9")
	want(t, ask(z, "192.0.2.1"), PermError, ErrLookupLimit)
	want(t, ask(z, "192.0.2.1", func(q *Query) { q.MaxLookups = 50 }), PermError, ErrLookupLimit)
	want(t, ask(z, "192.0.2.1", func(q *Query) { q.MaxLookups = 51 }), PermError, ErrNoRecord)
}
