// Package fetchtest is the web of our own tests: a server on 127.0.0.1 that stands for every host in the world.
//
//	web := fetchtest.Start(t, map[string]fetchtest.Host{"mta-sts.example.com": {Handler: handler}})
//	transport := fetch.New(web.Options())
//
// Hosts have addresses of documentation in DNS, and whoever connects to one of these comes to the server.
package fetchtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/fetch"
)

// A Certificate says what is wrong with a host's.
type Certificate string

// The certificates. That of the zero value is good.
const (
	Expired    Certificate = "expired"
	NotYet     Certificate = "not yet valid"
	OtherName  Certificate = "for another name"
	SelfSigned Certificate = "self-signed"
	NoChain    Certificate = "without its chain" // an authority between it and the root is not sent
)

// A Host is a web server.
type Host struct {
	Handler     http.Handler
	Certificate Certificate
	Addrs       []netip.Addr // in DNS; 192.0.2.1 if none
}

// A Web is all of them.
type Web struct {
	hosts  map[string]Host
	server *httptest.Server
	roots  *x509.CertPool
	ca, in *authority

	mu      sync.Mutex
	dialled []netip.AddrPort
	made    map[string]*tls.Certificate
	old     atomic.Bool
}

// Start runs a web until the test ends.
func Start(t testing.TB, hosts map[string]Host) *Web {
	t.Helper()
	w := &Web{hosts: hosts, roots: x509.NewCertPool(), made: map[string]*tls.Certificate{}}
	w.ca = newAuthority(t, "root", nil)
	w.in = newAuthority(t, "between", w.ca)
	w.roots.AddCert(w.ca.cert)
	w.server = httptest.NewUnstartedServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		host, _, _ := strings.Cut(r.Host, ":")
		if h, ok := hosts[host]; ok && h.Handler != nil {
			h.Handler.ServeHTTP(out, r)
			return
		}
		http.NotFound(out, r)
	}))
	w.server.EnableHTTP2 = true
	w.server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that are meant to fail
	certificate := func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return w.certificate(t, hello.ServerName), nil
	}
	w.server.TLS = &tls.Config{GetCertificate: certificate}
	w.server.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if w.old.Load() {
			return &tls.Config{GetCertificate: certificate, NextProtos: []string{"http/1.1"}}, nil
		}
		return nil, nil
	}
	w.server.StartTLS()
	t.Cleanup(func() {
		w.server.CloseClientConnections()
		w.server.Close()
	})
	return w
}

// OnlyHTTP1 makes the server speak nothing newer from now on.
func (w *Web) OnlyHTTP1() { w.old.Store(true) }

// Options are those with which fetch comes here.
func (w *Web) Options() fetch.Options {
	return fetch.Options{Resolver: w, RootCAs: w.roots, Dial: w.dial}
}

// Lookup implements [dns.Resolver] for the hosts.
func (w *Web) Lookup(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
	h, ok := w.hosts[name]
	if !ok {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrNXDomain}
	}
	addrs := h.Addrs
	if len(addrs) == 0 {
		addrs = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	}
	answer := dns.Answer{Name: name}
	for _, ip := range addrs {
		if ip.Is4() == (typ == dns.TypeA) {
			answer.Addrs = append(answer.Addrs, ip)
		}
	}
	if len(answer.Addrs) == 0 {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrNoData}
	}
	return answer, nil
}

// Dialled are the addresses that were connected to.
func (w *Web) Dialled() []netip.AddrPort {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.dialled)
}

func (w *Web) dial(ctx context.Context, network string, address netip.AddrPort) (net.Conn, error) {
	w.mu.Lock()
	w.dialled = append(w.dialled, address)
	w.mu.Unlock()
	return new(net.Dialer).DialContext(ctx, network, w.server.Listener.Addr().String())
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, name string, parent *authority) *authority {
	t.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	return issue(t, template, parent)
}

// issue makes a certificate, by its own key where there is no parent.
func issue(t testing.TB, template *x509.Certificate, parent *authority) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		t.Fatal(err)
	}
	by := &authority{template, key}
	if parent != nil {
		by = parent
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

func (w *Web) certificate(t testing.TB, host string) *tls.Certificate {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.made[host]; c != nil {
		return c
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	parent, chain := w.in, [][]byte{w.in.cert.Raw}
	switch w.hosts[host].Certificate {
	case Expired:
		template.NotBefore, template.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
	case NotYet:
		template.NotBefore, template.NotAfter = time.Now().Add(24*time.Hour), time.Now().Add(48*time.Hour)
	case OtherName:
		template.DNSNames = []string{"other." + strings.TrimPrefix(host, "mta-sts.")}
	case SelfSigned:
		parent, chain = nil, nil
	case NoChain:
		chain = nil
	}
	c := issue(t, template, parent)
	w.made[host] = &tls.Certificate{Certificate: append([][]byte{c.cert.Raw}, chain...), PrivateKey: c.key}
	return w.made[host]
}
