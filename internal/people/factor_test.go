package people_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/gatepost-mail/gatepost/internal/people"
)

// code is what an application shows.
func code(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	c, err := totp.GenerateCode(secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (o *office) enable(p people.Person) (secret string, recovery []string) {
	o.t.Helper()
	secret, uri, err := o.NewTOTP(p.Name)
	if err != nil || !strings.HasPrefix(uri, "otpauth://totp/Gatepost:"+p.Name+"?") || !strings.Contains(uri, secret) {
		o.t.Fatalf("%s, %v", uri, err)
	}
	recovery, err = o.EnableTOTP(o.t.Context(), p.ID, secret, code(o.t, secret, o.now))
	if err != nil || len(recovery) != 10 {
		o.t.Fatalf("%v, %v", recovery, err)
	}
	return secret, recovery
}

func (o *office) person(id int64) people.Person {
	o.t.Helper()
	p, err := o.Store.PersonByID(o.t.Context(), id)
	if err != nil {
		o.t.Fatal(err)
	}
	return p
}

func TestACodeIsGoodOnce(t *testing.T) {
	o := newOffice(t)
	ada := o.add("ada", owns...)
	secret, _ := o.enable(ada)
	check := func(code string, want bool) {
		t.Helper()
		err := o.CheckTOTP(t.Context(), o.person(ada.ID), code)
		if (err == nil) != want || err != nil && !errors.Is(err, people.ErrRefused) {
			t.Errorf("%q at %s: %v", code, o.now.Format(time.TimeOnly), err)
		}
	}
	check(code(t, secret, o.now), false) // it was used to turn it on
	check(code(t, secret, o.now.Add(-30*time.Second)), false)
	o.now = o.now.Add(90 * time.Second)
	check(code(t, secret, o.now.Add(-60*time.Second)), false)
	check(code(t, secret, o.now.Add(60*time.Second)), false)
	check(code(t, secret, o.now.Add(-30*time.Second)), true)
	stale := o.person(ada.ID)
	ahead := code(t, secret, o.now.Add(30*time.Second))
	check(ahead[:3]+" "+ahead[3:], true)
	check(code(t, secret, o.now), false) // of an earlier step than the last
	check(ahead, false)
	if err := o.CheckTOTP(t.Context(), stale, ahead); !errors.Is(err, people.ErrRefused) {
		t.Errorf("as seen before it was used: %v", err)
	}
	for _, odd := range []string{"", "12345", "1234567", "abcdef", "０００００0", strings.Repeat("1", 100)} {
		check(odd, false)
	}
}

func TestARecoveryCodeStandsInOnce(t *testing.T) {
	o := newOffice(t)
	ada := o.add("ada", owns...)
	_, codes := o.enable(ada)
	p := o.person(ada.ID)
	for i, text := range []string{codes[0], strings.ToUpper(codes[1]), strings.ReplaceAll(codes[2], "-", ""), strings.ReplaceAll(codes[3], "-", " ")} {
		if err := o.CheckTOTP(t.Context(), p, text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if err := o.CheckTOTP(t.Context(), p, text); !errors.Is(err, people.ErrRefused) {
			t.Errorf("%q again: %v", text, err)
		}
		if n := len(o.person(ada.ID).Recovery); n != 9-i {
			t.Errorf("%d are left", n)
		}
	}
	bob := o.add("bob", owns...)
	o.enable(bob)
	if err := o.CheckTOTP(t.Context(), o.person(bob.ID), codes[5]); !errors.Is(err, people.ErrRefused) {
		t.Errorf("somebody else's: %v", err)
	}
}

func TestWrongCodesAreNotTriedForEver(t *testing.T) {
	o := newOffice(t)
	ada := o.add("ada", owns...)
	secret, codes := o.enable(ada)
	o.now = o.now.Add(time.Minute)
	p := o.person(ada.ID)
	right := code(t, secret, o.now)
	for range 10 {
		wrong := "000000"
		if right == wrong {
			wrong = "000001"
		}
		if err := o.CheckTOTP(t.Context(), p, wrong); !errors.Is(err, people.ErrRefused) {
			t.Fatal(err)
		}
	}
	if err := o.CheckTOTP(t.Context(), p, right); !errors.Is(err, people.ErrRefused) {
		t.Errorf("the right one after ten wrong: %v", err)
	}
	if err := o.CheckTOTP(t.Context(), p, codes[0]); err != nil {
		t.Errorf("a recovery code: %v", err)
	}
	o.now = o.now.Add(time.Minute)
	if err := o.CheckTOTP(t.Context(), p, code(t, secret, o.now)); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

func TestTheSecondFactorIsTurnedOnByWhoHasIt(t *testing.T) {
	o := newOffice(t)
	ada := o.add("ada", owns...)
	secret, _, err := o.NewTOTP("ada")
	if err != nil {
		t.Fatal(err)
	}
	for s, c := range map[string]string{secret: "000000", "AAAA": code(t, "AAAA", o.now), "": "", "not base32!": "123456"} {
		if c == code(t, secret, o.now) {
			continue
		}
		if codes, err := o.EnableTOTP(t.Context(), ada.ID, s, c); !errors.Is(err, people.ErrRefused) {
			t.Errorf("%q, %q: %v, %v", s, c, codes, err)
		}
	}
	if err := o.CheckTOTP(t.Context(), o.person(ada.ID), ""); !errors.Is(err, people.ErrRefused) {
		t.Errorf("without one: %v", err)
	}
	o.enable(ada)
	if err := o.DisableTOTP(t.Context(), ada.ID); err != nil {
		t.Fatal(err)
	}
	if p := o.person(ada.ID); p.TOTP != "" || len(p.Recovery) > 0 || p.LastTOTP != 0 {
		t.Errorf("%+v", p)
	}
}

func TestPasskeysAreAddedChangedAndRemoved(t *testing.T) {
	o := newOffice(t)
	ada := o.add("ada", owns...)
	key := people.Passkey{Name: "phone", ID: []byte{1}, Credential: []byte(`{"n":1}`)}
	if err := o.AddPasskey(t.Context(), ada.ID, key); err != nil {
		t.Fatal(err)
	}
	if err := o.AddPasskey(t.Context(), ada.ID, key); !errors.Is(err, people.ErrTaken) {
		t.Errorf("twice: %v", err)
	}
	key.Credential = []byte(`{"n":2}`)
	if err := o.UpdatePasskey(t.Context(), ada.ID, key); err != nil || string(o.person(ada.ID).Passkeys[0].Credential) != `{"n":2}` {
		t.Errorf("%+v, %v", o.person(ada.ID).Passkeys, err)
	}
	for i := byte(2); i <= 20; i++ {
		if err := o.AddPasskey(t.Context(), ada.ID, people.Passkey{ID: []byte{i}}); err != nil {
			t.Fatal(err)
		}
	}
	var unfit *people.Unfit
	if err := o.AddPasskey(t.Context(), ada.ID, people.Passkey{ID: []byte{99}}); !errors.As(err, &unfit) {
		t.Errorf("one more than there may be: %v", err)
	}
	if err := o.RemovePasskey(t.Context(), ada.ID, []byte{1}); err != nil || len(o.person(ada.ID).Passkeys) != 19 {
		t.Errorf("%d, %v", len(o.person(ada.ID).Passkeys), err)
	}
	removed, updated := o.RemovePasskey(t.Context(), ada.ID, []byte{1}), o.UpdatePasskey(t.Context(), ada.ID, key)
	if !errors.Is(removed, people.ErrNoPasskey) || !errors.Is(updated, people.ErrNoPasskey) {
		t.Errorf("%v, %v", removed, updated)
	}
}

func TestAProviderSaysWhoSomebodyIsAndWhatTheyMay(t *testing.T) {
	o := newOffice(t)
	ada := o.add("ada", owns...)
	viewer, analyst := []people.Grant{{Over: "*", Role: people.Viewer}}, []people.Grant{{Over: "shop", Role: people.Analyst}}
	p, err := o.Subject(t.Context(), "https://id.example.org 1", "Ada", viewer)
	if err != nil || p.ID == ada.ID || p.Name != "ada-2" || people.Describe(p.Grants) != "viewer of everything" || p.Password != "" {
		t.Fatalf("%+v, %v", p, err)
	}
	again, err := o.Subject(t.Context(), "https://id.example.org 1", "Somebody Else", analyst)
	if err != nil || again.ID != p.ID || again.Name != "ada-2" || people.Describe(again.Grants) != "analyst of shop" {
		t.Errorf("%+v, %v", again, err)
	}
	if other, err := o.Subject(t.Context(), "https://id.example.net 1", "ada", viewer); err != nil || other.Name != "ada-3" {
		t.Errorf("%+v, %v", other, err)
	}
	if _, err := o.Invite(t.Context(), "ada", people.Link{Person: p.ID}); err == nil {
		t.Error("a password for who signs in by the provider")
	}
	for subject, name := range map[string]string{"": "eve", "https://id.example.org 2": "eve"} {
		if p, err := o.Subject(t.Context(), subject, name, nil); !errors.Is(err, people.ErrRefused) {
			t.Errorf("who is granted nothing: %+v, %v", p, err)
		}
	}
	if p, err := o.Subject(t.Context(), "https://id.example.org 1", "", nil); err != nil || len(p.Grants) != 0 {
		t.Errorf("whose grants are gone: %+v, %v", p, err)
	}
	if _, err := o.Disable(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Subject(t.Context(), "https://id.example.org 1", "", owns); !errors.Is(err, people.ErrRefused) || len(o.person(p.ID).Grants) != 0 {
		t.Errorf("who is locked out: %v", err)
	}
}

func TestATokenMayNoMoreThanWhoMadeIt(t *testing.T) {
	o := newOffice(t)
	o.add("ada", owns...)
	bob := o.add("bob", people.Grant{Over: "*", Role: people.Viewer}, people.Grant{Over: "shop", Role: people.Analyst})
	who, err := o.Session(t.Context(), o.begin(bob))
	if err != nil {
		t.Fatal(err)
	}
	later := o.now.Add(time.Hour)
	token, err := o.NewToken(t.Context(), who, "ci", people.Analyst, "shop", later)
	if err != nil || !strings.HasPrefix(token, "gp_") || len(token) != 46 {
		t.Fatalf("%q, %v", token, err)
	}
	got, err := o.Token(t.Context(), token)
	if err != nil || got.Name != "token ci of bob" || got.Token == 0 || got.Over("shop.example.com") != people.Analyst || got.Over("example.com") != people.Nobody ||
		got.Everywhere() != people.Nobody {
		t.Errorf("%+v, %v", got, err)
	}
	var unfit *people.Unfit
	for what, ask := range map[string]func() (string, error){
		"more":          func() (string, error) { return o.NewToken(t.Context(), who, "x", people.Owner, "shop", later) },
		"more of all":   func() (string, error) { return o.NewToken(t.Context(), who, "x", people.Analyst, "*", later) },
		"another group": func() (string, error) { return o.NewToken(t.Context(), who, "x", people.Analyst, "gone", later) },
		"none":          func() (string, error) { return o.NewToken(t.Context(), who, "x", people.Nobody, "*", later) },
	} {
		if token, err := ask(); !errors.Is(err, people.ErrMore) {
			t.Errorf("%s: %q, %v", what, token, err)
		}
	}
	if _, err := o.NewToken(t.Context(), got, "x", people.Viewer, "shop", later); !errors.Is(err, people.ErrRefused) {
		t.Errorf("of a token: %v", err)
	}
	for _, name := range []string{"", "ci", "a\nb", strings.Repeat("x", 65), "\u202e"} {
		if _, err := o.NewToken(t.Context(), who, name, people.Viewer, "*", later); !errors.As(err, &unfit) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := o.NewToken(t.Context(), who, "x", people.Viewer, "*", o.now); !errors.As(err, &unfit) {
		t.Errorf("over already: %v", err)
	}
	o.now = later
	if _, err := o.Token(t.Context(), token); !errors.Is(err, people.ErrNobody) {
		t.Errorf("after its end: %v", err)
	}
}

func TestTokensAreRemovedByTheirOwnerAndByWhoOwnsEverything(t *testing.T) {
	o := newOffice(t)
	sign := func(p people.Person) *people.Access {
		who, err := o.Session(t.Context(), o.begin(p))
		if err != nil {
			t.Fatal(err)
		}
		return who
	}
	ada, bob, eve := sign(o.add("ada", owns...)), sign(o.add("bob", ofShop...)), sign(o.add("eve", ofShop...))
	var ids []int64
	for _, name := range []string{"a", "b"} {
		if _, err := o.NewToken(t.Context(), bob, name, people.Viewer, "shop", time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := o.Store.Tokens(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		ids = append(ids, x.ID)
	}
	if _, err := o.RemoveToken(t.Context(), eve, ids[0]); !errors.Is(err, people.ErrNoToken) {
		t.Errorf("somebody else's: %v", err)
	}
	if x, err := o.RemoveToken(t.Context(), bob, ids[0]); err != nil || x.Name != "a" {
		t.Errorf("%+v, %v", x, err)
	}
	if x, err := o.RemoveToken(t.Context(), ada, ids[1]); err != nil || x.Name != "b" {
		t.Errorf("%+v, %v", x, err)
	}
	if _, err := o.RemoveToken(t.Context(), ada, ids[1]); !errors.Is(err, people.ErrNoToken) {
		t.Errorf("again: %v", err)
	}
}

var ofShop = []people.Grant{{Over: "shop", Role: people.Viewer}}

func TestTheAuditLogHasWhoCameAndWent(t *testing.T) {
	o := newOffice(t)
	ada := o.add("ada", owns...)
	who, err := o.Session(t.Context(), o.begin(ada))
	if err != nil {
		t.Fatal(err)
	}
	if err := o.End(t.Context(), who); err != nil {
		t.Fatal(err)
	}
	all, err := o.Store.Events(t.Context(), 0, 10)
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	for i, what := range []string{"sign-out", "sign-in", "accept-link"} {
		if e := all[i]; e.What != what || e.Who != "ada" || !e.At.Equal(o.now) {
			t.Errorf("%+v, want %s", e, what)
		}
	}
	if all[1].Address != "192.0.2.1" || all[1].Detail != "password" || all[2].Detail != "new, owner of everything; the link is of command line" {
		t.Errorf("%+v", all)
	}
}

func TestWhoLeftTheProviderHasNoTokensAfterThirtyDays(t *testing.T) {
	o := newOffice(t)
	const subject = "https://id.example.org 1"
	signIn := func() string {
		t.Helper()
		p, err := o.Subject(t.Context(), subject, "bob", owns)
		if err != nil {
			t.Fatal(err)
		}
		cookie, err := o.Begin(t.Context(), p, people.MethodOIDC, "", "")
		if err != nil {
			t.Fatal(err)
		}
		return cookie
	}
	who, err := o.Session(t.Context(), signIn())
	if err != nil {
		t.Fatal(err)
	}
	token, err := o.NewToken(t.Context(), who, "ci", people.Owner, "*", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	local := o.begin(o.add("ada", owns...))
	if who, err = o.Session(t.Context(), local); err != nil {
		t.Fatal(err)
	}
	other, err := o.NewToken(t.Context(), who, "ci", people.Owner, "*", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	good := func(token string) bool {
		t.Helper()
		who, err := o.Token(t.Context(), token)
		if err != nil && !errors.Is(err, people.ErrNobody) {
			t.Fatal(err)
		}
		return who != nil
	}
	for range 30 { // that a token is used is no sign-in
		if !good(token) {
			t.Fatalf("it is good for nothing on %s", o.now)
		}
		o.now = o.now.Add(24 * time.Hour)
	}
	if good(token) {
		t.Error("it is good though nobody signed in for thirty days")
	}
	if !good(other) {
		t.Error("that of somebody with a password is good no more")
	}
	signIn()
	if !good(token) {
		t.Error("it is good for nothing after another sign-in")
	}
	p, err := o.Store.PersonBySubject(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	p.Password = "$" // one that the provider let in to begin with, and who is known here besides
	if err := o.Store.PutPerson(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if o.now = o.now.Add(people.TokenAbsence); !good(token) {
		t.Error("somebody with a password needs the provider")
	}
}

func TestASessionByTheProviderEndsAfterTwelveHoursThoughItIsUsed(t *testing.T) {
	o := newOffice(t)
	p, err := o.Subject(t.Context(), "https://id.example.org 1", "bob", owns)
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := o.Begin(t.Context(), p, people.MethodOIDC, "", "")
	if err != nil {
		t.Fatal(err)
	}
	for range 12 {
		if !o.in(cookie) {
			t.Fatalf("it ended on %s", o.now)
		}
		o.now = o.now.Add(time.Hour)
	}
	if all, err := o.Sessions(t.Context(), p.ID); o.in(cookie) || err != nil || len(all) != 0 {
		t.Errorf("it has not ended: %+v, %v", all, err)
	}
}
