package facts

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// RememberFiles gets each file once, so that a web server that a stranger names is not asked again for every change that is tried.
func RememberFiles(next http.RoundTripper) http.RoundTripper {
	if next == nil {
		return nil
	}
	return &fileMemory{next: next, known: map[string]*file{}}
}

type fileMemory struct {
	next  http.RoundTripper
	mu    sync.Mutex
	known map[string]*file // by URL
}

// A file is an answer, with as much of its body as anybody looks at.
type file struct {
	once    sync.Once
	answer  *http.Response
	err     error
	body    []byte
	bodyErr error
}

// RoundTrip implements [http.RoundTripper].
func (m *fileMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	f := m.known[r.URL.String()]
	if f == nil {
		f = new(file)
		m.known[r.URL.String()] = f
	}
	m.mu.Unlock()
	f.once.Do(func() {
		if f.answer, f.err = m.next.RoundTrip(r); f.err == nil {
			defer f.answer.Body.Close()
			f.body, f.bodyErr = io.ReadAll(io.LimitReader(f.answer.Body, mostFetched+1))
		}
	})
	if f.err != nil {
		return nil, f.err
	}
	answer := *f.answer
	answer.Header, answer.Request = answer.Header.Clone(), r
	answer.Body = io.NopCloser(io.MultiReader(bytes.NewReader(f.body), broken{f.bodyErr}))
	return &answer, nil
}

// broken is the end of a body.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	return 0, io.EOF
}
