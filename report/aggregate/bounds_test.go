package aggregate

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gatepost-mail/gatepost/internal/raced"
)

func TestAReportThatIsCutOffIsAnErrorThatSaysWhere(t *testing.T) {
	doc := with(recordXML, recordXML+"\n"+recordXML+"\n"+recordXML)
	start := strings.Index(doc, "<feedback>") + len("<feedback>")
	whole := strings.LastIndex(doc, "</feedback>") + len("</feedback>")
	for n := start; n < whole; n++ {
		report, err := Read(strings.NewReader(doc[:n]), Options{Now: now})
		if !errors.Is(err, ErrCutOff) {
			t.Fatalf("cut off at byte %d: %v", n, err)
		}
		if want := strings.Count(doc[:n], "</record>"); len(report.Records) != want {
			t.Fatalf("cut off at byte %d: %d records, want %d", n, len(report.Records), want)
		}
	}
	_, err := Read(strings.NewReader(doc[:strings.LastIndex(doc, "<count>")]), Options{Now: now})
	if want := "aggregate: line 4, in record 3: the report is cut off"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	_, err = Read(strings.NewReader(doc[:strings.LastIndex(doc, "<record>")]), Options{Now: now})
	if want := "aggregate: line 4, after record 2: the report is cut off"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestWhatIsNoReportIsAnError(t *testing.T) {
	for _, c := range []struct {
		doc  string
		want error
	}{
		{"", ErrNotReport}, {"unused", ErrNotReport}, {"<html><body>Sorry</body></html>", ErrNotReport}, {`{"organization-name":"x"}`, ErrNotReport},
		{"\xff\xfe", ErrNotReport}, {"<feedback/>", ErrNotReport}, {"<feedback> </feedback>", ErrNotReport}, {"<?xml", ErrNotReport},
		{"<!-- <feedback>", ErrNotReport}, {"<!DOCTYPE feedback [ <feedback>", ErrNotReport}, {"<feedback", ErrNotReport},
		{strings.Repeat("<a>", 1<<20) + reportXML, ErrNotReport}, {strings.Repeat("x", 2<<20) + reportXML, ErrNotReport},
		{reportXML + reportXML, ErrTwoReports},
		{with("<row>", strings.Repeat("<x>", 1<<20)), ErrTooDeep},
		{with("</record>", "<e:x xmlns:e='urn:e'>"+strings.Repeat("<e:x>", 1<<20)+"</record>"), ErrTooDeep},
		{"<feedback><![CDATA[", ErrCutOff}, {"<feedback><!--", ErrCutOff}, {"<feedback><a b='", ErrCutOff}, {"<feedback>&", ErrCutOff},
	} {
		report, err := Read(strings.NewReader(c.doc), Options{Now: now})
		if !errors.Is(err, c.want) {
			t.Errorf("%.60q: %v, want %v; %+v", c.doc, err, c.want, report)
		}
	}
}

func TestNoEntityIsBelieved(t *testing.T) {
	bomb := `<!DOCTYPE feedback SYSTEM "http://127.0.0.1/x.dtd" [ <!-- ]> ' --> <!ENTITY a "aaaaaaaaaa"> <!ENTITY b "&a;&a;&a;&a;]>"> <!ENTITY % c SYSTEM 'file:///etc/passwd'> %c; <?x ' ]> ?> ]>`
	doc := strings.NewReplacer("<feedback>", bomb+"<feedback>", "<org_name>Example", "<org_name>&b;&a;").Replace(reportXML)
	report := read(t, doc)
	if report.OrgName != "&b;&a;" || len(report.Warnings) != 2 || report.Warnings[0].Text != "a document type: passed over, with all it declares" {
		t.Errorf("org_name %q, warnings %q", report.OrgName, told(report.Warnings))
	}
}

func TestWhatARecordMayHoldIsBounded(t *testing.T) {
	many := strings.NewReplacer(
		"</policy_evaluated>", strings.Repeat("<reason><type>other</type></reason>", 5000)+"</policy_evaluated>",
		"<auth_results>", "<auth_results>"+strings.Repeat("<dkim><domain>example.com</domain><selector>"+strings.Repeat("s", 5000)+"</selector><result>pass</result></dkim>", 500)+
			strings.Repeat("<spf><domain>example.com</domain><result>pass</result></spf>", 5000),
		"</record>", strings.Repeat(`<e:x xmlns:e="urn:e"/>`, 5000)+"</record>",
		"</date_range>", "</date_range>"+strings.Repeat("<error>x</error>", 5000),
		"<org_name>Example", "<org_name>"+strings.Repeat("ü", 1<<20),
	).Replace(reportXML)
	report := read(t, many)
	rec := report.Records[0]
	if n := []int{len(rec.Reasons), len(rec.Auth.DKIM), len(rec.Auth.SPF), len(rec.Extensions), len(report.Errors), len(report.OrgName), len(rec.Auth.DKIM[99].Selector)}; fmt.Sprint(n) != "[100 100 100 100 100 4096 4096]" {
		t.Errorf("kept %v; %q", n, told(report.Warnings))
	}
	if len(report.Warnings) != 7 {
		t.Errorf("warnings %q", told(report.Warnings))
	}
	long := strings.Repeat("x", 1<<20)
	for _, doc := range []string{
		with("<row>", "<row a='"+long+"'>"), with("<row>", "<"+long+"/><row>"), with("<row>", "<row "+strings.Repeat(" a='b'", 1<<20)+">"),
		with("<row>", "<!--"+long+"--><?"+long+"?><row>"), with("<feedback>", "<!DOCTYPE "+long+"><feedback>"),
		with("<feedback>", "<feedback"+strings.Repeat(" xmlns:a='b'", 2000)+">"), with("<count>", "&"+long+";<count>"),
	} {
		if report, err := Read(strings.NewReader(doc), Options{Now: now}); err == nil && len(report.Records) != 1 && len(report.Warnings) == 0 {
			t.Errorf("%.30q…: %d records and no warning", doc[strings.Index(doc, "<feedback"):], len(report.Records))
		}
	}
}

func TestHowTheDocumentComesInMakesNoDifference(t *testing.T) {
	doc := strings.NewReplacer("Example<", "<![CDATA[Ex]]]]><![CDATA[>ämple\r\n]]>&amp;€ \xe9 <x><", "><", ">\r\n<").Replace(reportXML)
	want := fmt.Sprintf("%+v", read(t, doc))
	for name, src := range map[string]io.Reader{
		"byte by byte": iotest.OneByteReader(strings.NewReader(doc)), "data with the error": iotest.DataErrReader(strings.NewReader(doc)),
		"halves": iotest.HalfReader(strings.NewReader(doc)),
	} {
		report, err := Read(src, Options{Now: now})
		if got := fmt.Sprintf("%+v", report); err != nil || got != want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", name, err, got, want)
		}
	}
	// Every piece of it at every place of the window.
	for pad := range 700 {
		shifted := strings.Replace(doc, "<feedback>", "<!--"+strings.Repeat("x", windowSize-400-pad)+"--><feedback>", 1)
		report, err := Read(iotest.HalfReader(strings.NewReader(shifted)), Options{Now: now})
		if got := fmt.Sprintf("%+v", report); err != nil || got != want {
			t.Fatalf("shifted by %d: %v\ngot  %s\nwant %s", pad, err, got, want)
		}
	}
}

func TestStringsOfARecordStayGood(t *testing.T) {
	r := NewReader(strings.NewReader(string(makeReport(2000, 7))), Options{Now: now})
	var rec Record
	var kept, copies []string
	for {
		err := r.Next(&rec)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range rec.Auth.DKIM {
			kept = append(kept, d.Domain, d.Selector, d.HumanResult)
			copies = append(copies, strings.Clone(d.Domain), strings.Clone(d.Selector), strings.Clone(d.HumanResult))
		}
	}
	for i := range kept {
		if kept[i] != copies[i] {
			t.Fatalf("%q has become %q", copies[i], kept[i])
		}
	}
}

// Each of the records has a name of its own.
func TestAMillionRecordsTakeTheMemoryOfTen(t *testing.T) {
	const most = 4 << 20
	n := 1_000_000
	if raced.On {
		n = 50_000
	}
	pr, pw := io.Pipe()
	go func() {
		io.WriteString(pw, reportHead)
		r := rand.New(rand.NewPCG(1, 2))
		var templates [1000][2]string
		for i := range templates {
			var b strings.Builder
			writeRow(&b, r)
			before, after, _ := strings.Cut(b.String(), "</header_from>")
			templates[i] = [2]string{before, "</header_from>" + after}
		}
		for i := range n {
			row := &templates[i%len(templates)]
			if _, err := fmt.Fprintf(pw, "%s.host%d%s", row[0], i, row[1]); err != nil {
				return
			}
		}
		io.WriteString(pw, "</feedback>")
		pw.Close()
	}()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, peak := heap(), uint64(0)
	r := NewReader(pr, Options{Now: now})
	var rec Record
	read := 0
	for {
		err := r.Next(&rec)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if read++; read%(n/20) == 0 {
			peak = max(peak, heap())
		}
	}
	if read != n {
		t.Errorf("%d records of %d", read, n)
	}
	if peak > before+most {
		t.Errorf("%d KiB more than before, want %d at most", (peak-before)>>10, most>>10)
	}
	t.Logf("%d KiB more than before", (int64(peak)-int64(before))>>10)
}

// Neither long names that are open while end tags come, nor references one behind another, make a document slower to read than its size.
func TestWorkGrowsWithTheSizeOfADocument(t *testing.T) {
	const window = 32 << 10
	var open strings.Builder
	for range 60 {
		open.WriteString("<a" + strings.Repeat("x", window-100) + ">")
	}
	for what, doc := range map[string]string{
		"end tags below long names": "<feedback>" + open.String() + strings.Repeat("</z>", 1<<12),
		"bare ampersands":           "<feedback><report_metadata><org_name>" + strings.Repeat("&a", 1<<19),
	} {
		least := func(doc string) time.Duration {
			took := time.Hour
			for range 3 {
				start := time.Now()
				if _, err := Read(strings.NewReader(doc), Options{Now: now}); !errors.Is(err, ErrCutOff) {
					t.Fatal(err)
				}
				took = min(took, time.Since(start))
			}
			return took
		}
		plain := least("<feedback>" + strings.Repeat("<version>1.0</version>", len(doc)/22))
		if took := least(doc); took > 30*plain {
			t.Errorf("%s: %v, and %v for as many bytes of ordinary elements", what, took, plain)
		}
	}
}

// A word of which something was left out is not the word that is left.
func TestWhatIsLeftOfAWordIsNotBelieved(t *testing.T) {
	for _, value := range []string{"pa\x01ss", "pass\x00", "\x7f\x00pass", "pass" + strings.Repeat(" ", 5000) + "fail", "pass" + strings.Repeat("\x02", 5000) + "ed?"} {
		for _, tag := range []string{"<dkim>", "<result>"} {
			report := read(t, with(tag+"pass", tag+value))
			touched, other := report.Records[0].DKIM, report.Records[0].Auth.DKIM[0].Result
			if tag == "<result>" {
				touched, other = other, touched
			}
			if touched == "pass" || other != "pass" || len(report.Warnings) == 0 {
				t.Errorf("%s%.20q: read as %q; %q", tag, value, touched, told(report.Warnings))
			}
		}
	}
}
