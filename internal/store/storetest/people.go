package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
)

var everything = []people.Grant{{Over: people.Everything, Role: people.Owner}}

func addPerson(t *testing.T, s store.Store, p people.Person) people.Person {
	t.Helper()
	id, err := s.AddPerson(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if p, err = s.PersonByID(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	return p
}

// ruler is a person who owns everything and can sign in.
func ruler(name string) people.Person {
	return people.Person{Name: name, Grants: everything, Password: "$argon2id$", Created: noon}
}

func personWhole(t *testing.T, open Place) {
	s := open(t)
	p := people.Person{
		Name: "ann", Grants: []people.Grant{{Over: "shop", Role: people.Analyst}, {Over: people.Everything, Role: people.Viewer}}, Password: "$argon2id$v=19$",
		TOTP: "JBSWY3DPEHPK3PXP", LastTOTP: 58_000_000, Recovery: []people.Hash{{1, 255}, {2}}, Subject: "https://id.example.org 1234", Disabled: true,
		Passkeys: []people.Passkey{{Name: "key", ID: []byte{0, 255}, Credential: []byte(`{"a":1}`), Created: noon, Used: noon.Add(time.Hour)}},
		Created:  noon, Seen: noon.Add(time.Minute),
	}
	got := addPerson(t, s, p)
	p.ID, p.Version = got.ID, got.Version
	if !reflect.DeepEqual(got, p) {
		t.Errorf("got  %+v\nwant %+v", got, p)
	}
	p.Grants, p.Recovery, p.Passkeys, p.Disabled, p.Subject, p.Name = nil, nil, nil, false, "", "ann.b"
	if err := s.PutPerson(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	got, err := open(t).PersonByName(t.Context(), "ann.b")
	if err != nil || got.Version == p.Version || len(got.Grants)+len(got.Recovery)+len(got.Passkeys) > 0 || got.Disabled || got.Subject != "" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, look := range []func() (people.Person, error){
		func() (people.Person, error) { return s.PersonByName(t.Context(), "ann") },
		func() (people.Person, error) { return s.PersonBySubject(t.Context(), "https://id.example.org 1234") },
		func() (people.Person, error) { return s.PersonBySubject(t.Context(), "") },
		func() (people.Person, error) { return s.PersonByID(t.Context(), 99) },
	} {
		if p, err := look(); !errors.Is(err, people.ErrNoPerson) {
			t.Errorf("nobody is there, but %+v, %v", p, err)
		}
	}
}

func personTaken(t *testing.T, open Place) {
	s := open(t)
	ann := addPerson(t, s, people.Person{Name: "ann", Subject: "https://id.example.org 1"})
	bob := addPerson(t, s, people.Person{Name: "bob"})
	for _, p := range []people.Person{{Name: "ann"}, {Name: "eve", Subject: ann.Subject}} {
		if _, err := s.AddPerson(t.Context(), p); !errors.Is(err, people.ErrTaken) {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
	bob.Name = "ann"
	if err := s.PutPerson(t.Context(), bob); !errors.Is(err, people.ErrTaken) {
		t.Errorf("renamed: %v", err)
	}
	all, err := s.People(t.Context())
	if err != nil || len(all) != 2 || all[0].Name != "ann" || all[1].Name != "bob" || all[0].ID == all[1].ID {
		t.Errorf("%+v, %v", all, err)
	}
}

func personChanged(t *testing.T, open Place) {
	s := open(t)
	p := addPerson(t, s, people.Person{Name: "ann"})
	p.TOTP = "first"
	if err := s.PutPerson(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	p.TOTP = "second"
	if err := s.PutPerson(t.Context(), p); !errors.Is(err, people.ErrChanged) {
		t.Errorf("a change of what was changed meanwhile: %v", err)
	}
	p.ID = 99
	if err := s.PutPerson(t.Context(), p); !errors.Is(err, people.ErrNoPerson) {
		t.Errorf("a change of nobody: %v", err)
	}
	if got, err := s.PersonByName(t.Context(), "ann"); err != nil || got.TOTP != "first" {
		t.Errorf("%+v, %v", got, err)
	}
	// Of many changes at the same time, one is made.
	p, _ = s.PersonByName(t.Context(), "ann")
	won := atOnce(20, func(i int) error {
		p := p
		p.TOTP = fmt.Sprint(i)
		return s.PutPerson(t.Context(), p)
	}, func(err error) {
		if !errors.Is(err, people.ErrChanged) {
			t.Error(err)
		}
	})
	if won != 1 {
		t.Errorf("%d of 20 changes of the same were made", won)
	}
}

// atOnce does something many times at once, and counts how often it was done.
func atOnce(n int, do func(int) error, failed func(error)) int {
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for i := range n {
		wg.Go(func() {
			err := do(i)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed(err)
				return
			}
			done++
		})
	}
	wg.Wait()
	return done
}

func personLast(t *testing.T, open Place) {
	s := open(t)
	ann := addPerson(t, s, ruler("ann"))
	byProvider := ruler("bob")
	byProvider.Password, byProvider.Subject = "", "https://id.example.org 1"
	addPerson(t, s, byProvider)
	for what, change := range map[string]func(*people.Person){
		"disabled": func(p *people.Person) { p.Disabled = true },
		"lowered":  func(p *people.Person) { p.Grants = []people.Grant{{Over: people.Everything, Role: people.Analyst}} },
		"locked":   func(p *people.Person) { p.Password = "" },
	} {
		p := ann
		change(&p)
		if err := s.PutPerson(t.Context(), p); !errors.Is(err, people.ErrLast) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := s.RemovePerson(t.Context(), ann.ID); !errors.Is(err, people.ErrLast) {
		t.Errorf("removed: %v", err)
	}
	if got, err := s.PersonByID(t.Context(), ann.ID); err != nil || !got.Rules() || got.Version != ann.Version {
		t.Errorf("%+v, %v", got, err)
	}
	other := ruler("eve")
	other.Password, other.Passkeys = "", []people.Passkey{{ID: []byte{1}}}
	addPerson(t, s, other)
	if err := s.RemovePerson(t.Context(), ann.ID); err != nil {
		t.Errorf("though another is there: %v", err)
	}
}

func personLastRace(t *testing.T, open Place) {
	places := []store.Store{open(t), open(t)}
	var all []people.Person
	for i := range 8 {
		all = append(all, addPerson(t, places[0], ruler(fmt.Sprint("p", i))))
	}
	won := atOnce(len(all), func(i int) error {
		s := places[i%len(places)]
		if i%4 < 2 {
			return s.RemovePerson(t.Context(), all[i].ID)
		}
		p := all[i]
		p.Disabled = true
		return s.PutPerson(t.Context(), p)
	}, func(err error) {
		if !errors.Is(err, people.ErrLast) {
			t.Error(err)
		}
	})
	if won != len(all)-1 {
		t.Errorf("%d of %d who rule were taken away", won, len(all))
	}
}

func personRemoved(t *testing.T, open Place) {
	s := open(t)
	ann, bob := addPerson(t, s, people.Person{Name: "ann"}), addPerson(t, s, people.Person{Name: "bob"})
	for i, p := range []people.Person{ann, bob} {
		h := people.Hash{byte(i)}
		_, err := s.AddToken(t.Context(), people.Token{Hash: h, Person: p.ID, Role: people.Viewer, Over: "*"})
		err = errors.Join(err, s.AddSession(t.Context(), people.Session{Hash: h, Person: p.ID, Expires: noon}),
			s.AddLink(t.Context(), people.Link{Hash: h, Person: p.ID, Expires: noon, Author: "command line"}),
			s.AddLink(t.Context(), people.Link{Hash: people.Hash{9, byte(i)}, Name: "eve", Expires: noon, Author: p.Name}))
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.RemovePerson(t.Context(), ann.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.RemovePerson(t.Context(), ann.ID); !errors.Is(err, people.ErrNoPerson) {
		t.Errorf("removed twice: %v", err)
	}
	for i, gone := range []bool{true, false} {
		h, before := people.Hash{byte(i)}, noon.Add(-time.Hour)
		_, session := s.Session(t.Context(), h, before)
		_, link := s.Link(t.Context(), h, before)
		_, token := s.TokenByHash(t.Context(), h, before)
		if _, made := s.Link(t.Context(), people.Hash{9, byte(i)}, before); errors.Is(made, people.ErrNoLink) != gone {
			t.Errorf("%d: the link for another: %v", i, made)
		}
		if errors.Is(session, people.ErrNobody) != gone || errors.Is(link, people.ErrNoLink) != gone || errors.Is(token, people.ErrNobody) != gone {
			t.Errorf("%d: %v, %v, %v", i, session, link, token)
		}
	}
	if next := addPerson(t, s, people.Person{Name: "ann"}); next.ID <= bob.ID {
		t.Errorf("the number %d was given again", next.ID)
	}
}

func sessions(t *testing.T, open Place) {
	s := open(t)
	want := people.Session{Hash: people.Hash{1, 0, 255}, Person: 7, Created: noon, Seen: noon, Expires: noon.Add(time.Hour), Address: "2001:db8::1", Agent: "Browser/1 é", Method: "passkey"}
	others := []people.Session{
		{Hash: people.Hash{2}, Person: 7, Created: noon.Add(time.Minute), Expires: noon.Add(2 * time.Hour)},
		{Hash: people.Hash{3}, Person: 8, Created: noon, Expires: noon.Add(time.Hour)},
	}
	for _, x := range append(others, want) {
		if err := s.AddSession(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.AddSession(t.Context(), want); err == nil {
		t.Error("one hash stands for two sessions")
	}
	if got, err := s.Session(t.Context(), want.Hash, noon); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if _, err := s.Session(t.Context(), want.Hash, want.Expires); !errors.Is(err, people.ErrNobody) {
		t.Errorf("at its end: %v", err)
	}
	if _, err := s.Session(t.Context(), people.Hash{9}, noon); !errors.Is(err, people.ErrNobody) {
		t.Errorf("that is not there: %v", err)
	}
	for _, at := range []time.Time{noon.Add(10 * time.Minute), noon} { // whoever comes too late does not turn it back
		if err := s.TouchSession(t.Context(), want.Hash, at); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Session(t.Context(), want.Hash, noon); err != nil || !got.Seen.Equal(noon.Add(10*time.Minute)) {
		t.Errorf("%+v, %v", got, err)
	}
	if all, err := s.Sessions(t.Context(), 7, noon); err != nil || len(all) != 2 || all[0].Hash != others[0].Hash {
		t.Errorf("%+v, %v", all, err)
	}
	if err := s.RemoveSessions(t.Context(), 7, want.Hash); err != nil {
		t.Fatal(err)
	}
	if all, err := s.Sessions(t.Context(), 7, noon); err != nil || len(all) != 1 || all[0].Hash != want.Hash {
		t.Errorf("%+v, %v", all, err)
	}
	if err := errors.Join(s.RemoveSession(t.Context(), want.Hash), s.RemoveSession(t.Context(), want.Hash)); err != nil {
		t.Fatal(err)
	}
	for person, n := range map[int64]int{7: 0, 8: 1} {
		if all, err := s.Sessions(t.Context(), person, noon); err != nil || len(all) != n {
			t.Errorf("%d: %+v, %v", person, all, err)
		}
	}
}

func linkOnce(t *testing.T, open Place) {
	s := open(t)
	want := people.Link{Hash: people.Hash{1, 0, 255}, Person: 3, Name: "bob", Grants: everything, Enters: true, Created: noon, Expires: noon.Add(time.Hour), Author: "ann"}
	if err := s.AddLink(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Link(t.Context(), want.Hash, noon); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if _, err := s.TakeLink(t.Context(), want.Hash, want.Expires); !errors.Is(err, people.ErrNoLink) {
		t.Errorf("at its end: %v", err)
	}
	if got, err := s.TakeLink(t.Context(), want.Hash, noon); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	_, looked := s.Link(t.Context(), want.Hash, noon)
	_, taken := s.TakeLink(t.Context(), want.Hash, noon)
	if !errors.Is(looked, people.ErrNoLink) || !errors.Is(taken, people.ErrNoLink) {
		t.Errorf("after it was taken: %v, %v", looked, taken)
	}
	for i := range 3 {
		if err := s.AddLink(t.Context(), people.Link{Hash: people.Hash{byte(i)}, Created: noon.Add(time.Duration(i)), Expires: noon.Add(time.Duration(i) * time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.RemoveLink(t.Context(), people.Hash{2}); err != nil {
		t.Fatal(err)
	}
	if all, err := s.Links(t.Context(), noon); err != nil || len(all) != 1 || all[0].Hash != (people.Hash{1}) {
		t.Errorf("%+v, %v", all, err)
	}
}

func linkRace(t *testing.T, open Place) {
	places := []store.Store{open(t), open(t)}
	h := people.Hash{1}
	if err := places[0].AddLink(t.Context(), people.Link{Hash: h, Name: "bob", Expires: noon}); err != nil {
		t.Fatal(err)
	}
	won := atOnce(20, func(i int) error {
		l, err := places[i%2].TakeLink(t.Context(), h, noon.Add(-time.Hour))
		if err == nil && l.Name != "bob" {
			return fmt.Errorf("it is that of %q", l.Name)
		}
		return err
	}, func(err error) {
		if !errors.Is(err, people.ErrNoLink) {
			t.Error(err)
		}
	})
	if won != 1 {
		t.Errorf("%d of 20 got it", won)
	}
}

func tokens(t *testing.T, open Place) {
	s := open(t)
	want := people.Token{Hash: people.Hash{1, 0, 255}, Name: "ci", Person: 3, Role: people.Analyst, Over: "shop", Created: noon, Used: noon, Expires: noon.Add(time.Hour)}
	forever := people.Token{Hash: people.Hash{2}, Name: "monitor", Person: 4, Role: people.Viewer, Over: people.Everything, Created: noon}
	for _, x := range []*people.Token{&want, &forever} {
		var err error
		if x.ID, err = s.AddToken(t.Context(), *x); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.TokenByHash(t.Context(), want.Hash, noon); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if _, err := s.TokenByHash(t.Context(), want.Hash, want.Expires); !errors.Is(err, people.ErrNobody) {
		t.Errorf("at its end: %v", err)
	}
	if _, err := s.TokenByHash(t.Context(), forever.Hash, noon.AddDate(100, 0, 0)); err != nil {
		t.Errorf("one without an end, later: %v", err)
	}
	if err := s.TouchToken(t.Context(), forever.ID, noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	forever.Used = noon.Add(time.Minute)
	for person, n := range map[int64]int{0: 2, 3: 1, 4: 1, 5: 0} {
		if all, err := s.Tokens(t.Context(), person); err != nil || len(all) != n || person == 4 && !reflect.DeepEqual(all[0], forever) {
			t.Errorf("of %d: %+v, %v", person, all, err)
		}
	}
	if err := s.RemoveToken(t.Context(), want.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.TokenByHash(t.Context(), want.Hash, noon); !errors.Is(err, people.ErrNobody) {
		t.Errorf("after it was removed: %v", err)
	}
}

func events(t *testing.T, open Place) {
	s := open(t)
	for i := range 5 {
		e := people.Event{At: noon.Add(time.Duration(i) * time.Minute), Who: "ann", Address: "192.0.2.1", What: "mark-source", About: "example.com", Detail: fmt.Sprint("é ", i)}
		if err := s.AddEvent(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	first, err := s.Events(t.Context(), 0, 2)
	if err != nil || len(first) != 2 || first[0].Detail != "é 4" || first[1].Detail != "é 3" || !first[0].At.Equal(noon.Add(4*time.Minute)) {
		t.Fatalf("%+v, %v", first, err)
	}
	rest, err := s.Events(t.Context(), first[1].ID, 10)
	if err != nil || len(rest) != 3 || rest[0].Detail != "é 2" {
		t.Errorf("%+v, %v", rest, err)
	}
}

func peoplePruned(t *testing.T, open Place) {
	s := open(t)
	const age = 400 * 24 * time.Hour
	var err error
	for i, at := range []time.Time{noon.Add(-age - time.Second), noon.Add(-age), noon} {
		h := people.Hash{byte(i)}
		_, failed := s.AddToken(t.Context(), people.Token{Hash: h, Role: people.Viewer, Expires: at})
		err = errors.Join(err, failed, s.AddEvent(t.Context(), people.Event{At: at, What: fmt.Sprint(i)}), s.AddSession(t.Context(), people.Session{Hash: h, Person: 1, Expires: at}),
			s.AddLink(t.Context(), people.Link{Hash: h, Expires: at.Add(time.Second)}))
	}
	if err != nil {
		t.Fatal(err)
	}
	if done, err := s.Prune(t.Context(), store.Retention{}, noon); err != nil || !done {
		t.Fatalf("%t, %v", done, err)
	}
	long := noon.Add(-2 * age)
	sessions, err1 := s.Sessions(t.Context(), 1, long)
	links, err2 := s.Links(t.Context(), long)
	tokens, err3 := s.Tokens(t.Context(), 0)
	events, err4 := s.Events(t.Context(), 0, 10)
	if err := errors.Join(err1, err2, err3, err4); err != nil || len(sessions) != 0 || len(links) != 1 || len(tokens) != 1 || len(events) != 2 || events[1].What != "1" {
		t.Errorf("%d sessions, %d links, %d tokens, %+v, %v", len(sessions), len(links), len(tokens), events, err)
	}
}

func peopleOdd(t *testing.T, open Place) {
	s := open(t)
	odd := "'; DROP TABLE people; --\x00\xff\\"
	p := addPerson(t, s, people.Person{Name: odd, Subject: odd, Password: odd})
	err := errors.Join(s.AddEvent(t.Context(), people.Event{Who: odd, What: odd, About: odd, Detail: odd, Address: odd}),
		s.AddSession(t.Context(), people.Session{Agent: odd, Person: p.ID, Expires: noon}), s.AddLink(t.Context(), people.Link{Name: odd, Author: odd}))
	_, failed := s.AddToken(t.Context(), people.Token{Name: odd, Over: odd, Role: people.Viewer})
	if err := errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
	if got, err := s.PersonByName(t.Context(), odd); err != nil || got.ID != p.ID {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := s.PersonBySubject(t.Context(), odd); err != nil || got.ID != p.ID {
		t.Errorf("%+v, %v", got, err)
	}
}
