package signin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/people"
)

// A crowded office has no time to look at passwords.
type crowded struct{ Office }

func (crowded) Password(context.Context, string, string) (people.Person, error) {
	return people.Person{}, fmt.Errorf("office: %w", people.ErrBusy)
}

func (crowded) SetPassword(context.Context, int64, string) error { return people.ErrBusy }

func (crowded) Accept(context.Context, string, string, string) (people.Person, error) {
	return people.Person{}, people.ErrBusy
}

func TestWhereTooManySignInOneIsToldWhenToTryAgain(t *testing.T) {
	h := newHouse(t)
	h.person("ada", good)
	keyed := h.person("eve", good)
	ada, eve := h.browser().signIn("ada", good), h.browser().signIn("eve", good)
	keyed = h.again(keyed.ID)
	keyed.Password = ""
	if err := h.store.PutPerson(t.Context(), keyed); err != nil {
		t.Fatal(err)
	}
	token := newLink(h, people.Link{Name: "bob", Grants: everything})
	h.door.Office = crowded{h.office}
	before := len(h.events())
	for _, c := range []struct {
		b    *browser
		path string
		form url.Values
	}{
		{h.browser(), "/sign-in", url.Values{"name": {"ada"}, "password": {good}}},
		{ada, "/account/password", url.Values{"old": {good}, "password": {other}, "again": {other}}},
		{eve, "/account/password", url.Values{"password": {other}, "again": {other}}},
		{h.browser(), "/welcome/" + token, url.Values{"password": {other}, "again": {other}}},
	} {
		got := c.b.post(c.path, c.form)
		if got.code != http.StatusServiceUnavailable || got.header.Get("Retry-After") != "5" || !strings.Contains(got.body, "Wait 5 seconds, and try again.") {
			t.Errorf("%s: %d, Retry-After %q: %s", c.path, got.code, got.header.Get("Retry-After"), got.body)
		}
	}
	if n := len(h.events()); n != before {
		t.Errorf("%d of it are in the audit log: %v", n-before, h.happened())
	}
}
