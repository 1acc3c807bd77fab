// Package web is what Gatepost shows by HTTP: the dashboard and its API, /metrics for Prometheus, and /healthz and /readyz for whoever
// watches over services.
//
//	h := web.Handler(web.Options{Dashboard: desk, Door: door, Pages: page.New(), Metrics: m.Handler(), Log: log})
//	err := web.Serve(ctx, listener, h)
//
// What can be asked and done is one table, in which each line says who may. Metrics and readiness are for those networks only that the
// configuration names, and tell no more than who watches needs.
package web

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/netutil"

	"github.com/gatepost-mail/gatepost/internal/client"
	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/web/page"
)

// DefaultAddress is where a gate listens that is told nothing else.
const DefaultAddress = "127.0.0.1:8080"

// Options are what there is to show. What is nil is not there.
type Options struct {
	Metrics http.Handler
	Reports http.Handler // takes uploads, with bounds of its own
	Checks  []Check      // what /readyz looks at

	Dashboard *dashboard.Desk // with Door
	Door      Door
	Pages     *page.Set
	hurry     time.Duration    // that a page waits for answers, in tests
	clock     func() time.Time // by which questions are counted, in tests

	// Settings are those in force. Nil: whoever asks, by whatever name, is answered.
	Settings func() *config.Web
	// Count hears of each answer: the pattern of its route, its status, and how long it took; may be nil.
	Count func(route string, status int, took time.Duration)
	Log   *slog.Logger
}

// Bounds for who asks. A stream, and what takes more bytes, sets other times for itself.
const (
	maxConnections = 512 // a browser has six, and a stream beside them
	maxStreams     = 64  // at once in a connection of HTTP/2
	maxHeader      = 16 << 10
	maxBody        = 64 << 10
	headerTimeout  = 5 * time.Second
	readTimeout    = 10 * time.Second
	writeTimeout   = 2 * time.Minute // a large table for who reads slowly
	idleTimeout    = time.Minute
	closeTimeout   = 5 * time.Second
)

// Handler answers all requests.
func Handler(o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	b := &border{settings: o.Settings, log: o.Log}
	mux := http.NewServeMux()
	if o.Dashboard != nil {
		mux.Handle("/", b.named(compressed(recovered(dashboardHandler(o), o.Pages, o.Log))))
	} else {
		mux.HandleFunc("GET /{$}", serveIndex)
	}
	mux.HandleFunc("GET /healthz", healthz)
	mux.Handle("GET /readyz", b.watched(&readiness{checks: o.Checks, log: o.Log, now: time.Now}))
	if o.Metrics != nil {
		mux.Handle("GET /metrics", b.watched(o.Metrics))
	}
	if o.Reports != nil {
		mux.Handle("POST /reports", o.Reports)
	}
	return b.counted(o.Count, b.secure(recovered(mux, o.Pages, o.Log)))
}

// policy lets a browser load our style sheet and scripts, and run nothing else whatever stands in a page.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// pinned is how long a browser is to come by HTTPS alone: a year.
const pinned = "max-age=31536000"

// secure sets what tells a browser to trust nothing in an answer, and to keep none: whoever comes back to a page after signing out, or to
// somebody else's browser, is to see nothing.
func (b *border) secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if c := b.web(); c != nil && strings.HasPrefix(c.URL, "https://") && client.Proxies(c.TrustedProxies).Secure(r) {
			h.Set("Strict-Transport-Security", pinned)
		}
		next.ServeHTTP(w, r)
	})
}

const index = `<!DOCTYPE html>
<html lang="en">
<title>Gatepost</title>
<h1>Gatepost</h1>
<p>There is no dashboard: nothing is kept, since <code>store.enabled</code> is false.</p>
<ul>
<li><a href="/metrics">/metrics</a>: counters, for Prometheus
<li><a href="/healthz">/healthz</a>: whether the process lives
<li><a href="/readyz">/readyz</a>: whether mail can be judged, and what is wrong if not
</ul>
</html>
`

func serveIndex(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	io.WriteString(w, index)
}

func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, "ok\n")
}

// Serve answers by HTTP on a listener until ctx is done, and then lets answers that are under way come to their end for a moment.
func Serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	return ServeTLS(ctx, ln, h, nil)
}

// ServeTLS does so by HTTPS, with HTTP/2, unless the configuration is nil.
func ServeTLS(ctx context.Context, ln net.Listener, h http.Handler, secure *tls.Config) error {
	server := &http.Server{
		Handler: h, MaxHeaderBytes: maxHeader, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, TLSConfig: secure, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		BaseContext: func(net.Listener) context.Context { return stoppable(ctx) },
		ErrorLog:    log.New(io.Discard, "", 0), // what a stranger sends must not fill the log
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if server.Shutdown(patience) != nil {
			server.Close()
		}
	})
	ln = netutil.LimitListener(ln, maxConnections)
	var err error
	if secure == nil {
		err = server.Serve(ln)
	} else {
		err = server.ServeTLS(ln, "", "")
	}
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
