package web

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/gatepost-mail/gatepost/internal/web/page"
)

// A reply remembers its status.
type reply struct {
	http.ResponseWriter
	status int // 0: nothing was said yet
}

func (a *reply) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *reply) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(p)
}

// Flush implements [http.Flusher].
func (a *reply) Flush() { http.NewResponseController(a.ResponseWriter).Flush() }

// Unwrap is for [http.ResponseController].
func (a *reply) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// counted tells of each answer. A route is known by its pattern, of which there are only so many, whatever is asked for.
func (b *border) counted(count func(string, int, time.Duration), next http.Handler) http.Handler {
	if count == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, begun := &reply{ResponseWriter: w}, time.Now()
		next.ServeHTTP(a, r)
		if a.status == 0 {
			a.status = http.StatusOK
		}
		count(r.Pattern, a.status, time.Since(begun))
	})
}

// recovered answers with an error of ours where a handler panics, and has the log say where.
func recovered(next http.Handler, pages *page.Set, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &reply{ResponseWriter: w}
		defer func() {
			fault := recover()
			if fault == nil {
				return
			}
			if fault == http.ErrAbortHandler {
				panic(fault)
			}
			log.Error("panic", "path", r.URL.Path, "fault", fault, "stack", string(debug.Stack()))
			if a.status != 0 {
				panic(http.ErrAbortHandler) // half an answer must not be taken for a whole one
			}
			fault500(a, r, pages)
		}()
		next.ServeHTTP(a, r)
	})
}

const faultText = "That is a fault of ours, and the log says more of it."

func fault500(w http.ResponseWriter, r *http.Request, pages *page.Set) {
	h := w.Header()
	for _, name := range []string{"Content-Encoding", "Content-Length", "Content-Disposition", "Etag"} {
		h.Del(name)
	}
	switch {
	case strings.HasPrefix(r.URL.Path, apiPrefix+"/"):
		writeProblem(w, http.StatusInternalServerError, faultText)
	case pages != nil:
		p := &page.Page{Name: "message", Title: "That did not work", Path: r.URL.RequestURI(), Answer: faultText}
		if pages.Write(w, r, http.StatusInternalServerError, p) == nil {
			return
		}
		fallthrough
	default:
		refuse(w, http.StatusInternalServerError, faultText)
	}
}

// writeProblem answers with an error as the API tells it (RFC 9457), where there is no operation that could.
func writeProblem(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(&huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: text})
}
