package dkim

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseTags(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"a=b", "a=b"},
		{"a=b;", "a=b"},
		{"a=b; \r\n ", "a=b"},
		{" a = b ;c=", "a=b c="},
		{"\r\n\ta\r\n\t=\r\n\tb\r\n\tc\r\n\t;\r\n\td\r\n =\r\n ", "a=b\r\n\tc d="}, // FWS wherever it may stand
		{"a=x=y==; b=:/|", "a=x=y== b=:/|"},
		{"A=1; a=2", "A=1 a=2"}, // names know case
		{"a_1=ü", "a_1=ü"},
		{"a=b\r\n", "a=b"},
	} {
		tags, err := ParseTags(c.in)
		var got []string
		for _, tag := range tags {
			got = append(got, tag.Name+"="+tag.Value)
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%q\ngot  %q, %v\nwant %q", c.in, got, err, c.want)
		}
	}
}

func TestParseTagsSaysWhereAndWhyItFailed(t *testing.T) {
	var many strings.Builder
	for i := range maxTags + 1 {
		fmt.Fprintf(&many, "t%d=;", i)
	}
	for _, c := range []struct{ in, want string }{
		{"", "no tags"},
		{" \t", "no tags"},
		{";", "octet 1"},
		{"a=b;;c=d", "octet 5"},
		{"a", "octet 2: there is no ="},
		{"a b=c", "octet 3: there is no ="},
		{"1=2", "octet 1: a tag begins with a letter"},
		{"=x", "octet 1"},
		{"a=\x00", "control character 0x00"},
		{"a=b\nc", "control character 0x0a"},
		{"a=b\r\nc", "control character 0x0d"}, // a line end that is no fold
		{"a=1; b=2; a=1", "twice"},             // RFC 6376 3.2
		{many.String(), "more than 64"},
	} {
		if tags, err := ParseTags(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q\ngot  %v, %v\nwant …%s…", c.in, tags, err, c.want)
		}
	}
}

func TestEmptyTagIsNotAnAbsentOne(t *testing.T) {
	tags, err := ParseTags("a=; b=x")
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := tags.Get("a"); v != "" || !ok {
		t.Errorf("a: got %q, %v, want an empty value that is there", v, ok)
	}
	if _, ok := tags.Get("c"); ok {
		t.Error("c: got a tag that is not there")
	}
}

func FuzzParseTags(f *testing.F) {
	for _, s := range []string{"a=b; c=d", " a = b\r\n c ; d = ;", "v=DKIM1; k=rsa; p=MIG f\r\n\tMA0", "a=;a=", ";;", "a=\x00", "x=\r\n\r\n y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tags, err := ParseTags(s)
		if err != nil {
			return
		}
		var b strings.Builder
		for i, tag := range tags {
			if got := strings.TrimSpace(s[tag.start:tag.end]); got != strings.TrimSpace(tag.Value) {
				t.Fatalf("%q: %s= is said to stand where %q stands, but is %q", s, tag.Name, got, tag.Value)
			}
			if s[tag.start-1] != '=' {
				t.Fatalf("%q: no = before the value of %s", s, tag.Name)
			}
			if i > 0 {
				b.WriteByte(';')
			}
			b.WriteString(tag.Name + "=" + tag.Value)
		}
		again, err := ParseTags(b.String())
		if err != nil || len(again) != len(tags) {
			t.Fatalf("%q\nread   %v\nprinted %q\nread   %v, %v", s, tags, b.String(), again, err)
		}
		for i := range tags {
			if again[i].Name != tags[i].Name || again[i].Value != tags[i].Value {
				t.Fatalf("%q: got %v, then %v", s, tags[i], again[i])
			}
		}
	})
}
