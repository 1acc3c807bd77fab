package authres

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/gatepost-mail/gatepost/message"
)

func TestParse(t *testing.T) {
	property := func(typ, name, value string) Property { return Property{Type: typ, Name: name, Value: value} }
	for _, c := range []struct {
		name, value string
		want        Field
	}{
		{"none", "mx.example.org; none", Field{AuthservID: "mx.example.org"}},
		{"none with a comment", "mx.example.org 1; none (nothing was tried)", Field{AuthservID: "mx.example.org", Version: 1}},
		{"nothing but the authserv-id", " mx.example.org", Field{AuthservID: "mx.example.org"}},
		{"comments before the authserv-id", "(a; b (c)) (\\)) mx.example.org; none", Field{AuthservID: "mx.example.org"}},
		{"one result", "mx.example.org; spf=pass smtp.mailfrom=a@example.com",
			Field{AuthservID: "mx.example.org", Results: []Result{{Method: "spf", Value: "pass", Properties: []Property{property("smtp", "mailfrom", "a@example.com")}}}}},
		{"semicolon inside a comment", "mx.example.org; dkim=pass (good; very) header.d=example.com; spf=none",
			Field{AuthservID: "mx.example.org", Results: []Result{
				{Method: "dkim", Value: "pass", Comment: "good; very", Properties: []Property{property("header", "d", "example.com")}},
				{Method: "spf", Value: "none"}}}},
		{"version of the method", "mx.example.org 1; dkim/1 = pass header.i=@example.com",
			Field{AuthservID: "mx.example.org", Version: 1, Results: []Result{{Method: "dkim", Version: 1, Value: "pass", Properties: []Property{property("header", "i", "@example.com")}}}}},
		{"quoted strings with escapes", `"mx;\"example" ; dkim=fail reason="a \"b\"; c\\" header.b="abc/+="`,
			Field{AuthservID: `mx;"example`, Results: []Result{{Method: "dkim", Value: "fail", Reason: `a "b"; c\`, Properties: []Property{property("header", "b", "abc/+=")}}}}},
		{"quoted local part", `mx.example.org; spf=pass smtp.mailfrom="a b"@example.com`,
			Field{AuthservID: "mx.example.org", Results: []Result{{Method: "spf", Value: "pass", Properties: []Property{property("smtp", "mailfrom", "a b@example.com")}}}}},
		{"base64 without quotes", "mx.example.org; dkim=pass header.b=ab/+c=",
			Field{AuthservID: "mx.example.org", Results: []Result{{Method: "dkim", Value: "pass", Properties: []Property{property("header", "b", "ab/+c=")}}}}},
		{"folded, upper case, semicolon at the end", " MX.example.org;\r\n\tSPF=Pass\r\n smtp.MailFrom = example.com;",
			Field{AuthservID: "MX.example.org", Results: []Result{{Method: "spf", Value: "pass", Properties: []Property{property("smtp", "mailfrom", "example.com")}}}}},
		{"an IPv6 address", "mx.example.org; iprev=pass policy.iprev=2001:db8::1",
			Field{AuthservID: "mx.example.org", Results: []Result{{Method: "iprev", Value: "pass", Properties: []Property{property("policy", "iprev", "2001:db8::1")}}}}},
	} {
		got, err := Parse(c.value)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: Parse(%q)\ngot  %+v, %v\nwant %+v", c.name, c.value, got, err, c.want)
		}
	}
}

func TestSyntaxErrorsSayWhere(t *testing.T) {
	for value, pos := range map[string]int{
		"":                                  0,
		"; none":                            0,
		"mx.example.org spf=pass":           15,
		"mx.example.org; =pass":             16,
		"mx.example.org; spf":               19,
		"mx.example.org; spf=":              20,
		"mx.example.org; spf=pass x=y":      28,
		`mx.example.org; spf=pass reason="`: 32,
		"(mx.example.org":                   15,
		"mx.example.org; spf=pass (a (b)":   25,
	} {
		_, err := Parse(value)
		e, ok := err.(*SyntaxError)
		if !ok || e.Pos != pos {
			t.Errorf("Parse(%q): %v, want an error at byte %d", value, err, pos)
		}
	}
}

func TestFormat(t *testing.T) {
	f := Field{AuthservID: "mx.example.org", Results: []Result{
		{Method: "spf", Value: "softfail", Reason: `the record ends in "~all"`, Properties: []Property{{Type: "smtp", Name: "mailfrom", Value: "alice@example.com"}}},
		{Method: "dkim", Value: "pass", Comment: "2048-bit key", Properties: []Property{
			{Type: "header", Name: "d", Value: "example.com"}, {Type: "header", Name: "i", Value: "@example.com"},
			{Type: "header", Name: "s", Value: "s1"}, {Type: "header", Name: "a", Value: "rsa-sha256"}, {Type: "header", Name: "b", Value: "ab/+cd=="}}},
		{Method: "iprev", Value: "pass", Properties: []Property{{Type: "policy", Name: "iprev", Value: "2001:db8::1"}}},
	}}
	want := "mx.example.org;\r\n" +
		"\tspf=softfail reason=\"the record ends in \\\"~all\\\"\"\r\n" +
		"\tsmtp.mailfrom=alice@example.com;\r\n" +
		"\tdkim=pass (2048-bit key) header.d=example.com header.i=@example.com\r\n" +
		"\theader.s=s1 header.a=rsa-sha256 header.b=\"ab/+cd==\";\r\n" +
		"\tiprev=pass policy.iprev=\"2001:db8::1\""
	if got := f.Format(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := (Field{AuthservID: "mx.example.org"}).Format(); got != "mx.example.org; none" {
		t.Errorf("got %s", got)
	}
}

func TestNothingFromAMessageGetsOutOfItsPlace(t *testing.T) {
	for _, evil := range []string{
		"x\r\nSubject: forged", "x\nX: y", "a;dkim=pass header.d=bank.example", "example.net(.example.com", "a) dkim=pass (", `"`, `\`, "a\x00b",
		"a\u0085b", "a\xffb", "a\u202eb", "\x1b[31m", "a b@example.com", `"a"@example.com`, "a@b@c", strings.Repeat("x", 5000), strings.Repeat("é", 2000), "", "\u2028", `\";dkim=pass`,
	} {
		f := Field{AuthservID: "mx.example.org", Results: []Result{{Method: "spf", Value: "fail", Reason: evil, Comment: evil,
			Properties: []Property{{Type: "smtp", Name: "mailfrom", Value: evil, Comment: evil}}}}}
		text := f.Format()
		checkLines(t, text)
		got, err := Parse(text)
		if err != nil || len(got.Results) != 1 || got.Results[0].Method != "spf" || got.Results[0].Value != "fail" || len(got.Results[0].Properties) != 1 {
			t.Errorf("%q is written as\n%s\nwhich reads %+v, %v", evil, text, got, err)
		}
	}
}

// checkLines fails where a line end is no fold, or a line is too long.
func checkLines(t *testing.T, text string) {
	t.Helper()
	for i, line := range strings.Split(text, "\r\n") {
		if i > 0 && !strings.HasPrefix(line, "\t") || !utf8.ValidString(line) || len(line) > 990 {
			t.Errorf("line %d of %q", i, text)
		}
		for _, c := range strings.TrimPrefix(line, "\t") {
			if !unicode.IsPrint(c) {
				t.Errorf("%q in line %d of %q", c, i, text)
			}
		}
	}
}

func TestForged(t *testing.T) {
	const us = "mx.example.org"
	for _, c := range []struct {
		value  string
		forged bool
	}{
		{" mx.example.org; spf=pass", true},
		{" MX.Example.ORG 1; spf=pass", true},
		{" (hello) mx.example.org; spf=pass", true},
		{` "mx.example.org"; spf=pass`, true},
		{` "mx.exa\mple.org"; spf=pass`, true},
		{"\r\n\tmx.example.org;\r\n\tspf=pass", true},
		{" mx.example.org.; spf=pass", true},
		{" mx.example.org", true},
		{" mx.example.org spf=pass", true},
		{" ; spf=pass", true},
		{" (unclosed mx.example.org; spf=pass", true},
		{` "unclosed mx.example.org; spf=pass`, true},
		{" @ mx.example.org; spf=pass", true},
		{" x mx.example.org; spf=pass", true},
		{"", true},
		{" mx.example.org/1; spf=pass", true},
		{" mx.example.org:25; spf=pass", true},
		{" mx.example.org=x; spf=pass", true},
		{" mx.example.org\u00a0; spf=pass", true},
		{" [mx.example.org]; spf=pass", true},
		{" \x00mx.example.org; spf=pass", true},
		{" (;) mx.example.org; spf=pass", true},
		{` "(" mx.example.org; spf=pass`, true},
		{" (mx.example.org) mx.example.net; spf=pass", true}, // nothing is lost, and a careless reader is not misled
		{" mx.example.net 1 mx.example.org; spf=pass", true},
		{` mx.exa"mple.org"; spf=pass`, true},
		{" mx.(x)example.org; spf=pass", true},
		{" mx.exa\r\n mple.org; spf=pass", true},
		{" mx.example.net x; spf=pass smtp.helo=mx.example.org", false},
		{" mx.example.org.example.net; spf=pass", false},
		{" a.mx.example.org; spf=pass", false},
		{" mx.example.net; spf=pass", false},
		{" mx.example.net; spf=pass smtp.helo=mx.example.org", false},
		{" mx.example.net 1; spf=pass", false},
		{" notmx.example.org; spf=pass", false},
	} {
		h := message.Header{message.NewField(Name, c.value)}
		if got := len(Forged(h, us)) == 1; got != c.forged {
			t.Errorf("%q: forged %t, want %t", c.value, got, c.forged)
		}
		if got := len(Strip(h, us)) == 0; got != c.forged {
			t.Errorf("%q: stripped %t, want %t", c.value, got, c.forged)
		}
	}
}

func TestForgedSeesThroughULabels(t *testing.T) {
	for _, c := range []struct{ value, us string }{
		{" mx.xn--mller-kva.example; spf=pass", "mx.müller.example"}, {" MX.Müller.example; spf=pass", "mx.xn--mller-kva.example"},
	} {
		if got := Forged(message.Header{message.NewField(Name, c.value)}, c.us); len(got) != 1 {
			t.Errorf("%q is not seen as forged by %s", c.value, c.us)
		}
	}
}

func TestForgedFieldsComeHighestFirst(t *testing.T) {
	ours, theirs := " mx.example.org; spf=pass", " mx.example.net; spf=pass"
	h := message.Header{
		message.NewField("Received", " x"), message.NewField(Name, ours), message.NewField(Name, theirs),
		message.NewField("authentication-results", ours), message.NewField("Subject", " x"), message.NewField(Name, " ;;"),
	}
	if got := Forged(h, "mx.example.org"); !slices.Equal(got, []int{4, 3, 1}) {
		t.Errorf("got %v, want [4 3 1]", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"mx.example.org; none", `a 1; dkim/1=pass (x) reason="y" header.i=@b; spf=fail smtp.mailfrom="a b"@c`, "((((", `"\`, "a;b=c d.e=@"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		field, err := Parse(value)
		if err != nil {
			return
		}
		text := field.Format()
		checkLines(t, text)
		again, err := Parse(text)
		if err != nil {
			t.Fatalf("%q is written as %q: %v", value, text, err)
		}
		if once := again.Format(); once != text {
			t.Errorf("%q is written as\n%q, and that as\n%q", value, text, once)
		}
		if len(again.Results) != len(field.Results) {
			t.Errorf("%q has %d results, %q has %d", value, len(field.Results), text, len(again.Results))
		}
	})
}

func FuzzFormat(f *testing.F) {
	f.Add("mx.example.org", "spf", "pass", "because", "a comment", "alice@example.com")
	f.Add("a b", "s\r\n", "", "\"\\", ")(", "@b\r\nX: y")
	f.Add(strings.Repeat("x", 2000), strings.Repeat("y", 2000), strings.Repeat("z", 2000), strings.Repeat("\\", 2000), strings.Repeat("(", 2000), "\xff")
	f.Fuzz(func(t *testing.T, id, method, value, reason, comment, evidence string) {
		p := Property{Type: method, Name: value, Value: evidence, Comment: comment}
		r := Result{Method: method, Value: value, Reason: reason, Comment: comment, Properties: []Property{p, p}}
		text := Field{AuthservID: id, Results: []Result{r, r}}.Format()
		checkLines(t, text)
		got, err := Parse(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if len(got.Results) != 2 || len(got.Results[0].Properties) != 2 || !reflect.DeepEqual(got.Results[0], got.Results[1]) {
			t.Fatalf("%q reads %+v", text, got)
		}
		for what, pair := range map[string][2]string{
			"id": {id, got.AuthservID}, "reason": {reason, got.Results[0].Reason}, "comment": {comment, got.Results[0].Comment},
			"evidence": {evidence, got.Results[0].Properties[0].Value},
		} {
			if isVisible(pair[0]) && pair[0] != pair[1] {
				t.Errorf("%s: %q is written as %q, which reads %q", what, pair[0], text, pair[1])
			}
		}
	})
}

// isVisible tells whether a text is one that needs no change but escapes.
func isVisible(s string) bool {
	for _, c := range s {
		if !unicode.IsPrint(c) || c == utf8.RuneError {
			return false
		}
	}
	return len(s) <= maxReason
}

// careless are ways to read an authserv-id that are found in the wild.
var careless = []func(string) string{
	func(s string) string { id, _, _ := strings.Cut(s, ";"); return id },
	func(s string) string { id, _, _ := strings.Cut(s, ";"); id, _, _ = strings.Cut(id, "/"); return id },
	func(s string) string { return strings.Join(strings.Fields(s)[:min(1, len(strings.Fields(s)))], "") },
	func(s string) string { id, _, _ := strings.Cut(s, ";"); _, id, _ = strings.Cut(id, ")"); return id },
	func(s string) string { id, _, _ := strings.Cut(s, ";"); id, _, _ = strings.Cut(id, "("); return id },
	func(s string) string { id, _, _ := strings.Cut(strings.ReplaceAll(s, `"`, ""), ";"); return id },
	func(s string) string { id, _, _ := strings.Cut(strings.ReplaceAll(s, "\r\n ", ""), ";"); return id },
}

func FuzzForged(f *testing.F) {
	for _, s := range []string{
		" mx.example.org; spf=pass", " (mx.example.org) other.example; x", "mx.example.org/1;", "(;)mx.example.org", `"mx.example.org";`, "a mx.example.org", "\u00a0mx.example.org",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		const us = "mx.example.org"
		field := message.NewField(Name, value)
		h := message.Header{field}
		forged := len(Forged(h, us)) == 1
		if parsed, err := Parse(field.Value()); err == nil && strings.EqualFold(parsed.AuthservID, us) && !forged {
			t.Errorf("%q bears our name and is not seen as forged", value)
		}
		for i, read := range careless {
			if id := read(field.Value()); strings.ToLower(strings.TrimSpace(id)) == us && !forged {
				t.Errorf("careless reader %d sees our name in %q, and we do not", i, value)
			}
		}
		if forged == (len(Strip(h, us)) == 1) {
			t.Errorf("%q: Strip and Forged disagree", value)
		}
	})
}
