package people_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
)

// invite makes a link.
func (o *office) invite(author string, l people.Link) string {
	o.t.Helper()
	token, err := o.Invite(o.t.Context(), author, l)
	if err != nil {
		o.t.Fatal(err)
	}
	return token
}

// leads tells whether a link is good.
func (o *office) leads(token string) bool {
	o.t.Helper()
	_, err := o.Welcome(o.t.Context(), token)
	if err != nil && !errors.Is(err, people.ErrNoLink) {
		o.t.Fatal(err)
	}
	return err == nil
}

func TestALinkIsGoodOnlyWhileItsAuthorMayMakeIt(t *testing.T) {
	for what, c := range map[string]struct {
		happens func(*office, people.Person) error
		good    bool
	}{
		"nothing": {func(*office, people.Person) error { return nil }, true},
		"the author is locked out": {func(o *office, p people.Person) error {
			_, err := o.Disable(t.Context(), p.ID)
			return err
		}, false},
		"the author is locked out, and the link came later": {func(o *office, p people.Person) error {
			p, err := o.Store.PersonByID(t.Context(), p.ID)
			p.Disabled = true
			return errors.Join(err, o.Store.PutPerson(t.Context(), p))
		}, false},
		"the author was locked out for a while": {func(o *office, p people.Person) error {
			_, err1 := o.Disable(t.Context(), p.ID)
			_, err2 := o.Enable(t.Context(), p.ID)
			return errors.Join(err1, err2)
		}, false},
		"the author is removed": {func(o *office, p people.Person) error { return o.Remove(t.Context(), p.ID) }, false},
		"somebody else has the author's name": {func(o *office, p people.Person) error {
			err := o.Remove(t.Context(), p.ID)
			o.add("mallory", owns...)
			return err
		}, false},
		"the author owns less": {func(o *office, p people.Person) error {
			_, err := o.SetGrants(t.Context(), p.ID, []people.Grant{{Over: "shop", Role: people.Owner}, {Over: "*", Role: people.Analyst}})
			return err
		}, false},
		"the author has no role": {func(o *office, p people.Person) error {
			_, err := o.SetGrants(t.Context(), p.ID, nil)
			return err
		}, false},
		"the author has another password": {func(o *office, p people.Person) error {
			return o.SetPassword(t.Context(), p.ID, "another four good words")
		}, true},
	} {
		t.Run(what, func(t *testing.T) {
			o := newOffice(t)
			ada, author := o.add("ada", owns...), o.add("mallory", owns...)
			links := map[string]string{
				"for somebody new":   o.invite("mallory", people.Link{Name: "eve", Grants: owns}),
				"for anybody":        o.invite("mallory", people.Link{Grants: owns}),
				"for another person": o.invite("mallory", people.Link{Person: ada.ID}),
			}
			byCommand := o.invite(people.CommandLine, people.Link{Grants: owns})
			if err := c.happens(o, author); err != nil {
				t.Fatal(err)
			}
			for which, token := range links {
				if o.leads(token) != c.good {
					t.Errorf("the link %s is good: %t", which, !c.good)
				}
				p, err := o.Accept(t.Context(), token, which[4:7], "some more good words")
				if c.good && err != nil || !c.good && !errors.Is(err, people.ErrNoLink) {
					t.Errorf("by the link %s comes %q, %v", which, p.Name, err)
				}
			}
			if !o.leads(byCommand) {
				t.Error("a link that was made on the server needs somebody's leave")
			}
		})
	}
}

func TestALinkOfWhoIsNobodyIsGoodForNothing(t *testing.T) {
	o := newOffice(t)
	ada := o.add("ada", owns...)
	for _, author := range []string{"", "eve", "token ci of ada", "Command line", "*"} {
		if o.leads(o.invite(author, people.Link{Person: ada.ID})) {
			t.Errorf("one of %q is good", author)
		}
	}
}

func TestANewPasswordAndALockOutWithdrawTheLinksForSomebody(t *testing.T) {
	const another = "another four good words"
	for what, happens := range map[string]func(*office, people.Person) error{
		"a password": func(o *office, p people.Person) error { return o.SetPassword(t.Context(), p.ID, another) },
		"a password by another link": func(o *office, p people.Person) error {
			l := people.Link{Hash: people.Hash{7}, Person: p.ID, Author: people.CommandLine, Expires: o.now.Add(time.Hour)} // as two make them at the same time
			err := o.Store.AddLink(t.Context(), l)
			token := ""
			if err == nil {
				token, err = o.Invite(t.Context(), "ada", people.Link{Person: p.ID})
			}
			if err == nil {
				err = o.Store.AddLink(t.Context(), l)
			}
			if err == nil {
				_, err = o.Accept(t.Context(), token, "", another)
			}
			return err
		},
		"a lock-out": func(o *office, p people.Person) error {
			_, err1 := o.Disable(t.Context(), p.ID)
			_, err2 := o.Enable(t.Context(), p.ID)
			return errors.Join(err1, err2)
		},
	} {
		t.Run(what, func(t *testing.T) {
			o := newOffice(t)
			ada, bob := o.add("ada", owns...), o.add("bob", owns...)
			forBob, forAda, forNew := o.invite("ada", people.Link{Person: bob.ID}), o.invite(people.CommandLine, people.Link{Person: ada.ID}),
				o.invite("ada", people.Link{Name: "eve", Grants: owns})
			if err := happens(o, bob); err != nil {
				t.Fatal(err)
			}
			all, err := o.Store.Links(t.Context(), o.now)
			if err != nil || len(all) != 2 || o.leads(forBob) || !o.leads(forAda) || !o.leads(forNew) {
				t.Errorf("%d links are left, of which bob's is good: %t, ada's %t, a new user's %t; %v", len(all), o.leads(forBob), o.leads(forAda), o.leads(forNew), err)
			}
		})
	}
}

func TestALinkThatEntersOutlivesAPassword(t *testing.T) {
	o := newOffice(t)
	ada := o.add("ada", owns...)
	token := o.invite(people.CommandLine, people.Link{Person: ada.ID, Enters: true, Expires: o.now.Add(time.Hour)})
	if err := o.SetPassword(t.Context(), ada.ID, "another four good words"); err != nil || !o.leads(token) {
		t.Errorf("whoever tries the demo is shut out by the own password, %v", err)
	}
}
