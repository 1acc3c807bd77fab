package moving

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func TestRspamdsDomainsMapsAndFallbackAreTaken(t *testing.T) {
	dir := files(t, map[string]string{
		"dkim_signing.conf": `# as in local.d
path = "DIR/dkim/$domain.$selector.key";
selector = dkim; # the default
selector_map = "DIR/selectors.map";
path_map: DIR/paths.map
sign_networks [ "192.0.2.0/24", 198.51.100.1, host ]
allow_username_mismatch = true;
sign_headers = "(o)from:to";
colour = blue
use_redis = false
domain {
  example.com {
    selectors [
      { path: "DIR/r.key"; selector: "r" }
      { path: "DIR/e.key"; selector: "e" },
    ]
  }
  example.net { path = "DIR/net.key"; selector = "n"; trust = yes }
  mail.example.org { path = "DIR/net.key" }
}
domain "example.us" { selector = 'u' }
.include(try=true) "$LOCAL/x.conf"
`,
		"selectors.map": "example.edu special # the one\nexample.info i\nnothing\n",
		"paths.map":     "example.info DIR/info.key\n",
		"r.key":         anyKey(t), "e.key": anyKey(t), "net.key": anyKey(t), "info.key": anyKey(t),
		"dkim/example.us.u.key":        anyKey(t),
		"dkim/example.edu.special.key": anyKey(t),
		"dkim/found.example.dkim.key":  anyKey(t),
		"dkim/other.example.s1.key":    anyKey(t),
	})
	m, err := Rspamd(filepath.Join(dir, "dkim_signing.conf"))
	if err != nil {
		t.Fatal(err)
	}
	keys, rules, notes := summary(m, dir)
	equal(t, "keys", keys, []string{"r@example.com", "e@example.com second", "n@example.net", "dkim@mail.example.org", "u@example.us", "special@example.edu",
		"i@example.info", "dkim@found.example"})
	equal(t, "rules", rules, []string{
		"example.com as example.com", "*.example.com as example.com", "example.net as example.net", "*.example.net as example.net",
		"mail.example.org as mail.example.org", "example.us as example.us", "*.example.us as example.us", "example.edu as example.edu",
		"*.example.edu as example.edu", "example.info as example.info", "*.example.info as example.info", "found.example as found.example",
		"*.found.example as found.example",
	})
	equal(t, "notes", notes, []string{
		"DIR/dkim_signing.conf:6: sign_networks host: own_networks holds addresses and networks only",
		"DIR/dkim_signing.conf:7: allow_username_mismatch: Gatepost does not compare user names with domains: let the mail server do it (reject_sender_login_mismatch in Postfix)",
		"DIR/dkim_signing.conf:8: sign_headers: Gatepost signs a list of its own, and signs what readers see once more than it is there",
		"DIR/dkim_signing.conf:9: colour: Gatepost does not know this setting",
		`DIR/dkim_signing.conf:22: .include(try=true) "$LOCAL/x.conf": not followed; import that file too`,
		"! DIR/selectors.map:3: selector_map: nothing: a domain and a value are wanted",
		"DIR/dkim_signing.conf:15: the key e of example.com is kept but does not sign: r is of the same kind, and signs",
		"DIR/dkim_signing.conf:18: domain example.net: trust: Gatepost does not know this setting",
		"DIR/dkim_signing.conf:19: mail.example.org: rspamd looks for keys of example.org with use_esld, and never finds this one; Gatepost will use it",
	})
	if !strings.Contains(m.TOML(), `own_networks = ["127.0.0.0/8", "::1/128", "192.0.2.0/24", "198.51.100.1/32"]`) {
		t.Errorf("got\n%s", m.TOML())
	}
	settings(t, m)
}

func TestWhatRspamdDoesAndGatepostDoesNotIsSaid(t *testing.T) {
	for text, want := range map[string]string{
		"use_redis = true":                       "gatepost keys add",
		"use_domain = \"envelope\"":              "the domain in From",
		"path = \"DIR/one.key\"":                 "one key for every domain",
		"signing_table = \"DIR/x\"":              "gatepost import opendkim",
		"selector_map = \"https://example.com\"": "no local file",
		"selector_map = [ \"example.com a\" ]":   "map in a file",
		"sign_condition = \"return true\"":       "no scripts",
		"domain { nodomain { } }":                "not a domain",
		"domain { example.com = 5 }":             "not a domain",
	} {
		dir := files(t, map[string]string{"c": text})
		m, err := Rspamd(filepath.Join(dir, "c"))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if _, _, notes := summary(m, dir); !m.Lost() || !strings.Contains(fmt.Sprint(notes), want) {
			t.Errorf("%s: got %v, want %q", text, notes, want)
		}
	}
	dir := files(t, map[string]string{"c": "dkim_signing { enabled = false; domain { example.com { } } }"})
	m, err := Rspamd(filepath.Join(dir, "c"))
	if err != nil || len(m.Keys)+len(m.Rules) > 0 || len(m.Notes) != 1 {
		t.Errorf("%v %+v", err, m)
	}
}

func TestWithoutESLDOnlyTheDomainItselfIsSignedFor(t *testing.T) {
	dir := files(t, map[string]string{
		"c": "use_esld = false; try_fallback = false; sign_local = false; domain { a.example.com { path = \"DIR/k\"; selector = s } }", "k": anyKey(t),
	})
	m, err := Rspamd(filepath.Join(dir, "c"))
	if err != nil {
		t.Fatal(err)
	}
	_, rules, notes := summary(m, dir)
	equal(t, "rules", rules, []string{"a.example.com as a.example.com"})
	equal(t, "notes", notes, nil)
	if !strings.Contains(m.TOML(), "own_networks = []") {
		t.Errorf("got\n%s", m.TOML())
	}
}

func TestUCLIsReadAsRspamdWritesIt(t *testing.T) {
	for text, want := range map[string]string{
		"a = b;":                  `{a="b"}`,
		"a b":                     `error`,
		"a: b c # d\n e 'f\"';":   `error`,
		"a: b c # d\n e: 'f\"';":  `{a="b c" e="f\""}`,
		`a = "b\n\"c"`:            `{a="b\n\"c"}`,
		"a { b { c = d } }":       `{a={b={c="d"}}}`,
		"a b { c = d }":           `{a={b={c="d"}}}`,
		"a \"b.c\" { }":           `{a={b.c={}}}`,
		"a [ 1, 2 3; {b=c} ]":     `{a=["1" "2 3" {b="c"}]}`,
		"/* a /* b */ c */ d=e":   `{d="e"}`,
		"a = [];b={}":             `{a=[] b={}}`,
		".include \"x\"\na=b":     `{.=macro a="b"}`,
		"a = 10s, b = true":       `{a="10s" b="true"}`,
		"a {":                     "error",
		"}":                       "error",
		"a [ }":                   "error",
		"a":                       "error",
		"a =":                     "error",
		"a = \"b":                 "error",
		"/* a":                    "error",
		"a = <<EOD\nx\nEOD":       "error",
		strings.Repeat("a {", 30): "error",
		"= b":                     "error",
		"a = ;":                   "error",
	} {
		got := "error"
		v, err := parseUCL(text)
		if err == nil {
			got = show(v)
		} else if !strings.HasPrefix(err.Error(), "line ") {
			t.Errorf("%q: an error without a line: %v", text, err)
		}
		if got != want {
			t.Errorf("%q: got %s (%v), want %s", text, got, err, want)
		}
	}
}

// show writes a value on one line.
func show(v *uclValue) string {
	var parts []string
	switch v.kind {
	case uclText:
		return fmt.Sprintf("%q", v.text)
	case uclMacro:
		return "macro"
	case uclList:
		for _, e := range v.list {
			parts = append(parts, show(e))
		}
		return "[" + strings.Join(parts, " ") + "]"
	}
	for _, m := range v.object {
		parts = append(parts, m.name+"="+show(m.value))
	}
	return "{" + strings.Join(parts, " ") + "}"
}

func TestAUCLErrorNamesTheFileAndTheLine(t *testing.T) {
	dir := files(t, map[string]string{"c": "a = b\nc {\n"})
	if _, err := Rspamd(filepath.Join(dir, "c")); err == nil || !strings.HasSuffix(err.Error(), "c: line 2: what is opened here is not closed") {
		t.Errorf("got %v", err)
	}
}

func FuzzUCL(f *testing.F) {
	f.Add("a = b; c { d [ 1, { e: 'f' } ] } # x")
	f.Add("/* a */ domain example.com { selector = \"s\" }\n.include x")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := parseUCL(text)
		if err != nil {
			return
		}
		plain := write(v, true)
		again, err := parseUCL(plain)
		if err != nil || show(again) != show(v) {
			t.Fatalf("%v\n%s\n%s", err, show(v), plain)
		}
	})
}

// write writes a value in the plainest form. A bare word may hold what only quotes can hold, too.
func write(v *uclValue, root bool) string {
	quote := func(s string) string {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	var b strings.Builder
	switch v.kind {
	case uclText:
		return quote(v.text)
	case uclList:
		b.WriteString("[")
		for _, e := range v.list {
			b.WriteString(write(e, false) + ",")
		}
		return b.String() + "]"
	}
	if !root {
		b.WriteString("{")
	}
	for _, m := range v.object {
		if m.value.kind == uclMacro {
			b.WriteString("\n" + m.value.text + "\n")
			continue
		}
		b.WriteString(quote(m.name) + "=" + write(m.value, false) + ";")
	}
	if !root {
		b.WriteString("}")
	}
	return b.String()
}
