package web

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/raced"
)

// over is somebody with a role over some domains.
func over(role people.Role, domains ...string) *people.Access {
	return people.NewAccess("eve", []people.Grant{{Over: "some", Role: role}}, []people.Group{{Name: "some", Domains: domains}})
}

// everything is somebody with a role over everything.
func everything(role people.Role) *people.Access {
	return people.NewAccess("bob", []people.Grant{{Over: people.Everything, Role: role}}, nil)
}

// as lets another one look.
func (s *testSite) as(who *people.Access) *testSite {
	other := *s
	other.who = who
	other.handler = Handler(Options{Dashboard: s.desk, Door: &other, Pages: pagesOf(s), Log: s.desk.Log})
	return &other
}

// read fetches what the API has.
func read[T any](s *testSite, path string) T {
	s.t.Helper()
	w := s.get("/api/v1" + path)
	var v T
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || w.Code != http.StatusOK {
		s.t.Fatalf("%s: status %d, %v: %s", path, w.Code, err, w.Body)
	}
	return v
}

// bring brings bytes into the store, as an input does.
func (s *testSite) bring(name string, content []byte, sender intake.Sender) {
	s.t.Helper()
	m := &intake.Importer{Store: s.desk.Store, Read: intake.Read}
	item := intake.Item{Name: name, Input: "smtp", Received: s.demo.Now, Sender: sender, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
	err := m.Import(s.t.Context(), func(yield func(intake.Item) bool) { yield(item) }, func(_ intake.Item, o intake.Outcome) error { return o.Failed })
	if err != nil {
		s.t.Fatal(err)
	}
	s.desk.Answers.Change("")
}

// aggregateXML is a report about 29 November 2026 with so many records, of one message each.
func aggregateXML(id, domain string, records int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0"?><feedback><report_metadata><org_name>Elsewhere</org_name><email>dmarc@elsewhere.example</email><report_id>%s</report_id>`+
		`<date_range><begin>1795910400</begin><end>1795996799</end></date_range></report_metadata><policy_published><domain>%s</domain><p>none</p></policy_published>`, id, domain)
	for i := range records {
		result := map[bool]string{true: "pass", false: "fail"}[i%4 == 0]
		fmt.Fprintf(&b, `<record><row><source_ip>198.51.100.%d</source_ip><count>1</count><policy_evaluated><disposition>none</disposition><dkim>%s</dkim><spf>fail</spf>`+
			`</policy_evaluated></row><identifiers><header_from>%s</header_from></identifiers><auth_results><spf><domain>%s</domain><result>fail</result></spf></auth_results></record>`,
			i%200, result, domain, domain)
	}
	b.WriteString("</feedback>")
	return b.String()
}

// tlsJSON is a TLS report about one day and some domains.
func tlsJSON(id string, domains ...string) string {
	var policies []string
	for _, d := range domains {
		policies = append(policies, fmt.Sprintf(`{"policy":{"policy-type":"sts","policy-domain":%q},"summary":{"total-successful-session-count":7,"total-failure-session-count":2},`+
			`"failure-details":[{"result-type":"certificate-expired","receiving-mx-hostname":"mx.%s","failed-session-count":2}]}`, d, d))
	}
	return fmt.Sprintf(`{"organization-name":"Elsewhere","date-range":{"start-datetime":"2026-11-28T00:00:00Z","end-datetime":"2026-11-28T23:59:59Z"},`+
		`"contact-info":"tls@elsewhere.example","report-id":%q,"policies":[%s]}`, id, strings.Join(policies, ","))
}

func zipped(files ...string) []byte { // name, content, …
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i+1 < len(files); i += 2 {
		w, _ := z.Create(files[i])
		io.WriteString(w, files[i+1])
	}
	z.Close()
	return b.Bytes()
}

func gzipped(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, text)
	z.Close()
	return b.Bytes()
}

func TestEveryReportIsListedOnce(t *testing.T) {
	s := newSite(t, owner)
	for _, c := range []struct {
		query string
		want  int
	}{
		// 90 days: two TLS reports each; five failure reports; of the rest one in 1155 could not be read.
		{"days=3660", 1154}, {"days=3660&kind=tls", 180}, {"days=3660&kind=failure", 5}, {"days=3660&kind=aggregate", 969},
		// The last day that counts is the day before now.
		{"days=8&kind=tls", 14}, {"days=3660&only=conflicting", 0}, {"days=3660&only=unverified", 0}, {"days=3660&text=no+such", 0},
		{"days=3660&kind=tls&text=POSTBRIDGE", 90}, {"days=3660&kind=tls&reporter=Postbridge", 90}, {"days=3660&domain=example.org&kind=tls", 0},
	} {
		seen := map[int64]bool{}
		for before := int64(0); ; {
			page := read[dashboard.Reports](s, fmt.Sprintf("/reports?%s&before=%d", c.query, before))
			for _, r := range page.Reports {
				seen[r.ID] = true
			}
			if before = page.Next; before == 0 {
				break
			}
		}
		if len(seen) != c.want {
			t.Errorf("%s: %d reports, want %d", c.query, len(seen), c.want)
		}
	}
	s.has("/reports", "1 thing that came in the last 30 days could not be read", `href="/reports/1154"`, "Older ones", "demo")
	s.has("/reports?before=1105", "To the latest")
	for _, path := range []string{"/reports?kind=other", "/reports?only=x", "/reports?days=0x", "/reports?days=99999", "/reports?domain=a..b"} {
		if w := s.get(path); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
	rows, err := csv.NewReader(s.get("/reports?days=8&kind=tls&format=csv&table=reports").Body).ReadAll()
	if whole, _ := csv.NewReader(s.get("/reports?days=3660&format=csv&table=reports").Body).ReadAll(); len(whole) != 1155 {
		t.Errorf("the table of all has %d lines", len(whole))
	}
	if err != nil || len(rows) != 15 || rows[0][0] != "report" || rows[1][1] != "tls" {
		t.Errorf("the table is %v, %v", rows, err)
	}
}

func TestADomainWithoutReportsForDaysIsSaidToBeSilent(t *testing.T) {
	s := newSite(t, owner)
	c := *s.desk.Config()
	c.Reports.Domains = append(slices.Clone(c.Reports.Domains), "example.edu")
	s.desk.Config = func() *config.Config { return &c }
	s.has("/reports", `No report about <a href="/domains/example.edu">example.edu</a> has ever come.`)
	if r := read[dashboard.Reports](s, "/reports"); len(r.Intake.Silent) != 1 || !r.Intake.Silent[0].Last.IsZero() {
		t.Errorf("silent are %+v", r.Intake.Silent)
	}
	if r := read[dashboard.Reports](s.as(over(people.Viewer, "example.com")), "/reports"); len(r.Intake.Silent)+len(r.Intake.Inputs) != 0 || r.Intake.Refused != 0 {
		t.Errorf("somebody with one domain is told %+v", r.Intake)
	}
}

func TestAReportIsShownAsItCameAndAsItWasRead(t *testing.T) {
	s := newSite(t, owner)
	s.has("/reports/1", "<h1>Report 1</h1>", "&lt;org_name&gt;Lantern Webmail&lt;/org_name&gt;", "dmarc-reports@lantern.example", "p=none", "1,048",
		"seen by our own verification", `href="/domains/example.com/sources/192.0.2.10"`)
	r := read[dashboard.Report](s, "/reports/1")
	var messages, passed int64
	for _, l := range r.Record {
		messages += l.Messages
		if l.Passed {
			passed += l.Messages
		}
	}
	if r.Messages != messages || r.Sums.Messages != messages || r.Sums.Passed != passed || r.Sums.Sources != 11 || int64(len(r.Record)) != r.ReportLine.Records || r.Next != 0 {
		t.Errorf("%d messages of which %d pass, and the report says %+v", messages, passed, r.Sums)
	}
	if r.Raw.Type != "XML" || r.Raw.Cut || len(r.Arrivals) != 1 || r.Arrivals[0].DMARC != "pass" {
		t.Errorf("it came as %+v, %+v", r.Raw.Type, r.Arrivals)
	}
	w := s.get("/reports/1/raw")
	h := w.Header()
	if w.Code != 200 || h.Get("Content-Type") != "application/octet-stream" || h.Get("X-Content-Type-Options") != "nosniff" ||
		!strings.HasPrefix(h.Get("Content-Disposition"), `attachment; filename="`) || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") ||
		h.Get("Content-Length") != fmt.Sprint(w.Body.Len()) || int64(w.Body.Len()) != r.Arrivals[0].Size {
		t.Errorf("the bytes come as %d, %v", w.Code, h)
	}
	if api := s.get("/api/v1/reports/1/raw"); !bytes.Equal(api.Body.Bytes(), w.Body.Bytes()) || api.Header().Get("Content-Type") != "application/octet-stream" {
		t.Error("the API gives other bytes")
	}
	for _, path := range []string{"/reports/999999", "/reports/0", "/reports/-1", "/reports/999999/raw", "/api/v1/reports/999999", "/reports/refused/999999/raw"} {
		if w := s.get(path); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
}

func TestALongReportIsShownInPages(t *testing.T) {
	raced.Skip(t)
	s := newSite(t, owner)
	s.bring("long.xml", []byte(aggregateXML("long", "example.com", 4120)), intake.Sender{})
	id := read[dashboard.Reports](s, "/reports?text=long").Reports[0].ID
	var seen []int64
	from := int64(0)
	for {
		r := read[dashboard.Report](s, fmt.Sprintf("/reports/%d?from=%d", id, from))
		for _, l := range r.Record {
			seen = append(seen, l.Number)
		}
		if from == 0 && (!r.Raw.Cut || r.Sums == nil || *r.Sums != dashboard.ReportSums{Messages: 4120, Passed: 1030, Sources: 200}) {
			t.Errorf("the first page has cut %v and %+v", r.Raw.Cut, r.Sums)
		}
		if from = r.Next; from == 0 {
			break
		}
	}
	if len(seen) != 4120 || seen[4119] != 4119 {
		t.Errorf("%d records, the last is number %d", len(seen), seen[len(seen)-1])
	}
	rows, err := csv.NewReader(s.get(fmt.Sprintf("/reports/%d?format=csv&table=records", id)).Body).ReadAll()
	if err != nil || len(rows) != 4121 || rows[4120][0] != "198.51.100.119" {
		t.Errorf("the table has %d rows, %v", len(rows), err)
	}
	w := s.get(fmt.Sprintf("/reports/%d", id))
	if n := w.Body.Len(); n > 150<<10 {
		t.Errorf("the page has %d bytes", n)
	}
	s.has(fmt.Sprintf("/reports/%d?from=4100", id), "198.51.100.119", "The first")
	s.has(fmt.Sprintf("/reports/%d?from=999999", id), "As it was read")
}

func TestReportsOfOtherDomainsAreAsIfTheyWereNotThere(t *testing.T) {
	s := newSite(t, owner)
	first := func(query string) int64 { return read[dashboard.Reports](s, "/reports?days=3660&"+query).Reports[0].ID }
	foreign, own, failure := first("domain=example.org"), first("domain=example.com&kind=aggregate"), first("kind=failure")
	for _, c := range []struct {
		who  *people.Access
		path string
		want int
	}{
		{over(people.Owner, "example.com"), fmt.Sprintf("/reports/%d", foreign), 404},
		{over(people.Owner, "example.com"), fmt.Sprintf("/reports/%d/raw", foreign), 404},
		{over(people.Owner, "example.com"), "/reports?domain=example.org", 404},
		{over(people.Owner, "example.com"), "/reports?domain=EXAMPLE.ORG", 404},
		{over(people.Owner, "example.com"), "/tls?domain=example.org", 404},
		{over(people.Viewer, "example.com"), fmt.Sprintf("/reports/%d", own), 200},
		{over(people.Viewer, "example.com"), fmt.Sprintf("/reports/%d/raw", own), 200},
		{over(people.Viewer, "example.com"), fmt.Sprintf("/reports/%d", failure), 404},
		{over(people.Viewer, "example.com"), fmt.Sprintf("/reports/%d/raw", failure), 404},
		{everything(people.Viewer), fmt.Sprintf("/reports/%d", failure), 404},
		{everything(people.Viewer), fmt.Sprintf("/reports/%d/raw", failure), 404},
		{over(people.Analyst, "example.com"), fmt.Sprintf("/reports/%d", failure), 200},
		{over(people.Analyst, "example.com"), fmt.Sprintf("/reports/%d/raw", failure), 200},
		{over(people.Analyst, "*.example.com"), fmt.Sprintf("/reports/%d", own), 404},
		{over(people.Owner, "example.com"), "/reports/refused", 403},
		{everything(people.Viewer), "/reports/refused", 200},
		{everything(people.Viewer), "/reports/refused/1/raw", 403},
		{over(people.Viewer, "example.com"), "/reports/upload", 403},
		{over(people.Viewer, "example.com"), "/settings", 200},
		{over(people.Owner, "example.com"), "/settings/domains", 403},
		{everything(people.Analyst), "/settings/inputs", 403},
		{everything(people.Analyst), "/settings/letters", 403},
		{everything(people.Analyst), "/settings/gate", 403},
	} {
		for _, path := range []string{c.path, "/api/v1" + c.path} {
			if w := s.as(c.who).get(path); w.Code != c.want {
				t.Errorf("%s asks for %s: status %d, want %d", c.who.Name, path, w.Code, c.want)
			}
		}
	}
	list := read[dashboard.Reports](s.as(over(people.Viewer, "example.com")), "/reports?days=3660&kind=failure")
	if len(list.Reports) != 5 || !list.Reports[0].Closed || list.Reports[0].ReportID != "" {
		t.Errorf("failure reports are listed as %+v", list.Reports)
	}
	all := read[dashboard.Reports](s.as(over(people.Viewer, "example.org")), "/reports?days=3660")
	if len(all.Reports) == 0 || slices.ContainsFunc(all.Reports, func(r dashboard.ReportLine) bool { return r.Domain != "example.org" }) ||
		!slices.Equal(all.Domains, []string{"example.org"}) {
		t.Errorf("of example.org there are %+v", all)
	}
	if none := read[dashboard.Reports](s.as(over(people.Viewer, "example.edu")), "/reports?days=3660"); len(none.Reports)+len(none.Domains) != 0 {
		t.Errorf("who sees no domain of these sees %+v", none)
	}
	if none := read[dashboard.TLS](s.as(over(people.Viewer, "example.edu")), "/tls"); none.Secured+none.Failed != 0 {
		t.Errorf("who sees no domain of these sees %+v", none)
	}
	page := s.as(over(people.Viewer, "example.com")).get("/settings").Body.String()
	if !strings.Contains(page, "Settings are the owner") || strings.Contains(page, "sqlite:") || strings.Contains(page, "/settings/users") {
		t.Errorf("who owns nothing sees %s", page)
	}
}

func TestFailureReportsSayThatTheyTellOfPersons(t *testing.T) {
	s := newSite(t, owner)
	id := read[dashboard.Reports](s, "/reports?days=3660&kind=failure").Reports[0].ID
	path := fmt.Sprintf("/reports/%d", id)
	s.has(path, "This tells of persons", "Only analysts of the domain see it", "Your quotation", "sales@example.com", "30 days")
	for done := false; !done; {
		var err error
		if done, err = s.desk.Store.RedactFailures(t.Context(), "", s.demo.Now.AddDate(1, 0, 0)); err != nil {
			t.Fatal(err)
		}
	}
	w := s.get(path).Body.String()
	if strings.Contains(w, "Your quotation") || !strings.Contains(w, "was taken out of it") || !strings.Contains(w, "203.0.113.40") {
		t.Errorf("redacted it is\n%s", w)
	}
	if w := s.get(path + "/raw"); w.Code != http.StatusNotFound {
		t.Errorf("the bytes come with %d", w.Code)
	}
}

func TestWhatHoldsReportsOfSeveralDomainsIsForWhoSeesAll(t *testing.T) {
	s := newSite(t, owner)
	s.bring("both.zip", zipped("a.xml", aggregateXML("both-a", "example.com", 2), "b.xml", aggregateXML("both-b", "example.org", 2)), intake.Sender{TokenDomain: "example.com example.org"})
	s.bring("tls.json", []byte(tlsJSON("both-t", "example.com", "example.org")), intake.Sender{})
	s.bring("half.zip", zipped("a.xml", aggregateXML("half", "example.com", 1), "b.xml", "<feedback><cut"), intake.Sender{})
	id := func(text string) int64 {
		return read[dashboard.Reports](s, "/reports?domain=example.com&text="+text).Reports[0].ID
	}
	a, tls, half := id("both-a"), id("both-t"), id("half")
	one, both, all := over(people.Analyst, "example.com"), over(people.Viewer, "example.com", "example.org"), everything(people.Analyst)
	for _, c := range []struct {
		who   *people.Access
		id    int64
		bytes bool
	}{{one, a, false}, {both, a, true}, {all, a, true}, {one, tls, false}, {both, tls, true}, {one, half, false}, {both, half, false}, {all, half, true}, {everything(people.Viewer), half, false}} {
		as := s.as(c.who)
		r := read[dashboard.Report](as, fmt.Sprintf("/reports/%d", c.id))
		code := as.get(fmt.Sprintf("/reports/%d/raw", c.id)).Code
		if (code == 200) != c.bytes || (len(r.Raw.Lines) > 0) != c.bytes || r.Raw.Download != c.bytes {
			t.Errorf("report %d: %s gets the bytes with %d, and sees %d lines; want %v", c.id, c.who.Name, code, len(r.Raw.Lines), c.bytes)
		}
	}
	r := read[dashboard.Report](s.as(one), fmt.Sprintf("/reports/%d", tls))
	if len(r.TLS) != 1 || r.TLS[0].Domain != "example.com" || r.Hidden != 1 {
		t.Errorf("of the TLS report is shown %+v, %d hidden", r.TLS, r.Hidden)
	}
	if r := read[dashboard.Report](s.as(one), fmt.Sprintf("/reports/%d", a)); r.Arrivals[0].Address != "example.com" {
		t.Errorf("it was sent to %q", r.Arrivals[0].Address)
	}
	if w := s.as(one).get(fmt.Sprintf("/reports/%d", tls)); strings.Contains(w.Body.String(), "example.org") {
		t.Errorf("the page names the other domain:\n%s", w.Body)
	}
	s.has(fmt.Sprintf("/reports/%d", a), "&lt;report_id&gt;both-a&lt;/report_id&gt;")
}

func TestHostileReportsRunNothing(t *testing.T) {
	s := newSite(t, owner)
	const evil = "\"'><script>alert(1)</script>\u202e=1+1"
	escaped := strings.NewReplacer("<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(evil)
	x := strings.ReplaceAll(strings.ReplaceAll(aggregateXML("evil", "example.com", 3), "Elsewhere", escaped), "<disposition>none", "<disposition>"+escaped)
	x = strings.ReplaceAll(x, "<header_from>example.com", "<header_from>"+escaped)
	s.bring(evil+"/../x\".xml", []byte(x), intake.Sender{IP: evil, MailFrom: evil, AuthorDomain: evil, DMARC: "fail"})
	s.bring("evil.json", []byte(strings.ReplaceAll(tlsJSON("evil-t", "example.com"), "certificate-expired", strings.ReplaceAll(evil, `"`, `\"`))), intake.Sender{})
	s.bring(evil, []byte("<html>"+evil), intake.Sender{IP: evil})
	list := read[dashboard.Reports](s, "/reports?text=evil")
	if len(list.Reports) != 2 {
		t.Fatalf("listed are %+v", list.Reports)
	}
	paths := []string{"/reports?text=" + url.QueryEscape(evil), "/reports", "/reports/refused", "/tls", "/reports?reporter=" + url.QueryEscape(evil)}
	for _, r := range list.Reports {
		paths = append(paths, fmt.Sprintf("/reports/%d", r.ID))
		w := s.get(fmt.Sprintf("/reports/%d/raw", r.ID))
		if name := w.Header().Get("Content-Disposition"); strings.ContainsAny(strings.TrimSuffix(strings.TrimPrefix(name, `attachment; filename="`), `"`), "\"'<>/\\;\r\n") {
			t.Errorf("it is saved as %s", name)
		}
	}
	for _, path := range paths {
		body := s.get(path).Body.String()
		if strings.Contains(body, "<script>alert") || strings.Contains(body, "\u202e") && !strings.Contains(path, "text=") && !strings.Contains(path, "reporter=") {
			t.Errorf("%s has\n%s", path, body)
		}
	}
	table := s.get("/reports?text=evil&format=csv&table=reports").Body.String()
	if strings.Contains(table, "\u202e") || !strings.Contains(table, "script") {
		t.Errorf("the table is %s", table)
	}
	s.has(fmt.Sprintf("/reports/%d", list.Reports[0].ID), "not verified", "Not verified.")
}

func TestWhatCouldNotBeReadIsListedWithTheReason(t *testing.T) {
	s := newSite(t, owner)
	s.has("/reports/refused", "content: the gzip is cut off", "gatepost reports reparse --refused", "for 365 days", "merrow.example")
	r := read[dashboard.Refused](s, "/reports/refused")
	if len(r.Refused) != 1 || r.Refused[0].Settled || !r.Saves {
		t.Fatalf("refused are %+v", r)
	}
	w := s.get(fmt.Sprintf("/reports/refused/%d/raw", r.Refused[0].ID))
	if int64(w.Body.Len()) != r.Refused[0].Size || w.Header().Get("Content-Type") != "application/octet-stream" {
		t.Errorf("the bytes come as %v, %d", w.Header(), w.Body.Len())
	}
	if w := s.get("/reports/refused/1/raw"); w.Code != http.StatusNotFound { // a report, and no refusal
		t.Errorf("status %d", w.Code)
	}
	for i := range 60 {
		s.bring(fmt.Sprint("junk", i), fmt.Appendf(nil, "junk %d", i), intake.Sender{})
	}
	s.bring("obeyed", []byte("an answer"), intake.Sender{})
	first := read[dashboard.Refused](s, "/reports/refused")
	rest := read[dashboard.Refused](s, fmt.Sprintf("/reports/refused?before=%d", first.Next))
	if len(first.Refused) != 50 || len(rest.Refused) != 12 || first.Refused[0].Name != "obeyed" || rest.Next != 0 {
		t.Errorf("%d, and then %d", len(first.Refused), len(rest.Refused))
	}
}

func TestTLSIsAddedUp(t *testing.T) {
	s := newSite(t, owner)
	r := read[dashboard.TLS](s, "/tls")
	// On three days mx2 offered no TLS: of two reporters, 40 and 20 sessions each failed.
	if r.Failed != 180 || len(r.Results) != 1 || r.Results[0].Sessions != 180 || r.Results[0].Hosts[0] != "mx2.example.com" || len(r.Days) != 30 ||
		len(r.Hosts) != 1 || r.Hosts[0].Failed != 180 || len(r.Failures) != 2 || r.Failures[0].Sessions != 120 || r.Failures[1].Sessions != 60 {
		t.Errorf("got %+v", r)
	}
	var secured, failed int64
	bad := 0
	for _, d := range r.Days {
		secured += d.Secured
		failed += d.Failed
		if d.Failed > 0 {
			bad++
			if d.Failed != 60 {
				t.Errorf("on %v %d failed", d.Day, d.Failed)
			}
		}
	}
	// 180 and 90 sessions a day, and up to 19 more each, on the 29 days that there are reports of.
	if secured != r.Secured || failed != 180 || bad != 3 || secured < 29*270 || secured > 29*(270+38) || r.Policies[0].Name != "no-policy-found" || r.Policies[0].Secured != secured {
		t.Errorf("%d secured, %d failed on %d days: %+v", secured, failed, bad, r.Policies)
	}
	if org := read[dashboard.TLS](s, "/tls?domain=example.org"); org.Secured+org.Failed != 0 {
		t.Errorf("of example.org: %+v", org)
	}
	if over := r.Results[0]; !over.Last.Equal(time.Date(2026, 11, 19, 0, 0, 0, 0, time.UTC)) || over.Since != 10 {
		t.Errorf("last on %v, %d days since then", over.Last, over.Since)
	}
	s.has("/tls", "seems to be over: reports of 10 days since then tell of none", "To mend it, should it come back")
	s.has("/tls?domain=example.org", "No TLS report in these days", "gatepost record tls-rpt example.org")
	s.bring("t.json", []byte(tlsJSON("t", "example.org")), intake.Sender{})
	org := read[dashboard.TLS](s, "/tls?domain=example.org")
	if org.Secured != 7 || org.Failed != 2 || org.Results[0].Result != "certificate-expired" || !strings.Contains(org.Results[0].Mend, "Renew") {
		t.Errorf("of example.org: %+v", org)
	}
	s.has("/tls?days=7", "certificate-expired", "The certificate of the host has expired.", "<svg", `class="failed"`)
	s.has("/tls?format=csv&table=hosts", "host,secured,failed\nmx2.example.com,0,180\n")
	s.has("/tls?format=csv&table=days&days=30", "day,secured,failed\n2026-11-01,")
	for _, table := range []string{"policies", "results", "failures"} {
		s.has("/tls?format=csv&table=" + table)
	}
	if only := read[dashboard.TLS](s.as(over(people.Viewer, "example.org")), "/tls"); only.Secured != 7 {
		t.Errorf("who sees example.org alone sees %+v", only)
	}
}
