package publish

import (
	"io"
	"net/http"
	"strings"
)

// Files answers as next does once the changes to files were made.
func Files(next http.RoundTripper, changes []Change) http.RoundTripper {
	f := &files{next: next, texts: map[string]string{}}
	for _, c := range changes {
		if c.Type == File {
			f.texts[c.Name] = c.New
		}
	}
	if len(f.texts) == 0 {
		return next
	}
	return f
}

type files struct {
	next  http.RoundTripper
	texts map[string]string
}

// RoundTrip implements [http.RoundTripper].
func (f *files) RoundTrip(r *http.Request) (*http.Response, error) {
	text, ok := f.texts[r.URL.String()]
	if !ok {
		return f.next.RoundTrip(r)
	}
	status := http.StatusOK
	if text == "" {
		status = http.StatusNotFound
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"text/plain"}}, Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)),
	}, nil
}
