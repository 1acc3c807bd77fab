package browser

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"
)

// A seat is somebody at a browser.
type seat struct {
	t    *testing.T
	tab  context.Context
	base string

	mu   sync.Mutex
	said []string // on the console
}

func sit(t *testing.T, c *Chromium, base string) *seat {
	t.Helper()
	tab, done := c.Tab()
	t.Cleanup(done)
	tab, stop := context.WithTimeout(tab, time.Minute)
	t.Cleanup(stop)
	s := &seat{t: t, tab: tab, base: base}
	s.do(chromedp.Navigate("about:blank"))
	messages := chromedp.Console(tab)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			s.mu.Lock()
			s.said = append(s.said, m.String())
			s.mu.Unlock()
		}
	}()
	return s
}

func (s *seat) do(steps ...chromedp.Action[chromedp.Void]) {
	s.t.Helper()
	if err := chromedp.Do(s.tab, steps...); err != nil {
		s.t.Fatalf("%v\n%s", err, s.body())
	}
}

func (s *seat) open(path string) {
	s.t.Helper()
	s.do(chromedp.Navigate(s.base + path))
}

// body is what can be read on the page.
func (s *seat) body() string {
	ctx, stop := context.WithTimeout(s.tab, 5*time.Second)
	defer stop()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// send fills in a form, and presses its button.
func (s *seat) send(action string, fields ...string) {
	s.t.Helper()
	form := `form[action="` + action + `"] `
	for i := 0; i < len(fields); i += 2 {
		s.do(chromedp.SetValue(chromedp.CSS(form+`[name="`+fields[i]+`"]`), fields[i+1]))
	}
	s.do(chromedp.Click(chromedp.CSS(form + "button")))
}

// sees waits until a text is on the page.
func (s *seat) sees(text string) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if strings.Contains(s.body(), text) {
			return
		}
	}
	s.t.Fatalf("no %q on the page:\n%s", text, s.body())
}

func (s *seat) path() string {
	s.t.Helper()
	at, err := chromedp.Run(s.tab, chromedp.Location())
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimPrefix(at, s.base)
}

// silent looks that nothing broke the rules that a page is under.
func (s *seat) silent() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range s.said {
		// A form that is wrong is answered by a status of 4xx, and the browser says so.
		if !strings.Contains(text, "the server responded with a status of") {
			s.t.Errorf("on the console: %s", text)
		}
	}
}

func TestSigningInByABrowser(t *testing.T) {
	ctx := t.Context()
	site, err := Open(ctx, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer site.Close()
	chromium, err := Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer chromium.Close()
	base := strings.Replace(site.URL, "127.0.0.1", "localhost", 1)
	const password, domains = "correct horse battery staple", "/domains"

	token, err := site.Office.FirstLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ada := sit(t, chromium, base)
	ada.open("/welcome/" + token)
	ada.sees("This link is good for that once.")
	ada.do(chromedp.SetValue(chromedp.CSS(`[name="name"]`), "ada"), chromedp.SetValue(chromedp.CSS(`[name="password"]`), password),
		chromedp.SetValue(chromedp.CSS(`[name="again"]`), password), chromedp.Click(chromedp.CSS("button.main")))
	ada.sees("Sign out")
	if ada.path() != domains {
		t.Errorf("at %s", ada.path())
	}

	ada.send("/sign-out")
	ada.sees("You cannot sign in?")
	ada.open("/domains?x=1")
	if ada.path() != "/sign-in?to=%2Fdomains%3Fx%3D1" {
		t.Errorf("at %s", ada.path())
	}
	ada.send("/sign-in", "name", "ada", "password", "wrong")
	ada.sees("The name or the password is wrong.")
	ada.send("/sign-in", "password", password)
	ada.sees("Sign out")
	if ada.path() != "/domains?x=1" {
		t.Errorf("at %s", ada.path())
	}

	// A second factor.
	ada.open("/account/totp")
	ada.sees("Read the picture")
	secret, err := chromedp.Run(ada.tab, chromedp.Evaluate[string](`document.querySelector(".totp code").textContent.replaceAll(" ", "")`))
	if err != nil {
		t.Fatal(err)
	}
	wide, err := chromedp.Run(ada.tab, chromedp.Evaluate[float64](`document.querySelector(".qr").getBoundingClientRect().width`))
	if err != nil || wide < 150 {
		t.Errorf("the picture is %v wide: %v", wide, err)
	}
	code := func() string {
		text, err := totp.GenerateCode(secret, site.Now())
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	ada.send("/account/totp", "code", code())
	ada.sees("They are shown only now")
	ada.send("/sign-out")
	ada.sees("You cannot sign in?")
	site.Advance(2 * time.Minute)
	ada.send("/sign-in", "name", "ada", "password", password)
	ada.sees("One more step")
	used := code()
	ada.send("/sign-in/code", "code", used)
	ada.sees("Sign out")

	phone := sit(t, chromium, base)
	phone.open("/sign-in")
	phone.send("/sign-in", "name", "ada", "password", password)
	phone.sees("One more step")
	phone.send("/sign-in/code", "code", used)
	phone.sees("The code is wrong, or was used.")
	site.Advance(time.Minute)
	phone.send("/sign-in/code", "code", code())
	phone.sees("Sign out")

	// A passkey, which asks for neither password nor code.
	if _, err := chromedp.Call(ada.tab, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	device, err := chromedp.Call(ada.tab, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true, HasUserVerification: true,
		IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
	if err != nil {
		t.Fatal(err)
	}
	ada.open("/account")
	ada.send("/account/passkeys", "name", "Laptop")
	ada.sees("The passkey is there.")
	ada.sees("Laptop")
	ada.send("/account/passkeys", "name", "Laptop again")
	ada.sees("This device has a passkey for you already.")
	ada.send("/sign-out")
	ada.sees("You cannot sign in?")
	ada.send("/sign-in/passkey")
	ada.sees("Sign out")

	// A device that was not unlocked is not enough.
	ada.send("/sign-out")
	ada.sees("You cannot sign in?")
	unlocked := func(is bool) {
		t.Helper()
		if _, err := chromedp.Call(ada.tab, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: device.AuthenticatorID, IsUserVerified: is}); err != nil {
			t.Fatal(err)
		}
	}
	unlocked(false)
	ada.send("/sign-in/passkey")
	ada.sees("Nothing was done: it was cancelled, or it took too long.")
	unlocked(true)
	ada.send("/sign-in/passkey")
	ada.sees("Sign out")

	// The phone is lost.
	ada.open("/account")
	ada.do(chromedp.Click(chromedp.CSS(`form[action^="/account/sessions/"] button`)))
	ada.sees("The session has ended.")
	phone.open("/domains")
	phone.sees("You cannot sign in?")

	ada.silent()
	phone.silent()
}
