package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/people"
)

// late are ways to decide who comes in.
var late = []struct{ path, form, json string }{
	{"/settings/users", "name=eve&role=owner&over=*", `{"name":"eve","role":"owner"}`},
	{"/settings/users/lena/link", "", ""},
	{"/settings/users/ada/link", "", ""},
	{"/settings/users/lena/role", "role=owner&over=*", `{"role":"owner","over":"*"}`},
	{"/settings/users/lena/disable", "", ""},
	{"/settings/users/lena/enable", "", ""},
	{"/settings/users/lena/remove", "", ""},
	{"/account/tokens", "name=x&role=owner&over=*", `{"name":"x","role":"owner","over":"*"}`},
}

// unchanged looks whether there is nobody and nothing new.
func (s *testSite) unchanged(links, tokens int) {
	s.t.Helper()
	l, err1 := s.desk.Store.Links(s.t.Context(), s.demo.Now)
	tok, err2 := s.desk.Store.Tokens(s.t.Context(), 0)
	lena, err3 := s.desk.Store.PersonByName(s.t.Context(), "lena")
	if err1 != nil || err2 != nil || err3 != nil || len(l) != links || len(tok) != tokens || people.Describe(lena.Grants) != "viewer of everything" || lena.Disabled {
		s.t.Errorf("%d links, %d tokens, %s; %v, %v, %v", len(l), len(tok), lena.Says(), err1, err2, err3)
	}
}

func TestAnOpenBrowserDecidesNotWhoComesIn(t *testing.T) {
	s := newPeopled(t)
	hoursAgo := *s.who
	hoursAgo.Fresh = false
	s.who = &hoursAgo
	for _, c := range late {
		form, _ := url.ParseQuery(c.form)
		w := s.post(c.path, form)
		to := "/settings/users/lena"
		switch {
		case strings.Contains(c.path, "/ada/"):
			to = "/settings/users/ada"
		case !strings.Contains(c.path, "/lena/"):
			to = c.path
		}
		if body := w.Body.String(); w.Code != http.StatusForbidden || !strings.Contains(body, "<h1>Sign in again") || !strings.Contains(body, `name="to" value="`+to+`"`) {
			t.Errorf("%s: status %d\n%s", c.path, w.Code, body)
		}
		if w := s.sendJSON(c.path, c.json); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "Sign in again.") {
			t.Errorf("%s by the API: status %d: %s", c.path, w.Code, w.Body)
		}
	}
	s.unchanged(1, 1)
	for _, path := range []string{"/settings/users", "/settings/users/lena", "/account/tokens"} { // before anything is typed
		s.has(path, "Sign in again to change who comes in", `name="to" value="`+path+`"`)
	}
	hoursAgo.Fresh = true
	for _, path := range []string{"/settings/users", "/settings/users/lena", "/account/tokens"} {
		if body := s.get(path).Body.String(); strings.Contains(body, "Sign in again") {
			t.Errorf("%s asks whoever has just signed in to do it again:\n%s", path, body)
		}
	}
}

func TestNoTokenMakesAPersonARoleALinkOrAToken(t *testing.T) {
	s := newPeopled(t)
	ada := *s.who
	for _, fresh := range []bool{false, true} { // whatever it says of itself
		token := *ada.Within(people.Owner, people.Everything)
		token.Token, token.Fresh = 9, fresh
		s.who = &token
		for _, c := range late {
			if w := s.sendJSON(c.path, c.json); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "No token may do that.") {
				t.Errorf("%s: status %d: %s", c.path, w.Code, w.Body)
			}
		}
		s.unchanged(1, 1)
	}
	for _, path := range []string{"/settings/users/lena/sign-out", "/settings/tokens/1/remove"} { // what shuts a door may be done at once
		if w := s.sendJSON(path, ""); w.Code != http.StatusOK {
			t.Errorf("%s: status %d: %s", path, w.Code, w.Body)
		}
	}
}

// sendJSON sends something to the API, as a page of ours would.
func (s *testSite) sendJSON(path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", apiPrefix+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	s.handler.ServeHTTP(w, r)
	return w
}
