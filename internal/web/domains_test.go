package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/chart"
	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/raced"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/web/page"
)

func TestDomainsAreListedWithHowTheyFare(t *testing.T) {
	s := newSite(t, owner)
	s.has("/domains", `href="/domains/example.com"`, "p=quarantine", "88.0 %", "42,149", `class="spark"`, "Salesforce: 3,200 of 3,200 messages did not pass.",
		`href="/domains/example.com/sources/service:salesforce"`, "forgeries to spam", "forgeries refused", "none yours")
	s.has("/domains?table=domains&format=csv", "domain,grade,messages,passed,policy,next step\n", "example.com,")
	s.has("/api/v1/domains", `"name":"example.com"`)
	s.has("/api/v1/openapi.json", `"/domains"`, `"/domains/{domain}/sources/{source}/mark"`)
	s.has("/domains?q=nowhere", "No domain has that in its name")
}

func TestADomainsPageHasItsSourcesItsPictureAndItsNextStep(t *testing.T) {
	raced.Skip(t)
	s := newSite(t, owner)
	s.has("/domains/example.com", "<h1>example.com</h1>", `class="plot"`, ">p=quarantine</text>", "The policy was changed from p=none to p=quarantine.",
		"Yours, to be mended", "Likely abuse", "Show all 56", "Tidewater</b> fell silent", "2,982 messages were quarantined, 0", "Set up DKIM for example.com at Salesforce",
		`href="/domains/example.com?days=90"`, `<a href="/domains/example.com" aria-current="page">Overview</a>`)
	s.has("/domains/example.com?class=abuse&days=90", "203.0.113.152", "aria-current")
	s.has("/domains/example.com?table=sources&format=csv&class=abuse", "class,source,addresses,new,messages", "abuse,203.0.113.152,203.0.113.152,new,24,0,")
	s.has("/domains/example.com?table=days&format=csv", "2026-11-09,")
	s.has("/api/v1/domains/example.com", `"key":"service:salesforce"`, `"label":"p=quarantine"`)
	s.has("/domains/example.com/sources/service:salesforce", "Why it fails, and how to mend it", "{selector}._domainkey.example.com", "This is ours", "smtp40.mta.salesforce.com",
		"gatepost sources mark example.com salesforce misconfigured --reason", "https://help.salesforce.com/")
	s.has("/domains/example.net/sources/203.0.113.95", "amara said on", "Take it back")
	s.has("/domains/example.com/sources/service:salesforce?table=addresses&format=csv", "203.0.113.40,smtp40.mta.salesforce.com,yes,")
	for _, path := range []string{"/domains/elsewhere.example", "/domains/example.com/sources/192.0.2.99", "/domains/example.com/sources/%2e%2e%2fetc"} {
		if w := s.get(path); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
	for _, path := range []string{"/domains/example.com?days=x", "/domains/example.com?days=5000", "/domains/example.com?class=mine"} {
		if w := s.get(path); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
}

func TestSomebodySaysWhoseASourceIs(t *testing.T) {
	raced.Skip(t)
	s := newSite(t, owner)
	const path = "/domains/example.com/sources/host:printshop.example"
	s.has(path, "Why nobody knows")
	if w := s.post(path+"/mark", url.Values{"whose": {"ours"}, "reason": {""}}); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), `aria-invalid="true"`) {
		t.Errorf("without a reason: status %d: %s", w.Code, w.Body)
	}
	w := s.post(path+"/mark?days=90", url.Values{"whose": {"ours"}, "reason": {`<b>"the" new printer`}})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != path+"?days=90" {
		t.Fatalf("status %d to %s: %s", w.Code, w.Header().Get("Location"), w.Body)
	}
	s.has(path, "Marked as yours but misconfigured by ada", "&lt;b&gt;&#34;the&#34; new printer", "Why it fails")
	s.has("/domains/example.com", "marked")
	if w := s.post(path+"/unmark", url.Values{"mark": {"203.0.113.90"}}); w.Code != http.StatusSeeOther {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	s.has(path, "Why nobody knows")

	viewer := people.NewAccess("bo", []people.Grant{{Over: people.Everything, Role: people.Viewer}}, nil)
	other := people.NewAccess("cy", []people.Grant{{Over: "shop", Role: people.Owner}}, []people.Group{{Name: "shop", Domains: []string{"example.org"}}})
	for _, who := range []*people.Access{viewer, other} {
		s.who = who
		for _, action := range []string{"/mark", "/unmark"} {
			if w := s.post(path+action, url.Values{"whose": {"ours"}, "reason": {"x"}, "mark": {"203.0.113.90"}}); w.Code != http.StatusForbidden {
				t.Errorf("%s at %s: status %d", who.Name, action, w.Code)
			}
		}
	}
	if w := s.get("/domains/example.com"); w.Code != http.StatusForbidden {
		t.Errorf("of another group: status %d", w.Code)
	}
	s.who = viewer
	if body := s.get(path).Body.String(); strings.Contains(body, "This is ours") || !strings.Contains(body, "Whoever is an analyst") {
		t.Error("a viewer is offered what he may not do")
	}
	if w := s.get(path + "/mark"); w.Code == http.StatusOK {
		t.Error("a mark by GET")
	}
}

var (
	inline   = regexp.MustCompile(`(?i)<[^>]*\s(style|on[a-z]+)\s*=`)
	controls = regexp.MustCompile(`<(input|select|textarea)\b[^>]*>`)
	heads    = regexp.MustCompile(`<h([1-6])`)
)

// sound looks at a page as somebody would who cannot see it, and as one who wants to break it.
func sound(t *testing.T, path, body string) {
	t.Helper()
	if m := inline.FindString(body); m != "" {
		t.Errorf("%s: %.200s", path, m)
	}
	for _, bad := range []string{"ZgotmplZ", "<nil>", "%!", "NaN"} {
		if strings.Contains(body, bad) {
			t.Errorf("%s has %s", path, bad)
		}
	}
	if len(body) > 150<<10 {
		t.Errorf("%s: %d bytes", path, len(body))
	}
	for _, at := range controls.FindAllStringIndex(body, -1) {
		field := body[at[0]:at[1]]
		before := body[:at[0]]
		if !strings.Contains(field, `type="hidden"`) && strings.LastIndex(before, "<label") <= strings.LastIndex(before, "</label>") {
			t.Errorf("%s: no label at %s", path, field)
		}
	}
	last := 0
	for _, m := range heads.FindAllStringSubmatch(body, -1) {
		level := int(m[1][0] - '0')
		if level > last+1 || level == 1 && last != 0 {
			t.Errorf("%s: h%d after h%d", path, level, last)
		}
		last = level
	}
	for _, m := range regexp.MustCompile(`<table[^>]*>\s*(<caption|<thead)?`).FindAllStringSubmatch(body, -1) {
		if m[1] == "" {
			t.Errorf("%s: a table without a caption or head", path)
		}
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		if ids[m[1]] {
			t.Errorf("%s: two of id %s", path, m[1])
		}
		ids[m[1]] = true
	}
}

func TestPagesOfDomainsAreSound(t *testing.T) {
	raced.Skip(t)
	s := newSite(t, owner)
	for _, path := range []string{
		"/domains", "/domains?q=x", "/domains/example.com", "/domains/example.com?days=7", "/domains/example.com?days=90", "/domains/example.com?days=365",
		"/domains/example.com?class=abuse", "/domains/example.org", "/domains/example.net", "/domains/example.com/sources/service:salesforce",
		"/domains/example.com/sources/host:guild.example?days=365", "/domains/example.net/sources/203.0.113.95", "/domains/example.com/sources/2001:db8:bad::1006",
	} {
		sound(t, path, s.get(path).Body.String())
	}
}

// Strings that strangers send in every place where they can.
const hostile = "\"><script>alert(1)</script><img src=x onerror=alert(1)>' {{.}} javascript:alert(1) \u202egnp.exe \x1b[31m"

// hostileDNS answers every question for texts with what a stranger wrote.
type hostileDNS struct{}

func (hostileDNS) Lookup(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
	if typ != dns.TypeTXT {
		return dns.Answer{}, dns.ErrNoData
	}
	return dns.Answer{TXT: []string{"v=DMARC1; p=none; rua=mailto:" + hostile, "v=spf1 include:" + hostile}}, nil
}

// hostileSite has one report, of somebody who means no good.
func hostileSite(t *testing.T) *testSite {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatepost.db"), store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	now := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	ip := netip.MustParseAddr("192.0.2.66")
	rows := []store.Row{
		{SourceIP: ip, Count: 1 << 40, Disposition: hostile, DKIM: "pass", SPF: hostile, HeaderFrom: hostile, EnvelopeFrom: hostile, EnvelopeTo: hostile,
			Reasons: []store.Reason{{Type: hostile, Comment: hostile}}, AuthDKIM: []store.AuthDKIM{{Domain: hostile, Selector: hostile, Result: "pass", HumanResult: hostile}},
			AuthSPF: []store.AuthSPF{{Domain: hostile, Scope: hostile, Result: hostile, HumanResult: hostile}}},
		{Count: 7, Disposition: "none", DKIM: "fail", SPF: "fail", HeaderFrom: strings.Repeat("x", 10<<10)},
	}
	document, err := json.Marshal(map[string]any{"kind": "aggregate", "policy": map[string]string{"domain": "example.com", "p": hostile, "sp": hostile, "adkim": hostile}})
	if err != nil {
		t.Fatal(err)
	}
	report := store.Report{
		Kind: store.Aggregate, Reporter: hostile, Email: hostile, ReportID: hostile, Domain: "example.com", Begin: now.Add(-57 * time.Hour), End: now.Add(-33*time.Hour - time.Second),
		Content: sha256.Sum256([]byte("x")), Part: hostile, Warnings: []string{hostile}, Document: document, Held: len(rows),
		Rows: func(yield func(store.Row, error) bool) {
			for _, r := range rows {
				if !yield(r, nil) {
					return
				}
			}
		},
	}
	raw := store.Raw{Hash: sha256.Sum256([]byte("x")), Size: 1, Name: hostile, Input: "file", At: now,
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }}
	if _, err := s.AddArrivals(t.Context(), []store.Arrival{{Raw: raw, Reports: []store.Report{report}}}); err != nil {
		t.Fatal(err)
	}
	address := store.Address{IP: ip, PTR: hostile + strings.Repeat("y", 10<<10), Confirmed: true, ASN: 64500, ASName: hostile, Country: hostile, LookedAt: now}
	if err := s.PutAddresses(t.Context(), []store.Address{address}); err != nil {
		t.Fatal(err)
	}
	mark := store.SourceMark{Domain: "example.com", Source: "192.0.2.66", Class: "unknown", Reason: hostile, Author: hostile, At: now}
	if err := s.SetMark(t.Context(), mark); err != nil {
		t.Fatal(err)
	}
	if err := s.SeePublished(t.Context(), "example.com", []store.Published{{Kind: "dmarc", Name: "_dmarc.example.com", Text: "v=DMARC1; p=none; rua=" + hostile}}, now.AddDate(0, 0, -9)); err != nil {
		t.Fatal(err)
	}
	if err := s.SeePublished(t.Context(), "example.com", []store.Published{{Kind: "dmarc", Name: "_dmarc.example.com", Text: hostile}}, now.AddDate(0, 0, -2)); err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Resolver.Zone = os.DevNull
	site := &testSite{t: t, who: owner, desk: &dashboard.Desk{Store: s, Config: func() *config.Config { return c }, DNS: hostileDNS{}, Answers: keep.New(keep.Options{}), Now: func() time.Time { return now }}}
	site.handler = Handler(Options{Dashboard: site.desk, Door: site, Pages: page.New()})
	return site
}

func TestWhatStrangersSayIsNothingButText(t *testing.T) {
	s := hostileSite(t)
	var group struct {
		Classes []struct{ Sources []struct{ Key string } }
	}
	if err := json.Unmarshal(s.get("/api/v1/domains/example.com").Body.Bytes(), &group); err != nil {
		t.Fatal(err)
	}
	paths := []string{"/domains", "/domains?q=" + url.QueryEscape(hostile), "/domains/example.com", "/domains/example.com/sources/192.0.2.66"}
	for _, c := range group.Classes {
		for _, source := range c.Sources {
			paths = append(paths, "/domains/example.com/sources/"+url.PathEscape(source.Key))
		}
	}
	if len(paths) < 6 {
		t.Fatalf("only %q", paths)
	}
	for _, path := range paths {
		w := s.get(path)
		if w.Code != http.StatusOK {
			t.Errorf("%s: status %d: %s", path, w.Code, w.Body)
			continue
		}
		body := w.Body.String()
		sound(t, path, body)
		for _, bad := range []string{"<script>", "<img", "\u202e", "\x1b", `href="javascript`} {
			if strings.Contains(body, bad) {
				t.Errorf("%s has %q", path, bad)
			}
		}
	}
	for _, table := range []string{"sources", "reporters", "days"} {
		body := s.get("/domains/example.com?format=csv&table=" + table).Body.String()
		if strings.ContainsAny(body, "\u202e\x1b") {
			t.Errorf("%s: %q", table, body)
		}
	}
}

// The colours of letters are those of the style sheet on light ground.
func TestPicturesHaveTheColoursOfTheStyleSheet(t *testing.T) {
	h := Handler(Options{Dashboard: &dashboard.Desk{}, Door: &testSite{}, Pages: page.New()})
	at := regexp.MustCompile(`rel="stylesheet" href="([^"]*)"`).FindStringSubmatch(get(h, "/nothing").Body.String())
	w := get(h, at[1])
	for _, p := range chart.Parts {
		if want := fmt.Sprintf("--c-%s: light-dark(%s,", p.Class, p.Color); !bytes.Contains(w.Body.Bytes(), []byte(want)) {
			t.Errorf("the style sheet has no %s", want)
		}
		if want := ".c-" + p.Class; !bytes.Contains(w.Body.Bytes(), []byte(want)) {
			t.Errorf("the style sheet has no %s", want)
		}
	}
}
