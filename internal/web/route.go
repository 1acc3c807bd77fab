package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/web/page"
)

// A reach says over what the role must be held that a route needs.
type reach int

const (
	somewhere  reach = iota // over any domain: the answer holds only what the person may see
	oneDomain               // over the domain that is in the path as {domain}
	everywhere              // over everything
)

// A route is one question or action, which is a page, and a part of the API.
type route struct {
	id      string // of its template and, in the API, of the operation
	method  string
	path    string // of the page; in the API it stands under /api/v1
	title   string
	summary string // for who reads the API's description
	area    string // of the menu
	need    people.Role
	over    reach
	room    int64  // bytes of what may be sent; maxBody if 0
	form    string // of an action: the path of the page that its form is on
	fresh   bool   // is only for who has signed in a short time ago, and for no token: it decides who comes in

	handle   func(*site, http.ResponseWriter, *http.Request, *people.Access)
	describe func(*site, huma.API)
}

// enough tells whether somebody may use the route. It is the one place where that is decided.
func (r *route) enough(who *people.Access, domain string) bool {
	switch r.over {
	case everywhere:
		return who.Everywhere() >= r.need
	case oneDomain:
		return who.Over(domain) >= r.need
	}
	return who.Anywhere() >= r.need
}

// late tells whether somebody must sign in again before the route may be used. A token never may: one that leaked would be worth what it
// lets in, long after it was taken back.
func (r *route) late(who *people.Access) bool { return r.fresh && (!who.Fresh || who.Token != 0) }

// back is the path of the page that a form came from.
func (r *route) back(req *http.Request) string {
	return strings.ReplaceAll(r.form, "{name}", url.PathEscape(req.PathValue("name")))
}

// An ask is a question of the dashboard's, and a do is something to be done.
type ask[In, Out any] func(context.Context, *people.Access, *In) (*Out, error)
type do[In any] func(context.Context, *people.Access, *In) (*dashboard.Done, error)

// view is a route that shows an answer.
func view[In, Out any](r route, f ask[In, Out]) route {
	r.method = http.MethodGet
	r.handle = func(s *site, w http.ResponseWriter, req *http.Request, who *people.Access) {
		var in In
		if err := decode(req, &in); err != nil {
			s.fail(w, req, who, &r, err)
			return
		}
		out, err := f(req.Context(), who, &in)
		if err != nil {
			s.fail(w, req, who, &r, err)
			return
		}
		if table := req.URL.Query().Get("table"); table != "" {
			s.table(w, req, who, out, table)
			return
		}
		if format := req.URL.Query().Get("format"); format != "" {
			s.file(w, req, who, out, format)
			return
		}
		s.show(w, req, who, http.StatusOK, &r, &page.Page{Answer: out, Form: &in, Note: s.note(w, req)})
	}
	r.describe = func(s *site, api huma.API) { describe(s, api, &r, f) }
	return r
}

// answer is a route that is asked by a form, and whose answer is a page that no address leads to again.
func answer[In, Out any](r route, f ask[In, Out]) route {
	r.method = http.MethodPost
	r.handle = func(s *site, w http.ResponseWriter, req *http.Request, who *people.Access) {
		var in In
		err := decode(req, &in)
		var out *Out
		if err == nil {
			out, err = f(req.Context(), who, &in)
		}
		if err != nil {
			s.fail(w, req, who, &r, err)
			return
		}
		s.show(w, req, who, http.StatusOK, &r, &page.Page{Answer: out, Form: &in})
	}
	r.describe = func(s *site, api huma.API) {
		if r.most() > large {
			describeLarge(s, api, &r, f)
			return
		}
		describe(s, api, &r, f)
	}
	return r
}

// describe makes an operation of the API of a question.
func describe[In, Out any](s *site, api huma.API, r *route, f ask[In, Out]) {
	type output struct{ Body *Out }
	huma.Register(api, r.operation(), func(ctx context.Context, in *In) (*output, error) {
		out, err := f(ctx, accessOf(ctx), in)
		if err != nil {
			return nil, s.problem(err)
		}
		return &output{out}, nil
	})
}

// action is a route that changes something: a form on a page, which is shown again when something is wrong with it.
func action[In any](r route, f do[In]) route {
	r.method = http.MethodPost
	r.handle = func(s *site, w http.ResponseWriter, req *http.Request, who *people.Access) {
		var in In
		err := decode(req, &in)
		var done *dashboard.Done
		if err == nil {
			done, err = f(req.Context(), who, &in)
		}
		if err != nil {
			s.fail(w, req, who, &r, err)
			return
		}
		if done.Secret != "" { // it must not get into an address, nor a cookie
			s.write(w, req, http.StatusOK, &page.Page{Name: "secret", Title: r.title, Area: r.area, Who: who, Path: local(done.To), Answer: done})
			return
		}
		s.leave(w, done.Text)
		http.Redirect(w, req, local(done.To), http.StatusSeeOther)
	}
	r.describe = func(s *site, api huma.API) {
		type output struct{ Body *dashboard.Done }
		huma.Register(api, r.operation(), func(ctx context.Context, in *In) (*output, error) {
			done, err := f(ctx, accessOf(ctx), in)
			if err != nil {
				return nil, s.problem(err)
			}
			return &output{done}, nil
		})
	}
	return r
}

// most is how many bytes may be sent.
func (r *route) most() int64 {
	if r.room == 0 {
		return maxBody
	}
	return r.room
}

func (r *route) operation() huma.Operation {
	summary, security := r.summary, []map[string][]string{{"token": {}}, {"session": {}}}
	if r.fresh {
		summary, security = summary+". For who has signed in within the last 15 minutes; no token may do it", security[1:]
	}
	return huma.Operation{
		OperationID: r.id, Method: r.method, Path: r.path, Summary: r.title, Description: summary, Tags: []string{r.area},
		MaxBodyBytes: r.most(), Errors: apiErrors, Metadata: map[string]any{"route": r}, Security: security,
	}
}

// local is where a browser is sent: a path of ours, and nowhere else.
func local(to string) string {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return "/"
	}
	return to
}

// status is that of an error, with what to say of it.
func status(err error) (int, string) {
	var wrong *dashboard.Invalid
	var busy *dashboard.Busy
	switch {
	case errors.As(err, &wrong):
		return http.StatusUnprocessableEntity, wrong.Text
	case errors.As(err, &busy):
		return http.StatusTooManyRequests, busy.Text
	case errors.Is(err, dashboard.ErrNotFound):
		return http.StatusNotFound, "There is no such thing, or not any more."
	}
	return http.StatusInternalServerError, "That did not work, and why stands in the log."
}
