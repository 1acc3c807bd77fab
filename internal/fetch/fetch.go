// Package fetch gets files from web servers that a stranger names: the policy of a domain, its logo, its security.txt. Whoever writes such
// a name may want this machine to call on its own services or its neighbours', to wait for ever, or to fill its memory:
//
//	web := fetch.New(fetch.Options{Resolver: resolver})
//	answer, err := web.RoundTrip(request)
//	if refused := new(fetch.Refused); errors.As(err, &refused) { … } // where it led is nobody's business
//
// Only https is spoken, and only with port 443 of addresses of the public internet. A name is looked up once for each connection, and what
// is dialled is the address that was looked at, so that a name with another address a moment later changes nothing. Certificates are
// verified, proxies of the environment are not asked, and size and time have bounds. Redirects are not followed: what each leads to is a
// request of its own, for whoever wants it ([Client]).
package fetch

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
)

// Options say how. The zero value of each member but Resolver means its default.
type Options struct {
	Resolver dns.Resolver
	RootCAs  *x509.CertPool // whose certificates are believed; those of the system

	// AllowPrivate lets requests go to any address and any port: for tests, and for who audits a network of their own.
	AllowPrivate bool

	Timeout   time.Duration // for all of a request, until its body was read; 20 s
	BodyBytes int64         // 1 MiB

	// Dial opens a connection to an address that was found to be good; a plain one if nil.
	Dial func(ctx context.Context, network string, address netip.AddrPort) (net.Conn, error)
}

const (
	headerBytes = 32 << 10
	idle        = 5 * time.Second
	mostIdle    = 16
	handshake   = 10 * time.Second
)

// New makes a transport.
func New(o Options) http.RoundTripper {
	o.Timeout = cmp.Or(o.Timeout, 20*time.Second)
	o.BodyBytes = cmp.Or(o.BodyBytes, 1<<20)
	if o.Dial == nil {
		o.Dial = func(ctx context.Context, network string, address netip.AddrPort) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address.String())
		}
	}
	t := &transport{o: o}
	t.next = &http.Transport{
		Proxy:                  nil, // one of the environment would look names up by itself
		DialContext:            t.dial,
		TLSClientConfig:        &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    min(handshake, o.Timeout),
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // what is counted is what is read
		MaxResponseHeaderBytes: headerBytes,
		MaxIdleConns:           mostIdle,
		IdleConnTimeout:        idle,
	}
	return t
}

type transport struct {
	o    Options
	next *http.Transport
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.check(r); err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), t.o.Timeout, errTimeout)
	r = r.Clone(context.WithValue(ctx, asking{}, ctx))
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", "gatepost")
	}
	answer, err := t.next.RoundTrip(r)
	if err != nil {
		defer cancel()
		return nil, late(ctx, err)
	}
	answer.Body = &body{ReadCloser: answer.Body, ctx: ctx, left: t.o.BodyBytes, most: t.o.BodyBytes, done: cancel}
	return answer, nil
}

// asking is the key of the context that ends with a request: what [http.Transport] connects with goes on after that.
type asking struct{}

// CloseIdleConnections is what [http.Client] calls.
func (t *transport) CloseIdleConnections() { t.next.CloseIdleConnections() }

var (
	errRoots  = errors.New("this machine has no authorities whose certificates it could believe: is the package ca-certificates missing?")
	errScheme = errors.New("only https is spoken")
	errUser   = errors.New("a URL with a user's name is not asked for")
	errPort   = errors.New("only port 443 is asked")
)

// check refuses what is asked of nobody.
func (t *transport) check(r *http.Request) error {
	switch port := r.URL.Port(); {
	case r.URL.Scheme != "https":
		return errScheme
	case r.URL.User != nil:
		return errUser
	case port != "" && port != "443" && !t.o.AllowPrivate:
		return errPort
	case t.o.RootCAs == nil && noRoots():
		return errRoots
	}
	return nil
}

// noRoots tells whether the system has no authorities, so that every certificate in the world would look wrong.
var noRoots = sync.OnceValue(func() bool {
	pool, err := x509.SystemCertPool()
	return err != nil || pool.Equal(x509.NewCertPool())
})

// Client follows at most so many redirects, each of which is looked at as the first request was.
func Client(web http.RoundTripper, redirects int) *http.Client {
	return &http.Client{Transport: web, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > redirects {
			return fmt.Errorf("there are more than %d redirects", redirects)
		}
		return nil
	}}
}
