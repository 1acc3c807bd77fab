package serve

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/listen"
	"github.com/gatepost-mail/gatepost/internal/web"
	"github.com/gatepost-mail/gatepost/internal/web/https"
)

const (
	webPause   = 10 * time.Second // after a failure, until it is tried again
	listenTime = time.Second      // in which listeners are there, by which an authority looks whether the host is ours
)

// serveWeb answers where it is to, by HTTPS if there is what it takes. Where the port is taken, it waits until it is free.
func (s *Server) serveWeb(ctx context.Context, a config.Address, h http.Handler, secure *https.HTTPS) {
	for told := false; ; {
		ln, err := listen.On(a.Network, a.Address, 0o660)
		switch {
		case err != nil:
		case secure != nil && a.Network == "tcp": // a socket of the file system is for a proxy on this host
			s.log().Info("listening", "web", ln.Addr().String(), "https", true)
			err = web.ServeTLS(ctx, ln, h, secure.TLS())
		default:
			s.log().Info("listening", "web", ln.Addr().String())
			err = web.Serve(ctx, ln, h)
		}
		if ctx.Err() != nil {
			return
		}
		if !told {
			s.log().Error("the dashboard and the metrics are not shown here; the mail does not suffer from it", "web.listen", a.String(), "error", err.Error())
			told = true
		}
		if !wait(ctx, webPause) {
			return
		}
	}
}

// openHTTPS prepares what HTTPS takes; nil if it is not to be spoken. Where that cannot be done, it is tried again, and nothing is shown
// till then: what is meant for HTTPS is not to be had by HTTP.
func (s *Server) openHTTPS(ctx context.Context, c *config.Web) (_ *https.HTTPS, ok bool) {
	if !c.TLS.Speaks() {
		return nil, true
	}
	for told := false; ; {
		secure, err := https.New(httpsOptions(s.state()))
		if err == nil {
			s.back.https.Store(secure)
			return secure, true
		}
		if !told {
			s.log().Error("HTTPS cannot be spoken, and the dashboard is not shown; the mail does not suffer from it", "error", err.Error())
			told = true
		}
		if !wait(ctx, webPause) {
			return nil, false
		}
	}
}

func httpsOptions(s *state) https.Options {
	c := &s.config.Web
	if !c.TLS.ACME {
		return https.Options{CertFile: c.TLS.CertFile, KeyFile: c.TLS.KeyFile, Log: s.log}
	}
	host := ""
	if u, err := url.Parse(c.URL); err == nil {
		host = u.Hostname()
	}
	return https.Options{Log: s.log, ACME: &https.ACME{
		Host: host, Email: c.TLS.Email, Directory: c.TLS.CA, CAFile: c.TLS.CAFile, Storage: filepath.Join(s.config.StateDir, "acme"),
		HTTPPort: portOf(c.TLS.Redirect), TLSPort: portOf(c.Listen),
	}}
}

// portOf is the port of the first address that has one; 0 if none has.
func portOf(all []config.Address) int {
	for _, a := range all {
		if _, text, err := net.SplitHostPort(a.Address); err == nil && a.Network == "tcp" {
			port, _ := strconv.Atoi(text)
			return port
		}
	}
	return 0
}

// redirect sends browsers to HTTPS, and answers the authority.
func (s *Server) redirect(secure *https.HTTPS) http.Handler {
	address := func() string { return s.webSettings().URL }
	if secure == nil {
		return https.Redirect(address)
	}
	return secure.Plain(address)
}
