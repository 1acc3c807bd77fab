package signin

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/web/page"
)

// An account is the page of whom it is shown to.
type account struct {
	Name      string
	Grants    []people.Grant
	Elsewhere bool // signs in by the provider alone
	Provider  string
	Fresh     bool // may change how to sign in
	Password  bool
	TOTP      bool
	Recovery  int // codes that are left
	Passkeys  []passkeyRow
	WhyNot    string // no passkey can be added here
	Sessions  []sessionRow
}

type passkeyRow struct {
	ID, Name      string
	Created, Used time.Time
}

type sessionRow struct {
	ID              string
	Here            bool
	Created, Seen   time.Time
	Address, Method string
	Device          string
	Agent           string // as the browser calls itself, all of it
}

// The names by which browsers and systems are known in what they call themselves: of those that are in it, the first is right, as most
// name some others too.
var (
	browsers = [][2]string{{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"OPR/", "Opera"}, {"Vivaldi/", "Vivaldi"}, {"SamsungBrowser/", "Samsung Internet"},
		{"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}}
	systems = [][2]string{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"Macintosh", "macOS"}, {"CrOS", "ChromeOS"},
		{"Linux", "Linux"}, {"BSD", "BSD"}}
)

// deviceOf is what a browser calls itself, as people would say it.
func deviceOf(agent string) string {
	known := func(names [][2]string) string {
		for _, n := range names {
			if strings.Contains(agent, n[0]) {
				return n[1]
			}
		}
		return ""
	}
	browser, system := known(browsers), known(systems)
	switch {
	case agent == "":
		return "does not say"
	case browser == "" || !strings.HasPrefix(agent, "Mozilla/"):
		return bounded(agent, 60)
	case system == "":
		return browser
	}
	return browser + " on " + system
}

// methods are how somebody signed in, as the page says it.
var methods = map[string]string{"password": "password", "passkey": "passkey", "oidc": "provider", "link": "one-time link"}

// notes are what was done, as the page says it afterwards.
var notes = map[string]string{
	"password":  "The password is changed, and all other sessions have ended.",
	"totp-off":  "No code is asked for any more.",
	"passkey":   "The passkey is there. You can sign in by it.",
	"removed":   "The passkey is gone.",
	"others":    "All other sessions have ended.",
	"one-other": "The session has ended.",
}

// leave goes back to the account, which says what was done.
func (d *Door) leave(w http.ResponseWriter, r *http.Request, note string) {
	d.setCookie(w, r, "done", note, time.Minute)
	http.Redirect(w, r, "/account", http.StatusSeeOther)
}

func (d *Door) accountPage(w http.ResponseWriter, r *http.Request, v *visitor) {
	note := ""
	if c, err := r.Cookie(d.cookieName(r, "done")); err == nil {
		note = notes[c.Value]
		d.setCookie(w, r, "done", "", 0)
	}
	d.showAccount(w, r, v, http.StatusOK, &page.Page{Note: note})
}

// wrongOn shows the account again, with what is wrong with one of its forms.
func (d *Door) wrongOn(w http.ResponseWriter, r *http.Request, v *visitor, field, text string) {
	d.showAccount(w, r, v, http.StatusUnprocessableEntity, &page.Page{Field: field, Error: text})
}

// notNow shows the account again, where nothing is wrong with a form but that too many sign in.
func (d *Door) notNow(w http.ResponseWriter, r *http.Request, v *visitor, field string) {
	d.showAccount(w, r, v, http.StatusServiceUnavailable, &page.Page{Field: field, Error: busy(w)})
}

func (d *Door) showAccount(w http.ResponseWriter, r *http.Request, v *visitor, code int, p *page.Page) {
	sessions, err := d.Office.Sessions(r.Context(), v.person.ID)
	if err != nil {
		d.broken(w, r, v.access, err)
		return
	}
	a := account{
		Name: v.person.Name, Grants: v.person.Grants, Elsewhere: v.person.Elsewhere(), Password: v.person.Password != "",
		Fresh: v.access.Fresh, TOTP: v.person.TOTP != "", Recovery: len(v.person.Recovery), Provider: providerName(d.Config().Web.OIDC),
	}
	_, a.WhyNot = d.relyingParty(r)
	for _, k := range v.person.Passkeys {
		a.Passkeys = append(a.Passkeys, passkeyRow{base64.RawURLEncoding.EncodeToString(k.ID), k.Name, k.Created, k.Used})
	}
	for _, s := range sessions {
		here := s.Hash == v.access.Session
		a.Sessions = append(a.Sessions, sessionRow{hex.EncodeToString(s.Hash[:]), here, s.Created, s.Seen, s.Address, methods[s.Method], deviceOf(s.Agent), s.Agent})
	}
	p.Name, p.Title, p.Who, p.Answer = "account", "Your account", v.access, a
	d.show(w, r, code, p)
}

func (d *Door) setPassword(w http.ResponseWriter, r *http.Request, v *visitor) {
	if v.person.Password != "" {
		if text, ok := d.attempt(v.person.Name, w, r); !ok {
			d.wrongOn(w, r, v, "old", text)
			return
		}
		_, err := d.Office.Password(r.Context(), v.person.Name, r.PostForm.Get("old"))
		if errors.Is(err, people.ErrRefused) {
			d.failed(r, v.person.Name, "wrong old password")
			d.wrongOn(w, r, v, "old", "The old password is wrong.")
			return
		}
		if errors.Is(err, people.ErrBusy) {
			d.notNow(w, r, v, "old")
			return
		}
		if err != nil {
			d.broken(w, r, v.access, err)
			return
		}
	}
	password := r.PostForm.Get("password")
	if password != r.PostForm.Get("again") {
		d.wrongOn(w, r, v, "again", "The two passwords are not the same.")
		return
	}
	err := d.Office.SetPassword(r.Context(), v.person.ID, password)
	var unfit *people.Unfit
	if errors.As(err, &unfit) {
		d.wrongOn(w, r, v, unfit.Field, unfit.Text)
		return
	}
	if errors.Is(err, people.ErrBusy) {
		d.notNow(w, r, v, "password")
		return
	}
	if err == nil {
		err = d.Office.EndOthers(r.Context(), v.access)
	}
	if err != nil {
		d.broken(w, r, v.access, err)
		return
	}
	d.event(r, v, "change-password", "")
	d.leave(w, r, "password")
}

func (d *Door) endOthers(w http.ResponseWriter, r *http.Request, v *visitor) {
	all, err := d.Office.Sessions(r.Context(), v.person.ID)
	if err == nil {
		err = d.Office.EndOthers(r.Context(), v.access)
	}
	if err != nil {
		d.broken(w, r, v.access, err)
		return
	}
	if slices.ContainsFunc(all, func(s people.Session) bool { return s.Hash != v.access.Session }) {
		d.event(r, v, "end-sessions", "") // or the log would be filled by whoever presses the button
	}
	d.leave(w, r, "others")
}

// endSession ends one of the person's sessions. That of somebody else is none.
func (d *Door) endSession(w http.ResponseWriter, r *http.Request, v *visitor) {
	all, err := d.Office.Sessions(r.Context(), v.person.ID)
	if err != nil {
		d.broken(w, r, v.access, err)
		return
	}
	for _, s := range all {
		if hex.EncodeToString(s.Hash[:]) != r.PathValue("id") {
			continue
		}
		if s.Hash == v.access.Session {
			d.signOut(w, r)
			return
		}
		other := *v.access
		other.Session = s.Hash
		if err := d.Office.End(r.Context(), &other); err != nil {
			d.broken(w, r, v.access, err)
			return
		}
		d.leave(w, r, "one-other")
		return
	}
	d.leave(w, r, "one-other") // it has ended by itself meanwhile
}
