package policy

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/tomlfile"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

// oneRule is a policy of one rule that marks.
func oneRule(t *testing.T, when string) *Policy {
	t.Helper()
	p, err := Parse("one.toml", fmt.Appendf(nil, "[[rule]]\nname = \"it\"\naction = \"mark\"\nwhen = %q\n", when))
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	return p
}

func TestErrorNamesFileLineAndColumnAndHowToMendIt(t *testing.T) {
	const rule = "[[rule]]\nname = \"x\"\naction = \"mark\"\n"
	for _, c := range []struct{ text, want string }{
		{rule + `when = 'spf.reslt == "fail"'`, `p.toml:4:9: when: spf.reslt: no such name; did you mean spf.result?`},
		{rule + "when = '''\nspf.result == \"fail\" &&\n  hello.result == \"fail\"\n'''", `p.toml:6:3: when: hello.result: no such name; did you mean helo.result?`},
		{rule + "when = \"\"\"\\\n  spf.result == \\\"fail\\\" && \\\n  unauthentcated\"\"\"", `p.toml:6:3: when: unauthentcated: no such name; did you mean unauthenticated?`},
		{rule + "when = \"\\u0022\\u00e4\\u0022 == spf.reslt\"", `p.toml:4:31: when: spf.reslt`},
		{rule + `when = 'spf == "fail"'`, `p.toml:4:9: when: spf is no value by itself; it has spf.result, `},
		{rule + `when = 'spf.result == fail'`, `p.toml:4:23: when: fail: no such name; docs/policy.md lists them. A text stands in quotes: "fail"`},
		{rule + `when = 'spf.result = "fail"'`, `p.toml:4:20: when: "=" says nothing here; write == to compare`},
		{rule + `when = 'authenticated and limited'`, `p.toml:4:23: when: "and" says nothing here; write &&`},
		{rule + `when = 'authenticated or limited'`, `p.toml:4:23: when: "or" says nothing here; write ||`},
		{rule + `when = 'not limited'`, `p.toml:4:9: when: "not" says nothing here; write !`},
		{rule + `when = 'authenticated & limited'`, `p.toml:4:23: when: a single "&" says nothing; write && for "and"`},
		{rule + `when = 'authenticated &&'`, `p.toml:4:25: when: the expression ends too early`},
		{rule + `when = '(authenticated'`, `p.toml:4:23: when: the expression ends too early`},
		{rule + `when = '  '`, `p.toml:4:9: when: the expression is empty`},
		{rule, `p.toml:1:3: when: a rule needs a condition; write "true" for every message`},
		{rule + `when = 'spf.result'`, `p.toml:4:9: when: the condition gives a string; it must be true or false`},
		{rule + `when = 'spf.lookups == "3"'`, `p.toml:4:21: when: == cannot compare (int, string); both sides must be of one kind`},
		{rule + `when = 'authenticated && "x"'`, `p.toml:4:26: when: this is not true or false`},
		{rule + `when = 'dkim.exists(d, d.sdd == "x")'`, `p.toml:4:26: when: sdd: a signature has no such member; did you mean sdid?`},
		{rule + `when = 'isSubdomian(spf.domain, "x")'`, `p.toml:4:20: when: isSubdomian: no such function; did you mean isSubdomain?`},
		{rule + `when = 'isSubdomain(spf.domain)'`, `p.toml:4:20: when: isSubdomain does not take (string); write isSubdomain(domain, parent)`},
		{rule + `when = 'spf.domain.startWith("x")'`, `p.toml:4:29: when: startWith: no such function; did you mean startsWith?`},
		{rule + `when = 'spf.result == "softfial"'`, `p.toml:4:23: when: spf.result is never "softfial"; did you mean "softfail"?`},
		{rule + `when = '"refuse" != dmarc.policy'`, `p.toml:4:9: when: dmarc.policy is never "refuse"; it is one of none, quarantine, reject, "" (nothing)`},
		{rule + `when = 'spf.result in ["fail", "soft"]'`, `p.toml:4:32: when: spf.result is never "soft"; did you mean "softfail"?`},
		{rule + `when = 'dkim.exists(d, d.result == "passed")'`, `p.toml:4:36: when: a signature's result is never "passed"; did you mean "pass"?`},
		{rule + `when = 'inNetwork(client.ip, "192.0.2.1")'`, `p.toml:4:30: when: "192.0.2.1" is no network; for this one address write "192.0.2.1/32"`},
		{rule + `when = 'inNetwork(client.ip, "192.0.2.1/24")'`, `p.toml:4:30: when: "192.0.2.1/24" is no network: it has bits beyond its prefix; did you mean "192.0.2.0/24"?`},
		{rule + `when = 'inNetwork(client.ip, "x")'`, `p.toml:4:30: when: "x" is no network; write it like`},
		{rule + `when = 'now.getHours("Europe/Berlim") > 3'`, `p.toml:4:22: when: "Europe/Berlim": no such time zone`},
		{rule + `when = 'spf.domain.matches("(")'`, `p.toml:4:28: when: the pattern cannot be read`},
		{rule + `when = 'now < timestamp("tomorrow")'`, `p.toml:4:25: when: this is no time`},
		{rule + `when = 'dkim.all(a, dkim.all(b, dkim.all(c, a == b && b == c)))'`, `p.toml:4:41: when: loops lie more than two deep`},
		{rule + `when = 3`, `p.toml:4:8: `},
		{rule + "when = 'true'\nreply = \"550 5.7.1 x\"", `p.toml:5:9: reply: mark gives no reply; write reason`},
		{rule + "when = 'true'\nreason = \"{spf.reslt}\"", `p.toml:5:12: reason: spf.reslt: no such name`},
		{rule + "when = 'true'\nreason = \"{dkim}\"", `p.toml:5:12: reason: list(signature) cannot stand in a sentence`},
		{rule + "when = 'true'\nreason = \"{spf.result\"", `p.toml:5:11: reason: "{" is never closed`},
		{rule + "when = 'true'\nreason = \"a } b\"", `p.toml:5:13: reason: "}" without "{"`},
		{rule + "when = 'true'\nreason = \"für\"", `p.toml:5:12: reason: a reply is printable ASCII`},
		{rule + "when = 'true'\nreason = \"" + strings.Repeat("x", 600) + "\"", `p.toml:5:511: reason: longer than a reply can be`},
		{rule + "when = 'true'\nfield = \"Subject\"", `p.toml:5:9: field: Subject has a meaning of its own`},
		{rule + "when = 'true'\nfield = \"a b\"", `p.toml:5:9: field: "a b" is no name of a header field`},
		{rule + "when = 'true'\nvalue = \"a\"", `p.toml:5:9: value: a value needs a field`},
		{rule + "when = 'true'\nmode = \"watch\"", `p.toml:5:8: mode: "watch": there are enforce, monitor`},
		{rule + "when = 'true'\nredirect = \"a@example.com\"", `p.toml:5:12: redirect: mark redirects nothing`},
		{rule + "when = 'true'\nquarantine = \"hold\"", `p.toml:5:14: quarantine: mark holds nothing`},
		{rule + "when = 'true'\nreasn = \"x\"", `p.toml:5:1: reasn: no such key; did you mean reason?`},
		{"[[rule]]\naction = \"mark\"\nwhen = 'true'", `p.toml:1:3: name: a rule needs a name`},
		{"[[rule]]\nname = \"A B\"", `p.toml:2:8: name: "A B": a name is of small letters`},
		{"[[rule]]\nname = \"x\"\nwhen = 'true'\naction = \"rejct\"", `p.toml:4:10: action: "rejct": there is no such; did you mean reject?`},
		{"[[rule]]\nname = \"x\"\nwhen = 'true'\naction = \"reject\"", `p.toml:1:3: reply: reject needs a reply, such as "550 5.7.1 `},
		{"[[rule]]\nname = \"x\"\nwhen = 'true'\naction = \"reject\"\nreason = \"x\"", `p.toml:5:10: reason: reject says why in its reply`},
		{"[[rule]]\nname = \"x\"\nwhen = 'true'\naction = \"reject\"\nreply = \"451 4.7.1 x\"", `p.toml:5:10: reply: 451: the codes of reject begin with 5`},
		{"[[rule]]\nname = \"x\"\nwhen = 'true'\naction = \"reject\"\nreply = \"550 4.7.1 x\"", `p.toml:5:14: reply: 4.7.1: the codes of reject begin with 5`},
		{"[[rule]]\nname = \"x\"\nwhen = 'true'\naction = \"defer\"\nreply = \"550 5.7.1 x\"", `p.toml:5:10: reply: 550: the codes of defer begin with 4`},
		{"[[rule]]\nname = \"x\"\nwhen = 'true'\naction = \"reject\"\nreply = \"go away\"", `p.toml:5:10: reply: a reply begins with its code and its enhanced code`},
		{"[[rule]]\nname = \"x\"\nwhen = 'true'\naction = \"reject\"\nreply = \"550 5.7.1 \"", `p.toml:5:10: reply: a reply says in a sentence`},
		{"[[rule]]\nname = \"x\"\nwhen = 'true'\naction = \"quarantine\"\nquarantine = \"redirect\"", `p.toml:1:3: redirect: "" is no address`},
		{"[[rule]]\nname = \"x\"\nwhen = 'true'\naction = \"quarantine\"\nredirect = \"a b@example.com\"", `p.toml:5:12: redirect: "a b@example.com" is no address`},
		{"then = \"stict\"", `p.toml:1:8: then: policy "stict": no such preset; there are standard, strict, lockdown`},
		{"", `p.toml:1:1: there is no rule in it`},
		{"[[rule]", `p.toml:1:7: `},
		{"\x00\xff", `p.toml:1:`},
		{strings.Repeat("#", tomlfile.MaxBytes+1), `p.toml: larger than`},
	} {
		_, err := Parse("p.toml", []byte(c.text))
		var at *Error
		if !errors.As(err, &at) || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.200q\ngot  %v\nwant %s", c.text, err, c.want)
		}
	}
}

func TestFunctionsSayWhatTheDocumentSays(t *testing.T) {
	e := message(func(e *verify.Evaluation) {
		e.Client.MailFrom, e.Client.PTR = "\"a@b\"@Mail.Example.COM", []string{"mx.example.com"}
		e.Client.Recipients = []string{"b@example.org"}
	})
	now := time.Date(2026, 11, 1, 23, 30, 0, 0, time.UTC)
	for expression, want := range map[string]bool{
		`inNetwork(client.ip, "192.0.2.0/24")`:                     true,
		`inNetwork(client.ip, "192.0.3.0/24")`:                     false,
		`inNetwork("::ffff:192.0.2.9", "192.0.2.0/24")`:            true,
		`inNetwork("", "192.0.2.0/24")`:                            false,
		`isSubdomain("a.example.com", "example.com")`:              true,
		`isSubdomain("EXAMPLE.com.", "example.COM")`:               true,
		`isSubdomain("notexample.com", "example.com")`:             false,
		`isSubdomain("example.com", "a.example.com")`:              false,
		`isSubdomain("", "")`:                                      false,
		`anySubdomain(client.ptr, "example.com")`:                  true,
		`anySubdomain(client.ptr, "example.net")`:                  false,
		`anySubdomain([], "example.net")`:                          false,
		`domainOf(client.mail_from) == "mail.example.com"`:         true,
		`domainOf("") == "" && domainOf("x@") == ""`:               true,
		`localPart(client.mail_from) == "\"a@b\""`:                 true,
		`lower("AbÄ") == "abÄ"`:                                    true,
		`either("", "b") == "b" && either("a", "b") == "a"`:        true,
		`colon("") == "" && colon("x") == ": x"`:                   true,
		`short("abcdefghijklmnopqrstuvwxyz", 16).endsWith("...")`:  true,
		`short("abc", 0) == "abc" && short("abc", 99999) == "abc"`: true,
		`resembles("examp1e.org", "example.org")`:                  true,
		`resembles("exarnple.org", "example.org")`:                 true,
		`resembles("exampel.org", "example.org")`:                  true,  // two letters swapped
		`resembles("exanpel.org", "example.org")`:                  false, // two slips
		`resembles("exampe.org", "example.org")`:                   true,
		`resembles("example-billing.com", "example.org")`:          true,
		`resembles("xn--xample-2of.org", "example.org")`:           true, // а Cyrillic е
		`resembles("example.org", "example.org")`:                  false,
		`resembles("a.example.org", "example.org")`:                false,
		`resembles("other.net", "example.org")`:                    false,
		`resembles("", "example.org")`:                             false,
		`now == timestamp("2026-11-01T23:30:00Z")`:                 true,
		`now.getHours("+01:00") == 0 && now.getDayOfWeek() == 0`:   true,
		`now.getHours("Europe/Berlin") == 0`:                       true,
		`dkim.exists(d, d.aligned && d.vouches)`:                   true,
		`dkim[0].sdid == "example.com" && size(dkim) == 1`:         true,
		`dkim.all(a, dkim.exists(b, a == b))`:                      true,
		`rcpt.all(r, isSubdomain(domainOf(r), "example.org"))`:     true,
		`spf.term.matches("^ip4:")`:                                true,
		`client.ip in ["192.0.2.1", "192.0.2.2"]`:                  true,
	} {
		v := oneRule(t, expression).DecideAt(e, now)
		if got := v.Action == Mark; got != want || v.Err() != nil {
			t.Errorf("%s: got %v (%v), want %v", expression, got, v.Err(), want)
		}
	}
}

func TestRuleThatCannotBeAppliedDefers(t *testing.T) {
	large := message(func(e *verify.Evaluation) {
		for range 2000 {
			e.DKIM = append(e.DKIM, e.DKIM[0])
		}
	})
	for expression, e := range map[string]*verify.Evaluation{
		`client.ptr[3] == "x"`:                                               message(),
		`1 / spf.lookups == 1`:                                               message(),
		`inNetwork(client.ip, spf.domain)`:                                   message(),
		`spf.domain.matches(spf.term + "(")`:                                 message(),
		`dkim.all(a, dkim.all(b, a.sdid == "x" || b.sdid == "example.com"))`: large,
		`dyn(spf.domain) > 3`:                                                message(),
		`now.getHours(spf.domain) == 1`:                                      message(),
	} {
		v := oneRule(t, expression).Decide(e)
		if v.Action != Defer || !strings.HasPrefix(v.Reply, "451 4.3.5 The rule it ") || v.Err() == nil {
			t.Errorf("%s: got %+v, want a deferral", expression, v)
		}
		wellFormed(t, v)
	}
}

func TestExpressionThatIsTooMuchIsRefused(t *testing.T) {
	for name, when := range map[string]string{
		"long":    strings.Repeat("true && ", 600) + "true",
		"deep":    strings.Repeat("(", 300) + "true" + strings.Repeat(")", 300),
		"wide":    strings.Repeat(`limited?true:`, 300) + "true",
		"many":    strings.Repeat(`spf.domain=="x"||`, 230) + "true",
		"looped":  "dkim.exists(a, " + strings.Repeat(`a.sdid=="x"||`, 250) + "true)",
		"nested":  strings.Repeat("!(", 100) + "true" + strings.Repeat(")", 100),
		"pattern": `spf.domain.matches("((a{0,100}){0,100}){0,100}")`,
	} {
		if _, f := compile(when); f == nil || !strings.Contains(f.Error(), "make two rules of it") && name != "pattern" {
			t.Errorf("%s: got %v", name, f)
		}
	}
}

func TestWatchingRuleNeverDecidesNorHides(t *testing.T) {
	p, err := Parse("p.toml", []byte(`
[[rule]]
name = "watch"
when = 'spf.result == "fail"'
action = "defer"
reply = "451 4.7.1 {spf.domain}"
mode = "monitor"

[[rule]]
name = "broken-watch"
when = 'client.ptr[9] == "x"'
action = "mark"
mode = "monitor"

[[rule]]
name = "decides"
when = 'spf.result == "fail"'
action = "reject"
reply = "550 5.7.1 no"

[[rule]]
name = "behind"
when = 'true'
action = "mark"
mode = "monitor"
`))
	if err != nil {
		t.Fatal(err)
	}
	v := p.Decide(message(spf("fail", "-all")))
	if v.Action != Reject || v.Rule != "decides" || v.Reply != "550 5.7.1 no" || v.Monitor {
		t.Errorf("got %+v, want the rule that enforces", v)
	}
	if len(v.Watched) != 2 || v.Watched[0].Rule != "watch" || v.Watched[0].Reply != "451 4.7.1 example.com" || v.Watched[1].Rule != "broken-watch" {
		t.Errorf("watched %+v, want the two before it", v.Watched)
	}
	v = p.Decide(message())
	if v.Action != Accept || v.Rule != "" || len(v.Watched) != 2 || v.Watched[1].Rule != "behind" {
		t.Errorf("got %+v, want it accepted, and two rules watching", v)
	}
	steps := p.Trace(message(spf("fail", "-all")), time.Time{})
	if len(steps) != 4 || steps[0].Decides || !steps[0].Matches || steps[1].Error == "" || !steps[2].Decides || steps[3].Decides {
		t.Errorf("got %+v", steps)
	}
}

func TestWatchingRulesOfOneMessageAreBounded(t *testing.T) {
	text := strings.Repeat("[[rule]]\nname = \"w\"\nwhen = 'true'\naction = \"mark\"\nmode = \"monitor\"\n", 3*maxWatched)
	p, err := Parse("p.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if v := p.Decide(message()); len(v.Watched) != maxWatched {
		t.Errorf("%d watched, want %d", len(v.Watched), maxWatched)
	}
}

func TestPolicyIsSafeForConcurrentUse(t *testing.T) {
	p, err := Preset("strict")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 200 {
				e, want := message(), Accept
				if i%2 == 0 {
					e, want = message(spf("softfail", "~all")), Reject
				}
				if v := p.Decide(e); v.Action != want {
					t.Errorf("got %s, want %s", v.Action, want)
				}
			}
		})
	}
	all.Wait()
}
