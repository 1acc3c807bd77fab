package reports

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/unwrap"
	"github.com/gatepost-mail/gatepost/test/wrap"
)

// Whatever comes, there is a report or a refusal; a report's documents are JSON, and its records are the same each time.
func FuzzRead(f *testing.F) {
	xml := xmlReport(f, "17", 3)
	f.Add(xml)
	f.Add(wrap.Gzip("r.xml", xml))
	f.Add(wrap.Multipart("mixed", greeting, wrap.Part("", xml)))
	f.Add([]byte(`{"organization-name":"a","date-range":{},"report-id":"1","policies":[{"policy":{"policy-type":"sts","policy-domain":"example.com"},"summary":{}}]}`))
	f.Add(wrap.Multipart("report; report-type=feedback-report", "Content-Type: message/feedback-report\r\n\r\nFeedback-Type: auth-failure\r\n"+
		"Source-IP: 192.0.2.1\r\nReported-Domain: example.com\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		o := Options{Held: 2, Unwrap: unwrap.Limits{Total: 1 << 20, Memory: 1 << 10, Dir: t.TempDir()}}
		all, refusals, err := loadAll(bytes.NewReader(in), o)
		if err != nil {
			t.Fatal(err)
		}
		if len(all)+len(refusals) == 0 {
			t.Fatal("neither a report nor a refusal")
		}
		for _, r := range all {
			check(t, r)
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func check(t *testing.T, r *Report) {
	t.Helper()
	s := r.Store()
	var d map[string]any
	if err := json.Unmarshal(s.Document, &d); err != nil || d["kind"] != s.Kind || d["warnings"] == nil {
		t.Errorf("%v: %s", err, s.Document)
	}
	for _, text := range append([]string{s.Reporter, s.Email, s.ReportID, s.Domain, s.Part, string(s.Document)}, s.Warnings...) {
		if !utf8.ValidString(text) || bytes.ContainsRune([]byte(text), 0) {
			t.Errorf("%q would be no text for a database", text)
		}
	}
	var b bytes.Buffer
	if err := r.WriteJSON(&b, "a\xff\"b"); err != nil {
		t.Error(err)
	}
	var whole struct {
		File    string
		Records []json.RawMessage
	}
	if err := json.Unmarshal(b.Bytes(), &whole); err != nil || whole.File == "" || bytes.Count(b.Bytes(), []byte("\n")) != 1 {
		t.Errorf("%v: %s", err, b.Bytes())
	}
	if s.Kind != store.Aggregate {
		return
	}
	n := 0
	for _, err := range s.Rows {
		if err != nil {
			t.Error(err)
		}
		n++
	}
	if int64(n) != r.Count() || len(whole.Records) != n {
		t.Errorf("%d rows, %d in JSON, of %d", n, len(whole.Records), r.Count())
	}
}
