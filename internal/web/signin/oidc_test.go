package signin

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/people"
)

// withProvider is a house whose people sign in by a provider too.
func withProvider(t *testing.T) (*house, *idp) {
	h := newHouse(t)
	p := newIDP(t, h.clock)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(clientPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.config.Web.Groups = []config.WebGroup{{Name: "shops", Domains: []string{"shop.example.com"}}}
	h.config.Web.OIDC = config.OIDC{
		Issuer: p.server.URL, Name: "Example ID", ClientID: clientID, ClientSecretFile: secret, GroupsClaim: "groups",
		Roles: []config.OIDCRole{
			{Group: "admins", Role: people.Owner, Over: "*"}, {Group: "staff", Role: people.Viewer, Over: "*"}, {Group: "sellers", Role: people.Analyst, Over: "shops"},
		},
	}
	return h, p
}

// byProvider signs in, and gives the last answer.
func (b *browser) byProvider(p *idp, to string) *answer {
	b.h.t.Helper()
	at := b.get("/sign-in/oidc?to=" + url.QueryEscape(to))
	if at.code != http.StatusSeeOther {
		return at
	}
	return b.get(b.path(p.ahead(at.location)))
}

func TestGroupsAtTheProviderAreRolesHere(t *testing.T) {
	h, p := withProvider(t)
	b := h.browser()
	if page := b.get("/sign-in?to=/domains").body; !strings.Contains(page, `<a class="button" href="/sign-in/oidc?to=%2fdomains">Sign in by Example ID</a>`) {
		t.Errorf("the provider is not offered:\n%s", page)
	}
	p.claims = map[string]any{"sub": "1234", "preferred_username": "Grace", "groups": []string{"staff", "sellers", "others"}}
	if got := b.byProvider(p, "/domains?x=1"); got.code != http.StatusSeeOther || got.location != "/domains?x=1" {
		t.Fatalf("%d to %q: %s", got.code, got.location, got.body)
	}
	who := b.who()
	if who == nil || who.Name != "grace" || who.Everywhere() != people.Viewer || who.Over("shop.example.com") != people.Analyst {
		t.Fatalf("%+v", who)
	}
	person, err := h.store.PersonBySubject(t.Context(), p.server.URL+" 1234")
	if err != nil || person.Name != "grace" {
		t.Errorf("%+v: %v", person, err)
	}

	t.Run("they are looked up at each sign-in", func(t *testing.T) {
		p.claims["groups"] = "admins" // one, as some providers write it
		if b.byProvider(p, "/"); b.who().Everywhere() != people.Owner {
			t.Errorf("%v", b.who().Everywhere())
		}
	})
	t.Run("who is in no group is not let in, and has no role any more", func(t *testing.T) {
		p.claims["groups"] = []string{"others", "<b>\u202eevil"}
		got := h.browser().byProvider(p, "/")
		if got.code != http.StatusForbidden || !strings.Contains(got.body, "none of your groups") || !strings.Contains(got.body, "others") || strings.Contains(got.body, "<b>") || strings.Contains(got.body, "\u202e") {
			t.Errorf("%d: %s", got.code, got.body)
		}
		if who := b.who(); who.Anywhere() != people.Nobody {
			t.Errorf("the session that was there has %v", who.Anywhere())
		}
	})
	t.Run("there is no other way in", func(t *testing.T) {
		p.claims["groups"] = "staff"
		b := h.browser()
		b.byProvider(p, "/")
		if page := b.get("/account").body; strings.Contains(page, "new-password") || !strings.Contains(page, "By Example ID") {
			t.Error(page)
		}
		for _, path := range []string{"/account/password", "/account/totp", "/account/passkeys/begin", "/account/passkeys"} {
			if got := b.post(path, url.Values{"password": {good}, "again": {good}}); got.code != http.StatusForbidden {
				t.Errorf("%s: %d", path, got.code)
			}
		}
	})
	t.Run("a stranger in no group leaves nothing", func(t *testing.T) {
		p.claims = map[string]any{"sub": "5678", "preferred_username": "mallory"}
		if got := h.browser().byProvider(p, "/"); got.code != http.StatusForbidden || !strings.Contains(got.body, "names no group") {
			t.Errorf("%d: %s", got.code, got.body)
		}
		if all, err := h.store.People(t.Context()); err != nil || slices.ContainsFunc(all, func(p people.Person) bool { return p.Name == "mallory" }) {
			t.Errorf("%+v: %v", all, err)
		}
	})
	t.Run("groups that only the provider's userinfo has", func(t *testing.T) {
		p.claims = map[string]any{"sub": "9", "email": "joan@example.com"}
		p.userinfo = map[string]any{"sub": "9", "groups": []string{"staff"}}
		b := h.browser()
		if b.byProvider(p, "/"); b.who() == nil || b.who().Name != "joan@example.com" {
			t.Errorf("%+v", b.who())
		}
		p.userinfo["sub"] = "somebody else"
		b = h.browser()
		if got := b.byProvider(p, "/"); got.code != http.StatusForbidden || b.who() != nil {
			t.Errorf("another's groups count: %d", got.code)
		}
	})
	t.Run("who is locked out stays out", func(t *testing.T) {
		p.claims = map[string]any{"sub": "1234", "preferred_username": "grace", "groups": "staff"}
		person, err := h.store.PersonBySubject(t.Context(), p.server.URL+" 1234")
		if err != nil {
			t.Fatal(err)
		}
		person.Disabled = true
		if err := h.store.PutPerson(t.Context(), person); err != nil {
			t.Fatal(err)
		}
		b := h.browser()
		if got := b.byProvider(p, "/"); got.code != http.StatusForbidden || b.who() != nil {
			t.Errorf("%d: %s", got.code, got.body)
		}
	})
}

func TestTokensOfTheProviderThatAreNotGood(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, set := range map[string]func(*idp, *house){
		"another nonce":           func(p *idp, _ *house) { p.change = func(c map[string]any) { c["nonce"] = "another" } },
		"no nonce":                func(p *idp, _ *house) { p.change = func(c map[string]any) { delete(c, "nonce") } },
		"another audience":        func(p *idp, _ *house) { p.change = func(c map[string]any) { c["aud"] = "another" } },
		"several audiences":       func(p *idp, _ *house) { p.change = func(c map[string]any) { c["aud"] = []string{clientID, "another"} } },
		"made for another client": func(p *idp, _ *house) { p.change = func(c map[string]any) { c["azp"] = "another" } },
		"expired": func(p *idp, h *house) {
			p.change = func(c map[string]any) { c["exp"] = h.clock().Add(-time.Second).Unix() }
		},
		"not yet good": func(p *idp, h *house) {
			p.change = func(c map[string]any) { c["nbf"] = h.clock().Add(time.Hour).Unix() }
		},
		"another issuer":         func(p *idp, _ *house) { p.change = func(c map[string]any) { c["iss"] = "https://evil.example" } },
		"no subject":             func(p *idp, _ *house) { p.change = func(c map[string]any) { delete(c, "sub") } },
		"signed by another key":  func(p *idp, _ *house) { p.key = other },
		"another secret of ours": func(p *idp, h *house) { os.WriteFile(h.config.Web.OIDC.ClientSecretFile, []byte("guessed"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			h, p := withProvider(t)
			p.claims = map[string]any{"sub": "1234", "groups": "admins"}
			set(p, h)
			b := h.browser()
			got := b.byProvider(p, "/domains")
			if got.code != http.StatusBadGateway || !strings.Contains(got.body, "Example ID cannot be used now") || b.who() != nil {
				t.Errorf("%d, %+v: %s", got.code, b.who(), got.body)
			}
			if e := h.lastEvent(); name != "another secret of ours" && e.What != "sign-in failed" {
				t.Errorf("event %+v", e)
			}
		})
	}
}

func TestAnAnswerOfTheProviderIsForOneBrowserAndOnce(t *testing.T) {
	h, p := withProvider(t)
	p.claims = map[string]any{"sub": "1234", "groups": "admins"}
	b := h.browser()
	start := func(b *browser) string { return b.path(p.ahead(b.get("/sign-in/oidc").location)) }
	refused := func(b *browser, path string) {
		t.Helper()
		before := p.tokens
		if got := b.get(path); got.code != http.StatusUnprocessableEntity || b.who() != nil || p.tokens != before {
			t.Errorf("%d, %+v, %d codes used: %s", got.code, b.who(), p.tokens-before, got.body)
		}
	}

	refused(h.browser(), start(b)) // in another browser: whoever sends somebody a link signs nobody in as himself
	refused(b, strings.Replace(start(b), "state=", "state=x", 1))
	back := start(b)
	refused(b, strings.Split(back, "&state=")[0])

	back = start(b)
	kept := b.cookies()
	if got := b.get(back); got.code != http.StatusSeeOther || b.who() == nil {
		t.Fatalf("%d: %s", got.code, got.body)
	}
	again := h.browser()
	again.setCookies(kept)
	refused(again, back) // the same state, with the cookie as it was

	late := h.browser()
	back = start(late)
	h.advance(stepFor)
	refused(late, back)

	mixed := h.browser()
	if got := mixed.get(start(mixed) + "&iss=" + url.QueryEscape("https://evil.example")); got.code != http.StatusBadGateway || mixed.who() != nil {
		t.Errorf("of another issuer (RFC 9207): %d", got.code)
	}
}

func TestWhatTheProviderSaysInsteadOfACode(t *testing.T) {
	h, p := withProvider(t)
	b := h.browser()
	back, err := url.Parse(b.path(p.ahead(b.get("/sign-in/oidc").location)))
	if err != nil {
		t.Fatal(err)
	}
	q := back.Query()
	q.Del("code")
	q.Set("error", "access_denied")
	q.Set("error_description", "<script>alert(1)</script>")
	got := b.get("/sign-in/oidc/callback?" + q.Encode())
	if got.code != http.StatusForbidden || !strings.Contains(got.body, "access_denied &lt;script&gt;") || b.who() != nil {
		t.Errorf("%d: %s", got.code, got.body)
	}
}

func TestWithoutTheProviderAPasswordWorks(t *testing.T) {
	h, p := withProvider(t)
	h.person("ada", good)
	p.server.Close()
	b := h.browser()
	got := b.get("/sign-in/oidc?to=/domains")
	if got.code != http.StatusBadGateway || !strings.Contains(got.body, "sign in by password") || !strings.Contains(got.body, `name="to" value="/domains"`) {
		t.Errorf("%d: %s", got.code, got.body)
	}
	if got := b.post("/sign-in", url.Values{"name": {"ada"}, "password": {good}, "to": {"/domains"}}); got.location != "/domains" || b.who() == nil {
		t.Errorf("%d: %s", got.code, got.body)
	}
}

func TestTheProviderIsToldTheAddressOfTheConfiguration(t *testing.T) {
	h, p := withProvider(t)
	h.config.Web.URL = "https://gatepost.example.org"
	to, err := url.Parse(h.browser().get("/sign-in/oidc").location)
	if err != nil || to.Query().Get("redirect_uri") != "https://gatepost.example.org/sign-in/oidc/callback" {
		t.Errorf("%v: %v", to, err)
	}
	h.config.Web.URL = ""
	w := h.raw("GET", "/sign-in/oidc", http.Header{"Host": {"evil.example"}}, nil)
	if w.Code != http.StatusBadGateway {
		t.Errorf("sent back to wherever the browser says: %d to %s", w.Code, w.Header().Get("Location"))
	}
	h.config.Web.OIDC.Issuer = ""
	if got := h.browser().get("/sign-in/oidc?to=/domains"); got.location != "/sign-in?to=%2Fdomains" {
		t.Errorf("without a provider: %q", got.location)
	}
	if got := h.browser().get(h.browser().path(p.server.URL + "/sign-in/oidc/callback?code=1&state=2")); got.code != http.StatusUnprocessableEntity {
		t.Errorf("without a provider: %d", got.code)
	}
}

func TestGroupsAreFoundInClaims(t *testing.T) {
	claims := map[string]any{
		"groups": []any{"a", 7.0, "b", nil}, "role": "c", "realm_access": map[string]any{"roles": []any{"d"}}, "https://example.com/groups": []any{"e"},
		"email": "ada@example.com", "email_verified": true, "number": 7.0, "none": []any{},
	}
	for name, want := range map[string][]string{
		"groups": {"a", "b"}, "role": {"c"}, "realm_access.roles": {"d"}, "https://example.com/groups": {"e"}, "email": {"ada@example.com"},
		"number": nil, "none": nil, "absent": nil, "realm_access": nil, "realm_access.roles.x": nil, "groups.x": nil, "": nil, ".": nil, "realm_access.": nil,
	} {
		if got := groupsOf(claims, name); !slices.Equal(got, want) {
			t.Errorf("groupsOf(%q) = %q, want %q", name, got, want)
		}
	}
	for _, c := range []struct {
		verified any
		counts   bool
	}{{true, true}, {"true", true}, {false, false}, {"false", false}, {"TRUE", false}, {"", false}, {1.0, false}, {nil, false}, {[]any{true}, false}} {
		claims["email_verified"] = c.verified
		if got := groupsOf(claims, "email"); (len(got) > 0) != c.counts {
			t.Errorf("email_verified is %v: %q", c.verified, got)
		}
	}
	delete(claims, "email_verified")
	if got := groupsOf(claims, "email"); got != nil {
		t.Errorf("an address of which nobody says that it was verified counts: %q", got)
	}
	many := make([]any, 5000)
	for i := range many {
		many[i] = "x"
	}
	if got := groupsOf(map[string]any{"groups": many}, "groups"); len(got) != maxGroups {
		t.Errorf("%d groups", len(got))
	}
}

func TestAnAddressIsARoleOnlyWhereItWasVerified(t *testing.T) {
	const address = "ada@example.com"
	for name, c := range map[string]struct {
		token, info map[string]any
		in          bool
	}{
		"verified":                         {map[string]any{"email": address, "email_verified": true}, nil, true},
		"verified, as a text":              {map[string]any{"email": address, "email_verified": "true"}, nil, true},
		"not verified":                     {map[string]any{"email": address, "email_verified": false}, nil, false},
		"nothing is said of it":            {map[string]any{"email": address}, nil, false},
		"only userinfo has it":             {nil, map[string]any{"email": address, "email_verified": true}, true},
		"only userinfo says it of its own": {map[string]any{"email": address}, map[string]any{"email": address, "email_verified": true}, true},
		"userinfo has it, unverified":      {nil, map[string]any{"email": address}, false},
		"the two say it together":          {map[string]any{"email_verified": true}, map[string]any{"email": address}, false},
		"the token says no":                {map[string]any{"email_verified": false}, map[string]any{"email": address, "email_verified": true}, false},
		"the token says no, as a text":     {map[string]any{"email_verified": "false"}, map[string]any{"email": address, "email_verified": true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h, p := withProvider(t)
			h.config.Web.OIDC.GroupsClaim = "email"
			h.config.Web.OIDC.Roles = []config.OIDCRole{{Group: address, Role: people.Owner, Over: "*"}}
			p.claims = map[string]any{"sub": "1234", "preferred_username": "mallory"}
			maps.Copy(p.claims, c.token)
			p.userinfo = map[string]any{"sub": "1234"}
			maps.Copy(p.userinfo, c.info)
			b := h.browser()
			got := b.byProvider(p, "/")
			if (b.who() != nil) != c.in {
				t.Errorf("%d, %+v", got.code, b.who())
			}
			if !c.in && !strings.Contains(got.body, "does not say that it has verified an address of yours") {
				t.Errorf("why is not said: %s", got.body)
			}
		})
	}
}

func TestAnAnswerOfTheProviderIsTakenAtOurOwnPort(t *testing.T) {
	h, _ := withProvider(t)
	for _, c := range []struct {
		host string
		want int
	}{{"localhost:8080", http.StatusSeeOther}, {"127.0.0.1:8080", http.StatusSeeOther}, {"localhost:3000", http.StatusBadGateway}, {"127.0.0.1:3000", http.StatusBadGateway}} {
		if w := h.raw("GET", "/sign-in/oidc", http.Header{"Host": {c.host}}, nil); w.Code != c.want {
			t.Errorf("%s: %d to %s", c.host, w.Code, w.Header().Get("Location"))
		}
	}
}

func FuzzGroupsAreTextsOfTheClaims(f *testing.F) {
	f.Add(`{"groups":["a",7,"b"]}`, "groups")
	f.Add(`{"realm_access":{"roles":["d"]}}`, "realm_access.roles")
	f.Add(`{"email":"a@example.com","email_verified":false}`, "email")
	f.Fuzz(func(t *testing.T, text, name string) {
		var claims map[string]any
		if json.Unmarshal([]byte(text), &claims) != nil {
			return
		}
		got := groupsOf(claims, name)
		if len(got) > maxGroups {
			t.Errorf("%d groups", len(got))
		}
		for _, g := range got {
			if quoted, _ := json.Marshal(claims); !strings.Contains(string(quoted), strings.Trim(jsonText(g), `"`)) {
				t.Errorf("%q is not in %s", g, text)
			}
		}
	})
}

func jsonText(s string) string {
	b, _ := json.Marshal(s) // a text always has one
	return string(b)
}

func TestGrantsAreTheHighestOverEachGroup(t *testing.T) {
	o := config.OIDC{Roles: []config.OIDCRole{
		{Group: "a", Role: people.Analyst, Over: "*"}, {Group: "b", Role: people.Viewer, Over: "*"}, {Group: "b", Role: people.Owner, Over: "shops"}, {Group: "c", Role: people.Owner, Over: "*"},
	}}
	want := []people.Grant{{Over: "*", Role: people.Analyst}, {Over: "shops", Role: people.Owner}}
	if got := grantsOf(o, []string{"b", "a"}); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := grantsOf(o, []string{"A", "x", ""}); got != nil {
		t.Errorf("%v", got)
	}
}
