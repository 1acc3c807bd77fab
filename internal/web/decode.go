package web

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/dashboard"
)

// decode fills a question's input from a request: fields with a path tag from the path, those with a query tag from the query, and those of
// a field Body, by their JSON names, from the form, where one of []byte is a file. A default tag stands in for what is not there, as in the API.
func decode(r *http.Request, in any) error {
	if r.Method == http.MethodPost {
		err := r.ParseForm()
		if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == "multipart/form-data" {
			err = r.ParseMultipartForm(math.MaxInt64) // what is sent has a bound already, and nothing of it is written to a disk
		}
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			return &dashboard.Invalid{Text: fmt.Sprintf("There is too much in the form: it takes %d MB.", large.Limit>>20)}
		case err != nil:
			return &dashboard.Invalid{Text: "The form came broken; send it again."}
		}
	}
	return fill(r, reflect.ValueOf(in).Elem(), false)
}

func fill(r *http.Request, v reflect.Value, body bool) error {
	for i := range v.NumField() {
		f, t := v.Field(i), v.Type().Field(i)
		if t.Anonymous || t.Name == "Body" {
			if f.Kind() == reflect.Struct {
				if err := fill(r, f, body || t.Name == "Body"); err != nil {
					return err
				}
			}
			continue
		}
		name, values := values(r, t, body)
		if name == "" {
			continue
		}
		if f.Type() == reflect.TypeFor[[]byte]() && body {
			content, err := file(r, name)
			if err != nil {
				return &dashboard.Invalid{Field: name, Text: "The file came broken; send it again."}
			}
			f.SetBytes(content)
			continue
		}
		if len(values) == 0 && t.Tag.Get("default") != "" {
			values = []string{t.Tag.Get("default")}
		}
		if len(values) == 0 {
			continue
		}
		if err := set(f, values); err != nil {
			return &dashboard.Invalid{Field: name, Text: fmt.Sprintf("%q cannot be %s.", values[0], name)}
		}
	}
	return nil
}

// file is what was sent of a form's file; nil where none was chosen.
func file(r *http.Request, name string) ([]byte, error) {
	if r.MultipartForm == nil || len(r.MultipartForm.File[name]) == 0 {
		return nil, nil
	}
	f, err := r.MultipartForm.File[name][0].Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// values are what the request has for a field.
func values(r *http.Request, t reflect.StructField, body bool) (string, []string) {
	if body {
		name, _, _ := strings.Cut(t.Tag.Get("json"), ",")
		return name, r.PostForm[name]
	}
	if name := t.Tag.Get("path"); name != "" {
		return name, []string{r.PathValue(name)}
	}
	name, _, _ := strings.Cut(t.Tag.Get("query"), ",")
	if name == "" {
		return "", nil
	}
	return name, r.URL.Query()[name]
}

func set(f reflect.Value, values []string) error {
	if u, ok := f.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if values[0] == "" {
			return nil
		}
		return u.UnmarshalText([]byte(values[0]))
	}
	switch f.Kind() {
	case reflect.String:
		f.SetString(strings.TrimSpace(values[0]))
	case reflect.Bool:
		f.SetBool(values[0] == "true" || values[0] == "on" || values[0] == "1")
	case reflect.Int, reflect.Int64:
		if values[0] == "" {
			return nil
		}
		n, err := strconv.ParseInt(values[0], 10, 64)
		if err != nil {
			return err
		}
		f.SetInt(n)
	case reflect.Slice:
		all := reflect.MakeSlice(f.Type(), len(values), len(values))
		for i := range values {
			if err := set(all.Index(i), values[i:i+1]); err != nil {
				return err
			}
		}
		f.Set(all)
	default:
		panic("web: no form has a " + f.Type().String())
	}
	return nil
}
