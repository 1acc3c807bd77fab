package outbox_test

import (
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/outbox"
)

func TestPlainIsOneLineThatMisleadsNobody(t *testing.T) {
	for in, want := range map[string]string{
		"a\r\nBcc: b":                 "a Bcc: b",
		"a\tb\u2028c\u00a0 d":         "a b c d",
		"\x1b[31mred\x00":             "[31mred",
		"\u202egpj.exe\u200b\xff":     "gpj.exe",
		strings.Repeat("ü", 20):       "üüüüüüüüü…",
		"  Smith & Sons  <Ltd>\ufffd": "Smith & S…",
	} {
		most := 100
		if strings.HasSuffix(want, "…") {
			most = 10
		}
		if got := outbox.Plain(in, most); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestPlainNameIsNoLinkHoweverItIsWritten(t *testing.T) {
	for _, in := range []string{"http://evil.example", "http:////evil.example", "http:// //evil.example", "http:/\x00/evil.example", "h:////////////x"} {
		if got := outbox.PlainName(in, 100); strings.Contains(got, "://") {
			t.Errorf("%q: got %q", in, got)
		}
	}
}
