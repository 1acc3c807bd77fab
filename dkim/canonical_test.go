package dkim

import (
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/message"
)

func TestCanonicalHeader(t *testing.T) {
	for _, c := range []struct{ raw, relaxed string }{
		{"A: X\r\n", "a:X\r\n"},                   // RFC 6376 3.4.5
		{"B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"},     // RFC 6376 3.4.5
		{"Subject:\r\n", "subject:\r\n"},          // nothing in it
		{"Subject:  \r\n \t\r\n", "subject:\r\n"}, // nothing but white space
		{"SUBJect:\r\n AbC\r\n", "subject:AbC\r\n"},
		{"X: a\r\n\t b  c\t\td \r\n", "x:a b c d\r\n"},
		{"X: gr\xc3\xbc\xc3\x9fe\r\n", "x:gr\xc3\xbc\xc3\x9fe\r\n"}, // RFC 6532
		{"X: a\rb\nc\x00d \r e\r\n", "x:a\rb\nc\x00d \r e\r\n"},     // bare CR and LF are characters
		{"X\t \t:a:b\r\n", "x:a:b\r\n"},
	} {
		name, _, _ := strings.Cut(c.raw, ":")
		f := message.Field{Name: strings.TrimRight(name, " \t"), Raw: c.raw}
		if got := string(Relaxed.AppendHeader([]byte("before"), f)); got != "before"+c.relaxed {
			t.Errorf("relaxed %q\ngot  %q\nwant %q", c.raw, got, "before"+c.relaxed)
		}
		if got := string(Simple.AppendHeader(nil, f)); got != c.raw {
			t.Errorf("simple %q\ngot  %q\nwant it unchanged", c.raw, got)
		}
	}
}

func TestParseCanonicalization(t *testing.T) {
	for _, c := range []struct {
		value string
		want  Canonicalization
	}{
		{"simple", Canonicalization{Simple, Simple}},
		{"relaxed", Canonicalization{Relaxed, Simple}}, // RFC 6376 3.5: simple for the body
		{"relaxed/simple", Canonicalization{Relaxed, Simple}},
		{"simple/relaxed", Canonicalization{Simple, Relaxed}},
		{"relaxed/relaxed", Canonicalization{Relaxed, Relaxed}},
		{"simple/simple", Canonicalization{Simple, Simple}},
		{"Relaxed/RELAXED", Canonicalization{Relaxed, Relaxed}},
	} {
		got, err := ParseCanonicalization(c.value)
		if err != nil || got != c.want {
			t.Errorf("%s: got %v, %v, want %v", c.value, got, err, c.want)
		}
		if again, err := ParseCanonicalization(got.String()); err != nil || again != got {
			t.Errorf("%v is printed as %s, and read as %v, %v", got, got, again, err)
		}
	}
	for _, value := range []string{"", "/", "relaxed/", "/simple", "nofws", "relaxed/relaxed/relaxed", "simple /simple"} {
		if got, err := ParseCanonicalization(value); err == nil {
			t.Errorf("%q: got %v, want an error", value, got)
		}
	}
}
