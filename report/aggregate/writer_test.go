package aggregate

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

// bare makes lists without elements nil, so that they compare equal.
func bare(records []Record) []Record {
	for i := range records {
		r := &records[i]
		for _, list := range []any{&r.Reasons, &r.Auth.DKIM, &r.Auth.SPF, &r.Extensions} {
			if v := reflect.ValueOf(list).Elem(); v.Len() == 0 {
				v.SetZero()
			}
		}
	}
	return records
}

func TestWhatIsWrittenReadsBackEqual(t *testing.T) {
	f, records := fullFeedback(), fullRecords()
	f.Version, f.Namespace = "1.0", Namespace9990
	records[2].Auth.SPF[0].Scope = "mfrom"
	report, err := Read(bytes.NewReader(write(t, RFC9990, f, records)), Options{Now: now})
	if err != nil || len(report.Warnings) > 0 {
		t.Fatal(err, told(report.Warnings))
	}
	if !reflect.DeepEqual(report.Feedback, f) {
		t.Errorf("feedback\ngot  %+v\nwant %+v", report.Feedback, f)
	}
	if got, want := bare(report.Records), bare(records); !reflect.DeepEqual(got, want) {
		t.Errorf("records\ngot  %+v\nwant %+v", got, want)
	}
}

func TestByRFC7489WhatItCannotSayIsSaidInItsWords(t *testing.T) {
	report, err := Read(bytes.NewReader(write(t, RFC7489, fullFeedback(), fullRecords())), Options{Now: now})
	if err != nil || len(report.Warnings) > 0 {
		t.Fatal(err, told(report.Warnings))
	}
	want := fullFeedback()
	want.Version, want.Generator, want.Extensions = "1.0", "", nil
	want.Policy.NP, want.Policy.Testing, want.Policy.DiscoveryMethod, want.Policy.Pct = "", "", "", "100"
	if !reflect.DeepEqual(report.Feedback, want) {
		t.Errorf("feedback\ngot  %+v\nwant %+v", report.Feedback, want)
	}
	records := fullRecords()
	records[0].Disposition, records[0].Extensions, records[0].Auth.SPF[0].HumanResult = "none", nil, ""
	records[1].Reasons[0] = Reason{"other", "policy_test_mode"}
	records[1].Auth.SPF[0].Scope = "mfrom"
	if got, want := bare(report.Records), bare(records); !reflect.DeepEqual(got, want) {
		t.Errorf("records\ngot  %+v\nwant %+v", got, want)
	}
}

func TestByRFC9990WhatOnlyRFC7489SaysIsSaidInItsWords(t *testing.T) {
	records := fullRecords()[1:2]
	records[0].Reasons = []Reason{{"forwarded", ""}, {"sampled_out", "pct=10"}}
	records[0].Auth.SPF = []AuthSPF{{"mx.example.org", "helo", "pass", ""}, {"example.com", "mfrom", "fail", ""}, {"example.org", "mfrom", "fail", ""}}
	report, err := Read(bytes.NewReader(write(t, RFC9990, fullFeedback(), records)), Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	got := report.Records[0]
	if want := []Reason{{"other", "forwarded"}, {"other", "sampled_out: pct=10"}}; !reflect.DeepEqual(got.Reasons, want) {
		t.Errorf("reasons %v, want %v", got.Reasons, want)
	}
	if want := []AuthSPF{{"example.com", "mfrom", "fail", ""}}; !reflect.DeepEqual(got.Auth.SPF, want) {
		t.Errorf("SPF %v, want %v", got.Auth.SPF, want)
	}
}

func TestTheWriterRefusesWhatTheStandardDoesNotHave(t *testing.T) {
	for name, change := range map[string]func(*Record){
		"no source":                  func(r *Record) { r.SourceIP = netip.Addr{} },
		"count 0":                    func(r *Record) { r.Count = 0 },
		"count -1":                   func(r *Record) { r.Count = -1 },
		"a count that is too large":  func(r *Record) { r.Count = MaxCount + 1 },
		"no disposition":             func(r *Record) { r.Disposition = "" },
		"disposition softfail":       func(r *Record) { r.Disposition = "softfail" },
		"dkim none":                  func(r *Record) { r.DKIM = "none" },
		"spf hardfail":               func(r *Record) { r.SPF = "hardfail" },
		"Pass":                       func(r *Record) { r.SPF = "Pass" },
		"no header_from":             func(r *Record) { r.HeaderFrom = " " },
		"a reason of an odd type":    func(r *Record) { r.Reasons[0].Type = "because" },
		"a reason without type":      func(r *Record) { r.Reasons[0].Type = "" },
		"an SPF result of no domain": func(r *Record) { r.Auth.SPF[0].Domain = "\x00" },
		"an odd scope":               func(r *Record) { r.Auth.SPF[0].Scope = "pra" },
		"an odd SPF result":          func(r *Record) { r.Auth.SPF[0].Result = "unknown" },
		"an odd DKIM result":         func(r *Record) { r.Auth.DKIM = []AuthDKIM{{"example.com", "s", "softfail", ""}} },
	} {
		for _, s := range []Standard{RFC9990, RFC7489} {
			var b bytes.Buffer
			w, err := NewWriter(&b, fullFeedback(), s)
			if err != nil {
				t.Fatal(err)
			}
			good, bad := fullRecords()[1], fullRecords()[1]
			change(&bad)
			if err := w.Write(&bad); err == nil || !strings.HasPrefix(err.Error(), "aggregate: record 1: ") {
				t.Errorf("%v: %s: %v", s, name, err)
			}
			if err := w.Write(&good); err != nil { // it goes on without the bad one
				t.Errorf("%v: %s: %v", s, name, err)
			}
			if err := w.Close(); err != nil {
				t.Errorf("%v: %s: %v", s, name, err)
			}
			if report, err := Read(&b, Options{Now: now}); err != nil || len(report.Records) != 1 {
				t.Errorf("%v: %s: %+v, %v", s, name, report, err)
			}
		}
	}
	for name, change := range map[string]func(*Feedback){
		"no org_name":          func(f *Feedback) { f.OrgName = "" },
		"no email":             func(f *Feedback) { f.Email = "" },
		"no report_id":         func(f *Feedback) { f.ReportID = "" },
		"no period":            func(f *Feedback) { f.Begin, f.End = time.Time{}, time.Time{} },
		"a period that is not": func(f *Feedback) { f.Begin, f.End = f.End, f.Begin },
		"no domain":            func(f *Feedback) { f.Policy.Domain = "" },
		"no p":                 func(f *Feedback) { f.Policy.P = "" },
		"p=pass":               func(f *Feedback) { f.Policy.P = "pass" },
		"an odd sp":            func(f *Feedback) { f.Policy.SP = "x" },
		"an odd adkim":         func(f *Feedback) { f.Policy.ADKIM = "x" },
	} {
		for _, s := range []Standard{RFC9990, RFC7489} {
			f := fullFeedback()
			change(&f)
			if _, err := NewWriter(io.Discard, f, s); err == nil {
				t.Errorf("%v: %s: no error", s, name)
			}
		}
	}
	for name, e := range map[string]Extension{
		"not well-formed":   {"urn:e", "a", `<a xmlns="urn:e">`},
		"two elements":      {"urn:e", "a", `<a xmlns="urn:e"/><a xmlns="urn:e"/>`},
		"text beside it":    {"urn:e", "a", `<a xmlns="urn:e"/>x`},
		"another name":      {"urn:e", "b", `<a xmlns="urn:e"/>`},
		"another namespace": {"urn:f", "a", `<a xmlns="urn:e"/>`},
		"a document type":   {"urn:e", "a", `<!DOCTYPE a><a xmlns="urn:e"/>`},
		"nothing":           {"urn:e", "a", ``},
		"a way out":         {"urn:e", "a", `<a xmlns="urn:e"/></extension><record/><extension>`},
	} {
		f := fullFeedback()
		f.Extensions = []Extension{e}
		if _, err := NewWriter(io.Discard, f, RFC9990); err == nil {
			t.Errorf("an extension, %s: no error", name)
		}
	}
}

func TestAReportWithoutRecordsIsNotWritten(t *testing.T) {
	w, err := NewWriter(io.Discard, fullFeedback(), RFC9990)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); !errors.Is(err, ErrNoRecords) {
		t.Errorf("%v", err)
	}
}

func TestTheWriterKeepsTheErrorOfWhatItWritesTo(t *testing.T) {
	full := errors.New("no space")
	w, err := NewWriter(failingWriter{full}, fullFeedback(), RFC9990)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Write(&fullRecords()[0]); !errors.Is(err, full) {
			t.Errorf("%v", err)
		}
	}
	if err := w.Close(); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

func TestExtensionsStandForThemselves(t *testing.T) {
	doc := strings.NewReplacer(
		"<feedback>", `<feedback xmlns="`+Namespace9990+`" xmlns:e="urn:example:e" xmlns:f='urn:example:"f"'>`,
		"<pct>100</pct></policy_published>", `</policy_published><extension>
			<e:arc-override>never</e:arc-override><x xmlns="urn:example:x"/><own>y</own></extension>`,
		"</record>", `<e:arc-results f:a='1 > "2"' e:b="&amp;"><f:c>A &amp; B<![CDATA[<>]]></f:c><d/><e:open>z</e:arc-results><e:f g="&nbsp;"/></record>`,
	).Replace(reportXML)
	report := read(t, doc)
	want := []Extension{
		{"urn:example:e", "arc-override", `<e:arc-override xmlns:e="urn:example:e">never</e:arc-override>`},
		{"urn:example:x", "x", `<x xmlns="urn:example:x"></x>`},
		{Namespace9990, "own", `<own xmlns="` + Namespace9990 + `">y</own>`},
	}
	if !reflect.DeepEqual(report.Extensions, want) {
		t.Errorf("feedback\ngot  %q\nwant %q", report.Extensions, want)
	}
	want = []Extension{
		{"urn:example:e", "arc-results", `<e:arc-results xmlns:e="urn:example:e" xmlns:f="urn:example:&quot;f&quot;" xmlns="` + Namespace9990 + `"` +
			` f:a="1 &gt; &quot;2&quot;" e:b="&amp;"><f:c>A &amp; B&lt;&gt;</f:c><d></d><e:open>z</e:open></e:arc-results>`},
		{"urn:example:e", "f", `<e:f xmlns:e="urn:example:e" g="&amp;nbsp;"></e:f>`},
	}
	got := report.Records[0].Extensions
	if !reflect.DeepEqual(got, want) {
		t.Errorf("record\ngot  %q\nwant %q", got, want)
	}
	for _, e := range append(got, report.Extensions...) {
		if err := wellFormed(e); err != nil {
			t.Errorf("%q: %v", e, err)
		}
	}
	again, err := Read(bytes.NewReader(write(t, RFC9990, report.Feedback, report.Records)), Options{Now: now})
	if err != nil || !reflect.DeepEqual(again.Extensions, report.Extensions) || !reflect.DeepEqual(again.Records[0].Extensions, got) {
		t.Errorf("written and read again: %v\ngot  %q %q\nwant %q %q", err, again.Extensions, again.Records[0].Extensions, report.Extensions, got)
	}
}
