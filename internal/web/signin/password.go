package signin

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/web/page"
)

// A signInForm is the page to sign in at.
type signInForm struct {
	To       string
	Provider string // what to call it; empty: none
	Passkeys bool
	WhyNot   string // passkeys are not to be had here
	Bare     bool   // it came without HTTPS, and not from this machine
}

func (d *Door) signInPage(w http.ResponseWriter, r *http.Request) {
	to := local(r.URL.Query().Get("to"))
	switch who, err := d.Who(r); {
	case err != nil:
		d.broken(w, r, nil, err)
	case who != nil:
		http.Redirect(w, r, to, http.StatusSeeOther)
	default:
		d.showSignIn(w, r, http.StatusOK, to, "", "")
	}
}

func (d *Door) showSignIn(w http.ResponseWriter, r *http.Request, code int, to, name, wrong string) {
	form := signInForm{To: to, Bare: d.bare(r)}
	if o := d.Config().Web.OIDC; o.Issuer != "" {
		form.Provider = providerName(o)
	}
	_, form.WhyNot = d.relyingParty(r)
	form.Passkeys = form.WhyNot == ""
	p := &page.Page{Name: "sign-in", Title: "Sign in", Answer: form, Error: wrong, Sent: map[string]string{"name": name}}
	if wrong != "" {
		p.Field = "name"
	}
	d.show(w, r, code, p)
}

// bare tells whether what is typed can be read on the way.
func (d *Door) bare(r *http.Request) bool { return !d.Secure(r) && !d.Address(r).Unmap().IsLoopback() }

// wrongPassword is said whatever it was: that there is no such person, that the password is wrong, or that the person is locked out.
const wrongPassword = "The name or the password is wrong."

func (d *Door) signIn(w http.ResponseWriter, r *http.Request) {
	name, to := nameIn(r), local(r.PostForm.Get("to"))
	if text, ok := d.attempt(name, w, r); !ok {
		d.showSignIn(w, r, http.StatusTooManyRequests, to, name, text)
		return
	}
	p, err := d.Office.Password(r.Context(), name, r.PostForm.Get("password"))
	switch {
	case errors.Is(err, people.ErrRefused):
		d.failed(r, name, "wrong name or password")
		d.showSignIn(w, r, http.StatusUnprocessableEntity, to, name, wrongPassword)
	case errors.Is(err, people.ErrBusy):
		d.showSignIn(w, r, http.StatusServiceUnavailable, to, name, busy(w))
	case err != nil:
		d.broken(w, r, nil, err)
	case p.TOTP == "":
		d.enter(w, r, p, "password", to)
	default:
		if err := d.setStep(w, r, stepCode, codeStep{p.ID, fingerprint(p), to}); err != nil {
			d.broken(w, r, nil, err)
			return
		}
		http.Redirect(w, r, "/sign-in/code", http.StatusSeeOther)
	}
}

// nameIn is the name of a form as names are kept.
func nameIn(r *http.Request) string {
	return bounded(strings.ToLower(strings.TrimSpace(r.PostForm.Get("name"))), maxName)
}

// A codeStep is somebody whose password was right.
type codeStep struct {
	Person      int64  `json:"person"`
	Fingerprint []byte `json:"fingerprint"`
	To          string `json:"to"`
}

// fingerprint changes with a password, so that a step which was taken with the one before leads nowhere.
func fingerprint(p people.Person) []byte {
	sum := sha256.Sum256([]byte(p.Password))
	return sum[:8]
}

func (d *Door) codePage(w http.ResponseWriter, r *http.Request) {
	var s codeStep
	if _, ok := d.step(r, stepCode, &s); !ok {
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
		return
	}
	d.showCode(w, r, http.StatusOK, "")
}

func (d *Door) showCode(w http.ResponseWriter, r *http.Request, code int, wrong string) {
	p := &page.Page{Name: "sign-in-code", Title: "One more step", Error: wrong}
	if wrong != "" {
		p.Field = "code"
	}
	d.show(w, r, code, p)
}

const beginAgain = "That took too long, or the browser does not keep cookies. Sign in again."

func (d *Door) code(w http.ResponseWriter, r *http.Request) {
	var s codeStep
	id, ok := d.step(r, stepCode, &s)
	if !ok {
		d.showSignIn(w, r, http.StatusUnprocessableEntity, "/", "", beginAgain)
		return
	}
	p, err := d.Store.PersonByID(r.Context(), s.Person)
	if errors.Is(err, people.ErrNoPerson) || err == nil && (p.Disabled || string(fingerprint(p)) != string(s.Fingerprint)) {
		d.endStep(w, r, stepCode)
		d.showSignIn(w, r, http.StatusUnprocessableEntity, s.To, "", wrongPassword)
		return
	}
	if err != nil {
		d.broken(w, r, nil, err)
		return
	}
	if text, ok := d.attempt("code of "+p.Name, w, r); !ok { // which is no name, so that passwords do not count
		d.showCode(w, r, http.StatusTooManyRequests, text)
		return
	}
	err = d.Office.CheckTOTP(r.Context(), p, codeIn(r))
	switch {
	case errors.Is(err, people.ErrRefused):
		d.failed(r, p.Name, "wrong code")
		d.showCode(w, r, http.StatusUnprocessableEntity, "The code is wrong, or was used. Wait for the next one, or use a recovery code.")
	case err != nil:
		d.broken(w, r, nil, err)
	case !d.steps.use(id):
		d.showSignIn(w, r, http.StatusUnprocessableEntity, s.To, "", beginAgain)
	default:
		d.endStep(w, r, stepCode)
		d.enter(w, r, p, "password", s.To)
	}
}

// codeIn is a code as people type it, without the spaces that applications show.
func codeIn(r *http.Request) string {
	return bounded(strings.ReplaceAll(strings.TrimSpace(r.PostForm.Get("code")), " ", ""), maxName)
}
