package people_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// An office whose clock is set by hand.
type office struct {
	*people.Office
	t   *testing.T
	now time.Time
}

const good = "correct horse battery staple"

var (
	owns    = []people.Grant{{Over: people.Everything, Role: people.Owner}}
	ofAShop = []people.Group{{Name: "shop", Domains: []string{"shop.example.com"}}}
)

func newOffice(t *testing.T) *office {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatepost.db"), store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	o := &office{t: t, now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}
	o.Office = &people.Office{Store: s, Groups: func() []people.Group { return ofAShop }, Now: func() time.Time { return o.now }}
	return o
}

// add makes somebody by a link.
func (o *office) add(name string, grants ...people.Grant) people.Person {
	o.t.Helper()
	token, err := o.Invite(o.t.Context(), people.CommandLine, people.Link{Name: name, Grants: grants})
	if err != nil {
		o.t.Fatal(err)
	}
	p, err := o.Accept(o.t.Context(), token, "", good)
	if err != nil {
		o.t.Fatal(err)
	}
	return p
}

func (o *office) begin(p people.Person) string {
	o.t.Helper()
	cookie, err := o.Begin(o.t.Context(), p, "password", "192.0.2.1", "Browser/1")
	if err != nil {
		o.t.Fatal(err)
	}
	return cookie
}

func (o *office) in(cookie string) bool {
	o.t.Helper()
	who, err := o.Session(o.t.Context(), cookie)
	if err != nil && !errors.Is(err, people.ErrNobody) {
		o.t.Fatal(err)
	}
	return who != nil
}

func TestASessionLastsWhileItIsUsedAndNotForEver(t *testing.T) {
	o := newOffice(t)
	cookie := o.begin(o.add("ada", owns...))
	for range 70 { // 29 days and some hours
		o.now = o.now.Add(10 * time.Hour)
		if !o.in(cookie) {
			t.Fatalf("it ended on %s", o.now)
		}
	}
	o.now = o.now.Add(11 * time.Hour)
	if o.in(cookie) != true {
		t.Error("it ended within 30 days")
	}
	o.now = o.now.Add(11 * time.Hour)
	if o.in(cookie) {
		t.Error("it lasts longer than 30 days")
	}
	cookie = o.begin(people.Person{ID: 1})
	o.now = o.now.Add(12 * time.Hour)
	if o.in(cookie) {
		t.Error("it lasts though nobody used it")
	}
	for _, other := range []string{"", "x", cookie + "x", strings.ToUpper(cookie), strings.Repeat("A", 43)} {
		if o.in(other) {
			t.Errorf("%q lets in", other)
		}
	}
}

func TestASessionIsFreshForAQuarterOfAnHourAndATokenNever(t *testing.T) {
	o := newOffice(t)
	cookie := o.begin(o.add("ada", owns...))
	fresh := func() bool {
		t.Helper()
		who, err := o.Session(t.Context(), cookie)
		if err != nil {
			t.Fatal(err)
		}
		return who.Fresh
	}
	if !fresh() {
		t.Error("not when it begins")
	}
	who, err := o.Session(t.Context(), cookie)
	if err != nil {
		t.Fatal(err)
	}
	token, err := o.NewToken(t.Context(), who, "ci", people.Owner, "*", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if program, err := o.Token(t.Context(), token); err != nil || program.Fresh || who.Within(people.Owner, "*").Fresh {
		t.Errorf("a token is fresh, %v", err)
	}
	o.now = o.now.Add(people.FreshFor - time.Second)
	if !fresh() {
		t.Error("it ended early")
	}
	o.now = o.now.Add(time.Second)
	if fresh() {
		t.Error("it lasts longer, or use prolongs it")
	}
}

// A countingStore counts the notes of when something was used.
type countingStore struct {
	people.Store
	touched int
}

func (c *countingStore) TouchSession(ctx context.Context, h people.Hash, at time.Time) error {
	c.touched++
	return c.Store.TouchSession(ctx, h, at)
}

func (c *countingStore) TouchToken(ctx context.Context, id int64, at time.Time) error {
	c.touched++
	return c.Store.TouchToken(ctx, id, at)
}

func TestUseIsNotedOnceAMinute(t *testing.T) {
	o := newOffice(t)
	cookie := o.begin(o.add("ada", owns...))
	who, err := o.Session(t.Context(), cookie)
	if err != nil {
		t.Fatal(err)
	}
	token, err := o.NewToken(t.Context(), who, "ci", people.Viewer, "*", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	counting := &countingStore{Store: o.Store}
	o.Store = counting
	for range 180 {
		o.now = o.now.Add(time.Second)
		o.in(cookie)
		if _, err := o.Token(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if counting.touched != 3+3 {
		t.Errorf("it was noted %d times in three minutes", counting.touched)
	}
}

func TestWhatIsTakenAwayIsGoneAtTheNextRequest(t *testing.T) {
	o := newOffice(t)
	o.add("ada", owns...)
	bob := o.add("bob", people.Grant{Over: "shop", Role: people.Analyst}, people.Grant{Over: "*", Role: people.Viewer})
	cookie := o.begin(bob)
	who, err := o.Session(t.Context(), cookie)
	if err != nil || who.Over("shop.example.com") != people.Analyst || who.Name != "bob" || who.Person != bob.ID || who.Address != "192.0.2.1" {
		t.Fatalf("%+v, %v", who, err)
	}
	token, err := o.NewToken(t.Context(), who, "ci", people.Analyst, "shop", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.SetRole(t.Context(), bob.ID, "shop", people.Nobody); err != nil {
		t.Fatal(err)
	}
	for what, ask := range map[string]func() (*people.Access, error){
		"session": func() (*people.Access, error) { return o.Session(t.Context(), cookie) },
		"token":   func() (*people.Access, error) { return o.Token(t.Context(), token) },
	} {
		if who, err := ask(); err != nil || who.Over("shop.example.com") != people.Viewer {
			t.Errorf("%s: %+v, %v", what, who, err)
		}
	}
	if _, err := o.Disable(t.Context(), bob.ID); err != nil {
		t.Fatal(err)
	}
	_, err = o.Token(t.Context(), token)
	if o.in(cookie) || !errors.Is(err, people.ErrNobody) {
		t.Errorf("who is locked out is in: %v", err)
	}
	if _, err := o.Password(t.Context(), "bob", good); !errors.Is(err, people.ErrRefused) {
		t.Errorf("password: %v", err)
	}
	if _, err := o.Begin(t.Context(), bob, "passkey", "", ""); !errors.Is(err, people.ErrRefused) {
		t.Errorf("a session of who is locked out: %v", err)
	}
	if _, err := o.Enable(t.Context(), bob.ID); err != nil {
		t.Fatal(err)
	}
	if o.in(cookie) {
		t.Error("a session from before came back")
	}
	if err := o.Remove(t.Context(), bob.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Token(t.Context(), token); !errors.Is(err, people.ErrNobody) {
		t.Errorf("the token of who was removed: %v", err)
	}
}

func TestOtherSessionsAreEndedAndOwnOnesListed(t *testing.T) {
	o := newOffice(t)
	ada := o.add("ada", owns...)
	first, second := o.begin(ada), o.begin(ada)
	who, err := o.Session(t.Context(), second)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := o.Sessions(t.Context(), ada.ID); err != nil || len(all) != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	if err := o.EndOthers(t.Context(), who); err != nil || o.in(first) || !o.in(second) {
		t.Errorf("%v, %t, %t", err, o.in(first), o.in(second))
	}
	if err := o.End(t.Context(), who); err != nil || o.in(second) {
		t.Errorf("%v, it is there", err)
	}
	if all, err := o.Sessions(t.Context(), ada.ID); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestThePasswordIsAskedForAndNothingIsSaidOfWhy(t *testing.T) {
	o := newOffice(t)
	ada := o.add("ada", owns...)
	for _, name := range []string{"ada", " ADA "} {
		if p, err := o.Password(t.Context(), name, good); err != nil || p.ID != ada.ID {
			t.Errorf("%q: %+v, %v", name, p, err)
		}
	}
	for name, password := range map[string]string{"ada": good + " ", "bob": good, "": good, "ada ": "", "ada\x00": good, "Ada": strings.Repeat("x", 2000)} {
		if _, err := o.Password(t.Context(), name, password); err != people.ErrRefused {
			t.Errorf("%q, %.40q: %v", name, password, err)
		}
	}
	// As it is typed on another keyboard: é is one character, or two.
	if err := o.SetPassword(t.Context(), ada.ID, "caf\u00e9 with four words"); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Password(t.Context(), "ada", "cafe\u0301 with four words"); err != nil {
		t.Error(err)
	}
	if _, err := o.Password(t.Context(), "ada", good); !errors.Is(err, people.ErrRefused) {
		t.Errorf("the password of before: %v", err)
	}
}

func TestAPasswordIsKeptAnewAsPasswordsAreKeptNow(t *testing.T) {
	o := newOffice(t)
	ada := o.add("ada", owns...)
	// "password", 64 KiB: argon2id of the reference implementation's test vector would take 64 MiB.
	ada.Password = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if err := o.Store.PutPerson(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Password(t.Context(), "ada", "wrong"); !errors.Is(err, people.ErrRefused) {
		t.Fatal(err)
	}
	p, err := o.Password(t.Context(), "ada", "password")
	if err != nil || !strings.HasPrefix(p.Password, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%s, %v", p.Password, err)
	}
	again, err := o.Password(t.Context(), "ada", "password")
	if err != nil || again.Password != p.Password || again.Version != p.Version {
		t.Errorf("%+v, %v; want %+v", again, err, p)
	}
}

func TestTheFirstLinkIsForTheFirstPersonOnly(t *testing.T) {
	o := newOffice(t)
	old, err := o.FirstLink(t.Context())
	if err != nil || old == "" {
		t.Fatal(err)
	}
	token, err := o.FirstLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Welcome(t.Context(), old); !errors.Is(err, people.ErrNoLink) {
		t.Errorf("the one before: %v", err)
	}
	p, err := o.Accept(t.Context(), token, "Ada", good)
	if err != nil || p.Name != "ada" || !p.Rules() {
		t.Fatalf("%+v, %v", p, err)
	}
	if token, err := o.FirstLink(t.Context()); err != nil || token != "" {
		t.Errorf("another: %q, %v", token, err)
	}

	// Somebody comes another way while it is in the log of a program.
	o = newOffice(t)
	if token, err = o.FirstLink(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.add("bob", owns...)
	_, looked := o.Welcome(t.Context(), token)
	_, taken := o.Accept(t.Context(), token, "eve", good)
	if !errors.Is(looked, people.ErrNoLink) || !errors.Is(taken, people.ErrNoLink) {
		t.Errorf("%v, %v", looked, taken)
	}
}

func TestALinkLetsOneIn(t *testing.T) {
	o := newOffice(t)
	token, err := o.Invite(t.Context(), people.CommandLine, people.Link{Grants: []people.Grant{{Over: "shop", Role: people.Viewer}}})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	in := 0
	for i := range 20 {
		wg.Go(func() {
			_, err := o.Accept(t.Context(), token, fmt.Sprint("p", i), good)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				in++
			} else if !errors.Is(err, people.ErrNoLink) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if all, err := o.Store.People(t.Context()); err != nil || in != 1 || len(all) != 1 {
		t.Errorf("%d of 20 came in by one link; there are %d, %v", in, len(all), err)
	}
}

func TestWhatIsWrongWithAFormDoesNotUseUpTheLink(t *testing.T) {
	o := newOffice(t)
	o.add("ada", owns...)
	token, err := o.Invite(t.Context(), "ada", people.Link{Grants: owns})
	if err != nil {
		t.Fatal(err)
	}
	var unfit *people.Unfit
	if _, err := o.Accept(t.Context(), token, "", good); !errors.As(err, &unfit) || unfit.Field != "name" {
		t.Errorf("no name: %v", err)
	}
	if _, err := o.Accept(t.Context(), token, "bob", "short"); !errors.As(err, &unfit) || unfit.Field != "password" {
		t.Errorf("a short password: %v", err)
	}
	if _, err := o.Accept(t.Context(), token, "ada", good); !errors.Is(err, people.ErrTaken) {
		t.Errorf("somebody's name: %v", err)
	}
	o.now = o.now.Add(people.LinkLife - time.Second)
	if _, err := o.Accept(t.Context(), token, "bob", good); err != nil {
		t.Error(err)
	}
	if token, err = o.Invite(t.Context(), "ada", people.Link{Name: "eve", Grants: owns}); err != nil {
		t.Fatal(err)
	}
	o.now = o.now.Add(people.LinkLife)
	if _, err := o.Accept(t.Context(), token, "", good); !errors.Is(err, people.ErrNoLink) {
		t.Errorf("after three days: %v", err)
	}
}

func TestInvitingIsForAFreeNameAndRolesThatThereAre(t *testing.T) {
	o := newOffice(t)
	ada := o.add("ada", owns...)
	shop := []people.Grant{{Over: "shop", Role: people.Viewer}}
	for what, c := range map[string]struct {
		link people.Link
		want error
	}{
		"taken":       {people.Link{Name: "Ada", Grants: shop}, people.ErrTaken},
		"nobody":      {people.Link{Person: 99}, people.ErrNoPerson},
		"bad name":    {people.Link{Name: "command line", Grants: shop}, &people.Unfit{Field: "name"}},
		"no role":     {people.Link{Name: "bob"}, &people.Unfit{Field: "role"}},
		"no such":     {people.Link{Name: "bob", Grants: []people.Grant{{Over: "shop", Role: 9}}}, &people.Unfit{Field: "role"}},
		"other group": {people.Link{Name: "bob", Grants: []people.Grant{{Over: "gone", Role: people.Viewer}}}, &people.Unfit{Field: "over"}},
	} {
		_, err := o.Invite(t.Context(), "ada", c.link)
		var want, got *people.Unfit
		if errors.As(c.want, &want) {
			if !errors.As(err, &got) || got.Field != want.Field {
				t.Errorf("%s: %v", what, err)
			}
		} else if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// A second link for the same is the one that is good.
	first, err1 := o.Invite(t.Context(), "ada", people.Link{Name: "bob", Grants: shop})
	second, err2 := o.Invite(t.Context(), "ada", people.Link{Name: "bob", Grants: shop})
	_, err := o.Welcome(t.Context(), first)
	if l, looked := o.Welcome(t.Context(), second); err1 != nil || err2 != nil || !errors.Is(err, people.ErrNoLink) || looked != nil || l.Author != "ada" {
		t.Errorf("%v, %v, %v, %v", err1, err2, err, looked)
	}
	// A password that was lost: sessions of whoever found it end.
	cookie := o.begin(ada)
	token, err := o.Invite(t.Context(), "command line", people.Link{Person: ada.ID})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := o.Accept(t.Context(), token, "eve", "another four good words"); err != nil || p.ID != ada.ID || o.in(cookie) {
		t.Errorf("%+v, %v, %t", p, err, o.in(cookie))
	}
	if _, err := o.Password(t.Context(), "ada", "another four good words"); err != nil {
		t.Error(err)
	}
}

func TestALinkThatEntersIsGoodUntilItsEnd(t *testing.T) {
	o := newOffice(t)
	ada := o.add("ada", owns...)
	token, err := o.Invite(t.Context(), people.CommandLine, people.Link{Person: ada.ID, Enters: true, Expires: o.now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if p, err := o.Accept(t.Context(), token, "", ""); err != nil || p.ID != ada.ID {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	o.now = o.now.Add(time.Hour)
	if _, err := o.Accept(t.Context(), token, "", ""); !errors.Is(err, people.ErrNoLink) {
		t.Error(err)
	}
}

func TestSomebodyIsLeftWhoOwnsEverything(t *testing.T) {
	o := newOffice(t)
	ada := o.add("ada", owns...)
	bob := o.add("bob", people.Grant{Over: "shop", Role: people.Owner})
	_, role := o.SetRole(t.Context(), ada.ID, "*", people.Analyst)
	_, grants := o.SetGrants(t.Context(), ada.ID, nil)
	_, disabled := o.Disable(t.Context(), ada.ID)
	for what, err := range map[string]error{"role": role, "grants": grants, "disabled": disabled, "removed": o.Remove(t.Context(), ada.ID)} {
		if !errors.Is(err, people.ErrLast) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := o.SetRole(t.Context(), bob.ID, "*", people.Owner); err != nil {
		t.Fatal(err)
	}
	if p, err := o.SetRole(t.Context(), ada.ID, "*", people.Nobody); err != nil || len(p.Grants) != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := o.SetRole(t.Context(), bob.ID, "gone", people.Owner); err == nil {
		t.Error("there is no such group")
	}
	if p, err := o.SetGrants(t.Context(), bob.ID, []people.Grant{{Over: "shop", Role: people.Viewer}, {Over: "shop", Role: people.Analyst}, {Over: "*", Role: people.Owner}}); err != nil ||
		people.Describe(p.Grants) != "owner of everything, analyst of shop" {
		t.Errorf("%+v, %v", p, err)
	}
}
