// Package web is what Gatepost shows by HTTP: /metrics for Prometheus, and /healthz and /readyz for whoever watches over services.
//
//	h := web.Handler(web.Options{Metrics: m.Handler(), Checks: []web.Check{web.DNS(resolver)}, Log: log})
//	err := web.Serve(ctx, listener, h)
//
// Nobody logs in: let it listen on loopback, or on a network that is yours. It changes nothing, takes in nothing, and tells no
// more than who watches needs.
package web

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// DefaultAddress is where a gate listens that is told nothing else.
const DefaultAddress = "127.0.0.1:8080"

// Options are what there is to show. What is nil is not there.
type Options struct {
	Metrics http.Handler
	Reports http.Handler // takes uploads, with bounds of its own
	Checks  []Check      // what /readyz looks at
	Log     *slog.Logger
}

// Bounds for who asks.
const (
	maxConnections = 64
	maxHeader      = 16 << 10
	maxBody        = 64 << 10
	headerTimeout  = 5 * time.Second
	readTimeout    = 10 * time.Second
	writeTimeout   = 30 * time.Second
	idleTimeout    = time.Minute
	closeTimeout   = 5 * time.Second
)

// Handler answers all requests.
func Handler(o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", index)
	mux.HandleFunc("GET /healthz", healthz)
	mux.Handle("GET /readyz", &readiness{checks: o.Checks, log: o.Log, now: time.Now})
	if o.Metrics != nil {
		mux.Handle("GET /metrics", o.Metrics)
	}
	bounded := http.MaxBytesHandler(mux, maxBody)
	if o.Reports == nil {
		return secure(bounded)
	}
	all := http.NewServeMux()
	all.Handle("/reports", o.Reports)
	all.Handle("/", bounded)
	return secure(all)
}

// secure sets what tells a browser to trust nothing in an answer.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

const page = `<!DOCTYPE html>
<html lang="en">
<title>Gatepost</title>
<h1>Gatepost</h1>
<ul>
<li><a href="/metrics">/metrics</a>: counters, for Prometheus
<li><a href="/healthz">/healthz</a>: whether the process lives
<li><a href="/readyz">/readyz</a>: whether mail can be judged, and what is wrong if not
</ul>
</html>
`

func index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	io.WriteString(w, page)
}

func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, "ok\n")
}

// Serve answers on a listener until ctx is done, and then lets answers that are under way come to their end for a moment.
func Serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler: h, MaxHeaderBytes: maxHeader, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout,
		ErrorLog:    log.New(io.Discard, "", 0), // what a stranger sends must not fill the log
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if server.Shutdown(end) != nil {
			server.Close()
		}
	})
	err := server.Serve(netutil.LimitListener(ln, maxConnections))
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
