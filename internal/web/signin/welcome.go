package signin

import (
	"errors"
	"net/http"

	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/web/page"
)

// welcomePage shows what a link is good for. Programs that look through mail follow links, so that it uses none up.
func (d *Door) welcomePage(w http.ResponseWriter, r *http.Request) {
	l, err := d.Office.Welcome(r.Context(), r.PathValue("token"))
	if err != nil {
		d.noLink(w, r, err)
		return
	}
	name, err := d.linkName(r, l)
	if err != nil {
		d.broken(w, r, nil, err)
		return
	}
	d.showWelcome(w, r, http.StatusOK, l, map[string]string{"name": name}, "", "")
}

// A welcomeForm is the page of a link.
type welcomeForm struct {
	Enters bool
	Named  bool // the name is decided
	Bare   bool
}

func (d *Door) showWelcome(w http.ResponseWriter, r *http.Request, code int, l people.Link, sent map[string]string, field, wrong string) {
	form := welcomeForm{Enters: l.Enters, Named: l.Name != "" || l.Person != 0, Bare: d.bare(r)}
	d.show(w, r, code, &page.Page{Name: "welcome", Title: "Welcome to Gatepost", Answer: form, Sent: sent, Field: field, Error: wrong})
}

// linkName is the name of whom a link is for; empty if that is to be chosen.
func (d *Door) linkName(r *http.Request, l people.Link) (string, error) {
	if l.Person == 0 {
		return l.Name, nil
	}
	p, err := d.Store.PersonByID(r.Context(), l.Person)
	return p.Name, err
}

func (d *Door) noLink(w http.ResponseWriter, r *http.Request, err error) {
	if !errors.Is(err, people.ErrNoLink) {
		d.broken(w, r, nil, err)
		return
	}
	d.message(w, r, nil, http.StatusGone, "This link is not good any more",
		"It was used, or is too old, or was cut off on its way here. Whoever owns this dashboard can make another; on the server, gatepost users link NAME does.")
}

func (d *Door) welcome(w http.ResponseWriter, r *http.Request) {
	token := r.PathValue("token")
	l, err := d.Office.Welcome(r.Context(), token)
	if err != nil {
		d.noLink(w, r, err)
		return
	}
	name, err := d.linkName(r, l)
	if err != nil {
		d.broken(w, r, nil, err)
		return
	}
	if name == "" {
		name = nameIn(r)
	}
	password := r.PostForm.Get("password")
	sent := map[string]string{"name": name}
	if !l.Enters && password != r.PostForm.Get("again") {
		d.showWelcome(w, r, http.StatusUnprocessableEntity, l, sent, "again", "The two passwords are not the same.")
		return
	}
	p, err := d.Office.Accept(r.Context(), token, name, password)
	var unfit *people.Unfit
	switch {
	case errors.Is(err, people.ErrTaken):
		d.showWelcome(w, r, http.StatusUnprocessableEntity, l, sent, "name", "Somebody has that name. Choose another.")
	case errors.As(err, &unfit):
		d.showWelcome(w, r, http.StatusUnprocessableEntity, l, sent, unfit.Field, unfit.Text)
	case errors.Is(err, people.ErrBusy):
		d.showWelcome(w, r, http.StatusServiceUnavailable, l, sent, "password", busy(w))
	case err != nil:
		d.noLink(w, r, err)
	default:
		d.enter(w, r, p, "link", "/")
	}
}
