package reports

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/unwrap"
	"github.com/gatepost-mail/gatepost/test/wrap"
)

// xmlReport is a report of so many rows.
func xmlReport(t testing.TB, id string, rows int) []byte {
	t.Helper()
	b, err := io.ReadAll(streamReport(id, rows))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// streamReport makes the same as it is read.
func streamReport(id string, rows int) io.Reader {
	i := -1
	return &chunks{next: func() []byte {
		switch i++; {
		case i == 0:
			return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>
<feedback><version>1.0</version>
<report_metadata><org_name>Example Inc.</org_name><email>dmarc@example.net</email><report_id>%s</report_id>
<date_range><begin>1793491200</begin><end>1793577599</end></date_range></report_metadata>
<policy_published><domain>Example.COM.</domain><adkim>r</adkim><aspf>r</aspf><p>reject</p><sp>none</sp><pct>100</pct><fo>1</fo></policy_published>
`, id)
		case i <= rows:
			return fmt.Appendf(nil, `<record>
  <row>
    <source_ip>192.%d.%d.%d</source_ip>
    <count>%d</count>
    <policy_evaluated>
      <disposition>none</disposition>
      <dkim>pass</dkim>
      <spf>fail</spf>
    </policy_evaluated>
  </row>
  <identifiers>
    <header_from>example.com</header_from>
    <envelope_from>lists%d.example.net</envelope_from>
  </identifiers>
  <auth_results>
    <dkim><domain>example.com</domain><selector>s1</selector><result>pass</result></dkim>
    <spf><domain>lists%d.example.net</domain><scope>mfrom</scope><result>pass</result></spf>
  </auth_results>
</record>
`, i>>16&0xff, i>>8&0xff, i&0xff, 1+i%7, i%997, i%997)
		case i == rows+1:
			return []byte("</feedback>\n")
		}
		return nil
	}}
}

type chunks struct {
	next func() []byte
	rest []byte
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		if c.rest = c.next(); c.rest == nil {
			return 0, io.EOF
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func load(t testing.TB, in []byte) (all []*Report, refusals []string) {
	t.Helper()
	all, refusals, err := loadAll(bytes.NewReader(in), Options{Unwrap: unwrap.Limits{Dir: t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, r := range all {
			r.Close()
		}
	})
	return all, refusals
}

func count(t testing.TB, r *Report) (rows int, messages int64) {
	t.Helper()
	for row, err := range r.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		rows++
		messages += row.Count
	}
	return rows, messages
}

const greeting = "Content-Type: text/plain\r\n\r\nAttached please find our report.\r\n"

func TestAReportIsTheSameWhateverItComesIn(t *testing.T) {
	xml := xmlReport(t, "17", 3)
	var first *Report
	for name, in := range map[string][]byte{
		"plain": xml,
		"gzip":  wrap.Gzip("r.xml", xml),
		"mail":  wrap.Multipart("mixed", greeting, wrap.Part("Content-Type: application/gzip; name=r.xml.gz\r\n", wrap.Gzip("", xml))),
		"twice": wrap.Multipart("mixed", wrap.Part("", wrap.Gzip("", xml)), wrap.Part("", xml)),
	} {
		all, refusals := load(t, in)
		if len(all) != 1 || len(refusals) > 0 {
			t.Fatalf("%s: %d reports, %q", name, len(all), refusals)
		}
		r := all[0]
		if first == nil {
			first = r
		}
		if r.Content != first.Content || !bytes.Equal(r.Document(), first.Document()) {
			t.Errorf("%s: %x %s\nwant %x %s", name, r.Content, r.Document(), first.Content, first.Document())
		}
		s := r.Store()
		if s.Kind != store.Aggregate || s.Reporter != "Example Inc." || s.Email != "dmarc@example.net" || s.ReportID != "17" ||
			s.Domain != "example.com" || s.Begin.Unix() != 1793491200 || s.End.Unix() != 1793577599 {
			t.Errorf("%s: got %+v", name, s)
		}
		for range 2 { // may be gone through several times
			if rows, messages := count(t, r); rows != 3 || messages != 2+3+4 {
				t.Errorf("%s: %d rows, %d messages", name, rows, messages)
			}
		}
	}
}

func TestUTF16IsReadInBothOrdersWithAMarkOrWithout(t *testing.T) {
	text := string(xmlReport(t, "17", 3))
	for _, before := range []string{"", "\ufeff", "\r\n", " "} {
		for name, order := range map[string]binary.AppendByteOrder{"little": binary.LittleEndian, "big": binary.BigEndian} {
			var in []byte
			for _, unit := range utf16.Encode([]rune(before + text)) {
				in = order.AppendUint16(in, unit)
			}
			if all, refusals := load(t, wrap.Gzip("", in)); len(all) != 1 || all[0].Count() != 3 {
				t.Errorf("%s-endian after %q: %d reports, %q", name, before, len(all), refusals)
			}
		}
	}
}

func TestALongReportIsReadAgainAndLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	xml := xmlReport(t, "17", 5000)
	all, _, err := loadAll(bytes.NewReader(wrap.Gzip("", xml)), Options{Unwrap: unwrap.Limits{Dir: dir, Memory: 64 << 10}})
	if err != nil || len(all) != 1 {
		t.Fatal(err, len(all))
	}
	r := all[0]
	if r.Held() != 0 || r.Count() != 5000 {
		t.Errorf("%d records, %d of them held", r.Count(), r.Held())
	}
	for range 2 {
		if rows, _ := count(t, r); rows != 5000 {
			t.Errorf("%d rows", rows)
		}
	}
	var b bytes.Buffer
	if err := r.WriteJSON(&b, "r.xml.gz"); err != nil {
		t.Fatal(err)
	}
	var d struct {
		File    string
		Records []struct {
			Count    int64
			SourceIP string `json:"source_ip"`
		}
	}
	if err := json.Unmarshal(b.Bytes(), &d); err != nil || d.File != "r.xml.gz" || len(d.Records) != 5000 || d.Records[4999].SourceIP != "192.0.19.136" {
		t.Errorf("%v, %d records", err, len(d.Records))
	}
	r.Close()
	for _, err := range r.Rows() {
		if err == nil {
			t.Error("a closed report has rows")
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

func TestWhatCannotBeReadIsRefusedWholeWithTheReason(t *testing.T) {
	xml := xmlReport(t, "17", 3)
	for name, c := range map[string]struct {
		in   []byte
		want []string
	}{
		"cut off":         {xml[:len(xml)-300], []string{"line 56, in record 3: the report is cut off"}},
		"cut off in gzip": {wrap.Gzip("r.xml", xml)[:200], []string{"r.xml: the gzip is cut off"}},
		"a letter": {wrap.Multipart("mixed", greeting, "Content-Type: image/gif\r\n\r\nGIF89a"),
			[]string{"a text of 34 bytes, an image; no report in it"}},
		"other XML and JSON": {wrap.Multipart("mixed", "\r\n<?xml version=\"1.0\"?><rss/>", "\r\n{\"a\":1}"),
			[]string{"XML that is no aggregate report, JSON that is no TLS report; no report in it"}},
		"the word unused": {wrap.Gzip("r.xml", []byte("unused")), []string{`the text "unused"; no report in it`}},
		"nothing":         {nil, []string{"nothing; no report in it"}},
		"a refusal alone": {wrap.Multipart("mixed", greeting, wrap.Part("Content-Type: application/x-xz; name=r.xz\r\n", []byte("\xfd7zXZ\x00\x00\x04"))),
			[]string{"2/r.xz: xz compression is not read; zip, gzip, bzip2 and tar are"}},
	} {
		all, refusals := load(t, c.in)
		if len(all) != 0 || !slices.Equal(refusals, c.want) {
			t.Errorf("%s: %d reports, %q, want %q", name, len(all), refusals, c.want)
		}
	}
	all, refusals := load(t, wrap.Multipart("mixed", greeting, wrap.Part("", xml[:len(xml)-300]), wrap.Part("", xml)))
	if len(all) != 1 || len(refusals) != 1 || !strings.HasPrefix(refusals[0], "2: ") {
		t.Errorf("a good one beside a bad one: %d, %q", len(all), refusals)
	}
}

func TestLibertiesOfUnwrappingAreWarnings(t *testing.T) {
	all, _ := load(t, append(wrap.Gzip("", xmlReport(t, "17", 1)), "\r\n"...))
	if len(all) != 1 || len(all[0].Warnings) == 0 || all[0].Warnings[0] != "bytes after the end of the gzip: left out" {
		t.Fatalf("%+v", all)
	}
}

func TestAFailureReportIsTheSameByAnyWay(t *testing.T) {
	mail := wrap.Multipart("report; report-type=feedback-report", greeting,
		"Content-Type: message/feedback-report\r\n\r\nFeedback-Type: auth-failure\r\nVersion: 1\r\nUser-Agent: x/1\r\nSource-IP: 192.0.2.1\r\n"+
			"Reported-Domain: example.com\r\nAuth-Failure: dmarc\r\nArrival-Date: Mon, 23 Nov 2026 01:02:03 +0000\r\n",
		"Content-Type: message/rfc822\r\n\r\nFrom: a@example.com\r\nSubject: x\r\n\r\nbody\r\n")
	other := append([]byte("Received: by mx.example.org; Mon, 23 Nov 2026 02:00:00 +0000\n"), bytes.ReplaceAll(mail, []byte("\r\n"), []byte("\n"))...)
	var hashes []store.Hash
	for _, in := range [][]byte{mail, other} {
		all, refusals := load(t, in)
		if len(all) != 1 || len(refusals) > 0 {
			t.Fatalf("%d, %q", len(all), refusals)
		}
		s := all[0].Store()
		if s.Kind != store.Failure || s.Domain != "example.com" || s.Begin.IsZero() || s.Rows != nil {
			t.Errorf("got %+v", s)
		}
		var d map[string]any
		if err := json.Unmarshal(s.Document, &d); err != nil || d["source_ip"] != "192.0.2.1" || d["kind"] != "failure" {
			t.Errorf("%v: %s", err, s.Document)
		}
		hashes = append(hashes, s.Content)
	}
	if hashes[0] != hashes[1] {
		t.Error("the same report by another way is another")
	}
}

func TestAnErrorOfReadingIsNoRefusal(t *testing.T) {
	away := errors.New("the disk went away")
	xml := wrap.Gzip("", xmlReport(t, "17", 3))
	all, refusals, err := loadAll(io.MultiReader(bytes.NewReader(xml[:100]), iotest.ErrReader(away)), Options{})
	if !errors.Is(err, away) || all != nil || refusals != nil {
		t.Errorf("got %v, %v, %v", all, refusals, err)
	}
	full := Options{Unwrap: unwrap.Limits{Memory: 1, Dir: "/nonexistent"}}
	if _, refusals, err = loadAll(bytes.NewReader(xml), full); err == nil || refusals != nil {
		t.Errorf("without room for a temporary file: %v, %v", refusals, err)
	}
}

// A report of a million records takes no more memory than a small one.
func TestMemoryDoesNotGrowWithTheRecords(t *testing.T) {
	rows := 20_000
	if os.Getenv("GATEPOST_FULL") != "" {
		rows = 1_000_000
	}
	z, in := io.Pipe()
	go func() {
		in.CloseWithError(gzipTo(in, streamReport("17", rows)))
	}()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	all, refusals, err := loadAll(z, Options{Unwrap: unwrap.Limits{Dir: t.TempDir()}})
	if err != nil || len(all) != 1 {
		t.Fatal(err, refusals)
	}
	if n, _ := count(t, all[0]); n != rows {
		t.Errorf("%d rows", n)
	}
	if err := all[0].WriteJSON(io.Discard, "r.xml.gz"); err != nil {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.Sys - before.Sys); grown > 32<<20 {
		t.Errorf("it took %d MiB", grown>>20)
	}
	all[0].Close()
}
