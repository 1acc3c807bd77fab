package web

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/gatepost-mail/gatepost/internal/dashboard"
)

// A question has each kind of field that forms and addresses fill.
type question struct {
	dashboard.Days
	Text string `query:"text"`
	Last int    `query:"last" default:"7"`
	Body struct {
		Name   string   `json:"name"`
		Again  bool     `json:"again,omitempty"`
		Number int64    `json:"number"`
		Groups []string `json:"groups"`
		File   []byte   `json:"file"`
	}
}

func FuzzFormsAreFilledOrRefusedInWords(f *testing.F) {
	const boundary = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"r.xml\"\r\n\r\n<feedback/>\r\n--b\r\n" +
		"Content-Disposition: form-data; name=\"groups\"\r\n\r\none\r\n--b--\r\n"
	for _, form := range []struct{ query, kind, body string }{
		{"days=30&text=a", "application/x-www-form-urlencoded", "name=+a+&again=on&number=12&groups=a&groups=b"},
		{"days=0", "application/x-www-form-urlencoded", "number=x"},
		{"days=99999999999999999999&last=-1", "multipart/form-data; boundary=b", boundary},
		{"%zz", "multipart/form-data; boundary=", "--\r\n"},
		{"a;b", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\xff\"\r\n\r\n"},
		{"", "text/plain; charset=\xff", "name=%00%ff"},
	} {
		f.Add(form.query, form.kind, []byte(form.body))
	}
	f.Fuzz(func(t *testing.T, query, kind string, body []byte) {
		const most = 1 << 12
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", kind)
		r.Body = http.MaxBytesReader(nil, readCloser{bytes.NewReader(body)}, most)
		var in question
		err := decode(r, &in)
		if invalid := (*dashboard.Invalid)(nil); err != nil && !errors.As(err, &invalid) {
			t.Fatalf("error %v, want one that is the sender's", err)
		}
		if err == nil && len(body) <= most && len(in.Body.File) > len(body) {
			t.Errorf("a file of %d bytes came out of %d", len(in.Body.File), len(body))
		}
		if strings.TrimSpace(in.Body.Name) != in.Body.Name {
			t.Errorf("the name %q has spaces around it", in.Body.Name)
		}
	})
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

func FuzzLargeBodiesAreReadOrRefusedInWords(f *testing.F) {
	for _, body := range []string{
		`{"name":"a","again":true,"number":1,"groups":["a"],"file":"QQ=="}`, `{"name":1}`, `{"other":1}`, `{} {}`, `[`, ``, `null`, `{"file":"!"}`,
		`{"name":"` + "\xff" + `"}`, `{"number":1e400}`, strings.Repeat(`[`, 20000), `{"` + strings.Repeat("\u202e", 400) + `":1}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		const most = 1 << 12
		var in question
		err := readJSON(http.MaxBytesReader(nil, readCloser{bytes.NewReader(body)}, most), &in.Body)
		if err == nil {
			return
		}
		var status huma.StatusError
		if !errors.As(err, &status) || status.GetStatus() != http.StatusRequestEntityTooLarge && status.GetStatus() != http.StatusUnprocessableEntity {
			t.Fatalf("error %v of type %v", err, reflect.TypeOf(err))
		}
		text := status.Error()
		if len(text) > 1000 || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("the error is %q", text)
		}
	})
}
