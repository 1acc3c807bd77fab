package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/gatepost-mail/gatepost/internal/show"
)

// describeLarge is describe for a question that is in a large body, and nowhere else. The library makes values of whatever there is before it
// looks whether it was asked for, which takes forty times the bytes: this takes what was asked for, and nothing else.
func describeLarge[In, Out any](s *site, api huma.API, r *route, f ask[In, Out]) {
	type output struct{ Body *Out }
	huma.Register(api, r.operation(), func(ctx context.Context, in *bare) (*output, error) {
		req, w := humago.Unwrap(in.ctx)
		var asked In
		if err := readJSON(http.MaxBytesReader(w, req.Body, r.most()), reflect.ValueOf(&asked).Elem().FieldByName("Body").Addr().Interface()); err != nil {
			return nil, err
		}
		out, err := f(ctx, accessOf(ctx), &asked)
		if err != nil {
			return nil, s.problem(err)
		}
		return &output{out}, nil
	})
	of := reflect.TypeFor[In]()
	body, _ := of.FieldByName("Body")
	schema := api.OpenAPI().Components.Schemas.Schema(body.Type, true, of.Name()+"Body")
	api.OpenAPI().Paths[r.path].Post.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
}

var errMore = errors.New("something comes after it")

// readJSON reads one object, with no other members than it has.
func readJSON(r io.Reader, into any) error {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			return nil
		}
		err = cmp.Or(err, errMore)
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return huma.NewError(http.StatusRequestEntityTooLarge, fmt.Sprintf("There is too much in the body: it takes %d MB.", large.Limit>>20))
	}
	return huma.NewError(http.StatusUnprocessableEntity, "The body is not the object that is described: "+show.Elide(show.Printable(err.Error()), 200)+".")
}
