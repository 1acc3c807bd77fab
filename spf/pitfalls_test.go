package spf

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
)

// ask evaluates sender@example.com, or from where the query names another, against a zone.
func ask(z *zone, ip string, change ...func(*Query)) Result {
	q := Query{IP: netip.MustParseAddr(ip), Helo: "mail.example.com", MailFrom: "sender@example.com", Trace: true}
	for _, f := range change {
		f(&q)
	}
	return Check(context.Background(), z, q)
}

func from(mailFrom string) func(*Query) { return func(q *Query) { q.MailFrom = mailFrom } }
func helo(name string) func(*Query)     { return func(q *Query) { q.Helo = name } }

// want compares a result's code, and the reason if one is named.
func want(t *testing.T, res Result, code Code, reason ...error) {
	t.Helper()
	if res.Code != code {
		t.Errorf("got %s (%v), want %s\n%s", res.Code, res.Err, code, strings.Join(res.Trace, "\n"))
	}
	for _, r := range reason {
		if !errors.Is(res.Err, r) {
			t.Errorf("got the reason %v, want %v", res.Err, r)
		}
	}
}

func TestTwoRecordsArePermErrorInEitherOrder(t *testing.T) {
	for _, records := range [][2]string{{"v=spf1 +all", "v=spf1 -all"}, {"v=spf1 -all", "V=SPF1 +all"}} {
		z := newZone("example.com TXT "+records[0], "example.com TXT "+records[1], "example.com TXT something else")
		want(t, ask(z, "192.0.2.1"), PermError, ErrManyRecords)
	}
}

func TestVersionIsCaseInsensitive(t *testing.T) {
	want(t, ask(newZone("example.com TXT V=sPf1 -all"), "192.0.2.1"), Fail)
}

func TestVersionTenIsAnotherWord(t *testing.T) {
	want(t, ask(newZone("example.com TXT v=spf10 +all"), "192.0.2.1"), None, ErrNoRecord)
	want(t, ask(newZone("example.com TXT v=spf10 +all", "example.com TXT v=spf1 -all"), "192.0.2.1"), Fail)
}

func TestHeloResultOfNoneDoesNotSkipMailFrom(t *testing.T) {
	z := newZone("example.com TXT v=spf1 -all")
	want(t, ask(z, "192.0.2.1", from(""), helo("no.example.net")), None)
	for _, name := range []string{"no.example.net", "LOCALHOST", "[192.0.2.1]", ""} {
		want(t, ask(z, "192.0.2.1", helo(name)), Fail)
	}
}

func TestRedirectCountsTowardTheTenLookups(t *testing.T) {
	z := newZone("example.com TXT v=spf1"+strings.Repeat(" a", 10)+" redirect=b.example.com", "example.com A 192.0.2.9",
		"b.example.com TXT v=spf1 +all")
	want(t, ask(z, "192.0.2.1"), PermError, ErrLookupLimit)
	z = newZone("example.com TXT v=spf1"+strings.Repeat(" a", 9)+" redirect=b.example.com", "example.com A 192.0.2.9",
		"b.example.com TXT v=spf1 +all")
	res := ask(z, "192.0.2.1")
	want(t, res, Pass)
	if res.Lookups != 10 {
		t.Errorf("counted %d look-ups, want 10", res.Lookups)
	}
}

func TestRedirectLoopEndsAsPermError(t *testing.T) {
	z := newZone("example.com TXT v=spf1 redirect=b.example.com", "b.example.com TXT v=spf1 redirect=example.com")
	want(t, ask(z, "192.0.2.1"), PermError, ErrLookupLimit)
	if n := z.queries.Load(); n != 11 {
		t.Errorf("asked %d questions, want 11", n)
	}
}

func TestIncludeLoopEndsAsPermError(t *testing.T) {
	z := newZone("example.com TXT v=spf1 include:b.example.com", "b.example.com TXT v=spf1 include:example.com include:b.example.com")
	want(t, ask(z, "192.0.2.1"), PermError, ErrLookupLimit)
	if n := z.queries.Load(); n != 11 {
		t.Errorf("asked %d questions, want 11", n)
	}
}

func TestTwoVoidLookupsAndThenAHitPass(t *testing.T) {
	z := newZone("example.com TXT v=spf1 a:no1.example.com exists:no2.example.com a:yes.example.com -all", "yes.example.com A 192.0.2.1")
	res := ask(z, "192.0.2.1")
	want(t, res, Pass)
	if res.VoidLookups != 2 {
		t.Errorf("counted %d void look-ups, want 2", res.VoidLookups)
	}
}

func TestThirdVoidLookupIsPermError(t *testing.T) {
	z := newZone("example.com TXT v=spf1 a:no1.example.com mx:no2.example.com exists:no3.example.com ip4:192.0.2.1 -all",
		"no2.example.com A 192.0.2.1") // exists, but has no MX
	want(t, ask(z, "192.0.2.1"), PermError, ErrVoidLimit)
}

func TestAExpandsMacrosInItsDomain(t *testing.T) {
	z := newZone("example.com TXT v=spf1 a:%{l}.%{d}/24 -all", "sender.example.com A 192.0.2.77")
	want(t, ask(z, "192.0.2.1"), Pass)
}

func TestMXExpandsMacrosInItsDomain(t *testing.T) {
	z := newZone("example.com TXT v=spf1 mx:%{ir}.%{v}.%{d2}/32//64 -all", "1.2.0.192.in-addr.example.com MX mx.example.com",
		"mx.example.com A 192.0.2.1")
	want(t, ask(z, "192.0.2.1"), Pass)
}

func TestPrefixOfZeroWithoutAAAADoesNotMatchAnIPv6Client(t *testing.T) {
	z := newZone("example.com TXT v=spf1 a//0 mx//0 -all", "example.com A 192.0.2.1", "example.com MX example.com")
	want(t, ask(z, "2001:db8::1"), Fail)
	z = newZone("example.com TXT v=spf1 a//0 -all", "example.com AAAA 2001:db8:ffff::")
	want(t, ask(z, "2001:db8::1"), Pass)
}

func TestMacroPNeedsForwardConfirmation(t *testing.T) {
	z := newZone("example.com TXT v=spf1 exists:%{p}.in.example.net -all", "1.2.0.192.in-addr.arpa PTR mx.example.com.",
		"mx.example.com A 192.0.2.2", "unknown.in.example.net A 127.0.0.2")
	want(t, ask(z, "192.0.2.1"), Pass)
	z = newZone("example.com TXT v=spf1 exists:%{p}.in.example.net -all", "1.2.0.192.in-addr.arpa PTR other.example.net. MX.Example.com.",
		"other.example.net A 192.0.2.1", "mx.example.com A 192.0.2.1", "mx.example.com.in.example.net A 127.0.0.2")
	want(t, ask(z, "192.0.2.1"), Pass)
}

func TestPTRServFailIsNoMatch(t *testing.T) {
	for _, failing := range []string{"1.2.0.192.in-addr.arpa SERVFAIL", "1.2.0.192.in-addr.arpa TIMEOUT"} {
		z := newZone("example.com TXT v=spf1 ptr ?exists:%{p}.in.example.net -all", failing, "unknown.in.example.net A 127.0.0.2")
		want(t, ask(z, "192.0.2.1"), Neutral)
	}
	z := newZone("example.com TXT v=spf1 ptr -all", "1.2.0.192.in-addr.arpa PTR bad.example.com mx.example.com", "bad.example.com SERVFAIL",
		"mx.example.com A 192.0.2.1")
	want(t, ask(z, "192.0.2.1"), Pass)
}

func TestExistsAsksForAEvenWhenTheClientIsIPv6(t *testing.T) {
	want(t, ask(newZone("example.com TXT v=spf1 exists:e.example.com -all", "e.example.com A 127.0.0.2"), "2001:db8::1"), Pass)
	want(t, ask(newZone("example.com TXT v=spf1 exists:e.example.com -all", "e.example.com AAAA 2001:db8::1"), "2001:db8::1"), Fail)
}

func TestIncludeOfDomainWithoutRecordIsPermError(t *testing.T) {
	for _, line := range []string{"b.example.com TXT nothing", "b.example.com A 192.0.2.1", "c.example.com A 192.0.2.1"} {
		want(t, ask(newZone("example.com TXT v=spf1 include:b.example.com ip4:192.0.2.1", line), "192.0.2.1"), PermError, ErrNoRecord)
	}
}

func TestDomainMacroIsTheOuterDomainAgainAfterAnInclude(t *testing.T) {
	z := newZone("example.com TXT v=spf1 include:b.example.net exists:x.%{d} -all", "b.example.net TXT v=spf1 exists:y.%{d} ?all",
		"x.example.com A 127.0.0.2")
	z.log = true
	want(t, ask(z, "192.0.2.1"), Pass)
	if asked := []string{"example.com TXT", "b.example.net TXT", "y.b.example.net A", "x.example.com A"}; !slices.Equal(z.asked, asked) {
		t.Errorf("asked %q, want %q", z.asked, asked)
	}
}

func TestExpOfAnIncludedRecordIsNotUsed(t *testing.T) {
	z := newZone("example.com TXT v=spf1 include:b.example.net -all", "b.example.net TXT v=spf1 -all exp=e.example.net", "e.example.net TXT no")
	res := ask(z, "192.0.2.1")
	want(t, res, Fail)
	if res.Explanation != "" {
		t.Errorf("explanation %q, want none", res.Explanation)
	}
}

func TestEleventhMXIsPermError(t *testing.T) {
	hosts := func(n int) string {
		return "example.com MX mx.example.com" + strings.Repeat(" other.example.com", n-1)
	}
	lines := []string{"example.com TXT v=spf1 mx -all", "mx.example.com A 192.0.2.1", "other.example.com A 192.0.2.2"}
	want(t, ask(newZone(append(lines, hosts(10))...), "192.0.2.1"), Pass)
	want(t, ask(newZone(append(lines, hosts(11))...), "192.0.2.1"), PermError, ErrMXLimit)
}

func TestPTRNamesBeyondTenAreIgnored(t *testing.T) {
	z := newZone("example.com TXT v=spf1 ptr -all")
	for i := range 11 {
		z.add("1.2.0.192.in-addr.arpa", "PTR", fmt.Sprintf("m%d.example.com", i))
	}
	z.add("m10.example.com", "A", "192.0.2.1")
	want(t, ask(z, "192.0.2.1"), Fail)
	z.add("m9.example.com", "A", "192.0.2.1")
	want(t, ask(z, "192.0.2.1"), Pass)
}

func TestUpperCaseMacroEscapesASpace(t *testing.T) {
	z := newZone("example.com TXT v=spf1 -all exp=e.example.com", "e.example.com TXT http://example.com/?%{S}&%{l}")
	res := ask(z, "192.0.2.1", from("jack jill@example.com"))
	if got := "http://example.com/?jack%20jill%40example.com&jack jill"; res.Explanation != got {
		t.Errorf("explanation %q, want %q", res.Explanation, got)
	}
}

func TestExplanationStringsAreJoined(t *testing.T) {
	z, err := dns.ParseZone(strings.NewReader(`
example.com.   IN TXT "v=spf1 -a" "ll exp=e.example.com"
e.example.com. IN TXT "no mail f" "rom %{i}, " "please"
`), "zone")
	if err != nil {
		t.Fatal(err)
	}
	res := Check(context.Background(), z, Query{IP: netip.MustParseAddr("192.0.2.1"), MailFrom: "a@example.com"})
	if want := "no mail from 192.0.2.1, please"; res.Explanation != want {
		t.Errorf("explanation %q (%s, %v), want %q", res.Explanation, res.Code, res.Err, want)
	}
}

func TestExplanationCannotBreakAnSMTPReply(t *testing.T) {
	for _, c := range []struct{ text, sender, want string }{
		{"not\r\n250 you", "a@example.com", ""},
		{"caf\u00e9", "a@example.com", ""},
		{"tab\there", "a@example.com", ""},
		{"from %{l}", "a\r\n250 ok@example.com", "from a??250 ok"},
		{"from %{s}", "caf\u00e9@example.com", "from caf??@example.com"},
		{"%{L}", "a\r\n\x00@example.com", "a%0D%0A%00"},
		{"helo %{h}", "a@example.com", "helo m?x?"},
	} {
		z := newZone("example.com TXT v=spf1 -all exp=e.example.com", "e.example.com TXT "+c.text)
		res := ask(z, "192.0.2.1", from(c.sender), helo("m\x00x\x1b"))
		if res.Explanation != c.want {
			t.Errorf("%q for %q: explanation %q, want %q", c.text, c.sender, res.Explanation, c.want)
		}
	}
}
