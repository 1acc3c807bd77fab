package browser

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/gatepost-mail/gatepost/internal/people"
)

func TestTheOwnerChangesARoleAndInvitesSomebody(t *testing.T) {
	site, err := Open(t.Context(), t.TempDir(), Owner)
	if err != nil {
		t.Fatal(err)
	}
	defer site.Close()
	chromium, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer chromium.Close()
	tab, done := chromium.Tab()
	defer done()
	tab, stop := context.WithTimeout(tab, time.Minute)
	defer stop()

	body := func() string {
		text, err := chromedp.Run(tab, chromedp.Evaluate[string](`document.body.innerText`))
		if err != nil {
			return err.Error() // between two pages
		}
		return text
	}
	sees := func(text string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !strings.Contains(body(), text); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("no %q on the page:\n%s", text, body())
			}
		}
	}
	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(tab, steps...); err != nil {
			t.Fatalf("%v\n%s", err, body())
		}
	}

	do(chromedp.Navigate(site.URL+"/settings/users"), chromedp.Click(chromedp.CSS(`a[href="/settings/users/bob"]`)))
	sees("What is changed holds from the next click on")
	const role = `form:has(input[value="brands"]) `
	do(chromedp.SetValue(chromedp.CSS(role+"select"), "owner"), chromedp.Click(chromedp.CSS(role+"button")))
	sees("bob is viewer of everything, owner of brands now.")
	bob, err := site.Desk.Store.PersonByName(t.Context(), "bob")
	if err != nil || people.Describe(bob.Grants) != "viewer of everything, owner of brands" {
		t.Errorf("%+v, %v", bob.Grants, err)
	}

	const invite = `form[action="/settings/users"] `
	do(chromedp.Navigate(site.URL+"/settings/users"), chromedp.SetValue(chromedp.CSS(invite+"[name=name]"), "frida"),
		chromedp.SetValue(chromedp.CSS(invite+"[name=role]"), "analyst"), chromedp.Click(chromedp.CSS(invite+"button")))
	sees(people.WelcomePath)
	address, err := chromedp.Run(tab, chromedp.Location())
	if err != nil || address != site.URL+"/settings/users" {
		t.Errorf("the link is shown at %s, %v", address, err)
	}
	do(chromedp.Click(chromedp.CSS("a.button.main")))
	sees("frida: analyst of everything")
}
