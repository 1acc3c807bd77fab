package web

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/people"
)

func TestADomainIsCheckedOnThePage(t *testing.T) {
	s := newSite(t, owner)
	s.has("/check", "Check a domain", `href="/check/example.com"`)
	s.has("/check/supplier.example", "SPF ends in ~all", "v=spf1 ip4:203.0.113.20 -all", "gatepost check --config FILE supplier.example", `action="/gate/letters"`,
		`MTA-STS <span class="tag">not published</span>`, "Of 2 senders that were seen, -all would touch 1, whose mail fails SPF then: 203.0.113.21 (unknown), 48 messages")
	s.has("/check/example.com", `href="/domains/example.com/records"`)
	s.has("/check/example.com", "Salesforce: 3,200 of 3,200 messages did not pass. Mend that before a record is made stricter.", "Then, of what is published: ")
	s.has("/check/supplier.example?table=findings&format=csv", "severity,id,subject", "spf-softfail")
	s.has("/check/supplier.example?table=records&format=csv", "SPF,v=spf1 ip4:203.0.113.20 ~all")
	s.has("/api/v1/check/supplier.example", `"grade":"C"`, `"areas"`, `"command"`)
	for format, text := range map[string]string{"text": "SPF ends in ~all", "markdown": "## Warnings", "json": `"findings"`, "sarif": `"2.1.0"`} {
		w := s.get("/check/supplier.example?format=" + format)
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), text) || !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment; filename=supplier.example.") {
			t.Errorf("%s: %d, %q: %.200s", format, w.Code, w.Header().Get("Content-Disposition"), w.Body)
		}
	}
	if w := s.get("/check/supplier.example?format=exe"); w.Code != http.StatusNotFound {
		t.Errorf("an unknown format: %d", w.Code)
	}
	if w := s.post("/check", url.Values{"domain": {"https://supplier.example/"}}); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/check/supplier.example" {
		t.Errorf("%d %s", w.Code, w.Header().Get("Location"))
	}
	for _, domain := range []string{"", "no domain", `"><script>`} {
		w := s.post("/check", url.Values{"domain": {domain}})
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), `aria-invalid="true"`) || strings.Contains(w.Body.String(), "<script>") {
			t.Errorf("%q: %d %s", domain, w.Code, w.Body)
		}
	}
	if w := s.get("/check/no%20domain"); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("%d", w.Code)
	}
}

func TestWhoSeesOneDomainChecksAllAndSeesTheHistoryOfOne(t *testing.T) {
	shop := []people.Group{{Name: "shop", Domains: []string{"example.org"}}}
	s := newSite(t, people.NewAccess("bob", []people.Grant{{Over: "shop", Role: people.Viewer}}, shop))
	w := s.get("/check/example.com")
	if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "/domains/example.com") || strings.Contains(w.Body.String(), "/gate/letters") ||
		!strings.Contains(w.Body.String(), "Only what is public was looked at.") {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
	if w := s.get("/domains/example.com/records"); w.Code != http.StatusForbidden {
		t.Errorf("the records of another's: %d", w.Code)
	}
	s.has("/domains/example.org/records", "What it publishes")
	s.who = people.NewAccess("nobody", nil, nil)
	for _, path := range []string{"/check", "/check/example.com", "/analyze", "/domains/example.org/records"} {
		if w := s.get(path); w.Code != http.StatusForbidden {
			t.Errorf("%s for somebody without a role: %d", path, w.Code)
		}
	}
}

func TestTheHistoryOfRecordsIsShown(t *testing.T) {
	s := newSite(t, owner)
	s.has("/domains/example.com/records", "<del>p=none;</del>", "<ins>p=quarantine;</ins>", `aria-current="page">Records`, "Looked at every 6h")
	s.has("/domains/example.com/records?table=changes&format=csv", "at,kind,name,old,new", "dmarc,_dmarc.example.com")
	s.has("/api/v1/domains/example.com/records", `"changes"`, `"mx"`)
	s.has("/domains/supplier.example/records", "It is not watched", "[watch]")
}

const pasted = "Return-Path: <a@supplier.example>\r\nReceived: from mail2.supplier.example (mail2.supplier.example [203.0.113.21])\r\n\tby mx1.example.com with ESMTPS; Mon, 23 Nov 2026 08:00:09 +0000\r\n" +
	"From: <a@supplier.example>\r\nSubject: <script>alert(1)</script>\r\n\r\nhello\r\n"

func TestAMessageIsAnalyzedOnThePage(t *testing.T) {
	s := newSite(t, owner)
	s.has("/analyze", `enctype="multipart/form-data"`, "strict")
	w := s.post("/analyze", url.Values{"message": {pasted}, "received": {"on"}})
	for _, text := range []string{"The verdict", "spf-softfail", "mail2.supplier.example", "&lt;script&gt;alert(1)", "Its way", "ESMTPS"} {
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), text) {
			t.Fatalf("%d: no %q: %s", w.Code, text, w.Body)
		}
	}
	if strings.Contains(w.Body.String(), "This page as JSON") {
		t.Error("a link to what was sent")
	}
	w = s.post("/analyze", url.Values{"message": {pasted}, "ip": {"nowhere"}})
	if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), `value="nowhere"`) || !strings.Contains(w.Body.String(), "Return-Path: &lt;a@supplier.example&gt;") {
		t.Errorf("what is wrong is not there to be mended: %d: %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/api/v1/analyze", strings.NewReader(`{"message":"From: a@supplier.example\r\n\r\nx","ip":"203.0.113.21","helo":"x.example","mail_from":"a@supplier.example"}`))
	r.Header.Set("Content-Type", "application/json")
	s.handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"rule":"spf-softfail"`) {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}

func TestAFileIsAnalyzedAndTooLargeAOneIsNot(t *testing.T) {
	s := newSite(t, owner)
	upload := func(content []byte) *httptest.ResponseRecorder {
		var b bytes.Buffer
		m := multipart.NewWriter(&b)
		f, _ := m.CreateFormFile("file", "m.eml")
		f.Write(content)
		m.WriteField("received", "on")
		m.Close()
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/analyze", &b)
		r.Header.Set("Content-Type", m.FormDataContentType())
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		s.handler.ServeHTTP(w, r)
		return w
	}
	if w := upload([]byte(pasted)); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "spf-softfail") {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
	large := append([]byte(pasted), bytes.Repeat([]byte("x"), 10<<20)...)
	if w := upload(large); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "larger than 10 MB") {
		t.Errorf("a large one: %d", w.Code)
	}
	if w := upload(bytes.Repeat([]byte("x"), analyzeRoom)); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "it takes 16 MB") {
		t.Errorf("one beyond all bounds: %d: %.300s", w.Code, w.Body)
	}
}

func TestABodyThatIsNotWhatWasAskedForTakesLittleMemory(t *testing.T) {
	s := newSite(t, owner)
	ask := func(body string) (code int, said string, took uint64) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/api/v1/analyze", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s.handler.ServeHTTP(w, r)
		runtime.ReadMemStats(&after)
		return w.Code, w.Body.String(), after.TotalAlloc - before.TotalAlloc
	}
	many := `{"message":[` + strings.Repeat("{},", 5<<20) + "{}]}"
	for body, want := range map[string]string{
		many:                          "of type string",
		`{"message":"x"`:              "unexpected EOF",
		`{"message":"x"} {}`:          "something comes after it",
		`{"massage":"x"}`:             `unknown field \"massage\"`,
		`{"message":"x` + many + `"}`: "not the object that is described",
		strings.Repeat(" ", 17<<20):   "it takes 16 MB",
		strings.Repeat("[", 16<<20-1): "exceeded max depth",
	} {
		code, said, took := ask(body)
		if code/100 != 4 || !strings.Contains(said, want) {
			t.Errorf("%.30s: %d %.300s, want %q", body, code, said, want)
		}
		if most := uint64(100 << 20); took > most {
			t.Errorf("%.30s: it took %d MiB, want less than %d", body, took>>20, most>>20)
		}
	}
}

func TestOnlySoManyLargeBodiesAreReadAtATime(t *testing.T) {
	s := newSite(t, owner)
	var writers []*io.PipeWriter
	answered := make(chan int, largeAtOnce)
	for range largeAtOnce {
		r, w := io.Pipe()
		writers = append(writers, w)
		go func() {
			req := httptest.NewRequest("POST", "/analyze", r)
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Sec-Fetch-Site", "same-origin")
			got := httptest.NewRecorder()
			s.handler.ServeHTTP(got, req)
			answered <- got.Code
		}()
		if _, err := io.WriteString(w, "message="); err != nil { // it has its place once it reads
			t.Fatal(err)
		}
	}
	if w := s.post("/analyze", url.Values{"message": {pasted}}); w.Code != http.StatusTooManyRequests {
		t.Errorf("one more: %d", w.Code)
	}
	for _, w := range writers {
		w.Close()
	}
	for range largeAtOnce {
		if code := <-answered; code != http.StatusUnprocessableEntity {
			t.Errorf("one that was empty: %d", code)
		}
	}
	if w := s.post("/analyze", url.Values{"message": {pasted}}); w.Code != http.StatusOK {
		t.Errorf("when the others are done: %d", w.Code)
	}
}
