package spfcheck

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/spf"
)

// texts is a resolver with one text or address at each name.
type texts map[string]string

func (r texts) Lookup(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
	value, ok := r[name]
	ip, err := netip.ParseAddr(value)
	a := dns.Answer{Name: name}
	switch {
	case !ok:
		return a, &dns.Error{Name: name, Type: typ, Kind: dns.ErrNXDomain}
	case err == nil && typ == dns.TypeA:
		a.Addrs = []netip.Addr{ip}
	case err != nil && typ == dns.TypeTXT:
		a.TXT = []string{value}
	default:
		return a, &dns.Error{Name: name, Type: typ, Kind: dns.ErrNoData}
	}
	return a, nil
}

func gather(zone texts, o facts.Options) *facts.Facts {
	o.Resolver = zone
	return facts.Gather(context.Background(), "example.com", o)
}

func find(t testing.TB, f *facts.Facts, id string) *check.Seen {
	t.Helper()
	checks := Checks()
	i := slices.IndexFunc(checks, func(c check.Check) bool { return c.ID == id })
	if i < 0 {
		t.Fatalf("there is no %s", id)
	}
	seen := checks[i].Look(f)
	if len(seen) == 0 {
		return nil
	}
	return &seen[0]
}

// mend applies the fixes of wrong terms until nothing is wrong.
func mend(t testing.TB, record string) string {
	for range 20 {
		f := gather(texts{"example.com": record}, facts.Options{})
		next := ""
		for _, c := range slices.Concat(syntax, cutStrings()) {
			if seen := c.Look(f); len(seen) > 0 && len(seen[0].Fix) > 0 && next == "" {
				next = seen[0].Fix[0].New
			}
		}
		if next == "" {
			return record
		}
		record = next
	}
	t.Errorf("%q is never right", record)
	return record
}

func cutStrings() []check.Check {
	i := slices.IndexFunc(record, func(c check.Check) bool { return c.ID == "spf-string-over-255" })
	return record[i : i+1]
}

func TestWrongTermsAreMendedWhereTheMeaningIsPlain(t *testing.T) {
	for terms, want := range map[string]string{
		"mx-all":                          "mx -all",
		"a~all":                           "a ~all",
		"ip4:192.0.2.7ip4:192.0.2.8 -all": "ip4:192.0.2.7 ip4:192.0.2.8 -all",
		"include:a.example.netinclude:b.example.net":       "include:a.example.net include:b.example.net",
		"include:_spf.example.net-all":                     "include:_spf.example.net -all",
		"ip4:192.0.2.7,ip4:192.0.2.8 -all":                 "ip4:192.0.2.7 ip4:192.0.2.8 -all",
		"ip4:192.0.2.7,192.0.2.8/31 -all":                  "ip4:192.0.2.7 ip4:192.0.2.8/31 -all",
		"a, mx, -all":                                      "a mx -all",
		"mx -all;":                                         "mx -all",
		"mx -all.":                                         "mx -all",
		"mx \u2013all":                                     "mx -all",
		"mx\u00a0a -all":                                   "mx a -all",
		"include:b\u00fccher.example.net -all":             "include:xn--bcher-kva.example.net -all",
		"mx - all":                                         "mx -all",
		"ip:192.0.2.0/24 -all":                             "ip4:192.0.2.0/24 -all",
		"ipv6:2001:db8::/32 -all":                          "ip6:2001:db8::/32 -all",
		"192.0.2.1 2001:db8::1 -all":                       "ip4:192.0.2.1 ip6:2001:db8::1 -all",
		"ip4:192.0.2.1/ -all":                              "ip4:192.0.2.1 -all",
		"ip4:192.0.2.* -all":                               "ip4:192.0.2.0/24 -all",
		"ip4:mail.example.net -all":                        "a:mail.example.net -all",
		"ip6:192.0.2.1 -all":                               "ip4:192.0.2.1 -all",
		"mx:192.0.2.1/28 -all":                             "ip4:192.0.2.1/28 -all",
		"a/24/64 -all":                                     "a/24//64 -all",
		"-include=_spf.example.net -all":                   "-include:_spf.example.net -all",
		"inclde:_spf.example.net -all":                     "include:_spf.example.net -all",
		"exp:e.example.net -all":                           "exp=e.example.net -all",
		"mx\t-all":                                         "mx -all",
		"mx moo -all":                                      "mx -all",
		"ip4:192.0.2.300 mx -all":                          "mx -all",
		"mx redirect=a.example.net redirect=b.example.net": "mx redirect=a.example.net",
		"MX  Include:_SPF.example.net   x=y -ALL ":         "MX  Include:_SPF.example.net   x=y -ALL ",
	} {
		if got := mend(t, "v=spf1 "+terms); got != "v=spf1 "+want {
			t.Errorf("%q: got %q, want %q", terms, got, "v=spf1 "+want)
		}
	}
}

func TestTextsThatAreMeantAsARecordAreMended(t *testing.T) {
	for txt, want := range map[string]string{
		"v=spf1; mx -all": "v=spf1 mx -all", "v=spf1mx -all": "v=spf1 mx -all", "v=spf1,mx -all": "v=spf1 mx -all", "v = spf1 mx -all": "v=spf1 mx -all",
		"v=spf 1 mx -all": "v=spf1 mx -all", "spf1 mx -all": "v=spf1 mx -all", "v=spf2 mx -all": "v=spf1 mx -all", "v=spf10 mx -all": "v=spf1 mx -all",
		"V:SPF1 MX -all": "v=spf1 MX -all", "v=spf1\tmx\t-all": "v=spf1 mx -all", "v=sfp1 mx -all": "v=spf1 mx -all",
		"\"v=spf1 mx -all\"": "v=spf1 mx -all", "\ufeffv=spf1 mx -all": "v=spf1 mx -all", " v=spf1 mx -all ": "v=spf1 mx -all",
		"spf-site-verification=abc": "", "v=DKIM1; p=": "", "v=spfish": "", "spf2.0/pra mx": "", "we use spf1 here": "", "": "",
	} {
		f := gather(texts{"example.com": txt}, facts.Options{})
		got := ""
		for _, id := range []string{"spf-near-miss", "spf-leading-space"} {
			if seen := find(t, f, id); seen != nil && len(seen.Fix) > 0 {
				got = seen.Fix[0].New
			} else if seen != nil {
				got = "nothing"
			}
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", txt, got, want)
		}
		if missing := find(t, f, "spf-missing") != nil; missing == (want != "") {
			t.Errorf("%q: a record is missing: %t", txt, missing)
		}
	}
}

func TestSeveralRecordsBecomeOne(t *testing.T) {
	for want, all := range map[string][]string{
		"v=spf1 mx a -all":                          {"v=spf1 mx ~all", "v=spf1 a mx -all"},
		"v=spf1 mx a ~all":                          {"v=spf1 mx", "v=spf1 a ~all"},
		"v=spf1 mx a:a.example.net -all":            {"v=spf1 mx", "v=spf1 a:a.example.net"},
		"v=spf1 mx include:r.example.net -all":      {"v=spf1 mx -all", "v=spf1 redirect=r.example.net"},
		"v=spf1 include:r.example.net mx -all":      {"v=spf1 redirect=r.example.net", "v=spf1 mx -all"},
		"v=spf1 mx redirect=r.example.net":          {"v=spf1 redirect=r.example.net", "v=spf1 mx"},
		"v=spf1 x=y mx a exp=e.example.net -all z=": {"v=spf1 x=y mx exp=e.example.net -all z=", "v=spf1 a mx exp=f.example.net ~all"},
	} {
		got := merge(all)
		a, _ := spf.Parse(got)
		b, _ := spf.Parse(want)
		words := func(r *spf.Record) []string { return slices.Sorted(slices.Values(strings.Fields(r.Text))) }
		if a == nil || !slices.Equal(words(a), words(b)) {
			t.Errorf("%q: got %q, want %q", all, got, want)
		}
	}
}

func TestWhatIsNotOursIsNotEdited(t *testing.T) {
	zone := texts{
		"example.com": "v=spf1 ip4:192.0.2.1 include:_spf.example.net redirect=_r.example.org", "_r.example.org": "v=spf1 ip4:192.0.2.2 ~all",
		"_spf.example.net": "v=spf1 ip4:10.0.0.0/8 ptr include:dead.example.net include:text.example.net -all", "text.example.net": "hello",
	}
	f := gather(zone, facts.Options{})
	for _, c := range Checks() {
		for _, seen := range c.Look(f) {
			for _, change := range seen.Fix {
				if change.Name != "example.com" {
					t.Errorf("%s changes %s", c.ID, change.Name)
				}
			}
		}
	}
	if seen := find(t, f, "spf-softfail"); seen == nil || seen.Subject != "_r.example.org" || !strings.Contains(seen.Advice, "_r.example.org") {
		t.Errorf("got %+v", seen)
	}
}

func TestTooManyLookUpsAreTakenOutByNeedOrFlattenedAtLast(t *testing.T) {
	zone := texts{"example.com": "v=spf1"}
	for i := range 12 {
		zone[fmt.Sprintf("s%d.example.net", i)] = fmt.Sprintf("v=spf1 ip4:198.51.100.%d -all", i)
		zone["example.com"] += fmt.Sprintf(" include:s%d.example.net", i)
	}
	zone["example.com"] += " -all"
	seen := find(t, gather(zone, facts.Options{}), "spf-too-many-lookups")
	if seen.Fix != nil || !strings.Contains(seen.Detail, "12, where ten") || !strings.Contains(seen.Advice, "last resort") || !strings.Contains(seen.Advice, "watched") {
		t.Errorf("got %+v", seen)
	}
	zone["s7.example.net"] = "v=spf1 ip4:198.51.100.1 -all"
	zone["s9.example.net"] = "v=spf1 -all"
	seen = find(t, gather(zone, facts.Options{}), "spf-too-many-lookups")
	want := "v=spf1 include:s0.example.net include:s1.example.net include:s2.example.net include:s3.example.net include:s4.example.net" +
		" include:s5.example.net include:s6.example.net include:s8.example.net include:s10.example.net include:s11.example.net -all"
	if len(seen.Fix) != 1 || seen.Fix[0].New != want {
		t.Errorf("got %+v", seen)
	}
}

func TestRecordsOfAnySizeAreLookedAt(t *testing.T) {
	for name, record := range map[string]string{
		"2,000 addresses": "v=spf1" + strings.Repeat(" ip4:192.0.2.1", 2000) + " ~all",
		"4,000 wrong":     "v=spf1" + strings.Repeat(" ip4:192.0.2.1,192.0.2.2", 2500),
		"joined":          "v=spf1 " + strings.Repeat("include:a.example.net", 2800),
		"one word":        "v=spf1 " + strings.Repeat("x", 60000),
		"signs":           "v=spf1" + strings.Repeat(" -", 30000),
		"letters":         "v=spf1" + strings.Repeat(" \u2013all\u00a0", 6000),
		"alternating":     "v=spf1" + strings.Repeat(" -ip4:192.0.2.1 ip4:192.0.2.2", 2000),
		"macros":          "v=spf1" + strings.Repeat(" exists:%{i}.%{p}.example.com", 1000),
		"after all":       "v=spf1 -all" + strings.Repeat(" mx a:a.example.net", 2000),
		"names":           "v=spf1" + strings.Repeat(" a:a.example.net mx:b.example.net", 1500),
		"modifiers":       "v=spf1" + strings.Repeat(" include=a.example.net", 2000) + " mx",
	} {
		f := gather(texts{"example.com": record, "a.example.net": "v=spf1 ip4:192.0.2.1 -all"}, facts.Options{})
		for _, c := range Checks() {
			for _, seen := range c.Look(f) {
				if len(seen.Detail)+len(seen.Advice) > 8000 {
					t.Errorf("%s: %s tells %d bytes", name, c.ID, len(seen.Detail)+len(seen.Advice))
				}
			}
		}
	}
}

// FuzzLook holds fixes to being records, and to keeping every term that can be read.
func FuzzLook(f *testing.F) {
	f.Add("v=spf1 mx ip4:192.0.2.7~all include=a.example.net")
	f.Add("v=spf1 - all \u2013all a/24/64 redirect:x.example.net exp=a.b exp=c.d")
	f.Add("v=spf1;mx")
	f.Fuzz(func(t *testing.T, text string) {
		facts := gather(texts{"example.com": text, "a.example.net": "v=spf1 ip4:192.0.2.1 -all"}, facts.Options{})
		for _, c := range syntax {
			for _, seen := range c.Look(facts) {
				for _, change := range seen.Fix {
					after, _ := spf.Parse(change.New)
					if after == nil || change.Old != text {
						t.Fatalf("%s makes %q of %q", c.ID, change.New, text)
					}
					for _, s := range facts.SPF.Tree.Steps {
						joined := strings.Trim(s.Text, "+-~?") == "all" || c.ID == "spf-unknown-mechanism"
						if classify(&s) == right && !joined && !slices.ContainsFunc(after.Terms, func(o spf.Term) bool { return o.Text == s.Text }) {
							t.Fatalf("%s makes %q of %q, without %q", c.ID, change.New, text, s.Text)
						}
					}
				}
			}
		}
		for _, c := range Checks() {
			c.Look(facts)
		}
	})
}

func BenchmarkGatherAndLook(b *testing.B) {
	zone := facts.Remember(texts{
		"example.com":             "v=spf1 a mx include:_spf.example.net ip4:198.51.100.0/24 -all",
		"_spf.example.net":        "v=spf1 ip4:203.0.113.0/26 ip4:203.0.113.64/26 ip4:198.18.1.0/24 ip6:2001:db8:1::/48 include:_netblocks.example.net ~all",
		"_netblocks.example.net":  "v=spf1 ip4:198.18.16.0/20 ip4:198.18.32.0/20 ip4:198.18.48.0/20 include:_netblocks2.example.net ~all",
		"_netblocks2.example.net": "v=spf1 ip6:2001:db8:4000::/36 ip4:198.19.32.0/19 ip4:198.19.64.0/18 ~all",
	})
	checks := Checks()
	b.ReportAllocs()
	for b.Loop() {
		f := facts.Gather(context.Background(), "example.com", facts.Options{Resolver: zone})
		for i := range checks {
			checks[i].Look(f)
		}
	}
}

func BenchmarkLook(b *testing.B) {
	f := gather(texts{
		"example.com": "v=spf1 ip4:192.0.2.1 include:_spf.example.net ip4:198.51.100.0/24 -all", "_spf.example.net": "v=spf1 ip4:203.0.113.0/26 ~all",
	}, facts.Options{})
	checks := Checks()
	b.ReportAllocs()
	for b.Loop() {
		for i := range checks {
			checks[i].Look(f)
		}
	}
}
