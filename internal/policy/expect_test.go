package policy

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestExpectationErrorNamesItsPlace(t *testing.T) {
	const c1 = "[[case]]\nname = \"x\"\naction = \"mark\"\n"
	for _, c := range []struct{ text, want string }{
		{"", "e.toml:1:1: there is no case in it"},
		{"[[case]]\naction = \"mark\"", "e.toml:1:3: name: a case needs a name"},
		{"[[case]]\nname = \"x\"", "e.toml:1:3: the case expects nothing"},
		{"[[case]]\nname = \"x\"\naction = \"rejct\"", `e.toml:3:10: action: "rejct": there is no such; did you mean reject?`},
		{c1 + "givn.spf.result = \"x\"", "e.toml:4:1: givn: no such key; did you mean given?"},
		{c1 + "given.spf.result = \"softfial\"", `e.toml:4:1: given: spf.result: "softfial": there is no such; did you mean softfail?`},
		{c1 + "given.spf.result = 3", `e.toml:4:1: given: spf.result: not a text`},
		{c1 + "given.spf = { reslt = \"fail\" }", "e.toml:4:1: given: spf.reslt: no such name; did you mean spf.result?"},
		{c1 + "[case.given]\nspf.result = \"fail\"\nunauthenticated = true", "e.toml:6:1: given: unauthenticated follows from the others"},
		{c1 + "given.authenticated = 1", "e.toml:4:1: given: authenticated: not true or false"},
		{c1 + "given.client.ip = \"x\"", "e.toml:4:1: given: client.ip: not an IP address"},
		{c1 + "given.rcpt = \"x\"", "e.toml:4:1: given: rcpt: not a list of texts"},
		{c1 + "given.rcpt = [1]", "e.toml:4:1: given: rcpt: not a list of texts"},
		{c1 + "given.spf.lookups = \"1\"", "e.toml:4:1: given: spf.lookups: not a number"},
		{c1 + "given.now = \"today\"", "e.toml:4:1: given: now: not a time"},
		{c1 + "given.dkim = 1", "e.toml:4:1: given: dkim: not a list"},
		{c1 + "given.dkim = [1]", "e.toml:4:1: given: dkim: not a list of signatures"},
		{c1 + "given.dkim = [{ sdd = \"x\" }]", "e.toml:4:1: given: sdd: a signature has no such member; did you mean sdid?"},
		{c1 + "message = \"m.eml\"\ngiven.spf.result = \"pass\"", "e.toml:5:1: given: spf.result: of a message only client, rcpt and now are given"},
		{c1 + "evaluation = \"e.json\"\nmessage = \"m.eml\"", "e.toml:4:14: evaluation: a recorded evaluation stands alone"},
		{c1 + "zone = \"zone\"", "e.toml:4:8: zone: a zone answers DNS for a message"},
	} {
		_, err := ParseExpectations("e.toml", []byte(c.text))
		var at *Error
		if !errors.As(err, &at) || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q\ngot  %v\nwant %s", c.text, err, c.want)
		}
	}
}

func TestWhatFollowsFromGivenValuesIsFilledIn(t *testing.T) {
	for given, condition := range map[string]string{
		"":                      `dmarc.aligned.spf && dmarc.aligned.dkim && !unauthenticated && dmarc.disposition == "none"`,
		`spf.result = "fail"`:   `!dmarc.aligned.spf && dmarc.aligned.dkim && dmarc.result == "pass"`,
		`dmarc.result = "fail"`: `dmarc.disposition == "reject" && !dmarc.aligned.spf && !dmarc.aligned.dkim`,
		`dmarc = { result = "fail", testing = true }`:           `dmarc.disposition == "quarantine" && dmarc.on_fail == "quarantine"`,
		`dmarc.result = "none"`:                                 `dmarc.policy == "" && dmarc.record == "" && dmarc.on_fail == ""`,
		`dmarc.author_domain = "a.example.net"`:                 `author.domains == ["a.example.net"] && dmarc.organizational_domain == "a.example.net"`,
		`dmarc.author_domain = "a.example.com"`:                 `dmarc.organizational_domain == "example.com" && dmarc.aligned.spf`,
		`author.domains = ["a.example", "b.example"]`:           `dmarc.author_domain == "a.example"`,
		`client.mail_from = "x@Other.example"`:                  `spf.domain == "other.example" && !dmarc.aligned.spf`,
		"client.mail_from = \"\"\ngiven.helo.result = \"fail\"": `spf.result == "fail" && spf.domain == "mx.example.com"`,
		`dkim = []`:                       `!dmarc.aligned.dkim && size(dkim) == 0`,
		`dkim = [{ unsigned_bytes = 3 }]`: `dkim[0].unsigned_bytes == 3 && dkim[0].sdid == "example.com"`,
	} {
		if given != "" {
			given = "given." + given
		}
		x, err := ParseExpectations("e.toml", []byte("[[case]]\nname = \"x\"\naction = \"mark\"\n"+given))
		if err != nil {
			t.Errorf("%s: %v", given, err)
			continue
		}
		v := oneRule(t, condition).Decide(x.Cases[0].Given)
		if d := x.Cases[0].Differences(v); len(d) > 0 {
			t.Errorf("%s: %s is not so (%v): %+v", given, condition, d, x.Cases[0].Given)
		}
	}
}

func TestEveryNameCanBeGivenOrFollows(t *testing.T) {
	follows := []string{"dkim", "now", "dmarc.on_fail", "unauthenticated", "only_part_signed", "dmarc_open", "signature_open", "no_author", "limited"}
	for _, n := range names {
		derived := strings.HasPrefix(n.name, "text.") || strings.HasPrefix(n.name, "part_") || strings.HasPrefix(n.name, "open_")
		if settable[n.name] == nil && !derived && !slices.Contains(follows, n.name) {
			t.Errorf("%s cannot be given", n.name)
		}
	}
}

func TestDifferencesSayWhatCame(t *testing.T) {
	v := Verdict{Action: Reject, Rule: "r", Reply: "550 5.7.1 No: not today", Reason: "No: not today", Watched: []Watched{{Rule: "w"}}}
	met := Case{Action: Reject, Rule: "r", Reply: "550*No*today", Reason: "*", Watched: []string{"w"}}
	if d := met.Differences(v); len(d) > 0 {
		t.Errorf("got %v, want none", d)
	}
	unmet := Case{Action: Mark, Rule: "-", Reply: "550*Yes*", Reason: "No", Watched: []string{}}
	d := unmet.Differences(v)
	if len(d) != 5 || d[0] != (Difference{"action", "mark", "reject"}) || d[4] != (Difference{"watched", "", "w"}) {
		t.Errorf("got %v", d)
	}
	if d := (&Case{Rule: "-"}).Differences(Verdict{Action: Accept}); len(d) > 0 {
		t.Errorf("no rule: got %v", d)
	}
}

func TestNamedReadsAPresetOrAFile(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{"own", "own.toml"} {
		if err := os.WriteFile(path, []byte("then = \"standard\""), 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := Named(path); err != nil || p.Name != path {
			t.Errorf("%s: %v", path, err)
		}
	}
	if p, err := Named("lockdown"); err != nil || p.Name != "lockdown" {
		t.Errorf("lockdown: %v", err)
	}
	if _, err := Named("none"); err == nil || !strings.Contains(err.Error(), "no such preset") {
		t.Errorf("got %v", err)
	}
	if _, err := Named("./none.toml"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
