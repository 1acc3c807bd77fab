package aggregate

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/gatepost-mail/gatepost/dns"
)

func addReports(f *testing.F) {
	paths, err := filepath.Glob("testdata/wild/*.xml")
	if err != nil || len(paths) == 0 {
		f.Fatal(paths, err)
	}
	for _, path := range paths {
		doc, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(doc)
	}
	f.Add([]byte(reportXML))
}

// FuzzReader holds the reader to its bounds, to itself, to encoding/xml and to the writer.
func FuzzReader(f *testing.F) {
	addReports(f)
	f.Fuzz(func(t *testing.T, doc []byte) {
		o := Options{Now: now, MaxText: 200, MaxPerRecord: 3, MaxExtension: 500, MaxWarnings: 20}
		report, err := Read(bytes.NewReader(doc), o)
		checkBounds(t, report, o)
		again, errAgain := Read(iotest.OneByteReader(bytes.NewReader(doc)), o)
		for _, w := range [][]Warning{report.Warnings, again.Warnings} {
			for i := range w {
				w[i].Line = 0 // a piece of text may be taken from its beginning or a little later
			}
		}
		if !reflect.DeepEqual(report, again) || fmt.Sprint(err) != fmt.Sprint(errAgain) {
			t.Fatalf("byte by byte it reads differently:\n%+v, %v\n%+v, %v", report, err, again, errAgain)
		}
		if err != nil {
			return
		}
		if len(report.Warnings) == 0 && !bytes.Contains(doc, []byte("xmlns")) {
			compareStd(t, doc, report)
		}
		for _, s := range []Standard{RFC9990, RFC7489} {
			writeAndRead(t, s, report, o)
		}
	})
}

func checkBounds(t *testing.T, report *Report, o Options) {
	text := func(all ...string) {
		for _, s := range all {
			if len(s) > o.MaxText || !utf8.ValidString(s) || strings.IndexFunc(s, func(c rune) bool { return !isChar(c) }) >= 0 || strings.Trim(s, " \t\r\n") != s {
				t.Fatalf("a text of %d bytes: %q", len(s), s)
			}
		}
	}
	f := report.Feedback
	text(f.Version, f.OrgName, f.Email, f.ExtraContact, f.ReportID, f.Generator)
	text(f.Policy.Domain, f.Policy.P, f.Policy.SP, f.Policy.NP, f.Policy.ADKIM, f.Policy.ASPF, f.Policy.Pct, f.Policy.FO, f.Policy.Testing, f.Policy.DiscoveryMethod)
	text(f.Errors...)
	if len(report.Warnings) > o.MaxWarnings+1 || len(f.Errors) > o.MaxPerRecord || len(f.Extensions) > o.MaxPerRecord {
		t.Fatalf("too much of something: %+v", report)
	}
	for _, rec := range report.Records {
		if !rec.SourceIP.IsValid() || rec.SourceIP.Is4In6() || rec.Count < 0 || rec.Count > MaxCount {
			t.Fatalf("record %+v", rec)
		}
		if len(rec.Reasons) > o.MaxPerRecord || len(rec.Auth.DKIM) > o.MaxPerRecord || len(rec.Auth.SPF) > o.MaxPerRecord || len(rec.Extensions) > o.MaxPerRecord {
			t.Fatalf("too much of something: %+v", rec)
		}
		text(rec.Disposition, rec.DKIM, rec.SPF, rec.HeaderFrom, rec.EnvelopeFrom, rec.EnvelopeTo)
		for _, r := range rec.Reasons {
			text(r.Type, r.Comment)
		}
		for _, a := range rec.Auth.DKIM {
			text(a.Domain, a.Selector, a.Result, a.HumanResult)
		}
		for _, a := range rec.Auth.SPF {
			text(a.Domain, a.Scope, a.Result, a.HumanResult)
		}
		for _, e := range slices.Concat(rec.Extensions, f.Extensions) {
			if err := wellFormed(e); err != nil && e.Namespace != "" {
				t.Fatalf("extension %q: %v", e, err)
			}
		}
	}
}

// compareStd holds a reading that took no liberty to that of encoding/xml, where it can read the report.
func compareStd(t *testing.T, doc []byte, report *Report) {
	var std stdFeedback
	if err := xml.NewDecoder(bytes.NewReader(doc)).Decode(&std); err != nil {
		return
	}
	trim := func(s string) string { return strings.Trim(s, " \t\r\n") }
	domain := func(s string) string {
		s = trim(s)
		if name, err := dns.ToASCII(s); err == nil {
			return name
		}
		return s
	}
	same := func(what, got, want string) {
		if got != trim(want) {
			t.Fatalf("%s: %q, encoding/xml has %q", what, got, want)
		}
	}
	same("org_name", report.OrgName, std.Metadata.OrgName)
	same("report_id", report.ReportID, std.Metadata.ReportID)
	same("begin", fmt.Sprint(report.Begin.Unix()), strings.TrimLeft(trim(std.Metadata.Begin), "+0"))
	same("p", report.Policy.P, std.Policy.P)
	same("domain", report.Policy.Domain, domain(std.Policy.Domain))
	if len(report.Records) != len(std.Records) {
		t.Fatalf("%d records, encoding/xml has %d", len(report.Records), len(std.Records))
	}
	for i, want := range std.Records {
		got := report.Records[i]
		same("source_ip", got.SourceIP.String(), netip.MustParseAddr(trim(want.SourceIP)).String())
		same("count", fmt.Sprint(got.Count), strings.TrimLeft(trim(want.Count), "+0"))
		same("disposition", got.Disposition, want.Disposition)
		same("dkim", got.DKIM, want.DKIM)
		same("spf", got.SPF, want.SPF)
		same("header_from", got.HeaderFrom, domain(want.HeaderFrom))
		if len(got.Reasons) != len(want.Reasons) || len(got.Auth.DKIM) != len(want.AuthDKIM) || len(got.Auth.SPF) != len(want.AuthSPF) {
			t.Fatalf("%+v, encoding/xml has %+v", got, want)
		}
		for j, r := range want.Reasons {
			same("type", got.Reasons[j].Type, r.Type)
			same("comment", got.Reasons[j].Comment, r.Comment)
		}
		for j, a := range want.AuthDKIM {
			same("dkim domain", got.Auth.DKIM[j].Domain, domain(a.Domain))
			same("dkim selector", got.Auth.DKIM[j].Selector, a.Selector)
			same("dkim result", got.Auth.DKIM[j].Result, a.Result)
			same("dkim human_result", got.Auth.DKIM[j].HumanResult, a.HumanResult)
		}
		for j, a := range want.AuthSPF {
			same("spf domain", got.Auth.SPF[j].Domain, domain(a.Domain))
			same("spf result", got.Auth.SPF[j].Result, a.Result)
		}
	}
}

// writeAndRead writes what of a report the standard allows: it reads back with no liberty taken, and is written the same again.
func writeAndRead(t *testing.T, s Standard, report *Report, o Options) {
	fill := func(to *string, allowed func([]byte) string, value string) {
		if allowed([]byte(*to)) == "" {
			*to = value
		}
	}
	any := func(b []byte) string { return string(b) }
	f := report.Feedback
	fill(&f.OrgName, any, "x")
	fill(&f.Email, any, "x")
	fill(&f.ReportID, any, "x")
	fill(&f.Policy.Domain, any, "example.com")
	fill(&f.Policy.P, policies, "none")
	for _, word := range []*string{&f.Policy.SP, &f.Policy.NP} {
		fill(word, policies, "")
	}
	fill(&f.Policy.ADKIM, alignments, "")
	fill(&f.Policy.ASPF, alignments, "")
	fill(&f.Policy.Testing, yesNo, "")
	fill(&f.Policy.DiscoveryMethod, discoveries, "")
	f.Policy.Pct = ""
	if f.Begin.IsZero() || f.End.Before(f.Begin) || f.End.Sub(f.Begin) > longPeriod || f.End.Equal(f.Begin) || f.End.After(now) {
		f.Begin, f.End = time.Unix(1795478400, 0), time.Unix(1795564799, 0)
	}
	if len(strings.Join(f.Errors, "; ")) > o.MaxText {
		f.Errors = nil
	}
	var b bytes.Buffer
	w, err := NewWriter(&b, f, s)
	if err != nil {
		t.Fatal(err)
	}
	var written []Record
	for _, rec := range report.Records {
		if slices.ContainsFunc(rec.Reasons, func(r Reason) bool { return len(r.Type)+len(r.Comment)+2 > o.MaxText }) ||
			slices.ContainsFunc(rec.Auth.DKIM, func(a AuthDKIM) bool { return a.Domain == "not.evaluated" }) ||
			slices.ContainsFunc(rec.Auth.SPF, func(a AuthSPF) bool { return a.Domain == "not.evaluated" }) {
			continue
		}
		if w.Write(&rec) == nil {
			written = append(written, rec)
		}
	}
	if err := w.Close(); err != nil {
		if !errors.Is(err, ErrNoRecords) {
			t.Fatal(err)
		}
		return
	}
	o.MaxExtension *= 2 // a declaration more may be needed
	again, err := Read(bytes.NewReader(b.Bytes()), o)
	if err != nil || len(again.Warnings) > 0 || len(again.Records) != len(written) {
		t.Fatalf("%v: %v, %q, %d records of %d\n%s", s, err, told(again.Warnings), len(again.Records), len(written), b.Bytes())
	}
	for i, got := range bare(again.Records) {
		want := bare(written)[i]
		if got.SourceIP != want.SourceIP || got.Count != want.Count || got.DKIM != want.DKIM || got.SPF != want.SPF || got.HeaderFrom != want.HeaderFrom ||
			got.EnvelopeFrom != want.EnvelopeFrom || got.EnvelopeTo != want.EnvelopeTo || !reflect.DeepEqual(got.Auth.DKIM, want.Auth.DKIM) {
			t.Fatalf("%v: record\ngot  %+v\nwant %+v", s, got, want)
		}
	}
	if second := write(t, s, again.Feedback, again.Records); !bytes.Equal(second, b.Bytes()) {
		t.Fatalf("%v: written again\n%s\nfirst\n%s", s, second, b.Bytes())
	}
}

// FuzzWriter writes any text at all, and reads it back.
func FuzzWriter(f *testing.F) {
	f.Add("Example & Söhne <x>", "]]>", "a\r\nb\x00\xff", uint32(3))
	f.Fuzz(func(t *testing.T, a, b, c string, n uint32) {
		clean := func(s string) string {
			return strings.TrimFunc(strings.Map(func(c rune) rune {
				if !isChar(c) {
					return -1
				}
				return c
			}, s), isBlank)
		}
		feedback := Feedback{OrgName: "x" + a, Email: "e" + b, ExtraContact: c, ReportID: "1", Begin: time.Unix(1795478400, 0).UTC(), End: time.Unix(1795564799, 0).UTC(),
			Generator: b, Policy: Policy{Domain: "example.com", P: "none"}}
		if clean(a+b+c) != "" {
			feedback.Errors = []string{clean(a + b + c)}
		}
		record := Record{SourceIP: netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), Count: 1 + int64(n), Disposition: "none", DKIM: "fail", SPF: "pass", HeaderFrom: "example.com",
			Reasons: []Reason{{"other", a}}, Auth: Auth{DKIM: []AuthDKIM{{"example.com", b, "pass", c}}, SPF: []AuthSPF{{"example.com", "mfrom", "fail", a}}}}
		doc := write(t, RFC9990, feedback, []Record{record})
		report, err := Read(bytes.NewReader(doc), Options{Now: now, MaxText: 1 << 30})
		if err != nil || len(report.Warnings) > 0 {
			t.Fatalf("%v, %q\n%s", err, told(report.Warnings), doc)
		}
		feedback.Namespace, feedback.Version = Namespace9990, "1.0"
		for _, text := range []*string{&feedback.OrgName, &feedback.Email, &feedback.ExtraContact, &feedback.Generator, &record.Reasons[0].Comment,
			&record.Auth.DKIM[0].Selector, &record.Auth.DKIM[0].HumanResult, &record.Auth.SPF[0].HumanResult} {
			*text = clean(*text)
		}
		if want := []Record{record}; !reflect.DeepEqual(report.Feedback, feedback) || !reflect.DeepEqual(bare(report.Records), bare(want)) {
			t.Fatalf("got  %+v\nwant %+v %+v", report, feedback, record)
		}
	})
}

// A piece of a document, as the lexer and encoding/xml both see it.
type piece struct {
	kind, name, attrs, text string
}

// FuzzLexer holds the lexer to encoding/xml on what that takes for well-formed, and on anything else to the bytes: none is lost.
func FuzzLexer(f *testing.F) {
	addReports(f)
	f.Add([]byte(`<a b = 'c>"' d="&lt;&#65;"/><!-- x --><![CDATA[]]]]>&gt;<?p q?></e:f >`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		want, ok := stdPieces(doc)
		got := lexPieces(t, doc)
		if ok && !slices.Equal(got, want) {
			t.Fatalf("%q\ngot  %q\nwant %q", doc, got, want)
		}
	})
}

func appendPieceText(all []piece, text string) []piece {
	if n := len(all); n > 0 && all[n-1].kind == "text" {
		all[n-1].text += text
		return all
	}
	if text == "" {
		return all
	}
	return append(all, piece{kind: "text", text: text})
}

func stdPieces(doc []byte) (all []piece, ok bool) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	full := func(n xml.Name) string {
		if n.Space != "" {
			return n.Space + ":" + n.Local
		}
		return n.Local
	}
	for {
		t, err := d.RawToken()
		if err == io.EOF {
			return all, true
		}
		switch t := t.(type) {
		case nil, xml.Directive: // it has declarations of its own way
			return nil, false
		case xml.StartElement:
			p := piece{kind: "start", name: full(t.Name)}
			for _, a := range t.Attr {
				p.attrs += full(a.Name) + "=" + a.Value + "\n"
			}
			all = append(all, p)
		case xml.EndElement:
			all = append(all, piece{kind: "end", name: full(t.Name)})
		case xml.CharData:
			all = appendPieceText(all, string(t))
		}
	}
}

func lexPieces(t *testing.T, doc []byte) (all []piece) {
	var l lexer
	l.reset(bytes.NewReader(doc))
	total := 0
	for {
		k := l.scan()
		if total += len(l.raw()); total > len(doc) {
			t.Fatalf("%q: more than there is", doc)
		}
		switch k {
		case tokenEOF:
			return all
		case tokenStart:
			p := piece{kind: "start", name: string(l.name)}
			eachAttribute(l.attrs, func(name, value []byte) {
				text, _ := appendText(nil, value, 1<<30)
				p.attrs += string(name) + "=" + string(unescape(text)) + "\n"
			})
			all = append(all, p)
			if l.empty {
				all = append(all, piece{kind: "end", name: string(l.name)})
			}
		case tokenEnd:
			all = append(all, piece{kind: "end", name: string(l.name)})
		case tokenRef:
			all = appendPieceText(all, string(l.text))
		default:
			text, _ := appendText(nil, l.text, 1<<30)
			all = appendPieceText(all, string(text))
		}
	}
}
