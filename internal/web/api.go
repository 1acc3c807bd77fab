package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
)

// apiPrefix stands before each path.
const apiPrefix = "/api/v1"

// apiPatience is how long a program waits for an answer that is being worked out.
const apiPatience = 25 * time.Second

type accessKey struct{}

func accessOf(ctx context.Context) *people.Access {
	who, _ := ctx.Value(accessKey{}).(*people.Access)
	return who
}

// mountAPI answers under /api/v1 with what the pages show, and describes it at /api/v1/openapi.json.
func (s *site) mountAPI(mux humago.Mux) huma.API {
	api := humago.NewWithPrefix(mux, apiPrefix, apiConfig())
	api.UseMiddleware(s.guardAPI(api))
	for i := range s.routes {
		s.routes[i].describe(s, api)
	}
	withNulls(api.OpenAPI().Components.Schemas)
	return api
}

// Describe is the description of the API as OpenAPI 3.1 has it, in JSON.
func Describe() ([]byte, error) {
	desk := &dashboard.Desk{}
	s := &site{desk: desk, routes: routes(desk)}
	text, err := s.mountAPI(http.NewServeMux()).OpenAPI().MarshalJSON()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = json.Indent(&b, text, "", "  ")
	return b.Bytes(), err
}

const apiAbout = `What the dashboard shows, for programs: the same paths, the same answers, the same roles.

Send a token, which is made on the dashboard under Settings: ` + "`Authorization: Bearer TOKEN`" + `. It may do what its owner may, and no more than was chosen for it; but who comes in is decided by people who have just signed in, and by no token.

An answer that takes long is worked out beside the request. If it is not there in 25 seconds, the status is 503 with Retry-After; ask again.
A token may ask 600 times a minute, 100 times at once, and a person by all tokens three times as much; beyond that the status is 429 with
Retry-After. Errors are as RFC 9457 says.`

// areas are what the operations are grouped by: the menu of the pages.
var areas = []*huma.Tag{
	{Name: "domains", Description: "Our domains, who sends in their name, and what would happen if they published something else"},
	{Name: "gate", Description: "What the gate decided, exceptions, and letters to those who publish wrongly"},
	{Name: "check", Description: "What a domain publishes, and what is wrong with it; a message, verified and explained"},
	{Name: "reports", Description: "Reports that came back, and how they come"},
	{Name: "settings", Description: "Users, tokens, and what the configuration says"},
	{Name: "account", Description: "Of who asks"},
}

func apiConfig() huma.Config {
	c := huma.DefaultConfig("Gatepost", "1")
	c.Info.Description = apiAbout
	c.Servers = []*huma.Server{{URL: apiPrefix}}
	c.Tags = areas
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "A token of the dashboard's settings"},
		"session": {Type: "apiKey", In: "cookie", Name: "gatepost-session", Description: "Of a browser that signed in; by HTTPS its name begins with __Host-"},
	}
	c.DocsPath, c.SchemasPath = "", ""
	c.CreateHooks = nil // no $schema in answers
	return c
}

// schemaName is a type's name, with its package where that is another's than the dashboard's.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
		t = t.Elem()
	}
	path, ours := strings.CutPrefix(t.PkgPath(), "github.com/gatepost-mail/gatepost/")
	pkg := path[strings.LastIndexByte(path, '/')+1:]
	if !ours || pkg == "dashboard" || t.Name() == "" {
		return name
	}
	return strings.ToUpper(pkg[:1]) + pkg[1:] + name
}

// apiErrors are the statuses, beside that of success, that each operation can have.
var apiErrors = []int{
	http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusTooManyRequests,
	http.StatusInternalServerError, http.StatusServiceUnavailable,
}

// guardAPI is what guard is to the pages.
func (s *site) guardAPI(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		req, _ := humago.Unwrap(ctx)
		r := ctx.Operation().Metadata["route"].(*route)
		who, err := s.door.Who(req)
		wait := s.limits.take(who)
		switch {
		case err != nil:
			s.log.Error("the API could not tell who is there", "error", err.Error())
			huma.WriteErr(api, ctx, http.StatusInternalServerError, "That did not work, and why stands in the log.")
		case who == nil:
			ctx.SetHeader("WWW-Authenticate", "Bearer")
			huma.WriteErr(api, ctx, http.StatusUnauthorized, "A token is needed: Authorization: Bearer TOKEN")
		case wait > 0:
			ctx.SetHeader("Retry-After", retryAfter(wait))
			huma.WriteErr(api, ctx, http.StatusTooManyRequests, "That is too much at once; ask again a little later.")
		case !r.enough(who, ctx.Param("domain")):
			huma.WriteErr(api, ctx, http.StatusForbidden, "The role is not enough for it.")
		case r.late(who) && who.Token != 0:
			huma.WriteErr(api, ctx, http.StatusForbidden, "No token may do that. Sign in at the dashboard, and do it there.")
		case r.late(who):
			huma.WriteErr(api, ctx, http.StatusForbidden, "That may be done only within 15 minutes after signing in. Sign in again.")
		default:
			done, ok := s.place(r)
			if !ok {
				huma.WriteErr(api, ctx, http.StatusTooManyRequests, "Others are sending large files just now. Try again in a moment.")
				return
			}
			defer done()
			ctx = huma.WithValue(ctx, accessKey{}, who)
			next(huma.WithContext(ctx, keep.Hurried(ctx.Context(), time.Now().Add(apiPatience))))
		}
	}
}

// problem is an error as the API tells it (RFC 9457).
func (s *site) problem(err error) error {
	if errors.Is(err, keep.ErrPending) {
		return huma.ErrorWithHeaders(huma.NewError(http.StatusServiceUnavailable, "The answer is being worked out; ask again."), http.Header{"Retry-After": {"5"}})
	}
	code, text := status(err)
	if code == http.StatusInternalServerError {
		s.log.Error("the API could not answer", "error", err.Error())
	}
	return huma.NewError(code, text)
}
