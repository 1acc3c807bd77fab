package web

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/web/page"
)

// A Door tells who is there, and lets people in and out by pages of its own.
type Door interface {
	// Who is nil where nobody is signed in; an error is one of the store's.
	Who(r *http.Request) (*people.Access, error)
	Mount(mux *http.ServeMux)
}

// A site is the dashboard.
type site struct {
	limits limits
	desk   *dashboard.Desk
	door   Door
	pages  *page.Set
	wait   time.Duration // for answers, of a page
	log    *slog.Logger
	routes []route
	bulky  chan struct{} // a place for each large body that is being read
}

// Large bodies are held in memory while they are looked at: only so many at a time.
const (
	large       = 1 << 20
	largeAtOnce = 4
)

// place gives a place to a request that may have a large body, until it is done; false where all are taken.
func (s *site) place(r *route) (done func(), ok bool) {
	if r.most() <= large {
		return func() {}, true
	}
	select {
	case s.bulky <- struct{}{}:
		return func() { <-s.bulky }, true
	default:
		return nil, false
	}
}

// hurry is how long a page waits for all the answers that it is made of.
const hurry = 80 * time.Millisecond

// dashboardHandler answers with pages, and under /api/v1.
func dashboardHandler(o Options) http.Handler {
	s := &site{
		desk: o.Dashboard, door: o.Door, pages: o.Pages, wait: cmp.Or(o.hurry, hurry), log: o.Log, routes: routes(o.Dashboard),
		limits: limits{now: o.clock}, bulky: make(chan struct{}, largeAtOnce),
	}
	mux := http.NewServeMux()
	mux.Handle("GET /assets/", s.pages.Assets())
	for i := range s.routes {
		r := &s.routes[i]
		mux.Handle(r.method+" "+r.path, s.guard(r))
	}
	mux.Handle("GET /{$}", http.RedirectHandler("/domains", http.StatusSeeOther))
	mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		if strings.HasPrefix(req.URL.Path, apiPrefix+"/") {
			writeProblem(w, http.StatusNotFound, "There is no such path; "+apiPrefix+"/openapi.json describes those that are.")
			return
		}
		who, _ := s.door.Who(req)
		s.message(w, req, who, http.StatusNotFound, "There is no such page", "Perhaps the address was cut off on its way here.")
	})
	s.door.Mount(mux)
	s.mountAPI(mux)
	return http.NewCrossOriginProtection().Handler(mux)
}

// guard lets in who may use a route, and shows others the door.
func (s *site) guard(r *route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		who, err := s.door.Who(req)
		wait := s.limits.take(who)
		switch {
		case err != nil:
			s.fail(w, req, nil, r, err)
		case wait > 0:
			w.Header().Set("Retry-After", retryAfter(wait))
			s.message(w, req, who, http.StatusTooManyRequests, "Too much at once", "Ask again in a moment.")
		case who == nil && req.Method == http.MethodGet:
			http.Redirect(w, req, "/sign-in?to="+url.QueryEscape(req.URL.RequestURI()), http.StatusSeeOther)
		case who == nil:
			s.message(w, req, nil, http.StatusUnauthorized, "Sign in first", "The session has ended; what was sent was not done.")
		case !r.enough(who, req.PathValue("domain")):
			s.message(w, req, who, http.StatusForbidden, "Not for you", "Whoever owns this dashboard can give you the role for it.")
		case r.late(who):
			s.write(w, req, http.StatusForbidden, &page.Page{Name: "account-again", Title: "Sign in again", Area: r.area, Who: who, Path: req.URL.RequestURI(), Answer: r.back(req)})
		default:
			done, ok := s.place(r)
			if !ok {
				s.message(w, req, who, http.StatusTooManyRequests, "Too much at a time", "Others are sending large files just now. Try again in a moment.")
				return
			}
			defer done()
			req.Body = http.MaxBytesReader(w, req.Body, r.most())
			r.handle(s, w, req.WithContext(keep.Hurried(req.Context(), time.Now().Add(s.wait))), who)
		}
	})
}

// A wrong is what was wrong with a form, for the page that it is on.
type wrong struct {
	text, field string
	sent        map[string]string
}

type wrongKey struct{}

// show answers with a route's page.
func (s *site) show(w http.ResponseWriter, req *http.Request, who *people.Access, code int, r *route, p *page.Page) {
	p.Name, p.Title, p.Area, p.Who, p.Path, p.API = r.id, r.title, r.area, who, req.URL.RequestURI(), "/api/v1"+req.URL.RequestURI()
	if req.Method != http.MethodGet {
		p.API = "" // nobody can follow a link to what was sent
	}
	if t, ok := p.Answer.(interface{ Title() string }); ok {
		p.Title = t.Title()
	}
	if c, ok := p.Answer.(interface{ Crumbs() []dashboard.Crumb }); ok {
		for _, crumb := range c.Crumbs() {
			p.Crumbs = append(p.Crumbs, page.Crumb(crumb))
		}
	}
	if a, ok := p.Answer.(interface{ Again() int }); ok {
		p.Again = a.Again()
	}
	if x, ok := req.Context().Value(wrongKey{}).(wrong); ok {
		p.Error, p.Field, p.Sent, code = x.text, x.field, x.sent, http.StatusUnprocessableEntity
	}
	s.write(w, req, code, p)
}

func (s *site) write(w http.ResponseWriter, req *http.Request, code int, p *page.Page) {
	if err := s.pages.Write(w, req, code, p); err != nil {
		s.log.Error("a page could not be shown", "path", req.URL.Path, "error", err.Error())
		http.Error(w, "The page could not be made, and why stands in the log.", http.StatusInternalServerError)
	}
}

// message answers with a page that says one thing.
func (s *site) message(w http.ResponseWriter, req *http.Request, who *people.Access, code int, title, text string) {
	s.write(w, req, code, &page.Page{Name: "message", Title: title, Who: who, Path: req.URL.RequestURI(), Answer: text})
}

// fail answers where there is an error: that an answer is under way, what was wrong on the page with the form, or what else went wrong.
func (s *site) fail(w http.ResponseWriter, req *http.Request, who *people.Access, r *route, err error) {
	if errors.Is(err, keep.ErrPending) {
		s.show(w, req, who, http.StatusOK, &route{id: "pending", title: r.title, area: r.area}, &page.Page{Again: 2})
		return
	}
	code, text := status(err)
	if code == http.StatusInternalServerError {
		s.log.Error("a page could not be made", "path", req.URL.Path, "error", err.Error())
	}
	var invalid *dashboard.Invalid
	if errors.As(err, &invalid) {
		if form := s.formOf(r); form != nil {
			sent := map[string]string{}
			for name := range req.PostForm {
				sent[name] = req.PostForm.Get(name)
			}
			again := req.Clone(context.WithValue(req.Context(), wrongKey{}, wrong{text, invalid.Field, sent}))
			again.Method = http.MethodGet
			form.handle(s, w, again, who)
			return
		}
	}
	s.message(w, req, who, code, http.StatusText(code), text)
}

// formOf is the page with the form that an action belongs to.
func (s *site) formOf(r *route) *route {
	for i := range s.routes {
		if s.routes[i].method == http.MethodGet && r.form != "" && s.routes[i].path == r.form {
			return &s.routes[i]
		}
	}
	return nil
}

// noteCookie carries to the next page what was done on this one.
const noteCookie = "gatepost-note"

func (s *site) leave(w http.ResponseWriter, text string) {
	http.SetCookie(w, &http.Cookie{Name: noteCookie, Value: url.QueryEscape(text), Path: "/", MaxAge: 30, HttpOnly: true, SameSite: http.SameSiteStrictMode})
}

func (s *site) note(w http.ResponseWriter, req *http.Request) string {
	c, err := req.Cookie(noteCookie)
	if err != nil {
		return ""
	}
	http.SetCookie(w, &http.Cookie{Name: noteCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	text, err := url.QueryUnescape(c.Value)
	if err != nil {
		return ""
	}
	return text
}
