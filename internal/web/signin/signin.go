// Package signin is the door of the dashboard: it tells who is there, and lets people in by password and code, by passkey, by an OpenID
// provider, or by a link that is good once.
//
//	door := signin.New(signin.Options{Office: office, Store: store, Pages: pages, Config: config, Address: address, Secure: secure, Log: log})
//	h := web.Handler(web.Options{Dashboard: desk, Door: door, Pages: pages, Log: log})
//
// Who somebody is, and what a secret is worth, package people decides. This package has the forms, and what a browser keeps: a cookie for
// the session, which every sign-in makes anew, and sealed ones for what lies between the steps of a sign-in.
package signin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/show"
	"github.com/gatepost-mail/gatepost/internal/web/page"
)

// An Office knows people: *people.Office.
type Office interface {
	Session(ctx context.Context, cookie string) (*people.Access, error)
	Token(ctx context.Context, bearer string) (*people.Access, error)
	Begin(ctx context.Context, p people.Person, method, address, agent string) (cookie string, err error)
	End(ctx context.Context, who *people.Access) error
	EndOthers(ctx context.Context, who *people.Access) error
	Sessions(ctx context.Context, person int64) ([]people.Session, error)

	Password(ctx context.Context, name, password string) (people.Person, error)
	SetPassword(ctx context.Context, id int64, password string) error
	NewTOTP(name string) (secret, uri string, err error)
	CheckTOTP(ctx context.Context, p people.Person, code string) error
	EnableTOTP(ctx context.Context, id int64, secret, code string) (recovery []string, err error)
	DisableTOTP(ctx context.Context, id int64) error
	AddPasskey(ctx context.Context, id int64, k people.Passkey) error
	UpdatePasskey(ctx context.Context, id int64, k people.Passkey) error
	RemovePasskey(ctx context.Context, id int64, credentialID []byte) error

	Welcome(ctx context.Context, token string) (people.Link, error)
	Accept(ctx context.Context, token, name, password string) (people.Person, error)
	Subject(ctx context.Context, subject, name string, grants []people.Grant) (people.Person, error)

	Attempt(name, address string, now time.Time) (wait time.Duration, ok bool)
	Event(ctx context.Context, e people.Event)
}

// A Store is what is read of the people directly.
type Store interface {
	PersonByID(ctx context.Context, id int64) (people.Person, error)
	PersonByName(ctx context.Context, name string) (people.Person, error)
	PersonBySubject(ctx context.Context, subject string) (people.Person, error)
}

// Options are what a door is made of.
type Options struct {
	Office  Office
	Store   Store
	Pages   *page.Set
	Config  func() *config.Config
	Address func(*http.Request) netip.Addr // of the client
	Secure  func(*http.Request) bool       // whether the client came by HTTPS
	Now     func() time.Time
	Log     *slog.Logger
}

// A Door lets people in and out.
type Door struct {
	Options
	steps    *steps
	provider provider
	failures failures
}

// Bounds for what a browser sends.
const (
	maxBody  = 64 << 10
	maxName  = 100 // characters of a name that are looked at
	maxAgent = 200
)

// New makes a door.
func New(o Options) *Door {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Door{Options: o, steps: newSteps(o.Now)}
}

// Who is there: by the cookie of a session, or by a token where a program asks the API with one. Never both, so that what a browser was
// led to send does not get what a token may do, and the other way round.
func (d *Door) Who(r *http.Request) (*people.Access, error) {
	var who *people.Access
	var err error
	if bearer, ok := bearerOf(r); ok {
		who, err = d.Office.Token(r.Context(), bearer)
	} else if cookie, ok := d.sessionCookie(r); ok && fromBrowser(r) {
		who, err = d.Office.Session(r.Context(), cookie)
	}
	if errors.Is(err, people.ErrNobody) {
		return nil, nil
	}
	if who != nil {
		who.Address = d.address(r)
	}
	return who, err
}

func bearerOf(r *http.Request) (string, bool) {
	if !strings.HasPrefix(r.URL.Path, "/api/") {
		return "", false
	}
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "Bearer")
}

// fromBrowser tells whether a request that changes something says from which site it comes. Browsers always say it, and whether it is
// ours is looked at for all requests; a program that does not say it needs a token.
func fromBrowser(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	return r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Origin") != ""
}

// Mount puts the door's pages into place.
func (d *Door) Mount(mux *http.ServeMux) {
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /sign-in":                 d.signInPage,
		"POST /sign-in":                d.signIn,
		"GET /sign-in/code":            d.codePage,
		"POST /sign-in/code":           d.code,
		"POST /sign-in/passkey/begin":  d.beginPasskey,
		"POST /sign-in/passkey":        d.passkey,
		"GET /sign-in/oidc":            d.toProvider,
		"GET " + callbackPath:          d.fromProvider,
		"POST /sign-out":               d.signOut,
		"GET /welcome/{token}":         d.welcomePage,
		"POST /welcome/{token}":        d.welcome,
		"GET /account":                 d.inside(d.accountPage),
		"POST /account/password":       d.inside(d.fresh(d.setPassword)),
		"GET /account/totp":            d.inside(d.fresh(d.totpPage)),
		"POST /account/totp":           d.inside(d.fresh(d.enableTOTP)),
		"POST /account/totp/off":       d.inside(d.fresh(d.disableTOTP)),
		"POST /account/passkeys/begin": d.inside(d.fresh(d.beginNewPasskey)),
		"POST /account/passkeys":       d.inside(d.fresh(d.addPasskey)),
		"POST /account/passkeys/{id}":  d.inside(d.fresh(d.removePasskey)),
		"POST /account/sessions":       d.inside(d.endOthers),
		"POST /account/sessions/{id}":  d.inside(d.endSession),
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			if r.Method == http.MethodPost && r.ParseForm() != nil {
				d.message(w, r, nil, http.StatusBadRequest, "That could not be read", "Go back, and send the form once more.")
				return
			}
			h(w, r)
		})
	}
}

// A visitor is who is signed in.
type visitor struct {
	access *people.Access
	person people.Person
}

type insideHandler func(http.ResponseWriter, *http.Request, *visitor)

// inside is for those who are signed in by a session.
func (d *Door) inside(h insideHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, err := d.Who(r)
		if err != nil {
			d.broken(w, r, nil, err)
			return
		}
		if who == nil {
			if r.Method == http.MethodGet {
				http.Redirect(w, r, signInAt(r.URL.RequestURI()), http.StatusSeeOther)
			} else {
				d.message(w, r, nil, http.StatusUnauthorized, "Sign in first", "The session has ended; what was sent was not done.")
			}
			return
		}
		p, err := d.Store.PersonByID(r.Context(), who.Person)
		if err != nil {
			d.broken(w, r, who, err)
			return
		}
		h(w, r, &visitor{who, p})
	}
}

// fresh is for what changes how one signs in.
func (d *Door) fresh(h insideHandler) insideHandler {
	return func(w http.ResponseWriter, r *http.Request, v *visitor) {
		switch {
		case !v.access.Fresh:
			d.show(w, r, http.StatusForbidden, &page.Page{Name: "account-again", Title: "Sign in again", Who: v.access, Answer: "/account"})
		case v.person.Elsewhere():
			d.message(w, r, v.access, http.StatusForbidden, "Not here", "You sign in by a provider, and how you do that is set there.")
		default:
			h(w, r, v)
		}
	}
}

// enter begins a session, whatever there was before, and goes where the person wanted to.
func (d *Door) enter(w http.ResponseWriter, r *http.Request, p people.Person, method, to string) {
	if old, err := d.Who(r); err == nil && old != nil && old.Session != (people.Hash{}) {
		if err := d.Office.End(r.Context(), old); err != nil {
			d.Log.Error("a session could not be ended", "person", old.Name, "error", err.Error())
		}
	}
	cookie, err := d.Office.Begin(r.Context(), p, method, d.address(r), bounded(r.UserAgent(), maxAgent))
	if errors.Is(err, people.ErrRefused) { // somebody was locked out a moment ago
		d.showSignIn(w, r, http.StatusUnprocessableEntity, local(to), "", wrongPassword)
		return
	}
	if err != nil {
		d.broken(w, r, nil, err)
		return
	}
	d.setSession(w, r, cookie)
	http.Redirect(w, r, local(to), http.StatusSeeOther)
}

func (d *Door) signOut(w http.ResponseWriter, r *http.Request) {
	who, err := d.Who(r)
	if err == nil && who != nil {
		err = d.Office.End(r.Context(), who)
	}
	if err != nil {
		d.broken(w, r, nil, err)
		return
	}
	d.setSession(w, r, "")
	http.Redirect(w, r, signInAt(r.PostForm.Get("to")), http.StatusSeeOther)
}

// nobodys is the name of tries at which nobody is named: they are counted by where they come from alone.
const nobodys = ""

// attempt counts a try, and answers if there were too many.
func (d *Door) attempt(name string, w http.ResponseWriter, r *http.Request) (string, bool) {
	wait, ok := d.Office.Attempt(name, d.address(r), d.Now())
	if ok {
		return "", true
	}
	w.Header().Set("Retry-After", seconds(wait))
	return "There were too many tries. Wait " + spoken(wait) + ", and try again.", false
}

func (d *Door) address(r *http.Request) string {
	if a := d.Address(r); a.IsValid() {
		return a.String()
	}
	return ""
}

// event leaves a line in the audit log of what somebody did with the own account.
func (d *Door) event(r *http.Request, v *visitor, what, detail string) {
	d.Office.Event(r.Context(), people.Event{At: d.Now(), Who: v.access.Name, Address: d.address(r), What: what, About: v.person.Name, Detail: detail})
}

func (d *Door) show(w http.ResponseWriter, r *http.Request, code int, p *page.Page) {
	p.Path = r.URL.RequestURI()
	if err := d.Pages.Write(w, r, code, p); err != nil {
		d.Log.Error("a page could not be shown", "page", p.Name, "error", err.Error())
		http.Error(w, "The page could not be made, and why stands in the log.", http.StatusInternalServerError)
	}
}

func (d *Door) message(w http.ResponseWriter, r *http.Request, who *people.Access, code int, title, text string) {
	d.show(w, r, code, &page.Page{Name: "message", Title: title, Who: who, Answer: text})
}

// busy is said where too many others sign in at the same time.
func busy(w http.ResponseWriter) string {
	w.Header().Set("Retry-After", seconds(people.Patience))
	return "Too many sign in at the same time. Wait " + spoken(people.Patience) + ", and try again."
}

// broken answers where the store does not.
func (d *Door) broken(w http.ResponseWriter, r *http.Request, who *people.Access, err error) {
	if r.Context().Err() != nil {
		return // nobody waits for the answer any more
	}
	d.Log.Error("the door could not tell who is there", "path", pathOf(r), "error", err.Error())
	d.message(w, r, who, http.StatusInternalServerError, "That did not work", "Why stands in the log.")
}

// pathOf is a request's path as it may stand in a log: without the secret of a link.
func pathOf(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, "/welcome/") {
		return "/welcome/…"
	}
	return r.URL.Path
}

func bounded(text string, most int) string {
	text = show.Printable(strings.ToValidUTF8(text, ""))
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most])
	}
	return text
}
