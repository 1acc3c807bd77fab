package signin

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
)

func TestTheFirstUserComesByALinkThatIsGoodOnce(t *testing.T) {
	h := newHouse(t)
	path := "/welcome/" + newLink(h, people.Link{Grants: everything, Expires: h.clock().Add(time.Hour)})
	for range 3 { // a program that looks through mail, then a person
		got := h.browser().get(path)
		if got.code != http.StatusOK || strings.Count(got.body, `autocomplete="new-password"`) != 2 || !strings.Contains(got.body, `autocomplete="username"`) {
			t.Fatalf("%d: %s", got.code, got.body)
		}
	}
	b := h.browser()
	for name, c := range map[string]struct {
		form url.Values
		want string
	}{
		"two passwords":      {url.Values{"name": {"ada"}, "password": {good}, "again": {"another"}}, "not the same"},
		"too short":          {url.Values{"name": {"ada"}, "password": {"short"}, "again": {"short"}}, `role="alert"`},
		"no name":            {url.Values{"password": {good}, "again": {good}}, `role="alert"`},
		"a name that is odd": {url.Values{"name": {"<b>\u202e"}, "password": {good}, "again": {good}}, `role="alert"`},
	} {
		if got := b.post(path, c.form); got.code != http.StatusUnprocessableEntity || !strings.Contains(got.body, c.want) || strings.Contains(got.body, good) || b.who() != nil {
			t.Errorf("%s: %d %s", name, got.code, got.body)
		}
	}
	form := url.Values{"name": {"Ada"}, "password": {good}, "again": {good}}
	if got := b.post(path, form); got.code != http.StatusSeeOther || got.location != "/" {
		t.Fatalf("%d: %s", got.code, got.body)
	}
	if who := b.who(); who == nil || who.Name != "ada" || who.Everywhere() != people.Owner {
		t.Errorf("%+v", who)
	}
	for _, got := range []*answer{h.browser().get(path), h.browser().post(path, form), h.browser().get("/welcome/x")} {
		if got.code != http.StatusGone || !strings.Contains(got.body, "gatepost users link NAME") {
			t.Errorf("%d: %s", got.code, got.body)
		}
	}
	h.browser().signIn("ada", good)

	t.Run("a name is taken once", func(t *testing.T) {
		path := "/welcome/" + newLink(h, people.Link{Grants: everything, Expires: h.clock().Add(time.Hour)})
		if got := h.browser().post(path, form); got.code != http.StatusUnprocessableEntity || !strings.Contains(got.body, "Somebody has that name") {
			t.Errorf("%d: %s", got.code, got.body)
		}
		b := h.browser()
		if got := b.post(path, url.Values{"name": {"grace"}, "password": {good}, "again": {good}}); got.code != http.StatusSeeOther || b.who().Name != "grace" {
			t.Errorf("the link is used up by a name that was taken: %d %s", got.code, got.body)
		}
	})
	t.Run("a name that is decided stays", func(t *testing.T) {
		path := "/welcome/" + newLink(h, people.Link{Name: "joan", Grants: everything, Expires: h.clock().Add(time.Hour)})
		if got := h.browser().get(path); !strings.Contains(got.body, "readonly") || !strings.Contains(got.body, `value="joan"`) {
			t.Error(got.body)
		}
		b := h.browser()
		if b.post(path, form); b.who() == nil || b.who().Name != "joan" {
			t.Errorf("%+v", b.who())
		}
	})
	t.Run("one that is too old", func(t *testing.T) {
		path := "/welcome/" + newLink(h, people.Link{Grants: everything, Expires: h.clock().Add(time.Hour)})
		h.advance(time.Hour)
		if got := h.browser().post(path, form); got.code != http.StatusGone {
			t.Errorf("%d", got.code)
		}
	})
}

func TestALinkForSomebodyWhoHasLostEverything(t *testing.T) {
	h := newHouse(t)
	ada := h.person("ada", good)
	path := "/welcome/" + newLink(h, people.Link{Person: ada.ID, Expires: h.clock().Add(time.Hour)})
	if got := h.browser().get(path); !strings.Contains(got.body, `value="ada"`) {
		t.Error(got.body)
	}
	b := h.browser()
	const other = "another good password entirely"
	if got := b.post(path, url.Values{"name": {"eve"}, "password": {other}, "again": {other}}); got.code != http.StatusSeeOther || b.who().Name != "ada" {
		t.Fatalf("%d: %s", got.code, got.body)
	}
	h.browser().signIn("ada", other)
	if got := h.browser().post("/sign-in", url.Values{"name": {"ada"}, "password": {good}}); got.code != http.StatusUnprocessableEntity {
		t.Error("the old password is good")
	}
}

func TestALinkThatEnters(t *testing.T) {
	h := newHouse(t)
	ada := h.person("ada", "")
	path := "/welcome/" + newLink(h, people.Link{Person: ada.ID, Enters: true, Expires: h.clock().Add(time.Hour)})
	for range 2 {
		b := h.browser()
		got := b.get(path)
		if got.code != http.StatusOK || strings.Contains(got.body, "password") || b.who() != nil {
			t.Fatalf("looking at it signs in: %d %s", got.code, got.body)
		}
		if got := b.post(path, nil); got.code != http.StatusSeeOther || b.who() == nil || b.who().Name != "ada" {
			t.Errorf("%d: %s", got.code, got.body)
		}
	}
}
