package policy

import (
	"errors"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/gatepost-mail/gatepost/internal/verify"
)

// subjectsOfFuzz are messages of every kind, the empty one too.
func subjectsOfFuzz() []*verify.Evaluation {
	evil := "x\r\n\x00\xff\u202e\"}{" + strings.Repeat("y", 2000)
	return []*verify.Evaluation{
		{},
		{Authenticated: true},
		message(),
		message(noClient, unsigned, judged("none", "")),
		message(spf("softfail", "~all"), helo("fail"), foreign, judged("fail", "reject")),
		message(spf("temperror", ""), signature("temperror"), judged("temperror", "")),
		message(cutBody, func(e *verify.Evaluation) {
			e.Client.MailFrom, e.Client.Helo, e.SPF[0].Domain, e.SPF[0].Explanation, e.DMARC.AuthorDomain = evil, evil, evil, evil, evil
			e.DKIM[0].SDID, e.DKIM[0].Reason, e.Limits, e.Client.PTR = evil, evil, []string{evil}, []string{evil}
		}),
	}
}

// Whatever the text, there is an error of one line that names the file, or a policy that decides on every message.
func FuzzParse(f *testing.F) {
	for _, name := range Names() {
		text, err := Source(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text[len(text)/2:]))
	}
	for _, when := range []string{`spf.result == "fail"`, `dkim.exists(d, d.sdid.matches("a+"))`, `client.ptr[0] == "x"`, `{"a": 1}.a == 1`, `dyn(1) == dkim`,
		`"é" in rcpt || now > timestamp(0)`, `has(dkim[0].reason)`, `1/0 == 1`, `b"x" == bytes(spf.domain)`, `type(dkim[0]) == signature`, `signature{}.result == ""`} {
		f.Add("[[rule]]\nname = \"x\"\nwhen = '" + when + "'\naction = \"reject\"\nreply = '550 5.7.1 {" + strings.ReplaceAll(when, "'", "") + "} {spf.domain}'\n")
		f.Add("[[rule]]\nname = \"x\"\nwhen = '" + when + "'\naction = \"quarantine\"\nfield='X-A'\nvalue='{text.sender}'\nmode='monitor'\n")
	}
	f.Add("rule = [{ name = \"x\", when = \"tru\", action = \"mark\" }]\n[a.b]\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse("f.toml", []byte(text))
		if err != nil {
			var at *Error
			if !errors.As(err, &at) || !strings.HasPrefix(err.Error(), "f.toml:") || strings.ContainsAny(err.Error(), "\n\r\x00") {
				t.Fatalf("error %q", err)
			}
			return
		}
		for _, e := range subjectsOfFuzz() {
			v := p.Decide(e)
			wellFormed(t, v)
			v.Reply, v.Reason = v.WithReference("4F1", "https://mail.example.org/{ref}").Reply, ""
			wellFormed(t, v)
			for i := range len(v.Value) {
				if !printable(v.Value[i]) {
					t.Errorf("value %q", v.Value)
				}
			}
			if len(v.Value) > maxValue {
				t.Errorf("a value of %d octets", len(v.Value))
			}
		}
	})
}

// Whatever the sentence and the values, what comes out is printable ASCII within its bounds.
func FuzzTemplate(f *testing.F) {
	f.Add("SPF {spf.result}: {text.client} {{x}} {text.spf}", "example.com", 100)
	f.Add("{spf.domain}{spf.domain + spf.domain}{short(spf.domain, 99)}{rcpt}", "\r\n\xff\u00e4", 1)
	f.Add(`{'}' + "{" + "\"" + {"a": "}"}["a"]}`, "x", 498)
	f.Fuzz(func(t *testing.T, text, value string, room int) {
		tmpl, fault := parseTemplate(text)
		if fault != nil {
			if fault.at < 0 || fault.at > len(text) || fault.err == nil {
				t.Fatalf("%q: %+v", text, fault)
			}
			return
		}
		room = len("...") + max(room, 0)%maxReply
		s := &subject{Evaluation: message(func(e *verify.Evaluation) {
			e.Client.MailFrom, e.SPF[0].Domain, e.SPF[0].Term, e.SPF[0].Explanation = value, value, value, value
			e.Client.Recipients = []string{value, value}
		})}
		got := tmpl.render(s, room)
		if len(got) > room {
			t.Errorf("%d octets, want at most %d", len(got), room)
		}
		for i := range len(got) {
			if !printable(got[i]) {
				t.Errorf("%q holds %#x", got, got[i])
			}
		}
	})
}

// Every octet of a string's value has its place in the text that it was read from.
func FuzzOffsets(f *testing.F) {
	f.Add(`"a\tb\u00e4\U0001F600\\"`)
	f.Add("'''\na\nb'''")
	f.Add("\"\"\"\\\n  a \\\n\n  b\"\"\"")
	f.Add("\"\"\"\r\na\"\"\"\"\"")
	f.Fuzz(func(t *testing.T, raw string) {
		var v struct{ A string }
		if strings.ContainsAny(raw, "#") || toml.Unmarshal([]byte("a = "+raw), &v) != nil {
			offsets([]byte(raw)) // no panic
			return
		}
		raw = strings.Trim(raw, " \t\r\n")
		if raw == "" || raw[0] != '"' && raw[0] != '\'' || raw[len(raw)-1] != raw[0] || strings.Contains(raw, "\r") {
			return
		}
		where := offsets([]byte(raw))
		if len(where) != len(v.A)+1 {
			t.Fatalf("%q: %d places for the %d octets of %q", raw, len(where), len(v.A), v.A)
		}
		for i := range v.A {
			if c := raw[where[i]]; c != v.A[i] && c != '\\' {
				t.Fatalf("%q: octet %d of %q is said to be at %d", raw, i, v.A, where[i])
			}
		}
	})
}

// Whatever the text, there is an error of one line that names the file, or cases with a message each.
func FuzzParseExpectations(f *testing.F) {
	f.Add("[[case]]\nname = \"x\"\ngiven.spf.result = \"fail\"\naction = \"reject\"\nreply = \"*a*b\"\n")
	f.Add("[[case]]\nname = \"x\"\nrule = \"-\"\nwatched = []\n[case.given]\ndkim = [{ testing = true }]\nnow = 2026-01-01T00:00:00Z\n[case.given.client]\nip = \"\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		x, err := ParseExpectations("f.toml", []byte(text))
		if err != nil {
			var at *Error
			if !errors.As(err, &at) || !strings.HasPrefix(err.Error(), "f.toml:") || strings.ContainsAny(err.Error(), "\n\r\x00") {
				t.Fatalf("error %q", err)
			}
			return
		}
		p, err := Preset("strict")
		if err != nil {
			t.Fatal(err)
		}
		for i := range x.Cases {
			c := &x.Cases[i]
			v := p.DecideAt(c.Given, c.Now)
			wellFormed(t, v)
			c.Differences(v)
		}
	})
}
