package spf

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

func TestParseKeepsEveryTermWithItsPosition(t *testing.T) {
	record := "V=spf1  +MX:%{d}/24//64 -ip4:192.0.2.0/24 ?ip6:2001:DB8::/32 ~a/8 ptr include:_spf.example.net exists:%{ir}.example.org" +
		" Redirect=r.example.com exp=e.example.com ra=postmaster -all "
	r, err := Parse(record)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range []Term{
		{Text: "+MX:%{d}/24//64", Kind: KindMX, Qualifier: '+', DomainSpec: "%{d}", Bits4: 24, Bits6: 64},
		{Text: "-ip4:192.0.2.0/24", Kind: KindIP4, Qualifier: '-', Prefix: netip.MustParsePrefix("192.0.2.0/24")},
		{Text: "?ip6:2001:DB8::/32", Kind: KindIP6, Qualifier: '?', Prefix: netip.MustParsePrefix("2001:db8::/32")},
		{Text: "~a/8", Kind: KindA, Qualifier: '~', Bits4: 8, Bits6: 128},
		{Text: "ptr", Kind: KindPTR, Qualifier: '+'},
		{Text: "include:_spf.example.net", Kind: KindInclude, Qualifier: '+', DomainSpec: "_spf.example.net"},
		{Text: "exists:%{ir}.example.org", Kind: KindExists, Qualifier: '+', DomainSpec: "%{ir}.example.org"},
		{Text: "Redirect=r.example.com", Kind: KindRedirect, DomainSpec: "r.example.com"},
		{Text: "exp=e.example.com", Kind: KindExp, DomainSpec: "e.example.com"},
		{Text: "ra=postmaster", Kind: KindModifier, DomainSpec: "postmaster"},
		{Text: "-all", Kind: KindAll, Qualifier: '-'},
	} {
		w.Pos = strings.Index(record, w.Text)
		if r.Terms[i] != w {
			t.Errorf("term %d: got %+v, want %+v", i, r.Terms[i], w)
		}
	}
	if got, want := r.String(), "v=spf1 mx:%{d}/24//64 -ip4:192.0.2.0/24 ?ip6:2001:db8::/32 ~a/8 ptr include:_spf.example.net"+
		" exists:%{ir}.example.org redirect=r.example.com exp=e.example.com ra=postmaster -all"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

func TestSyntaxErrorLeavesEveryTermInPlace(t *testing.T) {
	r, err := Parse("v=spf1 a ip4:192.0.2.300 moo -all exp= all")
	var first *SyntaxError
	if !errors.As(err, &first) || first.Pos != 13 || first.Term != "ip4:192.0.2.300" {
		t.Errorf("got the error %v, want one at byte 13", err)
	}
	want := []struct {
		kind  Kind
		name  string
		wrong bool
	}{{KindA, "a", false}, {KindIP4, "ip4", true}, {KindInvalid, "moo", true}, {KindAll, "all", false}, {KindExp, "exp", true}, {KindAll, "all", false}}
	for i, w := range want {
		if term := r.Terms[i]; term.Kind != w.kind || term.Name() != w.name || (term.Err != nil) != w.wrong {
			t.Errorf("term %d: got %s %q with the error %v, want %s %q, wrong %t", i, term.Kind, term.Name(), term.Err, w.kind, w.name, w.wrong)
		}
	}
}

func TestWrongTermsSayWhereAndWhy(t *testing.T) {
	for _, c := range []struct {
		term   string
		at     int
		reason string
	}{
		{"all:", 3, "all takes no argument"},
		{"-all/8", 4, "all takes no argument"},
		{"include", 7, "a colon and a domain are missing"},
		{"include:", 8, "the domain is missing"},
		{"include/24", 7, "a prefix length cannot stand here"},
		{"exists:a.example.com/24", 17, "letters, digits and inner hyphens"},
		{"ptr/0", 3, "a prefix length cannot stand here"},
		{"redirect:example.com", 0, "written with ="},
		{"-exp=a.example.com", 1, "written with ="},
		{"=all", 0, "begins with a letter"},
		{"1up=foo", 0, "begins with a letter"},
		{"moo", 0, "no such mechanism"},
		{"-", 1, "no such mechanism"},
		{"a%{d}", 0, "no such mechanism"},
		{"a:", 2, "the domain is missing"},
		{"a:/24", 2, "the domain is missing"},
		{"a/", 2, "the prefix length is missing"},
		{"a/33", 2, "32 at most"},
		{"a/024", 2, "leading zero"},
		{"mx//129", 4, "128 at most"},
		{"mx/24/64", 5, "after two slashes"},
		{"mx:example.com/24/64", 17, "after two slashes"},
		{"mx///64", 3, "prefix length is missing"},
		{"mx/x", 2, "a prefix length cannot stand here"},
		{"a:museum", 2, "no dot"},
		{"a:museum.", 2, "no dot"},
		{"a:192.0.2.1", 10, "belongs to ip4"},
		{"a:example.-com", 10, "letters, digits and inner hyphens"},
		{"a:example.com:8080", 10, "letters, digits and inner hyphens"},
		{"a:%{d}com", 2, "no dot"},
		{"a:%{d}.", 2, "no dot"},
		{"a:x%.example.com", 3, "followed by {"},
		{"a:example.com%", 13, "stands alone"},
		{"a:%{d.example.com", 2, "no closing brace"},
		{"a:%{}.example.com", 2, "no letter"},
		{"a:%{a}.example.com", 2, "no such macro letter"},
		{"a:%{t}.example.com", 2, "text of an explanation only"},
		{"a:%{d0}.example.com", 2, "at least one part"},
		{"a:%{dx}.example.com", 2, "no delimiter"},
		{"a:%{d2r-x}.example.com", 2, "no delimiter"},
		{"a:caf\xc3\xa9.example.com", 5, "visible ASCII"},
		{"foo=bar\x01", 7, "visible ASCII"},
		{"foo=%x", 4, "followed by {"},
		{"ip4", 3, "a colon and an address are missing"},
		{"ip4/24", 3, "a colon and an address are missing"},
		{"ip4:1.2.3", 4, "not an IPv4 address"},
		{"ip4:1.2.3.04", 4, "not an IPv4 address"},
		{"ip4:1.2.3.4:8080", 4, "not an IPv4 address"},
		{"ip4:2001:db8::1", 4, "belongs to ip6"},
		{"ip4:1.2.3.4//32", 12, "not a number"},
		{"ip4:1.2.3.4/", 12, "prefix length is missing"},
		{"ip4:1.2.3.4/33", 12, "32 at most"},
		{"ip6:1.2.3.4", 4, "belongs to ip4"},
		{"ip6:fe80::1%eth0", 4, "not an IPv6 address"},
		{"ip6:::1.1.1.1/129", 14, "128 at most"},
		{"ip6:::1/99999999999999999999", 8, "128 at most"},
	} {
		_, err := Parse("v=spf1 " + c.term)
		var got *SyntaxError
		if !errors.As(err, &got) || got.Pos != len("v=spf1 ")+c.at || !strings.Contains(got.Reason, c.reason) {
			t.Errorf("%q: got %v, want %q at byte %d", c.term, err, c.reason, len("v=spf1 ")+c.at)
		}
	}
}

func TestRightTermsAreNoErrors(t *testing.T) {
	for _, term := range []string{
		"all", "ALL", "?a", "a:%{d}", "a:%{d}/24", "a:%{l2r+-,/_=.}//0", "a:foo:bar/baz.example.com", "a:x.example.xn--zckzah", "a:1.2-3",
		"a:%%.%_.%-", "mx:%{D127}.example.com.", "ip4:0.0.0.0/0", "ip6:::/0", "ip6:::ffff:1.2.3.4/128", "include=foo", "foo=", "x-y_z.1=%{t}%{c}%{r}",
		"ptr:%{h}", "exists:%{i}._ip.%{dR}.example.com",
	} {
		if _, err := Parse("v=spf1 " + term); err != nil {
			t.Errorf("%q: %v", term, err)
		}
	}
}

func TestOnlyRedirectAndExpMayNotStandTwice(t *testing.T) {
	for _, m := range []string{"redirect", "exp"} {
		record := "v=spf1 " + m + "=a.example.com " + m + "=a.example.com"
		r, err := Parse(record)
		if err == nil || len(r.Terms) != 2 || r.Terms[0].Err != nil || r.Terms[1].Err == nil {
			t.Errorf("%q: got %v, want an error at the second", record, err)
		}
	}
	if _, err := Parse("v=spf1 ra=a ra=a mx mx"); err != nil {
		t.Error(err)
	}
}

func TestParseOfWhatIsNoRecordGivesNone(t *testing.T) {
	for _, txt := range []string{"", "v=spf1", "v=spf1 ", "v=spf10", "v=spf1\tall", " v=spf1", "v=spf1x all", "spf2.0/pra"} {
		r, err := Parse(txt)
		if is := txt == "v=spf1" || txt == "v=spf1 "; (r != nil) != is || (err == nil) != is || IsRecord(txt) != is {
			t.Errorf("%q: got %v, %v, want a record: %t", txt, r, err, is)
		}
	}
}

// FuzzParse holds records to positions that slice the terms back, and to parsing again to the same when printed.
func FuzzParse(f *testing.F) {
	for _, record := range []string{
		"v=spf1", "v=spf1 -all", "V=SPF1  a:%{d}/24//64 ?MX/0 ~ptr:%{h} exists:%{L1r-+}.x.example.com ", "v=spf1 ip4:192.0.2.0/24 ip6:::/0 ip6:::ffff:1.2.3.4",
		"v=spf1 redirect=a.example.com exp=b.example.com redirect=c.example.com", "v=spf1 include=x ra=%{t} moo all. -", "v=spf1 a:x..example.com a:%%.%_%-",
		"v=spf10", "v=spf1 a/24/64 a:\x80 ip4:1.2.3.4:25",
	} {
		f.Add(record)
	}
	f.Fuzz(func(t *testing.T, record string) {
		r, err := Parse(record)
		if (r != nil) != IsRecord(record) {
			t.Fatalf("%q: IsRecord says %t, Parse %v", record, IsRecord(record), err)
		}
		if r == nil {
			return
		}
		end, wrong := len(version), false
		for i, term := range r.Terms {
			between := record[end:term.Pos]
			end = term.Pos + len(term.Text)
			if record[term.Pos:end] != term.Text || between == "" || strings.Trim(between, " ") != "" {
				t.Fatalf("%q: term %d is %q at %d", record, i, term.Text, term.Pos)
			}
			if term.Err != nil && (term.Err.Pos < term.Pos || term.Err.Pos > end || term.Err.Reason == "") {
				t.Fatalf("%q: term %d from %d to %d is wrong at %d: %q", record, i, term.Pos, end, term.Err.Pos, term.Err.Reason)
			}
			wrong = wrong || term.Err != nil
		}
		if wrong != (err != nil) || strings.Trim(record[end:], " ") != "" {
			t.Fatalf("%q: got %v, with %q after the last term", record, err, record[end:])
		}
		again, _ := Parse(r.String())
		if again.String() != r.String() || len(again.Terms) != len(r.Terms) {
			t.Fatalf("%q is printed as %q and then %q", record, r, again)
		}
		for i := range r.Terms {
			if a, b := bare(r.Terms[i]), bare(again.Terms[i]); !reflect.DeepEqual(a, b) {
				t.Fatalf("%q is printed as %q: term %d was %+v and is %+v", record, r, i, a, b)
			}
		}
	})
}

// bare is a term without how and where it was written.
func bare(t Term) Term {
	t.Text, t.Pos = "", 0
	if t.Err != nil {
		t.Err = &SyntaxError{Reason: t.Err.Reason}
	}
	return t
}
