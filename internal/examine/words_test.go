package examine

import "testing"

func TestUnfold(t *testing.T) {
	if got := Unfold(" a\r\n\tb\r\n  c "); got != "a b  c" {
		t.Errorf("got %q", got)
	}
}

func TestSubjectIsDecodedWhereItCanBe(t *testing.T) {
	for text, want := range map[string]string{
		"=?utf-8?q?Gr=C3=BC=C3=9Fe?=": "Grüße",
		"=?nowhere-1?q?x?=":           "=?nowhere-1?q?x?=",
		"plain =? text":               "plain =? text",
	} {
		if got := decodeWords(text); got != want {
			t.Errorf("decodeWords(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestNameInFromIsNotDecodedIntoAnAddress(t *testing.T) {
	for text, want := range map[string]string{
		"=?utf-8?q?M=C3=BCller?= <a@example.com>":               "Müller <a@example.com>",
		"=?utf-8?q?a=40bank.example_=3Ca=3E?= <b@evil.example>": "=?utf-8?q?a=40bank.example_=3Ca=3E?= <b@evil.example>",
	} {
		if got := decodeAddress(text); got != want {
			t.Errorf("decodeAddress(%q) = %q, want %q", text, got, want)
		}
	}
}
