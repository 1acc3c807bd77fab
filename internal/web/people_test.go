package web

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/people"
)

const goodPassword = "correct horse battery staple"

// user makes somebody in the store of a site.
func (s *testSite) user(name string, grants ...people.Grant) (people.Person, *people.Access) {
	s.t.Helper()
	id, err := s.desk.Store.AddPerson(s.t.Context(), people.Person{Name: name, Grants: grants, Password: "$argon2id$", Created: s.demo.Now})
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := s.desk.Store.PersonByID(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	who := signedIn(name, grants, s.desk.Config().Web.PeopleGroups())
	who.Person, who.Address = id, "192.0.2.77"
	return p, who
}

// events are the words of the audit log, the latest first.
func (s *testSite) events() string {
	s.t.Helper()
	all, err := s.desk.Store.Events(s.t.Context(), 0, 100)
	if err != nil {
		s.t.Fatal(err)
	}
	var words []string
	for _, e := range all {
		words = append(words, e.Who+" "+e.What+" "+e.About+": "+e.Detail)
	}
	return strings.Join(words, "\n")
}

// once looks for a secret on the page that answers, and that it is nowhere else.
func (s *testSite) once(w *httptest.ResponseRecorder, pattern string) string {
	s.t.Helper()
	secret := regexp.MustCompile(pattern).FindString(w.Body.String())
	if w.Code != http.StatusOK || secret == "" || w.Header().Get("Location") != "" || len(w.Result().Cookies()) > 0 || w.Header().Get("Cache-Control") != "no-store" {
		s.t.Fatalf("status %d, %v\n%s", w.Code, w.Header(), w.Body)
	}
	token := secret[strings.LastIndexByte(secret, '/')+1:]
	for _, path := range []string{"/settings/users", "/settings/tokens", "/account/tokens", "/settings/log"} {
		if strings.Contains(s.get(path).Body.String(), token) {
			s.t.Errorf("%s shows the secret", path)
		}
	}
	return token
}

func TestUsersAreManagedByWhoOwnsEverything(t *testing.T) {
	s := newSite(t, nil)
	s.desk.Config().Web.Groups = []config.WebGroup{{Name: "shop", Domains: []string{"example.net"}}}
	everything := people.Grant{Over: people.Everything, Role: people.Owner}
	_, s.who = s.user("ada", everything)

	w := s.post("/settings/users", url.Values{"name": {"Bob"}, "role": {"analyst"}, "over": {"shop"}})
	token := s.once(w, `http://127\.0\.0\.1:8080/welcome/[A-Za-z0-9_-]{43}`)
	s.has("/settings/users", "analyst of shop", "Take back the link for bob", "by ada on")
	office := &people.Office{Store: s.desk.Store, Groups: s.desk.Config().Web.PeopleGroups, Now: s.desk.Now}
	bob, err := office.Accept(t.Context(), token, "", goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := office.Begin(t.Context(), bob, "password", "192.0.2.9", "<script>alert(1)</script>\u202e"); err != nil {
		t.Fatal(err)
	}
	s.has("/settings/users", `href="/settings/users/bob"`, "None. A link is good once")
	s.has("/settings/users/bob", "<h1>bob", "192.0.2.9", "&lt;script&gt;alert(1)", `\u{202e}`, "gatepost users role bob analyst")
	s.has("/settings/users?format=csv&table=users", "bob,analyst of shop,yes,0,no,no,no,")
	s.has("/api/v1/settings/users/bob", `{"over":"shop","role":"analyst"}`, `{"group":"*","role":"none","gone":false}`)

	for _, c := range []struct{ path, form, note string }{
		{"/role", "over=*&role=viewer", "bob is viewer of everything, analyst of shop now."},
		{"/role", "over=shop&role=none", "bob is viewer of everything now."},
		{"/sign-out", "", "bob is signed out everywhere."},
		{"/disable", "", "bob is locked out."},
		{"/enable", "", "bob may sign in again."},
	} {
		form, _ := url.ParseQuery(c.form)
		w := s.post("/settings/users/bob"+c.path, form)
		note, _ := url.QueryUnescape(w.Header().Get("Set-Cookie"))
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/settings/users/bob" || !strings.Contains(note, c.note) {
			t.Errorf("%s: status %d, %s, %s", c.path, w.Code, w.Header(), note)
		}
	}
	s.once(s.post("/settings/users/bob/link", nil), `/welcome/[A-Za-z0-9_-]{43}`)
	s.has("/settings/users", "to choose another password")
	id := regexp.MustCompile(`/settings/links/([0-9a-f]{16})/withdraw`).FindStringSubmatch(s.get("/settings/users").Body.String())
	if w := s.post("/settings/links/"+id[1]+"/withdraw", nil); w.Code != http.StatusSeeOther {
		t.Errorf("status %d", w.Code)
	}
	if w := s.post("/settings/links/"+id[1]+"/withdraw", nil); w.Code != http.StatusNotFound {
		t.Errorf("taken back twice: status %d", w.Code)
	}
	if w := s.post("/settings/users/bob/remove", nil); w.Header().Get("Location") != "/settings/users" {
		t.Errorf("%v", w.Header())
	}
	for _, path := range []string{"", "/role", "/link", "/disable", "/remove"} {
		w := s.get("/settings/users/bob")
		if path != "" {
			w = s.post("/settings/users/bob"+path, url.Values{"role": {"viewer"}, "over": {"*"}})
		}
		if w.Code != http.StatusNotFound {
			t.Errorf("%s of nobody: status %d", path, w.Code)
		}
	}
	want := `ada remove-user bob: 
ada withdraw-link : made by ada
ada link-user bob: to choose another password
ada enable-user bob: 
ada disable-user bob: 
ada end-sessions bob: 
ada set-role bob: none of shop
ada set-role bob: viewer of everything
bob sign-in bob: password
bob accept-link bob: new, analyst of shop; the link is of ada
ada invite-user bob: analyst of shop`
	if got := s.events(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	s.has("/settings/log", "remove-user", "192.0.2.77", "invite-user")
}

func TestWhatIsWrongWithAUserIsSaidOnTheForm(t *testing.T) {
	s := newSite(t, nil)
	_, s.who = s.user("ada", people.Grant{Over: people.Everything, Role: people.Owner})
	s.user("bob", people.Grant{Over: "gone", Role: people.Viewer})
	for _, c := range []struct{ path, form, field, text string }{
		{"/settings/users", "name=ada&role=viewer&over=*", "name", "Somebody has that name."},
		{"/settings/users", "name=a%20b&role=viewer&over=*", "name", "A name is made of"},
		{"/settings/users", "name=eve", "role", "Choose what the user may do."},
		{"/settings/users", "name=eve&role=viewer&over=shop", "over", "There is no group &#34;shop&#34;."},
		{"/settings/users", "name=eve&role=%3Cscript%3E&over=*", "role", "Choose what the user may do."},
		{"/settings/users/ada/role", "over=*&role=viewer", "", "Somebody must be left who owns everything"},
		{"/settings/users/ada/disable", "", "", "Somebody must be left who owns everything"},
		{"/settings/users/ada/remove", "", "", "Somebody must be left who owns everything"},
		{"/settings/users/bob/role", "over=gone&role=owner", "over", "There is no group &#34;gone&#34;."},
		{"/settings/users/bob/role", "over=*&role=king", "role", "There are none, viewer, analyst and owner."},
	} {
		form, _ := url.ParseQuery(c.form)
		w := s.post(c.path, form)
		body := w.Body.String()
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(body, c.text) || strings.Contains(body, "<script>") {
			t.Errorf("%s %s: status %d\n%s", c.path, c.form, w.Code, body)
		}
		if name := form.Get("name"); name != "" && !strings.Contains(body, `value="`+name+`"`) {
			t.Errorf("%s %s: the name has to be typed again", c.path, c.form)
		}
		if c.field == "name" && !strings.Contains(body, `aria-invalid="true"`) {
			t.Errorf("%s %s: no field is marked", c.path, c.form)
		}
	}
	if w := s.post("/settings/users/bob/role", url.Values{"over": {"gone"}, "role": {"none"}}); w.Code != http.StatusSeeOther {
		t.Errorf("a role over a group that is gone cannot be taken away: %d\n%s", w.Code, w.Body)
	}
	if got := s.events(); got != "ada set-role bob: none of gone" {
		t.Errorf("%s", got)
	}
}

func TestTokensAreMadeByEverybodyAndSeenByTheOwner(t *testing.T) {
	s := newSite(t, nil)
	s.desk.Config().Web.Groups = []config.WebGroup{{Name: "shop", Domains: []string{"example.net"}}}
	_, ada := s.user("ada", people.Grant{Over: people.Everything, Role: people.Owner})
	_, bob := s.user("bob", people.Grant{Over: "shop", Role: people.Analyst})
	_, eve := s.user("eve", people.Grant{Over: "shop", Role: people.Viewer})

	s.who = bob
	body := s.get("/account/tokens").Body.String()
	if strings.Contains(body, `value="owner"`) || strings.Contains(body, `value="*"`) || !strings.Contains(body, "shop, where you are analyst") {
		t.Errorf("bob is offered what he cannot give:\n%s", body)
	}
	w := s.post("/account/tokens", url.Values{"name": {"ci <b>"}, "role": {"viewer"}, "over": {"shop"}, "days": {"30"}})
	s.who = ada // who may see all pages
	token := s.once(w, `gp_[A-Za-z0-9_-]{43}`)
	s.who = bob
	s.has("/account/tokens", "ci &lt;b&gt;", "viewer of shop", "never")
	s.has("/account/tokens?format=csv&table=tokens", "ci <b>,bob,viewer of shop,")
	office := &people.Office{Store: s.desk.Store, Groups: s.desk.Config().Web.PeopleGroups, Now: s.desk.Now}
	if who, err := office.Token(t.Context(), token); err != nil || who.Over("example.net") != people.Viewer || who.Over("example.com") != people.Nobody {
		t.Errorf("%+v, %v", who, err)
	}
	for form, text := range map[string]string{
		"name=x&role=owner&over=shop":                 "Nobody gives more than the own role.",
		"name=x&role=viewer&over=*":                   "Nobody gives more than the own role.",
		"name=x&over=shop":                            "Choose what the program may do.",
		"name=&role=viewer&over=shop":                 "Name the program",
		"name=ci+%3Cb%3E&role=viewer&over=shop":       "You have a token of that name.",
		"name=x&role=viewer&over=shop&days=-1":        "Choose 0 to 3650 days",
		"name=x&role=viewer&over=shop&days=999999999": "Choose 0 to 3650 days",
		"name=x&role=viewer&over=shop&days=soon":      "cannot be days",
	} {
		values, _ := url.ParseQuery(form)
		if w := s.post("/account/tokens", values); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), text) {
			t.Errorf("%s: status %d\n%s", form, w.Code, w.Body)
		}
	}
	all, err := s.desk.Store.Tokens(t.Context(), 0)
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	s.who = eve
	if w := s.post("/account/tokens/1/remove", nil); w.Code != http.StatusNotFound {
		t.Errorf("somebody else's: status %d", w.Code)
	}
	if body := s.get("/account/tokens").Body.String(); strings.Contains(body, "ci &lt;b&gt;") {
		t.Error("eve sees the tokens of bob")
	}
	s.who = ada
	s.has("/settings/tokens", "ci &lt;b&gt;", `href="/settings/users/bob"`)
	if w := s.post("/settings/tokens/1/remove", nil); w.Code != http.StatusSeeOther {
		t.Errorf("status %d", w.Code)
	}
	if got, want := s.events(), "ada remove-token bob: ci <b>\nbob add-token bob: ci <b>: viewer of shop"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// A token makes no token, though its user may.
	s.who = ada.Within(people.Owner, people.Everything)
	s.who.Token = 9
	if w := s.post("/account/tokens", url.Values{"name": {"x"}, "role": {"viewer"}, "over": {"*"}}); w.Code != http.StatusForbidden {
		t.Errorf("status %d\n%s", w.Code, w.Body)
	}
}

func TestTheAPIInvitesAndShowsTheLink(t *testing.T) {
	s := newSite(t, nil)
	_, s.who = s.user("ada", people.Grant{Over: people.Everything, Role: people.Owner})
	send := func(path, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/api/v1"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		s.handler.ServeHTTP(w, r)
		return w
	}
	w := send("/settings/users", `{"name":"bob","role":"viewer"}`)
	var done struct{ To, Text, Secret string }
	if err := json.Unmarshal(w.Body.Bytes(), &done); err != nil || w.Code != http.StatusOK || !strings.Contains(done.Secret, "/welcome/") {
		t.Errorf("status %d, %v: %s", w.Code, err, w.Body)
	}
	if w := send("/settings/users", `{"name":"ada","role":"viewer"}`); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "Somebody has that name.") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if w := send("/settings/users/ada/disable", ``); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	s.has("/api/v1/openapi.json", `"invite-user"`, `"audit-log"`)
}

func TestOnlyWhoOwnsEverythingReachesUsersTokensAndLog(t *testing.T) {
	s := newSite(t, nil)
	s.desk.Config().Web.Groups = []config.WebGroup{{Name: "shop", Domains: []string{"example.net"}}}
	groups := s.desk.Config().Web.PeopleGroups()
	for _, c := range []struct {
		name  string
		who   *people.Access
		owner bool // may do what is in the settings
		own   bool // may have tokens
	}{
		{"owner", signedIn("a", []people.Grant{{Over: "*", Role: people.Owner}}, groups), true, true},
		{"owner of a group", signedIn("b", []people.Grant{{Over: "shop", Role: people.Owner}, {Over: "*", Role: people.Analyst}}, groups), false, true},
		{"viewer of a group", signedIn("c", []people.Grant{{Over: "shop", Role: people.Viewer}}, groups), false, true},
		{"no role", signedIn("d", nil, groups), false, false},
		{"a token of the owner", signedIn("e", []people.Grant{{Over: "*", Role: people.Owner}}, groups).Within(people.Owner, "shop"), false, true}, // but what no token may
	} {
		s.who = c.who
		for _, r := range peopleRoutes(s.desk) {
			want := c.owner
			if strings.HasPrefix(r.path, "/account/") {
				want = c.own
			}
			want = want && (c.who.Fresh || !r.fresh)
			path := strings.NewReplacer("{name}", "nobody", "{id}", "77").Replace(r.path)
			for _, prefix := range []string{"", apiPrefix} {
				w := httptest.NewRecorder()
				req := httptest.NewRequest(r.method, prefix+path, strings.NewReader("{}"))
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Sec-Fetch-Site", "same-origin")
				s.handler.ServeHTTP(w, req)
				if got := w.Code != http.StatusForbidden; got != want || w.Code >= 500 {
					t.Errorf("%s: %s %s: status %d", c.name, r.method, prefix+path, w.Code)
				}
			}
		}
	}
	s.who = nil
	for _, r := range peopleRoutes(s.desk) {
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, httptest.NewRequest(r.method, strings.NewReplacer("{name}", "ada", "{id}", "1").Replace(r.path), nil))
		if w.Code != http.StatusSeeOther && w.Code != http.StatusUnauthorized || w.Code == http.StatusSeeOther && !strings.HasPrefix(w.Header().Get("Location"), "/sign-in") {
			t.Errorf("nobody: %s %s: status %d", r.method, r.path, w.Code)
		}
	}
}

func TestTheAuditLogIsPagedAndHarmless(t *testing.T) {
	s := newSite(t, owner)
	s.has("/settings/log", "Nothing was done yet")
	for i := range 5 {
		e := people.Event{At: s.demo.Now, Who: "eve<script>", What: "sign-in failed", About: "=HYPERLINK(1)", Detail: strings.Repeat("i", i) + "\u202e", Address: "192.0.2.1"}
		if err := s.desk.Store.AddEvent(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	s.has("/settings/log?limit=2", `<td data-label="Who">eve&lt;script&gt;</td>`, `href="/settings/log?before=4&amp;limit=2"`, `iiii\u{202e}`)
	s.has("/settings/log?limit=2&before=2", `>The latest</a>`)
	s.has("/settings/log?limit=2&before=4&format=csv&table=log", "time,who,address,what,about,detail\n", "eve<script>,192.0.2.1,sign-in failed,'=HYPERLINK(1),")
	s.has("/api/v1/settings/log?limit=3&before=4", `"id":3`, `"newest":false`)
	if body := s.get("/settings/log?before=2&limit=2").Body.String(); strings.Contains(body, "Older") {
		t.Errorf("there is something older than the first:\n%s", body)
	}
	s.has("/settings/log?before=1", "Nothing is older")
	for _, query := range []string{"limit=0x", "limit=1001", "limit=-1", "before=-1", "before=9999999999999999999999"} {
		if w := s.get("/settings/log?" + query); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", query, w.Code)
		}
	}
}
