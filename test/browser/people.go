package browser

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// staff are who works with the dashboard of the made-up company: ada owns it.
func staff(ctx context.Context, s store.Store, c *config.Config, now time.Time) error {
	c.Web.Groups = []config.WebGroup{{Name: "brands", Domains: []string{"example.org", "example.net"}}}
	begun := now.Add(-40 * 24 * time.Hour)
	at := begun
	office := &people.Office{Store: s, Groups: c.Web.PeopleGroups, Now: func() time.Time { return at }}
	everything := func(r people.Role) people.Grant { return people.Grant{Over: people.Everything, Role: r} }
	for i, p := range []people.Person{
		{Name: "ada", Grants: []people.Grant{everything(people.Owner)}, Password: "$", TOTP: "AAAAAAAAAAAAAAAA", Passkeys: []people.Passkey{{Name: "Laptop", ID: []byte{1}}}},
		{Name: "bob", Grants: []people.Grant{everything(people.Viewer), {Over: "brands", Role: people.Analyst}}, Password: "$"},
		{Name: "carla.stone@example.com", Grants: []people.Grant{everything(people.Analyst)}, Subject: "https://id.example.com 77"},
		{Name: "dave", Password: "$", Disabled: true, Grants: []people.Grant{{Over: "agency", Role: people.Viewer}}},
	} {
		p.Created, at = begun, begun
		id, err := s.AddPerson(ctx, p)
		if err != nil {
			return err
		}
		p.ID = id
		office.Event(ctx, people.Event{Who: p.Name, What: "accept-link", About: p.Name, Detail: "new, " + people.Describe(p.Grants)})
		if p.Disabled {
			continue
		}
		at = now.Add(-time.Duration(3-i) * time.Hour)
		if _, err := office.Begin(ctx, p, []string{"passkey", "password", "oidc"}[i], "192.0.2."+fmt.Sprint(10+i),
			"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"); err != nil {
			return err
		}
		who := people.NewAccess(p.Name, p.Grants, nil)
		who.Person = id
		for _, program := range []string{"monitoring", "weekly sheet"}[:2-min(i, 2)] {
			if _, err := office.NewToken(ctx, who, program, people.Viewer, people.Everything, at.AddDate(0, 0, 90*(1+i))); err != nil {
				return err
			}
		}
	}
	at = now.Add(-time.Hour)
	if _, err := office.Invite(ctx, "ada", people.Link{Name: "erik", Grants: []people.Grant{{Over: "brands", Role: people.Viewer}}}); err != nil {
		return err
	}
	for _, e := range []people.Event{
		{Who: "ada", Address: "192.0.2.10", What: "invite-user", About: "erik", Detail: "viewer of brands"},
		{Address: "203.0.113.66", What: "sign-in failed", Detail: "wrong name or password"},
		{Who: "command line", What: "disable-user", About: "dave"},
		{Who: "token monitoring of ada", Address: "198.51.100.4", What: "mark-source", About: "example.com", Detail: "service:mailchimp is ours: the newsletter of the marketing department, which they told us about in June"},
	} {
		office.Event(ctx, e)
	}
	return nil
}

// seated lets whoever asks for the own account be ada, who signed in: the door shows that page by a session only.
func seated(ctx context.Context, next http.Handler, office *people.Office, s store.Store) (http.Handler, error) {
	ada, err := s.PersonByName(ctx, "ada")
	if errors.Is(err, people.ErrNoPerson) {
		return next, nil
	}
	if err != nil {
		return nil, err
	}
	cookie, err := office.Begin(ctx, ada, "password", "192.0.2.7", "Mozilla/5.0 (Android 16; Mobile; rv:146.0) Gecko/146.0 Firefox/146.0")
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/account" || r.URL.Path == "/account/totp" {
			r.AddCookie(&http.Cookie{Name: "gatepost-session", Value: cookie})
		}
		next.ServeHTTP(w, r)
	}), nil
}

// known gives an access that has only a name the number of who has it.
func known(ctx context.Context, s store.Store, who *people.Access) *people.Access {
	if who == nil || who.Person != 0 {
		return who
	}
	if p, err := s.PersonByName(ctx, who.Name); err == nil {
		who.Person = p.ID
	}
	return who
}
