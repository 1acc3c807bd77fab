package aggregate

import (
	"strings"
	"testing"
	"time"
)

func TestFileNames(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0).UTC() }
	for name, want := range map[string]FileName{
		"mail.receiver.example!example.com!1013662812!1013749130.xml.gz":      {"mail.receiver.example", "example.com", at(1013662812), at(1013749130), "", true},
		"mail.receiver.example!example.com!1013662812!1013749130.xml":         {"mail.receiver.example", "example.com", at(1013662812), at(1013749130), "", false},
		"mail.receiver.example!example.com!1013662812!1013749130!a1B2.xml.gz": {"mail.receiver.example", "example.com", at(1013662812), at(1013749130), "a1B2", true},
	} {
		got, err := ParseFileName(name)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
		if want.String() != name {
			t.Errorf("%+v is written %s", want, want.String())
		}
	}
	for _, odd := range []string{"C:\\tmp\\MX.example!Example.COM.!1!2.zip", "/tmp/a/mx.example!example.com!1!2", "mx.example!example.com!1!2.XML", "mx.example!example.com!1!2.foo.bar"} {
		got, err := ParseFileName(odd)
		if err != nil || got != (FileName{"mx.example", "example.com", at(1), at(2), "", false}) {
			t.Errorf("%s: %+v, %v", odd, got, err)
		}
	}
	for _, bad := range []string{"", "report.xml", "!!!", "a!b!c!d.xml", "a!b!1!.xml", "a!b!1!2!3!4.xml", "a!b!-1!2.xml", "!b!1!2.xml", "a!b!1!99999999999999999999.xml"} {
		if got, err := ParseFileName(bad); err == nil {
			t.Errorf("%s: %+v", bad, got)
		}
	}
	evil := FileName{Receiver: "a/../b\r\nX: y", Domain: "c!d\x00é", Begin: at(-1), ID: "../1-2"}
	if got := evil.String(); got != "a..bxy!cd!0!0!12.xml" {
		t.Errorf("%q", got)
	}
}

// Line 5 of the list of what really arrives, and the standard's own examples.
func TestSubjects(t *testing.T) {
	full := Subject{"example.com", "mail.receiver.example", "sample-ridtxt@example.com"}
	for value, want := range map[string]Subject{
		full.String(): full,
		"Report Domain: example.com\r\n    Submitter: mail.receiver.example\r\n    Report-ID: <sample-ridtxt@example.com>": full,
		"Report Domain: example.com Submitter: mail.receiver.example Report-ID: sample-ridtxt@example.com":                 full,
		"Report domain: Example.com; Submitter: mail.receiver.example; Report-ID: <sample-ridtxt@example.com>;":            full,
		"Report Domain: {example.com}  Submitter: {mail.receiver.example}":                                                 {"example.com", "mail.receiver.example", ""},
		"=?utf-8?B?UmVwb3J0IERvbWFpbjogZXhhbXBsZS5jb20gU3VibWl0dGVyOiBteC5leGFtcGxl?=":                                     {"example.com", "mx.example", ""},
		"[Preview] Report Domain: example.com Submitter: mx.example":                                                       {"example.com", "mx.example", ""},
		"Report Domain: example.com": {"example.com", "", ""},
	} {
		if got, err := ParseSubject(value); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", value, got, err, want)
		}
	}
	for _, bad := range []string{"", "Hello", "Domain: example.com", "Report Domain:", "Report Domain: Submitter: x"} {
		if got, err := ParseSubject(bad); err == nil {
			t.Errorf("%q: %+v", bad, got)
		}
	}
	if got := (Subject{"a\r\nBcc: x", "b\n", "c> d\r\n"}).String(); got != "Report Domain: abccx Submitter: b Report-ID: <cd>" {
		t.Errorf("%q", got)
	}
}

func TestReportIDs(t *testing.T) {
	for id, want := range map[string]bool{
		"1721054318-example.com@example.org": true, "<2024-03-27_example.com@example.org>": true, "3v98abbp8ya9n3va8yr8oa3ya": true, "a.b.c": true,
		"": false, "<>": false, "a@": false, "@b": false, "a@b@c": false, "a..b": false, "a b": false, "<a": false, "a>": false, "ü": false, "a\"b": false,
	} {
		if got := IsReportID(id); got != want {
			t.Errorf("%q: %v", id, got)
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add("mx.example!example.com!1!2!3.xml.gz")
	f.Add("Report Domain: example.com Submitter: mx.example Report-ID: <a@b>")
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := ParseFileName(s); err == nil {
			name := n.String()
			if strings.ContainsAny(name, "/\\\r\n\x00") {
				t.Fatalf("%q is written %q", s, name)
			}
			if again, err := ParseFileName(name); err == nil && again.String() != name {
				t.Fatalf("%q, %q, %q", s, name, again.String())
			}
		}
		if subject, err := ParseSubject(s); err == nil {
			line := subject.String()
			if strings.ContainsAny(line, "\r\n\x00") {
				t.Fatalf("%q is written %q", s, line)
			}
			if again, err := ParseSubject(line); err == nil && again.String() != line {
				t.Fatalf("%q, %q, %q", s, line, again.String())
			}
		}
	})
}
