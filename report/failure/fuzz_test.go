package failure

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzRead holds to: no mail makes Read panic or go beyond its limits; what can be written reads back equal; what is redacted can be
// redacted again, and nothing in it is invalid UTF-8.
func FuzzRead(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.eml")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("Feedback-Type: other\nFrom: a@example.com\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		o := Options{Values: 20, Warnings: 20, Parts: 50, Depth: 4}
		r, err := Read(bytes.NewReader(data), o)
		if err != nil {
			return
		}
		within(t, r, o)
		out, err := json.Marshal(r.Document())
		if err != nil || !utf8.Valid(out) || bytes.Contains(out, []byte(`\u0000`)) {
			t.Fatalf("%v: %q", err, out)
		}
		roundTrip(t, r)
		red := r.Redact([]byte("key"))
		roundTrip(t, red)
		if red.AuthorDomain != r.AuthorDomain || red.SourceIP != r.SourceIP {
			t.Fatalf("redacted: %q %v, not %q %v", red.AuthorDomain, red.SourceIP, r.AuthorDomain, r.SourceIP)
		}
	})
}

func roundTrip(t *testing.T, r *Report) {
	t.Helper()
	var b bytes.Buffer
	err := r.Write(&b, Mail{To: "ruf@example.com", NoAlignedSignature: true, NoAlignedSPF: true})
	if err != nil || hasLongWord(r) {
		return
	}
	back, err := Read(&b, Options{HeaderBytes: 1 << 20})
	if err != nil {
		t.Fatalf("%v\n%+v", err, r)
	}
	want := without(r)
	if want.Version == "" {
		want.Version = "1"
	}
	if !reflect.DeepEqual(without(back), want) {
		t.Fatalf("got\n%#v\nwant\n%#v", without(back), want)
	}
}

// hasLongWord tells whether there is a word that has to be cut to be written.
func hasLongWord(r *Report) bool {
	if len(r.Reporter) > 200 {
		return true
	}
	d := r.Document()
	d.OriginalHeader, d.OriginalBody, d.Warnings, d.DKIM.CanonicalizedHeader, d.DKIM.CanonicalizedBody = "", "", nil, "", ""
	out, _ := json.Marshal(d)
	for word := range strings.FieldsSeq(string(out)) {
		if len(word) > maxWord/2 {
			return true
		}
	}
	return false
}

func BenchmarkRead(b *testing.B) {
	data, err := os.ReadFile("testdata/whole-message.eml")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(bytes.NewReader(data), Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	r := readFile(b, "whole-message")
	b.ReportAllocs()
	for b.Loop() {
		write(b, r, toOwner)
	}
}

func BenchmarkRedact(b *testing.B) {
	r := readFile(b, "whole-message")
	b.ReportAllocs()
	for b.Loop() {
		r.Redact(secret)
	}
}
