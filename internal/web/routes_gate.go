package web

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/people"
)

// gateRoutes are about what the gate decides: all of it is over everything.
func gateRoutes(d *dashboard.Desk) []route {
	const area = "gate"
	see := func(id, path, title, summary string) route {
		return route{id: id, path: path, title: title, summary: summary, area: area, need: people.Viewer, over: everywhere}
	}
	change := func(id, path, form, title, summary string) route {
		return route{id: id, path: path, form: form, title: title, summary: summary, area: area, need: people.Analyst, over: everywhere}
	}
	return []route{
		view(see("gate", "/gate", "Gate", "The last decisions, and how many there were"), d.Gate),
		stream(see("gate-live", "/gate/live", "Decisions as they come", "The decisions as they come, as server-sent events, until the client ends it"), newLive(d)),
		view(see("gate-decision", "/gate/decisions/{reference}", "A message", "One message, explained from the connection to the verdict"), d.Decision),

		view(see("gate-exceptions", "/gate/exceptions", "Exceptions", "Who is let in for a while though a rule would not"), d.Exceptions),
		view(see("gate-exception-new", "/gate/exceptions/new", "Make an exception", "An exception that could be made, for a message or a domain"), d.NewException),
		action(change("gate-except", "/gate/exceptions", "/gate/exceptions/new", "Make an exception", "Let in mail of one domain that comes one way, until a date"), d.DoExcept),
		action(change("gate-extend", "/gate/exceptions/{id}/extend", "/gate/exceptions", "Extend an exception", "Give an exception another end"), d.DoExtend),
		action(change("gate-unexcept", "/gate/exceptions/{id}/remove", "/gate/exceptions", "Remove an exception", "Have the rules judge such mail again"), d.DoUnexcept),

		view(see("gate-letters", "/gate/letters", "Letters", "The letters to owners of domains that have something to mend"), d.Letters),
		view(see("gate-letter", "/gate/letters/{id}", "A letter", "One letter, to whom it goes, and what came of it"), d.Letter),
		action(change("gate-write", "/gate/letters", "/gate/letters", "Write to an owner", "Open a case with the letter to a domain's owner, which then waits to be approved"), d.DoWrite),
		action(change("gate-approve", "/gate/letters/{id}/approve", "/gate/letters/{id}", "Approve a letter", "Let a letter be sent"), d.DoApprove),
		action(change("gate-decline", "/gate/letters/{id}/decline", "/gate/letters/{id}", "Decline a letter", "Have a letter not be sent"), d.DoDecline),
		action(change("gate-close", "/gate/letters/{id}/close", "/gate/letters/{id}", "Close a case", "Have nobody look any more whether it was mended"), d.DoClose),
	}
}

// stream is a route that tells decisions as they come.
func stream(r route, l *live) route {
	r.method = http.MethodGet
	r.handle = func(s *site, w http.ResponseWriter, req *http.Request, who *people.Access) {
		var in dashboard.LiveIn
		err := decode(req, &in)
		var watch *dashboard.Watch
		if err == nil {
			watch, err = in.Watch()
		}
		if err != nil {
			s.fail(w, req, who, &r, err)
			return
		}
		l.serve(w, req, who, watch, in.After, s.still(&r, req))
	}
	r.describe = func(s *site, api huma.API) {
		of := r.operation()
		of.Responses = map[string]*huma.Response{"200": {
			Description: "Each event has the ID of a decision as its id, and the decision as its data. Who names the last ID in Last-Event-ID gets what was missed.",
			Content: map[string]*huma.MediaType{"text/event-stream": {
				Schema: api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[dashboard.DecisionLine](), true, ""),
			}},
		}}
		huma.Register(api, of, func(ctx context.Context, in *dashboard.LiveIn) (*huma.StreamResponse, error) {
			watch, err := in.Watch()
			if err != nil {
				return nil, s.problem(err)
			}
			who := accessOf(ctx)
			return &huma.StreamResponse{Body: func(c huma.Context) {
				req, w := humago.Unwrap(c)
				l.serve(w, req, who, watch, in.After, s.still(&r, req))
			}}, nil
		})
	}
	return r
}

// still tells whether who asked may go on to look.
func (s *site) still(r *route, req *http.Request) func() bool {
	return func() bool {
		who, err := s.door.Who(req)
		return err == nil && who != nil && r.enough(who, req.PathValue("domain"))
	}
}
