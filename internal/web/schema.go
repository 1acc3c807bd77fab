package web

import (
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// withNulls adds to the description what the library leaves out: a pointer to an object that is always there may be null.
func withNulls(r huma.Registry) {
	for name, schema := range r.Map() {
		if t := r.TypeFromRef("#/components/schemas/" + name); t != nil {
			nullable(schema, t)
		}
	}
}

func nullable(s *huma.Schema, t reflect.Type) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			nullable(s, f.Type)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		of := s.Properties[name]
		if f.Type.Kind() == reflect.Pointer && !strings.Contains(options, "omit") && of != nil && of.Ref != "" {
			s.Properties[name] = &huma.Schema{Description: of.Description, OneOf: []*huma.Schema{{Ref: of.Ref}, {Type: "null"}}}
		}
	}
}
