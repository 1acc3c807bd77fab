package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/verify"
)

// message is one that passes everything, changed as a case wants it.
func message(changes ...func(*verify.Evaluation)) *verify.Evaluation {
	e := &verify.Evaluation{
		Client: verify.Client{IP: netip.MustParseAddr("192.0.2.1"), Helo: "mx.example.com", MailFrom: "a@example.com"},
		SPF: []verify.SPF{
			{Identity: verify.IdentityMailFrom, Domain: "example.com", Result: "pass", Term: "ip4:192.0.2.1"},
			{Identity: verify.IdentityHelo, Domain: "mx.example.com", Result: "none"},
		},
		DKIM: []verify.DKIM{{Result: "pass", SDID: "example.com", Selector: "s1"}},
		ARC:  verify.ARC{Result: "none"},
		DMARC: verify.DMARC{
			Result: "pass", AuthorDomain: "example.com", OrganizationalDomain: "example.com", PolicyDomain: "example.com",
			Policy: "reject", Disposition: "none", Aligned: verify.Aligned{SPF: true, DKIM: true}, Record: "v=DMARC1; p=reject",
		},
		Author: verify.Author{Domains: []string{"example.com"}},
	}
	for _, change := range changes {
		change(e)
	}
	return e
}

func spf(result, term string) func(*verify.Evaluation) {
	return func(e *verify.Evaluation) {
		e.SPF[0].Result, e.SPF[0].Term, e.DMARC.Aligned.SPF = result, term, result == "pass" && e.DMARC.Aligned.SPF
	}
}

func helo(result string) func(*verify.Evaluation) {
	return func(e *verify.Evaluation) { e.SPF[1].Result = result }
}

func unsigned(e *verify.Evaluation) { e.DKIM, e.DMARC.Aligned.DKIM = nil, false }

func signature(result string) func(*verify.Evaluation) {
	return func(e *verify.Evaluation) {
		e.DKIM[0].Result, e.DMARC.Aligned.DKIM = result, result == "pass"
	}
}

func foreign(e *verify.Evaluation) {
	for i := range e.DKIM {
		e.DKIM[i].SDID = "example.net"
	}
	e.SPF[0].Domain, e.DMARC.Aligned = "example.net", verify.Aligned{}
}

// judged sets the result under a published policy.
func judged(result, published string) func(*verify.Evaluation) {
	return func(e *verify.Evaluation) {
		e.DMARC.Result, e.DMARC.Policy, e.DMARC.Disposition, e.DMARC.Record = result, published, "none", "v=DMARC1; p="+published
		if published == "" {
			e.DMARC.Record = ""
		}
		if result == "fail" {
			e.DMARC.Disposition = published
		}
		if result != "pass" {
			e.DMARC.Aligned = verify.Aligned{}
		}
	}
}

func author(reason string) func(*verify.Evaluation) {
	return func(e *verify.Evaluation) { e.Author.Reason = reason }
}

func cutBody(e *verify.Evaluation)   { e.DKIM[0].UnsignedBytes = 42 }
func underTest(e *verify.Evaluation) { e.DMARC.Testing = true }
func noClient(e *verify.Evaluation) {
	e.SPF, e.Client.IP, e.DMARC.Aligned.SPF = nil, netip.Addr{}, false
}

func TestPresetsDecideAsTheDesignsTableSays(t *testing.T) {
	for _, c := range []struct {
		name                       string
		e                          *verify.Evaluation
		standard, strict, lockdown string // action, and the code of the reply
	}{
		{"all passes", message(), "accept", "accept", "accept"},
		{"our own user", &verify.Evaluation{Authenticated: true}, "accept", "accept", "accept"},

		{"SPF fail", message(spf("fail", "-all")), "reject 550 5.7.23", "reject 550 5.7.23", "reject 550 5.7.23"},
		{"SPF softfail", message(spf("softfail", "~all")), "mark", "reject 550 5.7.23", "reject 550 5.7.23"},
		{"SPF permerror", message(spf("permerror", "")), "mark", "reject 550 5.7.24", "reject 550 5.7.24"},
		{"SPF neutral", message(spf("neutral", "?all")), "accept", "accept", "accept"},
		{"SPF none", message(spf("none", "")), "accept", "accept", "accept"},
		{"SPF not evaluated", message(noClient), "accept", "accept", "accept"},
		{"SPF softfail and DMARC fail under p=reject", message(foreign, spf("softfail", "~all"), judged("fail", "reject")),
			"reject 550 5.7.26", "reject 550 5.7.23", "reject 550 5.7.23"},

		{"HELO fail", message(helo("fail")), "mark", "reject 550 5.7.23", "reject 550 5.7.23"},
		{"HELO softfail", message(helo("softfail")), "accept", "mark", "mark"},
		{"HELO permerror", message(helo("permerror")), "accept", "accept", "accept"},

		{"DMARC fail, p=reject", message(foreign, judged("fail", "reject")), "reject 550 5.7.26", "reject 550 5.7.26", "reject 550 5.7.26"},
		{"DMARC fail, p=quarantine", message(foreign, judged("fail", "quarantine")), "quarantine", "quarantine", "reject 550 5.7.26"},
		{"DMARC fail, p=none", message(foreign, judged("fail", "none")), "accept", "quarantine", "reject 550 5.7.26"},
		{"DMARC fail, p=none, nothing passes", message(spf("neutral", "?all"), signature("fail"), judged("fail", "none")),
			"mark", "quarantine", "reject 550 5.7.26"},
		{"no DMARC record", message(judged("none", "")), "accept", "accept", "reject 550 5.7.26"},
		{"nothing authenticates", message(spf("none", ""), unsigned, judged("none", "")), "mark", "quarantine", "reject 550 5.7.26"},
		{"only HELO authenticates", message(spf("none", ""), helo("pass"), unsigned, judged("none", "")),
			"mark", "quarantine", "reject 550 5.7.26"},
		{"only a key under test", message(spf("none", ""), judged("none", ""), func(e *verify.Evaluation) { e.DKIM[0].Testing = true }),
			"mark", "quarantine", "reject 550 5.7.26"},

		{"no single author", message(author("2 From fields"), judged("permerror", "")), "mark", "reject 550 5.7.1", "reject 550 5.7.1"},
		{"one of two authors' policies fails", message(author("2 domains"), judged("fail", "reject")),
			"reject 550 5.7.26", "reject 550 5.7.26", "reject 550 5.7.26"},
		{"one of two authors' policies is unknown", message(author("2 domains"), judged("temperror", "")),
			"defer 451 4.7.26", "reject 550 5.7.1", "reject 550 5.7.1"},

		{"too much header", message(author("too long"), judged("permerror", ""), func(e *verify.Evaluation) { e.Limits = []string{"too long"} }),
			"reject 552 5.3.4", "reject 552 5.3.4", "reject 552 5.3.4"},
		{"too much body, SPF aligned", message(signature("permerror"), func(e *verify.Evaluation) { e.Limits = []string{"too large"} }),
			"accept", "accept", "accept"},
		{"too much body, nothing aligned", message(foreign, signature("permerror"), judged("fail", "none"),
			func(e *verify.Evaluation) { e.Limits = []string{"too large"} }), "reject 552 5.3.4", "reject 552 5.3.4", "reject 550 5.7.26"},

		{"only a part of the body is signed", message(spf("none", ""), cutBody), "reject 550 5.7.21", "reject 550 5.7.21", "reject 550 5.7.21"},
		{"the same under p=none", message(spf("none", ""), judged("pass", "none"), unaligned, cutBody), "mark", "quarantine", "reject 550 5.7.21"},
		{"the same with t=y", message(spf("none", ""), cutBody, underTest), "quarantine", "quarantine", "reject 550 5.7.21"},
		{"the same with SPF aligned", message(cutBody), "accept", "accept", "accept"},
		{"the same with a whole signature beside it", message(spf("none", ""), cutBody, func(e *verify.Evaluation) {
			e.DKIM = append(e.DKIM, verify.DKIM{Result: "pass", SDID: "mail.example.com"})
		}), "accept", "accept", "accept"},
		{"the same with a whole foreign signature beside it", message(spf("none", ""), cutBody, func(e *verify.Evaluation) {
			e.DKIM = append(e.DKIM, verify.DKIM{Result: "pass", SDID: "notexample.com"})
		}), "reject 550 5.7.21", "reject 550 5.7.21", "reject 550 5.7.21"},
	} {
		check(t, c.name, c.e, c.standard, c.strict, c.lockdown)
	}
}

// unaligned keeps SPF out of a message that passes by DKIM.
func unaligned(e *verify.Evaluation) { e.DMARC.Aligned.SPF = false }

func TestTemporaryFailureDefersOnlyWhereItCouldChangeTheVerdict(t *testing.T) {
	temporary := func(e *verify.Evaluation) {
		e.DKIM = append(e.DKIM, verify.DKIM{Result: "temperror", SDID: "example.net", Selector: "s1"})
	}
	for _, c := range []struct {
		name                       string
		e                          *verify.Evaluation
		standard, strict, lockdown string
	}{
		{"SPF, though DKIM passes: a fail refuses whatever DKIM says", message(spf("temperror", "")),
			"defer 451 4.7.24", "defer 451 4.7.24", "defer 451 4.7.24"},
		{"SPF, where DMARC refuses anyway", message(foreign, spf("temperror", ""), judged("fail", "reject")),
			"reject 550 5.7.26", "reject 550 5.7.26", "reject 550 5.7.26"},
		{"SPF, where DMARC would hold it", message(foreign, spf("temperror", ""), judged("fail", "quarantine")),
			"defer 451 4.7.24", "defer 451 4.7.24", "reject 550 5.7.26"},
		{"HELO, whose fail standard only marks", message(helo("temperror")), "accept", "defer 451 4.7.24", "defer 451 4.7.24"},
		{"HELO, where SPF refuses anyway", message(spf("fail", "-all"), helo("temperror")),
			"reject 550 5.7.23", "reject 550 5.7.23", "reject 550 5.7.23"},
		{"a policy that cannot be looked up", message(foreign, judged("temperror", "")),
			"defer 451 4.7.26", "defer 451 4.7.26", "defer 451 4.7.26"},
		{"an aligned key under p=reject", message(spf("none", ""), signature("temperror"), judged("temperror", "reject")),
			"defer 451 4.7.26", "defer 451 4.7.26", "defer 451 4.7.26"},
		{"an aligned key under p=none: a fail means nothing to standard", message(spf("none", ""), signature("temperror"), judged("temperror", "none")),
			"mark", "defer 451 4.7.26", "defer 451 4.7.26"},
		{"a key that cannot be aligned, under p=reject", message(foreign, temporary, judged("fail", "reject")),
			"reject 550 5.7.26", "reject 550 5.7.26", "reject 550 5.7.26"},
		{"a key that cannot be aligned, where DMARC passes", message(temporary), "accept", "accept", "accept"},
		{"the key of all that could vouch, without a policy", message(spf("none", ""), unsigned, temporary, judged("none", "")),
			"mark", "defer 451 4.7.20", "reject 550 5.7.26"},
		{"a key beside an SPF pass, without a policy", message(unsigned, temporary, judged("none", "")), "accept", "accept", "reject 550 5.7.26"},
	} {
		check(t, c.name, c.e, c.standard, c.strict, c.lockdown)
	}
}

func check(t *testing.T, name string, e *verify.Evaluation, wants ...string) {
	t.Helper()
	for i, preset := range Names() {
		p, err := Preset(preset)
		if err != nil {
			t.Fatal(err)
		}
		v := p.Decide(e)
		got := string(v.Action)
		if v.Reply != "" {
			got += " " + strings.Join(strings.SplitN(v.Reply, " ", 3)[:2], " ")
		}
		if got != wants[i] {
			t.Errorf("%s, %s: got %s (rule %s: %s), want %s", name, preset, got, v.Rule, v.Reason, wants[i])
		}
		if v.Action != Accept && v.Reason == "" {
			t.Errorf("%s, %s: %s without a reason", name, preset, v.Action)
		}
		if v.Action != Accept && v.Rule == "" {
			t.Errorf("%s, %s: %s without a rule", name, preset, v.Action)
		}
		wellFormed(t, v)
	}
}

// wellFormed holds a verdict to what an SMTP reply can be.
func wellFormed(t *testing.T, v Verdict) {
	t.Helper()
	if wanted := v.Action == Reject || v.Action == Defer; wanted != (v.Reply != "") {
		t.Errorf("%s has the reply %q", v.Action, v.Reply)
	}
	if n := len(v.Reply) + len("\r\n"); n > maxReply {
		t.Errorf("reply of %d octets, want at most %d: %q", n, maxReply, v.Reply)
	}
	for i := 0; i < len(v.Reply); i++ {
		if !printable(v.Reply[i]) {
			t.Errorf("reply holds %#x: %q", v.Reply[i], v.Reply)
			break
		}
	}
	if v.Reply != "" && !strings.HasSuffix(v.Reply, v.Reason) {
		t.Errorf("reply %q does not end in the reason %q", v.Reply, v.Reason)
	}
	first := map[Action]byte{Reject: '5', Defer: '4'}[v.Action]
	if v.Reply != "" && (v.Reply[0] != first || v.Reply[3] != ' ' || v.Reply[4] != first) {
		t.Errorf("%s has the reply %q", v.Action, v.Reply)
	}
}

func TestReplySaysWhatFailedForWhomAndHowToMendIt(t *testing.T) {
	p, err := Preset("strict")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		e    *verify.Evaluation
		want string
	}{
		{message(spf("softfail", "~all")), `550 5.7.23 SPF softfail: 192.0.2.1 is not authorised by example.com to send for a@example.com ` +
			`(its record ends in "~all"); ask its administrator to add this address to the SPF record, or send through the servers that it lists`},
		{message(foreign, judged("fail", "reject")), `550 5.7.26 DMARC fail: neither SPF nor DKIM authenticates example.com, the domain in From, ` +
			`for this message from 192.0.2.1; its policy is reject; sign with DKIM as example.com, or send from a MAIL FROM of that domain with SPF pass`},
		{message(helo("fail")), `550 5.7.23 SPF fail for HELO: 192.0.2.1 is not authorised by mx.example.com to use that name; greet with the ` +
			`server's own name, or add its address to the SPF record of that name`},
	} {
		if got := p.Decide(c.e).Reply; got != c.want {
			t.Errorf("reply\ngot  %s\nwant %s", got, c.want)
		}
	}
}

func TestReplyHoldsNothingThatCouldBreakIt(t *testing.T) {
	evil := "x\r\n250 OK\x00\u00e4\u202e" + strings.Repeat("y", 5000)
	e := message(spf("fail", evil), func(e *verify.Evaluation) {
		e.Client.MailFrom, e.Client.Helo, e.SPF[0].Domain, e.SPF[0].Explanation = evil, evil, evil, evil
	})
	v, err := Preset("strict")
	if err != nil {
		t.Fatal(err)
	}
	got := v.Decide(e)
	wellFormed(t, got)
	if !strings.Contains(got.Reply, `x\x0d\x0a250 OK\x00\xc3\xa4\xe2\x80\xae`) {
		t.Errorf("reply does not show what was escaped: %s", got.Reply)
	}
}

func TestUnknownPresetIsNamedWithThoseThatThereAre(t *testing.T) {
	_, err := Preset("stict")
	const want = `policy "stict": no such preset; there are standard, strict, lockdown`
	if fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestLaterPresetIsNeverMoreLenient(t *testing.T) {
	rank := map[Action]int{Accept: 0, Mark: 1, Quarantine: 2, Defer: 3, Reject: 4}
	results := []string{"none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"}
	for _, s := range results {
		for _, h := range results {
			for _, d := range []string{"none", "pass", "fail", "temperror", "permerror"} {
				for _, published := range []string{"none", "quarantine", "reject"} {
					e := message(spf(s, ""), helo(h), judged(d, published))
					last := 0
					for _, name := range Names() {
						p, _ := Preset(name)
						v := p.Decide(e)
						wellFormed(t, v)
						if rank[v.Action] < last {
							t.Errorf("spf %s, helo %s, dmarc %s, p=%s: %s says %s, which a preset before it outdoes", s, h, d, published, name, v.Action)
						}
						last = rank[v.Action]
					}
				}
			}
		}
	}
}

func FuzzDecide(f *testing.F) {
	f.Add("a@example.com", "mx.example.com", "example.com", "fail", "-all", "go away", "fail", "reject", "fail", int64(0))
	f.Add("", "[192.0.2.1]", "x\r\n", "temperror", "\x00", strings.Repeat("z", 600), "temperror", "", "temperror", int64(9))
	f.Add("%s%n@\xff", "h", "d", "softfail", "redirect=x", "", "pass", "none", "pass", int64(1))
	f.Fuzz(func(t *testing.T, from, name, domain, spfResult, term, explanation, dmarcResult, published, dkimResult string, rest int64) {
		e := message(spf(spfResult, term), judged(dmarcResult, published), signature(dkimResult), func(e *verify.Evaluation) {
			e.Client.MailFrom, e.Client.Helo = from, name
			e.SPF[0].Domain, e.SPF[0].Explanation, e.SPF[0].Reason = domain, explanation, explanation
			e.SPF[1].Domain, e.SPF[1].Result, e.SPF[1].Term = name, spfResult, term
			e.DMARC.AuthorDomain, e.DMARC.OrganizationalDomain, e.DMARC.Reason = domain, domain, explanation
			e.DKIM[0].SDID, e.DKIM[0].Selector, e.DKIM[0].Reason, e.DKIM[0].UnsignedBytes = domain, name, explanation, rest
			e.Limits = []string{term, explanation}[:len(from)%3%2]
		})
		for _, preset := range Names() {
			p, err := Preset(preset)
			if err != nil {
				t.Fatal(err)
			}
			wellFormed(t, p.Decide(e))
		}
		if slices.Contains(spfWords, spfResult) && slices.Contains(dmarcWords, dmarcResult) && slices.Contains(dispositions, published) &&
			slices.Contains(dkimWords, dkimResult) {
			same(t, e)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	p, _ := Preset("strict")
	e := message()
	b.ReportAllocs()
	for b.Loop() {
		p.Decide(e)
	}
}
