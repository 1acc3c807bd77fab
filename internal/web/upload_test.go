package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/raced"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A sent file is one of an upload.
type sent struct {
	name    string
	content []byte
}

func (s *testSite) upload(path string, files ...sent) *httptest.ResponseRecorder {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	form.WriteField("other", "field")
	for _, f := range files {
		w, _ := form.CreateFormFile("file", f.name)
		w.Write(f.content)
	}
	form.Close()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", path, &b)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	s.handler.ServeHTTP(w, r)
	return w
}

func TestReportsAreUploaded(t *testing.T) {
	raced.Skip(t)
	s := newSite(t, owner)
	mail := "From: a@elsewhere.example\r\nTo: b@example.com\r\nSubject: Report\r\nMIME-Version: 1.0\r\nContent-Type: application/xml; name=r.xml\r\n\r\n" + aggregateXML("mail", "example.com", 1)
	for _, c := range []struct {
		name  string
		who   *people.Access
		files []sent
		code  int
		want  string // new known refused
		has   []string
	}{
		{"gzip", owner, []sent{{"r.xml.gz", gzipped(aggregateXML("gz", "example.com", 2))}}, 200, "1 0 0", []string{"1 report new", "r.xml.gz", "Report 1155"}},
		{"the same again", owner, []sent{{"r.xml.gz", gzipped(aggregateXML("gz", "example.com", 2))}}, 200, "0 1 0", []string{"1 known already", "Report 1155"}},
		{"mail", owner, []sent{{"r.eml", []byte(mail)}}, 200, "1 0 0", nil},
		{"zip of two", owner, []sent{{"two.zip", zipped("a.xml", aggregateXML("z1", "example.com", 1), "b.json", tlsJSON("z2", "example.org"))}}, 200, "2 0 0", nil},
		{"two files, one of them junk", owner, []sent{{"a.xml", []byte(aggregateXML("f1", "example.net", 1))}, {"<b>.txt", []byte("hello")}}, 200, "1 0 1",
			[]string{"&lt;b&gt;.txt", "no report in it"}},
		{"no report", owner, []sent{{"a.pdf", []byte("%PDF-1.4 …")}}, 422, "0 0 1", []string{"no report in it"}},
		{"a bomb", owner, []sent{{"bomb.gz", gzipped("<feedback>" + strings.Repeat(" ", 40<<20))}}, 422, "0 0 1", []string{"looks like a bomb"}},
		{"a domain of nobody", owner, []sent{{"x.xml", []byte(aggregateXML("foreign", "example.edu", 1))}}, 422, "0 0 1", []string{"no domain of ours"}},
		{"beneath a domain of ours", owner, []sent{{"x.xml", []byte(aggregateXML("sub", "news.example.com", 1))}}, 200, "1 0 0", nil},
		{"without a name of a domain", owner, []sent{{"x.json", []byte(tlsJSON("nodomain"))}}, 422, "0 0 1", nil},
		{"of one's own domain", over(people.Analyst, "example.com"), []sent{{"x.xml", []byte(aggregateXML("own", "example.com", 1))}}, 200, "1 0 0", nil},
		{"of another domain", over(people.Analyst, "example.com"), []sent{{"x.xml", []byte(aggregateXML("other", "example.org", 1))}}, 422, "0 0 1", []string{"for which you are no analyst"}},
		{"of both", over(people.Analyst, "example.com"), []sent{{"x.zip", zipped("a.xml", aggregateXML("b1", "example.com", 1), "b.xml", aggregateXML("b2", "example.org", 1))}}, 422, "0 0 1", nil},
		{"TLS of both", over(people.Analyst, "example.com"), []sent{{"x.json", []byte(tlsJSON("b3", "example.com", "example.org"))}}, 422, "0 0 1", nil},
		{"junk of who has one domain", over(people.Analyst, "example.com"), []sent{{"x.txt", []byte("other junk")}}, 422, "0 0 1", []string{"nobody can tell whose it is"}},
		{"a part that cannot be read", over(people.Analyst, "example.com"), []sent{{"x.zip", zipped("a.xml", aggregateXML("p", "example.com", 1), "b.xml", "<feedback><cut")}}, 422, "0 0 1", nil},
		{"in conflict", owner, []sent{{"x.xml", []byte(aggregateXML("own", "example.com", 9))}}, 200, "1 0 0", []string{"1 conflicting"}},
	} {
		before := len(allReports(t, s))
		w := s.as(c.who).upload("/reports/upload", c.files...)
		body := w.Body.String()
		if w.Code != c.code {
			t.Errorf("%s: status %d, want %d: %s", c.name, w.Code, c.code, body)
		}
		for _, text := range c.has {
			if !strings.Contains(body, text) {
				t.Errorf("%s: the page has no %q:\n%s", c.name, text, body)
			}
		}
		var n, known, refused int
		fmt.Sscan(c.want, &n, &known, &refused)
		if got := len(allReports(t, s)) - before; got != n {
			t.Errorf("%s: %d reports more, want %d", c.name, got, n)
		}
		if c.name == "gzip" { // the API says the same
			continue
		}
		again := s.as(c.who).upload("/api/v1/reports/upload", c.files...)
		var up dashboard.Upload
		if err := json.Unmarshal(again.Body.Bytes(), &up); err != nil || again.Code != 200 || up.New != 0 || up.Known != n+known || up.Refused != refused || len(up.Files) != len(c.files) {
			t.Errorf("%s, again by the API: %d, %v, %s", c.name, again.Code, err, again.Body)
		}
	}
	// What was denied is not in the store, not even as bytes.
	for raw, err := range s.desk.Store.Raws(t.Context(), store.RawFilter{}) {
		if err != nil || strings.Contains(raw.Name, "x.txt") || strings.Contains(raw.Name, "x.json") {
			t.Errorf("kept is %q, %v", raw.Name, err)
		}
	}
	s.has("/reports", "dashboard") // as an input
}

func allReports(t *testing.T, s *testSite) []store.ReportInfo {
	t.Helper()
	all, err := s.desk.Store.Reports(t.Context(), store.ReportFilter{Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestUploadsAreBounded(t *testing.T) {
	s := newSite(t, owner)
	c := *s.desk.Config()
	c.Reports.HTTP.MaxBytes = 100 << 10
	s.desk.Config = func() *config.Config { return &c }
	many := make([]sent, 101)
	for i := range many {
		many[i] = sent{fmt.Sprint(i), []byte("x")}
	}
	for _, c := range []struct {
		name  string
		files []sent
		text  string
	}{
		{"too large", []sent{{"a", bytes.Repeat([]byte("x"), 200<<10)}}, "more than 102400 bytes"},
		{"too many", many, "no more than 100 files"},
		{"none", nil, "Choose a file"},
	} {
		w := s.upload("/reports/upload", c.files...)
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), c.text) || !strings.Contains(w.Body.String(), `type="file"`) {
			t.Errorf("%s: %d, %s", c.name, w.Code, w.Body)
		}
		if w := s.upload("/api/v1/reports/upload", c.files...); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s, by the API: %d, %s", c.name, w.Code, w.Body)
		}
	}
	if w := s.post("/reports/upload", url.Values{"file": {"x"}}); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("another form: %d", w.Code)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/reports/upload", strings.NewReader("--b\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\ncut"))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	s.handler.ServeHTTP(w, r)
	if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "did not come to its end") {
		t.Errorf("cut off: %d, %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	r = httptest.NewRequest("POST", "/reports/upload", strings.NewReader(""))
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	s.handler.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("from another site: %d", w.Code)
	}
	if w := s.as(over(people.Viewer, "example.com")).upload("/reports/upload", sent{"a", []byte("x")}); w.Code != http.StatusForbidden {
		t.Errorf("by a viewer: %d", w.Code)
	}
}
