package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/exceptions"
	"github.com/gatepost-mail/gatepost/internal/people"
	rules "github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

// answer reads an answer of the API.
func answered[T any](s *testSite, path string) (t T) {
	s.t.Helper()
	w := s.get("/api/v1" + path)
	if w.Code != http.StatusOK {
		s.t.Fatalf("%s: status %d: %s", path, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &t); err != nil {
		s.t.Fatalf("%s: %v", path, err)
	}
	return t
}

// The last week of the demo is four days of work, a weekend, and the morning of the next Monday, on which nothing came yet. On days of work
// and at weekends come: partner 12 and 3, customer 9 and 2, supplier 6 and 0 (refused), accountant 2 and 0 with its scanner 3 and 0 (by an
// exception), logistics 5 and 1, bank 2 and 2 (refused), offers 4 and 4 (held).
func TestTheTotalsOfTheGateAreThoseOfTheWeek(t *testing.T) {
	s := newSite(t, owner)
	g := answered[dashboard.Gate](s, "/gate")
	for g.Totals.Pending {
		g = answered[dashboard.Gate](s, "/gate")
	}
	if got := g.Totals.All; got.Week != 4*(12+9+6+2+3+5+2+4)+2*(3+2+1+2+4) || got.Yesterday != 3+2+1+2+4 || got.Today != 0 {
		t.Errorf("all: %+v", got)
	}
	want := map[string][2]int64{
		"accept": {4*(12+9+2+3+5) + 2*(3+2+1), 3 + 2 + 1}, "mark": {}, "quarantine": {6 * 4, 4}, "reject": {4*(6+2) + 2*2, 2}, "defer": {},
		"spf-softfail": {4 * 6, 0}, "unauthenticated": {6 * 4, 4}, "dmarc-reject": {6 * 2, 2}, "exception": {4 * 3, 0},
	}
	for _, n := range slices.Concat(g.Totals.Verdicts, g.Totals.Rules) {
		if w, ok := want[n.Name]; !ok || n.Week != w[0] || n.Yesterday != w[1] || n.Today != 0 || n.Watched != 0 {
			t.Errorf("%s: %+v, want %v", n.Name, n, w)
		}
		delete(want, n.Name)
	}
	if len(want) > 0 {
		t.Errorf("not counted: %v", want)
	}
	s.has("/gate", "196 messages in 7 days, 12 yesterday, 0 today", `href="/gate?rule=dmarc-reject"`)
	s.has("/gate?table=rules&format=csv", "spf-softfail,reject,0,0,24,0\n")
}

func TestDecisionsAreFilteredAndPaged(t *testing.T) {
	s := newSite(t, owner)
	for query, want := range map[string]int{
		"":                                     50,
		"?verdict=quarantine&since=2026-11-28": 2 * 4,
		"?rule=dmarc-reject&since=7d":          2 * 6, // from nine in the morning of the Monday before, on which it came later
		"?domain=Supplier.Example&since=7d":    6 * 4,
		"?domain=nobody.example":               0,
		"?since=1h":                            0,
		"?since=2026-11-29T00:00:00Z":          3 + 2 + 1 + 2 + 4,
	} {
		g := answered[dashboard.Gate](s, "/gate"+query)
		switch query {
		case "?rule=dmarc-reject&since=7d", "?domain=Supplier.Example&since=7d":
			// Of the Monday, some may have come before nine: the demo says at what times.
			if len(g.Decisions) < want || len(g.Decisions) > want+6 {
				t.Errorf("%s: %d decisions, want %d and some", query, len(g.Decisions), want)
			}
		default:
			if len(g.Decisions) != want {
				t.Errorf("%s: %d decisions, want %d", query, len(g.Decisions), want)
			}
		}
		if !slices.IsSortedFunc(g.Decisions, func(a, b dashboard.DecisionLine) int { return int(b.ID - a.ID) }) {
			t.Errorf("%s: not the latest first", query)
		}
	}
	seen, path := map[int64]bool{}, "/gate?verdict=reject"
	for {
		g := answered[dashboard.Gate](s, path)
		for _, d := range g.Decisions {
			if seen[d.ID] || d.Verdict != "reject" {
				t.Fatalf("%s: %+v", path, d)
			}
			seen[d.ID] = true
		}
		if g.Older == 0 {
			break
		}
		path = fmt.Sprintf("/gate?verdict=reject&before=%d", g.Older)
	}
	all, err := s.desk.Store.Decisions(t.Context(), store.DecisionFilter{Verdict: "reject", Limit: 100_000})
	if err != nil || len(all) != len(seen) {
		t.Errorf("%d on the pages, %d in the store (%v)", len(seen), len(all), err)
	}
	for path, text := range map[string]string{
		"/gate?verdict=perhaps": "There is no verdict", "/gate?domain=a%20b": "is not the name of a domain", "/gate?since=yesterday": "is not a time",
		"/gate?before=x": "cannot be before",
	} {
		if w := s.get(path); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), text) {
			t.Errorf("%s: status %d, want 422 and %q", path, w.Code, text)
		}
	}
	s.has("/gate?domain=nobody.example", "No such decision", `id="none"`)
}

func TestAMessageIsExplainedFromConnectionToVerdict(t *testing.T) {
	s := newSite(t, owner)
	path := "/gate/decisions/" + s.demo.Reference
	w := s.get(path)
	page, at := w.Body.String(), 0
	for _, text := range []string{
		"What supplier.example can mend", "Add the server to the SPF record",
		"The letter to supplier.example", "/gate/exceptions/new?reference=" + s.demo.Reference,
		"A mail server connected", "203.0.113.21", "mail2.supplier.example", "MAIL FROM", "sales@supplier.example", "The message named its author",
		"SPF was asked", "does not list 203.0.113.21", "HELO: mail2.supplier.example publishes no SPF record", "bears no DKIM signature", "No server sealed it",
		"p=none of supplier.example", "Neither SPF nor DKIM shows", "reject by the rule spf-softfail", "spf.result == &#34;softfail&#34;", "It was refused",
		"550 5.7.23 SPF softfail", "ref " + s.demo.Reference,
	} {
		i := strings.Index(page[at:], text)
		if i < 0 {
			t.Fatalf("no %q after what comes before:\n%s", text, page[at:])
		}
		at += i
	}
	of := answered[dashboard.DecisionStory](s, path+"?mend=true")
	for of.Mending.Pending || of.Client.Pending {
		of = answered[dashboard.DecisionStory](s, path+"?mend=true")
	}
	if m := of.Mending; m.Finding != "spf-own-server-not-covered" || len(m.Records) != 1 || m.Records[0].Value != "v=spf1 ip4:203.0.113.20 ip4:203.0.113.21 ~all" {
		t.Errorf("%+v", m)
	}
	s.has(path+"?mend=true", "v=spf1 ip4:203.0.113.20 ip4:203.0.113.21 ~all")

	let := answered[dashboard.Gate](s, "/gate?rule=exception").Decisions[0]
	s.has(let.Path, "An exception let it in", "Such mail is let in now", "exception 1", "What accountant.example can mend")
	fine := answered[dashboard.Gate](s, "/gate?domain=partner.example").Decisions[0]
	s.has(fine.Path, "The signature of partner.example is good", "Nothing: the message was let in.")
	for _, path := range []string{"/gate/decisions/nothere", "/gate/decisions/-", "/gate/decisions/-?id=9999999"} {
		if w := s.get(path); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
}

// form reads what a form with an action has filled in.
func form(t *testing.T, page, action string) url.Values {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	attribute := func(n *html.Node, name string) string {
		for _, a := range n.Attr {
			if a.Key == name {
				return a.Val
			}
		}
		return ""
	}
	var values url.Values
	var walk func(n *html.Node, in bool)
	walk = func(n *html.Node, in bool) {
		if n.Type == html.ElementNode && n.Data == "form" && strings.HasPrefix(attribute(n, "action"), action) {
			in = true
			if values == nil {
				values = url.Values{}
			}
		}
		if in && n.Data == "input" {
			values.Set(attribute(n, "name"), attribute(n, "value"))
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, in)
		}
	}
	walk(root, false)
	if values == nil {
		t.Fatalf("no form for %s:\n%s", action, page)
	}
	return values
}

func TestAnExceptionFromABlockedMessageLetsSuchMailIn(t *testing.T) {
	s := newSite(t, owner)
	page := s.get("/gate/decisions/" + s.demo.Reference).Body.String()
	link := regexp.MustCompile(`href="(/gate/exceptions/new[^"]*)"`).FindStringSubmatch(page)
	if link == nil {
		t.Fatal(page)
	}
	values := form(t, s.get(strings.ReplaceAll(link[1], "&amp;", "&")).Body.String(), "/gate/exceptions")
	if values.Get("network") != "203.0.113.21/32" || values.Get("domain") != "supplier.example" || values.Get("until") != "2026-12-30" {
		t.Errorf("proposed: %v", values)
	}
	if w := s.post("/gate/exceptions", values); w.Code != http.StatusSeeOther {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	s.has("/gate/exceptions", "supplier.example", "gatepost allow add supplier.example --network 203.0.113.21/32 --until 2026-12-30", "whoever can send by that server")
	s.has("/gate/decisions/"+s.demo.Reference, "Such mail is let in now")

	set := exceptions.New(s.desk.Store, nil)
	if err := set.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	stopped := rules.Verdict{Action: rules.Reject, Rule: "spf-softfail"}
	judge := func(domain, ip string) rules.Action {
		e := &verify.Evaluation{Client: verify.Client{IP: netip.MustParseAddr(ip)}}
		e.Author.Domains = []string{domain}
		v, _ := set.Apply(stopped, e, s.demo.Now.AddDate(0, 0, 30))
		return v.Action
	}
	for _, c := range []struct {
		domain, ip string
		want       rules.Action
	}{
		{"supplier.example", "203.0.113.21", rules.Accept}, {"supplier.example", "203.0.113.22", rules.Reject},
		{"other.example", "203.0.113.21", rules.Reject}, {"sub.supplier.example", "203.0.113.21", rules.Reject},
	} {
		if got := judge(c.domain, c.ip); got != c.want {
			t.Errorf("%s from %s: %s, want %s", c.domain, c.ip, got, c.want)
		}
	}
}

func TestAnExceptionThatWouldBeAHoleIsRefusedOnItsForm(t *testing.T) {
	s := newSite(t, owner)
	good := url.Values{"domain": {"new.example"}, "network": {"192.0.2.7"}, "until": {"2026-12-24"}, "reason": {"we know them"}}
	for _, c := range []struct{ field, value, says string }{
		{"network", "0.0.0.0/0", "too broad"}, {"network", "somewhere", "not a network"}, {"network", "", "whoever forges the domain would get in"},
		{"domain", "*.com", "not a domain name"}, {"domain", "*.co.uk", "domains of strangers"}, {"domain", "<script>alert(1)</script>", "not a domain name"},
		{"until", "2026-11-01", "is past"}, {"until", "2029-01-01", "more than a year away"}, {"until", "", "not a date"}, {"reason", "", "needs a reason"},
		{"dkim", "example.net", "not for both"},
	} {
		values := url.Values{}
		for name, v := range good {
			values[name] = v
		}
		values.Set(c.field, c.value)
		w := s.post("/gate/exceptions", values)
		body := w.Body.String()
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(body, c.says) || strings.Contains(body, "<script>alert") {
			t.Errorf("%s %q: status %d, want 422 and %q:\n%s", c.field, c.value, w.Code, c.says, body)
			continue
		}
		if again := form(t, body, "/gate/exceptions"); again.Get(c.field) != c.value || c.field != "reason" && again.Get("reason") != "we know them" {
			t.Errorf("%s %q: what was typed is gone: %v", c.field, c.value, again)
		}
		if !strings.Contains(body, `aria-invalid="true"`) {
			t.Errorf("%s %q: the field is not marked", c.field, c.value)
		}
	}
	id := answered[dashboard.DecisionStory](s, "/gate/decisions/"+s.demo.Reference).Decision.ID
	again := s.post(fmt.Sprintf("/gate/exceptions?reference=%s&id=%d", s.demo.Reference, id), url.Values{"domain": {"supplier.example"}}).Body.String()
	if link := fmt.Sprintf(`action="/gate/exceptions?reference=%s&amp;id=%d"`, s.demo.Reference, id); !strings.Contains(again, link) || !strings.Contains(again, "message "+s.demo.Reference) {
		t.Errorf("the message is forgotten, or %s is:\n%s", link, again)
	}
	all, err := s.desk.Store.Exceptions(t.Context())
	if err != nil || len(all) != 1 {
		t.Errorf("%d exceptions (%v), want that of the demo", len(all), err)
	}
}

func TestExceptionsAreExtendedAndRemoved(t *testing.T) {
	s := newSite(t, owner)
	if w := s.post("/gate/exceptions/1/extend", url.Values{"until": {"2027-03-01"}}); w.Code != http.StatusSeeOther {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	list := answered[dashboard.ExceptionList](s, "/gate/exceptions")
	if x := list.Exceptions[0]; x.Until.Format(time.DateOnly) != "2027-03-01" || x.Uses != 6*3 || x.State != "holds" || list.Holding != 1 {
		t.Errorf("%+v", x)
	}
	if w := s.post("/gate/exceptions/1/extend", url.Values{"until": {"2030-03-01"}}); w.Code != http.StatusUnprocessableEntity ||
		!strings.Contains(w.Body.String(), "more than a year away") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	s.has("/gate/exceptions?table=exceptions&format=csv", "1,accountant.example,203.0.113.31/32,,2027-03-01T23:59:59Z,holds,")
	for _, want := range []int{http.StatusSeeOther, http.StatusNotFound} {
		if w := s.post("/gate/exceptions/1/remove", nil); w.Code != want {
			t.Errorf("status %d, want %d", w.Code, want)
		}
	}
	if w := s.post("/gate/exceptions/1/extend", url.Values{"until": {"2027-03-01"}}); w.Code != http.StatusNotFound {
		t.Errorf("status %d", w.Code)
	}
	s.has("/gate/exceptions", "No exception")
}

func TestALetterIsApprovedDeclinedAndClosed(t *testing.T) {
	s := newSite(t, owner)
	s.has("/gate/letters", `href="/gate/letters/2"`, "its SPF record does not list the sending server", "proposed", "mended", "7 days")
	s.has("/gate/letters?state=mended", "logistics.example")
	s.has("/gate/letters/2", "To whoever looks after the e-mail of supplier.example", "hostmaster@supplier.example", "named in the SOA record", "Approve the letter",
		"10 letters an hour", "/gate/decisions/"+s.demo.Reference)
	s.has("/gate/letters/1", "logistics.example", "What the letter is about is mended")
	if w := s.post("/gate/letters/1/approve", nil); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "The case is mended already") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if w := s.post("/gate/letters/2/close", nil); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("what was not sent is closed: status %d", w.Code)
	}
	state := func(want, by, detail string) {
		t.Helper()
		n, err := s.desk.Store.Notice(t.Context(), 2)
		if err != nil || n.State != want || n.Author != by || n.Detail != detail {
			t.Errorf("the case is %s by %s: %q (%v); want %s", n.State, n.Author, n.Detail, err, want)
		}
	}
	if w := s.post("/gate/letters/2/approve", nil); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/gate/letters/2" {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	state("approved", "ada", "")
	if w := s.post("/gate/letters/2/approve", nil); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "The case is approved already, by ada") {
		t.Errorf("approved twice: status %d: %s", w.Code, w.Body)
	}
	if w := s.post("/gate/letters/2/decline", url.Values{"reason": {"we called\nthem"}}); w.Code != http.StatusSeeOther {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	state("declined", "ada", `we called\x0athem`)
	if w := s.post("/gate/letters/77/approve", nil); w.Code != http.StatusNotFound {
		t.Errorf("status %d", w.Code)
	}
}

func TestALetterIsWrittenForAMessageOrADomainAndWaits(t *testing.T) {
	s := newSite(t, owner)
	w := s.post("/gate/letters", url.Values{"reference": {s.demo.Reference}, "domain": {"supplier.example"}})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/gate/letters/2" {
		t.Errorf("there is a case already: status %d to %s: %s", w.Code, w.Header().Get("Location"), w.Body)
	}
	// As the page with what-if asks: by the domain and a rule that is only thought of.
	w = s.post("/gate/letters", url.Values{"domain": {"accountant.example"}, "rule": {"spf-fail"}})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/gate/letters/3" {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	if c := answered[dashboard.LetterCase](s, "/gate/letters/3"); c.State != "proposed" || c.Author != "ada" || c.Domain != "accountant.example" || c.Server != "203.0.113.31" {
		t.Errorf("%+v", c)
	}
	for name, c := range map[string]struct {
		values url.Values
		says   string
	}{
		"a domain of which nothing ever passed": {url.Values{"domain": {"offers.example"}}, "Offers.example"},
		"no domain":                             {url.Values{"domain": {"<b>"}}, "is not the name of a domain"},
		"no message":                            {url.Values{"reference": {"nothere"}}, "There is no message"},
	} {
		w := s.post("/gate/letters", c.values)
		if w.Code != http.StatusUnprocessableEntity || name != "a domain of which nothing ever passed" && !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s: status %d, want 422 and %q: %s", name, w.Code, c.says, w.Body)
		}
	}
	s.desk.Config().Notice.From = ""
	if w := s.post("/gate/letters", url.Values{"domain": {"accountant.example"}}); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "[notice]") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	s.has("/gate/letters", "Nobody writes yet")
}

func TestOnlyWhoMayIsLetToTheGate(t *testing.T) {
	viewer := people.NewAccess("vic", []people.Grant{{Over: people.Everything, Role: people.Viewer}}, nil)
	someDomains := people.NewAccess("sam", []people.Grant{{Over: "shop", Role: people.Owner}}, []people.Group{{Name: "shop", Domains: []string{"example.org"}}})
	s := newSite(t, viewer)
	actions := []string{"/gate/exceptions", "/gate/exceptions/1/extend", "/gate/exceptions/1/remove", "/gate/letters", "/gate/letters/2/approve",
		"/gate/letters/2/decline", "/gate/letters/2/close"}
	pages := []string{"/gate", "/gate/decisions/" + s.demo.Reference, "/gate/exceptions", "/gate/exceptions/new", "/gate/letters", "/gate/letters/2"}
	for _, path := range actions {
		for _, who := range []*people.Access{viewer, someDomains} {
			s.who = who
			for _, prefix := range []string{"", "/api/v1"} {
				if w := s.post(prefix+path, url.Values{"domain": {"new.example"}}); w.Code != http.StatusForbidden {
					t.Errorf("%s: %s%s: status %d", who.Name, prefix, path, w.Code)
				}
			}
		}
	}
	for _, path := range pages {
		s.who = viewer
		w := s.get(path)
		if w.Code != http.StatusOK {
			t.Errorf("viewer: %s: status %d", path, w.Code)
		}
		for _, button := range []string{"Approve the letter", "Decline the letter", "Make the exception<", "Remove<", "Write to its owner", "Write the letter"} {
			if strings.Contains(w.Body.String(), button) {
				t.Errorf("viewer: %s offers %q", path, button)
			}
		}
		s.who = someDomains
		for _, prefix := range []string{"", "/api/v1"} {
			if w := s.get(prefix + path); w.Code != http.StatusForbidden {
				t.Errorf("who sees some domains: %s%s: status %d", prefix, path, w.Code)
			}
		}
	}
}

// What is shown came from strangers.
func TestNothingThatASenderWroteRunsOrMisleads(t *testing.T) {
	s := newSite(t, owner)
	const script, turned = `"><script>alert(1)</script><img src=x onerror=alert(2)>`, "\u202egpj.exe\u2066"
	hostile := script + turned + "\xff\xfe\x00\x1b[31m" + strings.Repeat("W", 5000)
	batch := store.Batch{Source: "hostile", Number: 1}
	for i, name := range []string{script, turned, "\xff\xfe", hostile, "../..", "..", ".", "a/b?c#d", "%2e%2e", "", "-", "javascript:alert(1)"} {
		batch.Decisions = append(batch.Decisions, store.Decision{
			Time: s.demo.Now, Reference: name, QueueID: name, MessageID: name, ClientIP: netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", i+1)), Helo: name,
			MailFrom: name + "@" + name, EnvelopeDomain: name, Recipients: []string{name}, AuthorDomain: name,
			SPF:  []store.SPF{{Identity: "mailfrom", Domain: name, Result: "softfail"}, {Identity: name, Domain: name, Result: name}},
			DKIM: []store.Signature{{Result: "pass", SDID: name, Selector: name}, {Result: name, SDID: name, Selector: name}}, ARC: name, DMARC: "fail",
			PolicyDomain: name, Policy: name, Disposition: name, Record: name, Verdict: "reject", Rule: name, Mode: name, Done: name, Reason: name,
			Watched: []store.Watched{{Rule: name, Action: name}},
		})
	}
	if err := s.desk.Store.AddBatch(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 150)
	if err := s.desk.Store.AddException(t.Context(), &store.Exception{Domain: script, SDID: turned, Until: s.demo.Now.AddDate(0, 0, 3), Reason: script + long,
		Author: turned, Created: s.demo.Now}); err != nil {
		t.Fatal(err)
	}
	n, _, err := s.desk.Store.ProposeNotice(t.Context(), store.Notice{
		Domain: "evil.example", Organization: "evil.example", Opened: s.demo.Now, Author: script, Detail: turned, Faults: []string{script, turned}, Token: "x",
		Draft: store.NoticeDraft{Subject: hostile, Text: script + "\n" + turned, HTML: script, Reference: script, Server: script,
			Recipients: []store.NoticeRecipient{{Address: script, Source: turned}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"/gate", "/gate?domain=" + url.QueryEscape(script), "/gate?rule=" + url.QueryEscape(hostile), "/gate?since=" + url.QueryEscape(script),
		"/gate/exceptions", "/gate/exceptions/new?domain=" + url.QueryEscape(script) + "&network=" + url.QueryEscape(turned),
		"/gate/exceptions/new?reference=" + url.QueryEscape(script), "/gate/letters", "/gate/letters?domain=evil.example", fmt.Sprintf("/gate/letters/%d", n.ID),
		"/gate/decisions/" + url.PathEscape(script), "/gate?table=decisions"}
	for _, d := range answered[dashboard.Gate](s, "/gate").Decisions[:len(batch.Decisions)] {
		if d.Client.String() >= "192.0.2.1" && !strings.HasPrefix(d.Path, "/gate/decisions/") {
			t.Errorf("%q leads to %s", d.Reference, d.Path)
		}
		paths = append(paths, d.Path)
		if w := s.get(d.Path); w.Code != http.StatusOK {
			t.Errorf("%q: %s: status %d", d.Reference, d.Path, w.Code)
		}
		link := fmt.Sprintf("/gate/exceptions/new?reference=-&id=%d", d.ID)
		paths = append(paths, link)
		if w := s.get(link); w.Code != http.StatusOK {
			t.Errorf("%s: status %d", link, w.Code)
		}
	}
	for _, path := range paths {
		body := s.get(path).Body.String()
		csv := strings.Contains(path, "table=")
		for _, bad := range []string{"<script>alert", "<img", "\u202e", "\u2066", "\x00", "\x1b", "\xff", `href="javascript:`} {
			if strings.Contains(body, bad) && !(csv && strings.HasPrefix(bad, "<")) {
				t.Errorf("%s has %q", path, bad)
			}
		}
	}
}
