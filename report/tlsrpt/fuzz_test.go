package tlsrpt

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzRead holds to: nothing makes Read panic or go beyond its limits; what encoding/json reads as a report is read here too; what can be
// written conforms to the RFC and reads back equal.
func FuzzRead(f *testing.F) {
	for _, name := range inputs(f) {
		data, err := os.ReadFile("testdata/" + name + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o := Options{Values: 20, Warnings: 20, Policies: 20, Failures: 50, TextBytes: 200}
		r, err := Read(bytes.NewReader(data), o)
		if err != nil {
			return
		}
		within(t, r, o)
		out, err := json.Marshal(r.Document())
		if err != nil || !utf8.Valid(out) || bytes.Contains(out, []byte(`\u0000`)) {
			t.Fatalf("%v: %q", err, out)
		}
		var b bytes.Buffer
		if r.Write(&b) != nil {
			return
		}
		if err := valid(b.Bytes()); err != nil {
			t.Fatalf("%v in %s", err, b.Bytes())
		}
		back, err := Read(&b, Options{})
		if err != nil || !reflect.DeepEqual(without(back), without(r)) {
			t.Fatalf("got\n%+v\nwant\n%+v\n%v", back, r, err)
		}
		if err := r.WriteMail(&b, parcel); err == nil && !strings.Contains(b.String(), "\r\nSubject: Report Domain: ") {
			t.Fatalf("%s", b.Bytes())
		}
	})
}

func BenchmarkRead(b *testing.B) {
	data, err := os.ReadFile("testdata/standard.json")
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

// BenchmarkReadLarge reads a report of 20,000 failures, of which half are kept.
func BenchmarkReadLarge(b *testing.B) {
	one := `{"result-type":"certificate-expired","sending-mta-ip":"192.0.2.1","receiving-mx-hostname":"mx1.example.com","failed-session-count":1}`
	data := []byte(`{"report-id":"1","policies":[{"failure-details":[` + strings.Repeat(one+",", 20000) + `]}]}`)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(bytes.NewReader(data), Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	r := readFile(b, "standard")
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Write(&bytes.Buffer{}); err != nil {
			b.Fatal(err)
		}
	}
}
