package cli

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// peopled is a store with ada, who owns everything, bob, who has a session and a token, and carla, who comes by a provider.
func peopled(t *testing.T) (path string, office *people.Office) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "gatepost.db")
	s, err := store.Open(t.Context(), path, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	office = &people.Office{Store: s, Now: func() time.Time { return now }}
	for _, p := range []people.Person{
		{Name: "ada", Password: "$", TOTP: "AAAAAAAAAAAAAAAA", Grants: []people.Grant{{Over: "*", Role: people.Owner}}, Created: now},
		{Name: "bob", Password: "$", Passkeys: []people.Passkey{{ID: []byte{1}}}, Grants: []people.Grant{{Over: "*", Role: people.Analyst}}, Created: now},
		{Name: "carla", Subject: "https://id.example.org 1", Grants: []people.Grant{{Over: "*", Role: people.Viewer}}, Created: now},
	} {
		if _, err := s.AddPerson(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	bob, err := s.PersonByName(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := office.Begin(t.Context(), bob, "password", "192.0.2.9", "Browser/1 \x1b[31m")
	if err != nil {
		t.Fatal(err)
	}
	who, err := office.Session(t.Context(), cookie)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := office.NewToken(t.Context(), who, "ci", people.Viewer, "*", now.AddDate(0, 0, 30)); err != nil {
		t.Fatal(err)
	}
	return path, office
}

func TestUsersAreLookedAfterOnTheCommandLine(t *testing.T) {
	path, office := peopled(t)
	for _, c := range []struct {
		args string
		want string // of standard output
		errs string // of standard error, where it could not be done
	}{
		{"list", "ada\n    owner of everything; password and code; never signed in\nbob\n    analyst of everything; password, 1 passkey; signed in last on 2026-11-29\n" +
			"    12:00 UTC\ncarla\n    viewer of everything; provider; never signed in\n", ""},
		{"sessions", "bob by password from 192.0.2.9\n    since 2026-11-29 12:00 UTC, seen last on 2026-11-29 12:00 UTC; Browser/1\n    \\x1b[31m\n", ""},
		{"tokens bob", "1    ci of bob\n     viewer of everything at the most; until 2026-12-29 12:00 UTC; not used yet\n", ""},
		{"tokens ada", "There are no tokens.\n", ""},
		{"role bob viewer", "bob is viewer of everything\n", ""},
		{"role BOB none", "bob has no role\n", ""},
		{"role ada analyst", "", "make another the owner first"},
		{"role carla owner", "", "carla comes by the provider"},
		{"role bob owner --over shop", "", `there is no group "shop"`},
		{"role bbo owner", "", `there is no user "bbo"; did you mean bob?`},
		{"role bob king", "", `role "king": there are none, viewer, analyst, owner`},
		{"invite bob --role viewer", "", `bob: the name is taken; "gatepost users role"`},
		{"link carla", "", "carla signs in by the provider, and has no password here"},
		{"disable ada", "", "somebody must be left who owns everything"},
		{"remove ada", "", "somebody must be left who owns everything"},
		{"sessions bob --end", "1 session of bob ended\n", ""},
		{"sessions", "Nobody is signed in.\n", ""},
		{"disable bob carla", "bob is locked out\ncarla is locked out\n", ""},
		{"link bob", "", "bob is locked out; let in again first"},
		{"enable bob", "bob may sign in again\n", ""},
		{"tokens --remove 1", "1 removed: ci of bob\n", ""},
		{"remove bob", "bob removed\n", ""},
		{"log -n 3", "2026-11-29 12:05 UTC  command line: enable-user bob\n2026-11-29 12:05 UTC  command line: remove-token bob: ci\n" +
			"2026-11-29 12:05 UTC  command line: remove-user bob\n", ""},
	} {
		args := append([]string{"users"}, strings.Fields(c.args)...)
		out, errs, status := run(t, "", append(args, "--store", path, "--at", "2026-11-29T12:05:00Z")...)
		want := StatusFine
		if c.errs != "" {
			want = StatusUndone
		}
		if status != want || out != c.want || !strings.Contains(errs, c.errs) || c.errs == "" && errs != "" {
			t.Errorf("users %s: exit status %d\n%s%s\nwant %d\n%s%s", c.args, status, out, errs, want, c.want, c.errs)
		}
	}
	// A link for who lost the password, and what the code comes from.
	out, errs, status := run(t, "", "users", "link", "ada", "--without-code", "--store", path, "--at", "2026-11-29T12:05:00Z")
	if status != StatusFine || !strings.Contains(errs, "A link for ada, to choose another password. It is good once, until 2026-12-02 12:05 UTC:") {
		t.Fatalf("exit status %d\n%s%s", status, out, errs)
	}
	_, token, _ := strings.Cut(strings.TrimSpace(out), people.WelcomePath)
	ada, err := office.Accept(t.Context(), token, "", "correct horse battery staple")
	if err != nil || ada.Name != "ada" || ada.TOTP != "" {
		t.Errorf("%+v, %v", ada, err)
	}
	// One that went astray is taken back.
	if _, _, status := run(t, "", "users", "invite", "eve", "--role", "viewer", "--store", path, "--at", "2026-11-29T12:05:00Z"); status != StatusFine {
		t.Fatalf("exit status %d", status)
	}
	links, err := office.Store.Links(t.Context(), office.Now())
	if err != nil || len(links) != 1 {
		t.Fatalf("%d links, %v", len(links), err)
	}
	id := links[0].ID()
	for _, c := range []struct {
		out, errs string
		status    Status
	}{{"The link " + id + " is good no more\n", "", StatusFine}, {"", "there is no link", StatusUndone}} {
		out, errs, status := run(t, "", "users", "withdraw", id, "--store", path, "--at", "2026-11-29T12:05:00Z")
		if status != c.status || out != c.out || !strings.Contains(errs, c.errs) {
			t.Errorf("exit status %d\n%s%s", status, out, errs)
		}
	}
	if out, _, _ := run(t, "", "users", "log", "-n", "1", "--store", path, "--at", "2026-11-29T12:05:00Z"); !strings.Contains(out, "withdraw-link eve: made by command line") {
		t.Error(out)
	}
}

func TestUsersHaveTheMembersThatScriptsRelyOn(t *testing.T) {
	path, _ := peopled(t)
	for _, c := range []struct{ args, members string }{
		{"list", ".users[].name .users[].roles[].over .users[].roles[].role .users[].password .users[].passkeys .users[].code .users[].provider .users[].disabled .users[].created .links"},
		{"sessions", "[].user [].created [].seen [].address [].agent [].method"},
		{"tokens", "[].id [].name [].user [].role [].over [].created [].expires"},
		{"role bob viewer", ".name .roles[].over .disabled"},
		{"link ada", ".name .roles .link .expires"},
		{"disable bob", ".name .done"},
		{"log -n 1", ".id .at .who .address .what .about .detail"},
	} {
		out, errs, status := run(t, "", append(strings.Fields("users "+c.args), "--store", path, "--json", "--at", "2026-11-29T12:05:00Z")...)
		if status != StatusFine || errs != "" || !json.Valid([]byte(out)) {
			t.Errorf("%s: exit status %d\n%s%s", c.args, status, out, errs)
			continue
		}
		got := shape(t, out)
		for member := range strings.FieldsSeq(c.members) {
			if got[member] == "" {
				t.Errorf("%s: %s is not in %s", c.args, member, out)
			}
		}
	}
}
