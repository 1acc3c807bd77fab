package signin

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
)

func TestSigningInByPassword(t *testing.T) {
	h := newHouse(t)
	ada := h.person("ada", good)
	b := h.browser()
	page := b.get("/sign-in?to=/domains").body
	for _, part := range []string{`autocomplete="username"`, `autocomplete="current-password"`, `name="to" value="/domains"`, "autofocus"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page has no %s:\n%s", part, page)
		}
	}
	got := b.post("/sign-in", url.Values{"name": {" Ada "}, "password": {good}, "to": {"/domains"}})
	if got.code != http.StatusSeeOther || got.location != "/domains" {
		t.Fatalf("%d to %q: %s", got.code, got.location, got.body)
	}
	who := b.who()
	if who == nil || who.Name != "ada" || who.Person != ada.ID || who.Everywhere() != people.Owner || who.Address != "127.0.0.1" {
		t.Fatalf("%+v", who)
	}
	if s := h.sessions(ada.ID); len(s) != 1 || s[0].Method != "password" || s[0].Agent != "Test/1" || s[0].Address != "127.0.0.1" {
		t.Errorf("%+v", s)
	}
	if got := b.get("/sign-in?to=/domains"); got.location != "/domains" {
		t.Errorf("who is signed in is asked to: %d", got.code)
	}

	t.Run("signing in again makes another cookie, and ends the session before", func(t *testing.T) {
		before := b.cookies()
		b.signIn("ada", good)
		if before["gatepost-session"] == b.kept["gatepost-session"] {
			t.Error("the cookie is the same")
		}
		old := h.browser()
		old.setCookies(before)
		if old.who() != nil || len(h.sessions(ada.ID)) != 1 {
			t.Errorf("the session before goes on: %d sessions", len(h.sessions(ada.ID)))
		}
	})
	t.Run("a cookie that somebody else put in is not taken on", func(t *testing.T) {
		b := h.browser()
		b.setCookies(map[string]string{"gatepost-session": "chosen"})
		if b.signIn("ada", good); b.kept["gatepost-session"] == "chosen" {
			t.Error("it is the session now")
		}
	})
	t.Run("signing out ends the session", func(t *testing.T) {
		before := b.cookies()
		if got := b.post("/sign-out", nil); got.location != "/sign-in" || len(b.kept) != 0 {
			t.Errorf("%d to %q, %v", got.code, got.location, b.kept)
		}
		b.setCookies(before)
		if b.who() != nil {
			t.Error("the cookie is good still")
		}
	})
	t.Run("it leads nowhere else", func(t *testing.T) {
		for _, to := range []string{"//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "%2F%2Fevil.example"} {
			h.advance(time.Minute) // or there are too many tries
			b := h.browser()
			if got := b.post("/sign-in", url.Values{"name": {"ada"}, "password": {good}, "to": {to}}); got.location != "/" {
				t.Errorf("%q leads to %q", to, got.location)
			}
			if got := b.get("/sign-in?to=" + url.QueryEscape(to)); got.location != "/" {
				t.Errorf("%q leads to %q", to, got.location)
			}
		}
	})
}

func TestAllFailedSignInsLookAlike(t *testing.T) {
	h := newHouse(t)
	h.person("ada", good)
	locked := h.person("eve", good)
	locked.Disabled = true
	if err := h.store.PutPerson(t.Context(), locked); err != nil {
		t.Fatal(err)
	}
	h.person("nopass", "")
	var first string
	for _, c := range []struct{ name, password string }{{"ada", "wrong"}, {"nobody", good}, {"eve", good}, {"nopass", ""}, {"nopass", good}, {"", ""}} {
		b := h.browser()
		got := b.post("/sign-in", url.Values{"name": {c.name}, "password": {c.password}})
		if got.code != http.StatusUnprocessableEntity || !strings.Contains(got.body, wrongPassword) || b.who() != nil {
			t.Errorf("%v: %d %s", c, got.code, got.body)
		}
		body := strings.Replace(got.body, `value="`+c.name+`"`, `value=""`, 1)
		if first == "" {
			first = body
		}
		if body != first {
			t.Errorf("%v looks other:\n%s\n%s", c, body, first)
		}
		if strings.Contains(got.body, good) {
			t.Error("the password is on the page")
		}
	}
	for _, e := range h.events() {
		if e.What != "sign-in failed" || e.About == "nobody" {
			t.Errorf("%+v", e)
		}
	}
	if !slices.ContainsFunc(h.events(), func(e people.Event) bool { return e.About == "ada" && e.Address == "127.0.0.1" }) {
		t.Errorf("%+v", h.events())
	}
}

func TestManyTriesAreToWait(t *testing.T) {
	h := newHouse(t)
	h.person("ada", good)
	b := h.browser()
	var got *answer
	for range 200 {
		if got = b.post("/sign-in", url.Values{"name": {"ada"}, "password": {"wrong"}}); got.code != http.StatusUnprocessableEntity {
			break
		}
	}
	if got.code != http.StatusTooManyRequests || !strings.Contains(got.body, "too many tries. Wait ") || got.header.Get("Retry-After") == "" {
		t.Fatalf("%d: %s", got.code, got.body)
	}
	if got := b.post("/sign-in", url.Values{"name": {"ada"}, "password": {good}}); got.code != http.StatusTooManyRequests {
		t.Errorf("a right password is looked at: %d", got.code)
	}
	h.advance(24 * time.Hour)
	b.signIn("ada", good)
}

func TestCookiesAndTokensDoNotStandInForEachOther(t *testing.T) {
	h := newHouse(t)
	h.person("ada", good)
	b := h.browser().signIn("ada", good)
	cookie := "gatepost-session=" + b.kept["gatepost-session"]
	token := newToken(h, "ada")
	for _, c := range []struct {
		name, method, path string
		header             http.Header
		want               bool
	}{
		{"a cookie on a page", "GET", "/domains", http.Header{"Cookie": {cookie}}, true},
		{"a cookie at the API", "GET", "/api/v1/domains", http.Header{"Cookie": {cookie}}, true},
		{"a token at the API", "GET", "/api/v1/domains", http.Header{"Authorization": {"Bearer " + token}}, true},
		{"a token at the API, in lower case", "GET", "/api/v1/domains", http.Header{"Authorization": {"bearer " + token}}, true},
		{"a token that changes something", "POST", "/api/v1/domains", http.Header{"Authorization": {"Bearer " + token}}, true},
		{"a token on a page", "GET", "/domains", http.Header{"Authorization": {"Bearer " + token}}, false},
		{"a token as a cookie", "GET", "/api/v1/domains", http.Header{"Cookie": {"gatepost-session=" + token}}, false},
		{"a cookie as a token", "GET", "/api/v1/domains", http.Header{"Authorization": {"Bearer " + b.kept["gatepost-session"]}}, false},
		{"a wrong token beside a cookie", "GET", "/api/v1/domains", http.Header{"Authorization": {"Bearer x"}, "Cookie": {cookie}}, false},
		{"an empty token beside a cookie", "GET", "/api/v1/domains", http.Header{"Authorization": {"Bearer "}, "Cookie": {cookie}}, false},
		{"a cookie that changes something, from nowhere", "POST", "/domains", http.Header{"Cookie": {cookie}}, false},
		{"a cookie that changes something, at the API, from nowhere", "DELETE", "/api/v1/domains", http.Header{"Cookie": {cookie}}, false},
		{"a cookie that changes something, from here", "POST", "/domains", http.Header{"Cookie": {cookie}, "Sec-Fetch-Site": {"same-origin"}}, true},
		{"a cookie that changes something, from here, by an old browser", "POST", "/domains", http.Header{"Cookie": {cookie}, "Origin": {"http://127.0.0.1:8080"}}, true},
		{"a cookie of HTTP by HTTPS", "GET", "/domains", http.Header{"Cookie": {cookie}, "Test-Scheme": {"https"}}, false},
		{"a cookie of HTTPS by HTTP", "GET", "/domains", http.Header{"Cookie": {"__Host-" + cookie}}, false},
		{"nothing", "GET", "/domains", nil, false},
	} {
		w := h.raw(c.method, c.path, c.header, nil)
		if got := w.Header().Get("Test-Who") != ""; got != c.want {
			t.Errorf("%s: somebody is there: %v, want %v (status %d)", c.name, got, c.want, w.Code)
		}
	}
	for _, header := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}} {
		header.Set("Cookie", cookie)
		for _, path := range []string{"/sign-in", "/sign-out", "/account/password", "/account/sessions", "/welcome/x"} {
			if w := h.raw("POST", path, header, url.Values{}); w.Code != http.StatusForbidden {
				t.Errorf("%s of another site (%v): %d", path, header, w.Code)
			}
		}
	}
	if b.who() == nil {
		t.Error("another site has signed somebody out")
	}
}

func TestCookiesByHTTPS(t *testing.T) {
	h := newHouse(t)
	h.person("ada", good)
	b := h.browser()
	b.header.Set("Test-Scheme", "https")
	b.signIn("ada", good)
	if len(b.kept) != 1 || b.kept["__Host-gatepost-session"] == "" {
		t.Errorf("%v", b.kept)
	}
}

func TestPagesWithoutHTTPSSayWhatThatMeans(t *testing.T) {
	h := newHouse(t)
	const text = "whoever is on the way can read"
	b := h.browser()
	b.header.Set("Test-Address", "192.0.2.7")
	if !strings.Contains(b.get("/sign-in").body, text) {
		t.Error("it is not said")
	}
	b.header.Set("Test-Scheme", "https")
	if strings.Contains(b.get("/sign-in").body, text) || strings.Contains(h.browser().get("/sign-in").body, text) {
		t.Error("it is said of HTTPS, or of this machine")
	}
}

func TestThePagesInsideNeedASession(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	if got := b.get("/account"); got.location != "/sign-in?to=%2Faccount" {
		t.Errorf("%d to %q", got.code, got.location)
	}
	for _, path := range []string{
		"/account/password", "/account/totp", "/account/totp/off", "/account/passkeys/begin", "/account/passkeys", "/account/passkeys/AA", "/account/sessions", "/account/sessions/00",
	} {
		if got := b.post(path, nil); got.code != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, got.code)
		}
		if got := b.get(path); path != "/account/totp" && got.code != http.StatusMethodNotAllowed && got.header.Get("Test-Who") != "" {
			t.Errorf("GET %s: %d", path, got.code)
		}
	}
	h.person("ada", good)
	b.signIn("ada", good)
	h.advance(365 * 24 * time.Hour)
	if got := b.get("/account"); got.code != http.StatusSeeOther {
		t.Errorf("a session is good for a year: %d", got.code)
	}
}

func TestABodyIsBounded(t *testing.T) {
	h := newHouse(t)
	if got := h.browser().post("/sign-in", url.Values{"name": {strings.Repeat("a", maxBody)}}); got.code != http.StatusBadRequest {
		t.Errorf("%d", got.code)
	}
}
