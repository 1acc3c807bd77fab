package signin

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/gatepost-mail/gatepost/internal/people"
)

const other = "another good password entirely"

func TestChangingAPassword(t *testing.T) {
	h := newHouse(t)
	ada := h.person("ada", good)
	elsewhere, b := h.browser().signIn("ada", good), h.browser().signIn("ada", good)
	for name, c := range map[string]struct {
		form url.Values
		want string
	}{
		"the old one is wrong":  {url.Values{"old": {"wrong"}, "password": {other}, "again": {other}}, "The old password is wrong."},
		"there is no old one":   {url.Values{"password": {other}, "again": {other}}, "The old password is wrong."},
		"two that are not same": {url.Values{"old": {good}, "password": {other}, "again": {good}}, "not the same"},
		"too short":             {url.Values{"old": {good}, "password": {"short"}, "again": {"short"}}, `role="alert"`},
	} {
		if got := b.post("/account/password", c.form); got.code != http.StatusUnprocessableEntity || !strings.Contains(got.body, c.want) || strings.Contains(got.body, other) {
			t.Errorf("%s: %d %s", name, got.code, got.body)
		}
	}
	h.advance(10 * time.Minute)
	if got := b.post("/account/password", url.Values{"old": {good}, "password": {other}, "again": {other}}); got.location != "/account" {
		t.Fatalf("%d: %s", got.code, got.body)
	}
	if got := b.get("/account"); !strings.Contains(got.body, "The password is changed") {
		t.Error(got.body)
	}
	if got := b.get("/account"); strings.Contains(got.body, "The password is changed") {
		t.Error("it is said twice")
	}
	if elsewhere.who() != nil || b.who() == nil || len(h.sessions(ada.ID)) != 1 {
		t.Error("other sessions go on, or this one ended")
	}
	if h.lastEvent().What != "change-password" {
		t.Errorf("%v", h.happened())
	}
	h.browser().signIn("ada", other)

	t.Run("old passwords are not guessed", func(t *testing.T) {
		h.advance(10 * time.Minute)
		b := h.browser().signIn("ada", other)
		var got *answer
		for range 100 {
			if got = b.post("/account/password", url.Values{"old": {"guess"}, "password": {good}, "again": {good}}); strings.Contains(got.body, "too many tries") {
				return
			}
		}
		t.Error(got.body)
	})
}

func TestHowOneSignsInIsChangedOnlyShortlyAfterSigningIn(t *testing.T) {
	h := newHouse(t)
	ada := h.person("ada", good)
	b := h.browser().signIn("ada", good)
	h.advance(people.FreshFor)
	page := b.get("/account").body
	if !strings.Contains(page, "Sign in again") || strings.Contains(page, `autocomplete="new-password"`) {
		t.Error(page)
	}
	if got := b.get("/account/totp"); got.code != http.StatusForbidden {
		t.Errorf("%d", got.code)
	}
	for _, path := range []string{"/account/password", "/account/totp", "/account/totp/off", "/account/passkeys/begin", "/account/passkeys", "/account/passkeys/AA"} {
		if got := b.post(path, url.Values{"old": {good}, "password": {other}, "again": {other}}); got.code != http.StatusForbidden || !strings.Contains(got.body, "Nothing was changed") {
			t.Errorf("%s: %d %s", path, got.code, got.body)
		}
	}
	if now := h.again(ada.ID); now.Password != ada.Password {
		t.Error("the password was changed")
	}
	if got := b.post("/sign-out", url.Values{"to": {"/account"}}); got.location != "/sign-in?to=%2Faccount" {
		t.Errorf("%q", got.location)
	}
}

var recoveryCode = regexp.MustCompile(`<li><code>([a-z0-9-]+)</code>`)

func TestTheSecondFactor(t *testing.T) {
	h := newHouse(t)
	ada := h.person("ada", good)
	b := h.browser().signIn("ada", good)
	got := b.get("/account/totp")
	if got.code != http.StatusOK || !strings.Contains(got.body, `<svg class="qr"`) || !strings.Contains(got.body, `href="otpauth://totp/Gatepost:ada?`) || !strings.Contains(got.body, `autocomplete="one-time-code"`) {
		t.Fatalf("%d: %s", got.code, got.body)
	}
	secret := strings.ReplaceAll(regexp.MustCompile(`<code>([A-Z2-7 ]+)</code>`).FindStringSubmatch(got.body)[1], " ", "")
	code := func() string {
		t.Helper()
		c, err := totp.GenerateCode(secret, h.clock())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if got := b.post("/account/totp", url.Values{"code": {"000000"}}); got.code != http.StatusUnprocessableEntity || !strings.Contains(got.body, secret[:4]) {
		t.Errorf("a wrong code: %d %s", got.code, got.body)
	}
	if h.again(ada.ID).TOTP != "" {
		t.Fatal("it is on")
	}
	got = b.post("/account/totp", url.Values{"code": {code()[:3] + " " + code()[3:]}})
	codes := recoveryCode.FindAllStringSubmatch(got.body, -1)
	if got.code != http.StatusOK || len(codes) < 8 || h.again(ada.ID).TOTP != secret {
		t.Fatalf("%d: %s", got.code, got.body)
	}
	if got := b.get("/account/totp"); got.location != "/account" {
		t.Errorf("it is set up twice: %d", got.code)
	}
	if h.lastEvent().What != "totp-on" {
		t.Errorf("%v", h.happened())
	}

	begin := func(b *browser) {
		t.Helper()
		h.advance(2 * time.Minute)
		got := b.post("/sign-in", url.Values{"name": {"ada"}, "password": {good}, "to": {"/domains"}})
		if got.location != "/sign-in/code" || b.who() != nil {
			t.Fatalf("the password is enough: %d to %q", got.code, got.location)
		}
		if page := b.get("/sign-in/code"); page.code != http.StatusOK || !strings.Contains(page.body, `autocomplete="one-time-code"`) {
			t.Errorf("%d: %s", page.code, page.body)
		}
	}
	t.Run("a code is good once", func(t *testing.T) {
		b := h.browser()
		begin(b)
		if got := b.post("/sign-in/code", url.Values{"code": {"12345"}}); got.code != http.StatusUnprocessableEntity || b.who() != nil {
			t.Errorf("%d", got.code)
		}
		kept := b.cookies()
		used := code()
		if got := b.post("/sign-in/code", url.Values{"code": {used}}); got.location != "/domains" || b.who() == nil {
			t.Fatalf("%d: %s", got.code, got.body)
		}
		if len(b.kept) != 1 {
			t.Errorf("cookies are left: %v", b.kept)
		}
		again := h.browser()
		again.setCookies(kept)
		if got := again.post("/sign-in/code", url.Values{"code": {used}}); got.code != http.StatusUnprocessableEntity || again.who() != nil {
			t.Errorf("the same step again: %d", got.code)
		}
		again = h.browser()
		again.post("/sign-in", url.Values{"name": {"ada"}, "password": {good}})
		if got := again.post("/sign-in/code", url.Values{"code": {used}}); got.code != http.StatusUnprocessableEntity || again.who() != nil || !strings.Contains(got.body, "was used") {
			t.Errorf("the same code again: %d", got.code)
		}
	})
	t.Run("a recovery code is good once", func(t *testing.T) {
		b := h.browser()
		begin(b)
		if got := b.post("/sign-in/code", url.Values{"code": {codes[0][1]}}); b.who() == nil {
			t.Fatalf("%d: %s", got.code, got.body)
		}
		if page := b.get("/account").body; !strings.Contains(page, "9 recovery codes are left") {
			t.Error(page)
		}
		b = h.browser()
		begin(b)
		if b.post("/sign-in/code", url.Values{"code": {codes[0][1]}}); b.who() != nil {
			t.Error("it is good twice")
		}
	})
	t.Run("codes are not guessed", func(t *testing.T) {
		b := h.browser()
		begin(b)
		var got *answer
		for range 100 {
			if got = b.post("/sign-in/code", url.Values{"code": {"000000"}}); got.code == http.StatusTooManyRequests {
				break
			}
		}
		if !strings.Contains(got.body, "too many tries") {
			t.Error(got.body)
		}
		h.advance(24 * time.Hour)
	})
	t.Run("the step is for this browser and a while", func(t *testing.T) {
		if got := h.browser().post("/sign-in/code", url.Values{"code": {code()}}); got.code != http.StatusUnprocessableEntity {
			t.Errorf("without a password: %d", got.code)
		}
		if got := h.browser().get("/sign-in/code"); got.location != "/sign-in" {
			t.Errorf("without a password: %d", got.code)
		}
		b := h.browser()
		begin(b)
		h.advance(stepFor)
		if b.post("/sign-in/code", url.Values{"code": {code()}}); b.who() != nil {
			t.Error("it is good for ever")
		}
	})
	t.Run("who is locked out between the steps", func(t *testing.T) {
		h.person("eve", good)
		b := h.browser()
		begin(b)
		p := h.again(ada.ID)
		p.Disabled = true
		if err := h.store.PutPerson(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if got := b.post("/sign-in/code", url.Values{"code": {code()}}); b.who() != nil || !strings.Contains(got.body, wrongPassword) {
			t.Errorf("%d: %s", got.code, got.body)
		}
		p = h.again(ada.ID)
		p.Disabled = false
		if err := h.store.PutPerson(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("a password that is another between the steps", func(t *testing.T) {
		b := h.browser()
		begin(b)
		if err := h.office.SetPassword(t.Context(), ada.ID, other); err != nil {
			t.Fatal(err)
		}
		if b.post("/sign-in/code", url.Values{"code": {code()}}); b.who() != nil {
			t.Error("the one before is good for a moment still")
		}
		if err := h.office.SetPassword(t.Context(), ada.ID, good); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("a secret is for whom it was made", func(t *testing.T) {
		eve := h.browser().signIn("eve", good)
		eve.get("/account/totp")
		h.person("mallory", good)
		mallory := h.browser().signIn("mallory", good)
		mallory.kept["gatepost-totp"] = eve.kept["gatepost-totp"]
		if got := mallory.post("/account/totp", url.Values{"code": {"000000"}}); got.location != "/account/totp" {
			t.Errorf("%d to %q", got.code, got.location)
		}
	})
	t.Run("it is turned off", func(t *testing.T) {
		b := h.browser()
		begin(b)
		b.post("/sign-in/code", url.Values{"code": {code()}})
		if got := b.post("/account/totp/off", nil); got.location != "/account" || h.again(ada.ID).TOTP != "" {
			t.Errorf("%d: %s", got.code, got.body)
		}
		h.advance(time.Minute)
		h.browser().signIn("ada", good)
	})
}

func TestSessionsAreEndedByWhoseTheyAre(t *testing.T) {
	h := newHouse(t)
	ada := h.person("ada", good)
	h.person("eve", good)
	laptop, phone := h.browser(), h.browser()
	phone.header.Set("User-Agent", "Phone <b>\u202e"+strings.Repeat("x", 500))
	laptop.signIn("ada", good)
	phone.signIn("ada", good)
	eve := h.browser().signIn("eve", good)
	page := laptop.get("/account").body
	if strings.Contains(page, "<b>") || strings.Contains(page, "\u202e") || strings.Contains(page, strings.Repeat("x", 300)) || !strings.Contains(page, "Phone &lt;b&gt;") || !strings.Contains(page, "Test/1") {
		t.Error(page)
	}
	ends := regexp.MustCompile(`action="(/account/sessions/[0-9a-f]+)"`).FindAllStringSubmatch(page, -1)
	if len(ends) != 1 {
		t.Fatalf("%d sessions to end:\n%s", len(ends), page)
	}
	eve.post(ends[0][1], nil)
	if phone.who() == nil {
		t.Fatal("somebody else ended it")
	}
	if got := laptop.post(ends[0][1], nil); got.location != "/account" || phone.who() != nil || laptop.who() == nil {
		t.Errorf("%d: %s", got.code, got.body)
	}
	if got := phone.get("/account"); got.location != "/sign-in?to=%2Faccount" {
		t.Errorf("%d", got.code)
	}

	phone.signIn("ada", good)
	if got := laptop.post("/account/sessions", nil); got.location != "/account" || phone.who() != nil || laptop.who() == nil || eve.who() == nil {
		t.Errorf("%d: %s", got.code, got.body)
	}
	if n := len(h.sessions(ada.ID)); n != 1 {
		t.Errorf("%d sessions", n)
	}
	if e := h.lastEvent(); e.What != "end-sessions" || e.Who != "ada" {
		t.Errorf("%+v", e)
	}
	before := len(h.events())
	for range 10 {
		laptop.post("/account/sessions", nil)
		laptop.post("/account/totp/off", nil)
	}
	if n := len(h.events()); n != before {
		t.Errorf("where nothing is done, %d lines say so: %v", n-before, h.happened())
	}
}

func TestBrowsersAreCalledAsPeopleCallThem(t *testing.T) {
	for agent, want := range map[string]string{
		"": "does not say",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36":                                   "Chrome on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36 Edg/144.0.0.0":           "Edge on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15":                   "Safari on macOS",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Android 16; Mobile; rv:146.0) Gecko/146.0 Firefox/146.0":                                                                    "Firefox on Android",
		"Mozilla/5.0 Firefox/1": "Firefox", "curl/8.0": "curl/8.0", "Chrome/1": "Chrome/1", strings.Repeat("x", 100): strings.Repeat("x", 60),
	} {
		if got := deviceOf(agent); got != want {
			t.Errorf("%q is %q, want %q", agent, got, want)
		}
	}
}

func TestTheAccountSaysWhatOneMayDo(t *testing.T) {
	h := newHouse(t)
	h.person("ada", good)
	h.person("eve", good, people.Grant{Over: "shops", Role: people.Analyst}, people.Grant{Over: people.Everything, Role: people.Viewer})
	page := h.browser().signIn("eve", good).get("/account").body
	if !strings.Contains(page, "analyst of the group shops") || !strings.Contains(page, "viewer of everything") {
		t.Error(page)
	}
}
