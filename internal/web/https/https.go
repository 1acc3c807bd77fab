// Package https has the certificate of the dashboard: one of the administrator's files, or one that it has of an authority by itself (ACME,
// RFC 8555).
//
//	h, err := https.New(https.Options{ACME: &https.ACME{Host: "gatepost.example.org", Storage: dir}, Log: log})
//	go h.Run(ctx)
//	web.ServeTLS(ctx, listener, handler, h.TLS())
//
// Where the authority refuses, or cannot be reached, it is asked again later; nothing waits for that but browsers.
package https

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"github.com/gatepost-mail/gatepost/internal/certfile"
)

// Options say by which certificate. Either the files are named, or ACME is there.
type Options struct {
	CertFile, KeyFile string
	ACME              *ACME
	Log               *slog.Logger // none if nil
}

// ACME says of whom a certificate is had.
type ACME struct {
	Host      string // whose certificate
	Email     string // that the authority writes to
	Directory string // of the authority; Let's Encrypt if empty
	CAFile    string // certificates to trust for the directory, in PEM; those of the system if empty
	Storage   string // a folder; it is made

	// The ports of our own listeners: by the one the authority is answered by HTTP (RFC 8555 8.3), by the other in TLS (RFC 8737). Zero: not.
	HTTPPort, TLSPort int
}

// An HTTPS has a certificate, or tries to.
type HTTPS struct {
	log  *slog.Logger
	tls  *tls.Config
	acme *acme // nil: by files

	mu      sync.Mutex
	trouble error
}

// New prepares it. The files must be good; an authority is not asked yet.
func New(o Options) (*HTTPS, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	h := &HTTPS{log: o.Log}
	var err error
	if o.ACME == nil {
		h.tls, err = certfile.TLS(o.CertFile, o.KeyFile, "the dashboard", o.Log)
	} else {
		err = h.prepare(*o.ACME)
	}
	if err != nil {
		return nil, err
	}
	h.tls.MinVersion = tls.VersionTLS12
	h.tls.NextProtos = append([]string{"h2", "http/1.1"}, h.tls.NextProtos...)
	return h, nil
}

// TLS is for the listener.
func (h *HTTPS) TLS() *tls.Config { return h.tls }

// Run has the certificate of the authority, and renews it, until ctx ends. It begins when our listeners are there, by which the authority
// looks whether the host is ours.
func (h *HTTPS) Run(ctx context.Context) {
	if h.acme == nil {
		return
	}
	h.note(errWaiting)
	defer h.acme.cache.Stop()
	if err := h.acme.config.ManageAsync(ctx, []string{h.acme.of.Host}); err != nil {
		h.failed(err, false)
	}
	<-ctx.Done()
}

// Trouble says why there is no certificate, or no new one; nil if all is well.
func (h *HTTPS) Trouble() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.trouble
}

// errWaiting is so at first.
var errWaiting = errors.New("the authority was not heard yet")

// Plain answers by HTTP: the authority when it looks whether the host is ours, and browsers as [Redirect] does.
func (h *HTTPS) Plain(url func() string) http.Handler {
	if h.acme == nil {
		return Redirect(url)
	}
	return h.acme.issuer.HTTPChallengeHandler(Redirect(url))
}

// Redirect sends browsers to the same path at a URL. What else a request says of where it wants to go does not count.
func Redirect(url func() string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		url := url()
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Connection", "close")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "This is spoken by HTTPS only: "+url, http.StatusForbidden) // a secret was sent in the clear: tell, and do not help
			return
		}
		to := *r.URL
		to.Scheme, to.Host, to.User, to.Opaque = "", "", nil, ""
		path := to.EscapedPath()
		if path == "" || path[0] != '/' {
			path = "/"
		}
		if to.RawQuery != "" {
			path += "?" + to.RawQuery
		}
		w.Header().Set("Location", url+path)
		w.WriteHeader(http.StatusPermanentRedirect)
	})
}

// failed notes why there is no certificate, or no new one, and says what to do.
func (h *HTTPS) failed(err error, renewal bool) {
	h.note(err)
	text := "there is no certificate for the dashboard yet; it is tried again, and the mail does not suffer from it"
	if renewal {
		text = "the certificate of the dashboard could not be renewed; it is tried again"
	}
	h.log.Error(text, "host", h.acme.of.Host, "error", err.Error(), "to_do", h.acme.advice())
}

func (h *HTTPS) note(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trouble = err
}

// event hears of what certmagic does.
func (h *HTTPS) event(_ context.Context, name string, data map[string]any) error {
	switch name {
	case "cert_failed":
		err, ok := data["error"].(error)
		if !ok {
			err = errors.New("the authority refused")
		}
		renewal, _ := data["renewal"].(bool)
		h.failed(err, renewal)
	case "cert_obtained":
		h.note(nil)
		h.log.Info("a certificate for the dashboard was had", "host", h.acme.of.Host)
	case "cached_managed_cert":
		h.note(nil)
	}
	return nil
}
