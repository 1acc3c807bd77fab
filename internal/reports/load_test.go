package reports

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/raced"
	"github.com/gatepost-mail/gatepost/internal/unwrap"
)

// loadAll is ReadAll in three values.
func loadAll(r io.Reader, o Options) ([]*Report, []string, error) {
	all, err := ReadAll(r, o)
	if err != nil {
		return nil, nil, err
	}
	return all.Reports, all.Refusals, nil
}

// report is an aggregate report with so many records.
func report(id string, records int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<feedback><report_metadata><org_name>r</org_name><report_id>%s</report_id><date_range><begin>1760000000</begin>`+
		`<end>1760086399</end></date_range></report_metadata><policy_published><domain>example.com</domain><p>none</p></policy_published>`, id)
	for i := range records {
		fmt.Fprintf(&b, `<record><row><source_ip>192.0.2.%d</source_ip><count>%d</count></row><identifiers><header_from>example.com`+
			`</header_from></identifiers></record>`, i%250, i+1)
	}
	b.WriteString(`</feedback>`)
	return []byte(b.String())
}

// archive is a zip file of reports.
func archive(all ...[]byte) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i, report := range all {
		f, _ := z.Create(fmt.Sprintf("%d.xml", i))
		f.Write(report)
	}
	z.Close()
	return b.Bytes()
}

func TestManyReportsInOneArrivalAreReadAgainFromOneFileWhereMemoryIsShort(t *testing.T) {
	var files [][]byte
	const reports, records = 60, 1000 // three times what is held
	for i := range reports {
		files = append(files, report(fmt.Sprint(i), records))
	}
	files = append(files, report("large", 5000))
	all, err := ReadAll(bytes.NewReader(archive(files...)), Options{Unwrap: unwrap.Limits{Dir: t.TempDir()}})
	if err != nil || len(all.Reports) != reports+1 || len(all.Refusals) != 0 {
		t.Fatalf("%d reports, %v, %v", len(all.Reports), all.Refusals, err)
	}
	held := 0
	for _, r := range all.Reports {
		held += r.Held()
		for range 2 {
			n := int64(0)
			for row, err := range r.Rows() {
				if err != nil {
					t.Fatalf("%s: %v", r.ReportID, err)
				}
				if n++; row.Count != n {
					t.Fatalf("%s: record %d has count %d", r.ReportID, n, row.Count)
				}
			}
			if n != r.Count() {
				t.Errorf("%s: %d records of %d", r.ReportID, n, r.Count())
			}
		}
	}
	if held > mostRecords {
		t.Errorf("%d records are in memory", held)
	}
	if err := all.Close(); err != nil {
		t.Error(err)
	}
}

func TestVeryManyReportsInOneArrivalAreTakenInPart(t *testing.T) {
	raced.Skip(t)
	var files [][]byte
	contact := []byte("<extra_contact_info>" + strings.Repeat("x", 4000) + "</extra_contact_info></report_metadata>")
	for i := range 9_000 {
		files = append(files, bytes.Replace(report(fmt.Sprint(i), 1), []byte("</report_metadata>"), contact, 1))
	}
	packed := archive(files...)
	files = nil
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	all, err := ReadAll(bytes.NewReader(packed), Options{Unwrap: unwrap.Limits{Dir: t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d reports, %d MiB", len(all.Reports), grown>>20)
	if grown > 128<<20 {
		t.Errorf("%d reports take %d MiB", len(all.Reports), grown>>20)
	}
	if len(all.Reports) < 1000 || len(all.Refusals) != 1 || !strings.Contains(all.Refusals[0], "in several parts") {
		t.Errorf("%d reports, refused: %q", len(all.Reports), all.Refusals)
	}
}

func TestLongIdsOfVeryManyReportsTakeNoMemory(t *testing.T) {
	raced.Skip(t)
	var files [][]byte
	long := strings.Repeat("x", 4000)
	for i := range 3_000 {
		files = append(files, report(fmt.Sprint(i, long), 1))
	}
	packed := archive(files...)
	files = nil
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n := 0
	for res, err := range Read(bytes.NewReader(packed), Options{Unwrap: unwrap.Limits{Dir: t.TempDir()}}) {
		if err != nil || res.Report == nil {
			t.Fatal(res.Refusal, err)
		}
		if n++; n == 3_000 {
			runtime.GC()
			runtime.ReadMemStats(&after)
		}
		res.Report.Close()
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); n != 3_000 || grown > 6<<20 {
		t.Errorf("to know %d reports again takes %d MiB", n, grown>>20)
	}
}

// heap is how much memory is in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestLongTextsTakeNoMemory(t *testing.T) {
	raced.Skip(t)
	long := strings.Repeat("x", 4000)
	dkim := strings.Repeat("<dkim><domain>"+long+"</domain><selector>"+long+"</selector><human_result>"+long+"</human_result></dkim>", 100)
	record := "<record><row><source_ip>192.0.2.1</source_ip><count>1</count></row><auth_results>" + dkim + "</auth_results></record>"
	liberties := ""
	for i := range 100 {
		liberties += fmt.Sprintf("<a%d%s/>", i, strings.Repeat("x", 100))
	}
	var many [][]byte
	for i := range 2000 {
		many = append(many, bytes.Replace(report(fmt.Sprint(i), 1), []byte("</feedback>"), []byte(liberties+"</feedback>"), 1))
	}
	for what, in := range map[string][]byte{
		"in records":  archive(bytes.Replace(report("1", 1), []byte("</feedback>"), []byte(strings.Repeat(record, 60)+"</feedback>"), 1)),
		"in warnings": archive(many...),
	} {
		before := heap()
		all, err := ReadAll(bytes.NewReader(in), Options{Unwrap: unwrap.Limits{Dir: t.TempDir(), Ratio: 1 << 20}})
		if err != nil || len(all.Reports) == 0 {
			t.Fatal(all.Refusals, err)
		}
		var stored []any
		for _, r := range all.Reports {
			stored = append(stored, r.Store())
		}
		grown := heap() - before
		t.Logf("%s: %d reports, %d MiB", what, len(all.Reports), grown>>20)
		if grown > 44<<20 {
			t.Errorf("%s: %d reports take %d MiB", what, len(all.Reports), grown>>20)
		}
		if rows, messages := count(t, all.Reports[0]); rows != int(all.Reports[0].Count()) || messages < 1 {
			t.Errorf("%s: %d rows, %d messages", what, rows, messages)
		}
		runtime.KeepAlive(stored)
		all.Close()
	}
}
