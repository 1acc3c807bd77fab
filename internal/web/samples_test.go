package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A sample is what a route is called with on the demo, so that every route is walked by every role, and what it answers is held against its
// description. A route that has no sample makes the tests fail.
type sample struct {
	values map[string]string // of the path, where others than pathValues are meant
	query  string
	body   string // of an action, as the API takes it
	sends  string // the kind of the body; JSON if empty
	gives  string // the kind of the answer; JSON if empty
	status int    // that is expected; 200 if 0
	after  string // the id of an action that is done before
	world  string // why the answer may speak of domains that who asks does not see; empty: it may not
}

// pathValues are what stands in the paths of most routes. REFERENCE is that of the supplier's message.
var pathValues = map[string]string{"domain": "example.com", "source": "service:salesforce", "subject": "example.com", "reference": "REFERENCE", "name": "lena"}

// samples are by the id of the route. One that needs nothing but pathValues, and is no action, may be left out.
var samples = map[string]sample{
	"check":        {world: "its example is nobody's"},
	"checked":      {world: "what a domain publishes is known to the world"},
	"check-domain": {body: `{"domain": "example.com"}`},
	"analyzed":     {body: `{"message": "From: a@example.com\r\nSubject: hello\r\n\r\nhello\r\n", "ip": "192.0.2.1"}`},

	"mark-source":   {body: `{"whose": "ours", "reason": "our CRM"}`},
	"unmark-source": {after: "mark-source", body: `{"mark": "salesforce"}`},
	"what-if-dmarc": {query: "policy=reject"},
	"what-if-spf":   {query: "record=v%3Dspf1+-all"},
	"what-if-gate":  {query: "policy=lockdown"},

	"gate-live":          {gives: "text/event-stream"},
	"gate-exception-new": {query: "reference=REFERENCE"},
	"gate-except":        {body: `{"domain": "supplier.example", "network": "203.0.113.21", "until": "30d", "reason": "they move"}`},
	"gate-extend":        {values: map[string]string{"id": "1"}, body: `{"until": "60d"}`},
	"gate-unexcept":      {values: map[string]string{"id": "1"}},
	"gate-letter":        {values: map[string]string{"id": "2"}},
	"gate-write":         {body: `{"domain": "accountant.example", "rule": "spf-softfail"}`},
	"gate-approve":       {values: map[string]string{"id": "2"}},
	"gate-decline":       {values: map[string]string{"id": "2"}, body: `{"reason": "they know"}`},
	"gate-close":         {values: map[string]string{"id": "2"}, body: `{}`, status: http.StatusUnprocessableEntity}, // it was not sent

	"report":      {values: map[string]string{"id": "1"}},
	"report-raw":  {values: map[string]string{"id": "1"}, gives: "application/octet-stream"},
	"refused-raw": {values: map[string]string{"id": "REFUSED"}, gives: "application/octet-stream"},
	"do-upload": {sends: "multipart/form-data; boundary=b", body: "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.xml\"\r\n\r\n" +
		"<feedback/>\r\n--b--\r\n"},

	"invite-user":      {body: `{"name": "bob", "role": "viewer", "over": "*"}`},
	"withdraw-link":    {values: map[string]string{"id": "LINK"}},
	"set-role":         {body: `{"role": "analyst", "over": "*"}`},
	"link-user":        {},
	"disable-user":     {},
	"enable-user":      {after: "disable-user"},
	"end-sessions":     {},
	"remove-user":      {},
	"remove-token":     {values: map[string]string{"id": "1"}},
	"add-token":        {body: `{"name": "backup", "role": "viewer", "over": "*", "days": 30}`},
	"remove-own-token": {values: map[string]string{"id": "1"}},
}

var placeholder = regexp.MustCompile(`\{([a-z]+)(?:\.\.\.)?\}`)

// sampleOf is the sample of a route, and its path.
func (s *testSite) sampleOf(t *testing.T, r *route) (sample, string) {
	t.Helper()
	of, ok := samples[r.id]
	if !ok && r.method != http.MethodGet {
		t.Fatalf("%s has no sample in samples_test.go: what is to be sent to %s?", r.id, r.path)
	}
	path := placeholder.ReplaceAllStringFunc(r.path, func(text string) string {
		name := placeholder.FindStringSubmatch(text)[1]
		value, ok := of.values[name]
		if !ok {
			value, ok = pathValues[name]
		}
		if !ok {
			t.Fatalf("%s has no sample in samples_test.go: what is {%s} of %s?", r.id, name, r.path)
		}
		return value
	})
	if of.query != "" {
		path += "?" + of.query
	}
	if of.status == 0 {
		of.status = http.StatusOK
	}
	if of.sends == "" {
		of.sends = "application/json"
	}
	if of.gives == "" {
		of.gives = "application/json"
	}
	if strings.Contains(path, "REFUSED") {
		path = strings.ReplaceAll(path, "REFUSED", s.refused(t))
	}
	if strings.Contains(path, "LINK") {
		path = strings.ReplaceAll(path, "LINK", s.linkID(t))
	}
	return of, strings.ReplaceAll(path, "REFERENCE", s.demo.Reference)
}

// newPeopled is a site with somebody who owns everything and has a token, somebody else, and a link for a third.
func newPeopled(t *testing.T) *testSite {
	t.Helper()
	s := newSite(t, nil)
	everything := people.Grant{Over: people.Everything, Role: people.Owner}
	_, s.who = s.user("ada", everything)
	s.user("lena", people.Grant{Over: people.Everything, Role: people.Viewer})
	office := &people.Office{Store: s.desk.Store, Now: s.desk.Now}
	if _, err := office.NewToken(t.Context(), s.who, "monitoring", people.Viewer, people.Everything, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := office.Invite(t.Context(), "ada", people.Link{Name: "kim", Grants: []people.Grant{everything}}); err != nil {
		t.Fatal(err)
	}
	return s
}

// linkID is how the list of users calls the link.
func (s *testSite) linkID(t *testing.T) string {
	t.Helper()
	users, err := s.desk.Users(t.Context(), owner, &dashboard.UsersIn{})
	if err != nil || len(users.Links) == 0 {
		t.Fatalf("there is no link: %v", err)
	}
	return users.Links[0].ID
}

// refused is the number of what came and could not be read.
func (s *testSite) refused(t *testing.T) string {
	t.Helper()
	for raw, err := range s.desk.Store.Raws(t.Context(), store.RawFilter{Refusals: true, Limit: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		return strconv.FormatInt(raw.ID, 10)
	}
	t.Fatal("nothing was refused")
	return ""
}

// streamTime is how long is listened to what does not end by itself.
const streamTime = 300 * time.Millisecond

// ask asks as a browser does.
func (of *sample) ask(h http.Handler, method, path, kind, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if method != http.MethodGet {
		r.Header.Set("Content-Type", kind)
	}
	if of.gives == "text/event-stream" {
		ctx, cancel := context.WithTimeout(r.Context(), streamTime)
		defer cancel()
		r = r.WithContext(ctx)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
