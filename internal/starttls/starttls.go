// Package starttls asks a mail server what TLS it offers (RFC 3207), and sends no mail.
//
//	res := starttls.Probe(ctx, starttls.Query{Address: "192.0.2.1:25", Host: "mx.example.com", Hello: "probe.example.net"})
//	if res.Err == nil && !res.Offered { … } // it certainly has no STARTTLS
//
// The server is a stranger: it is given so much time, so many lines of such a length, and no more. What it says is kept, cut short, beside
// what was said to it, so that an administrator can see what was done.
package starttls

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
)

// Bounds of what a server may do.
const (
	defaultTimeout = 10 * time.Second
	maxLine        = 2048 // octets; RFC 5321 4.5.3.1.5 has 512
	maxLines       = 100  // of one reply
	maxChain       = 20   // certificates that are kept
	maxShown       = 200  // octets of a line that are kept
)

// A Dialer opens connections.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// A Query says which server is asked, and how.
type Query struct {
	Address    string        // "192.0.2.1:25"
	Host       string        // the server's name, for its certificate (SNI)
	Hello      string        // our own name, for EHLO; our address if empty (RFC 5321 4.1.3)
	MaxVersion uint16        // of TLS; 0 for the highest there is
	Timeout    time.Duration // for all of it; 10 s
	Dial       Dialer        // a plain one if nil
}

// A Result is what a server did.
type Result struct {
	Offered bool // STARTTLS is in the answer to EHLO
	Refused bool // STARTTLS was begun, and the server wants none of the versions that were offered
	Version uint16
	Cipher  uint16
	Chain   []*x509.Certificate // as shown, the server's own first
	Steps   []string            // what was done and what came of it
	Err     error               // why it did not come to an end; with it, that something was not seen says nothing
}

// Secure tells whether the connection was encrypted in the end.
func (r *Result) Secure() bool { return r.Version != 0 }

// errReply is wrapped by the error of a server that answered, and would not speak with us.
var errReply = errors.New("the server does not want to speak with us")

// errNotSMTP is for what is no reply of RFC 5321.
var errNotSMTP = errors.New("what the server says is not SMTP")

// Probe connects, says EHLO and STARTTLS, shakes hands, and takes its leave. Certificates are taken as they come: to judge them is the
// caller's.
func Probe(ctx context.Context, q Query) Result {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(q.Timeout, defaultTimeout))
	defer cancel()
	var r Result
	dial := q.Dial
	if dial == nil {
		dial = &net.Dialer{}
	}
	conn, err := dial.DialContext(ctx, "tcp", q.Address)
	if err != nil {
		r.fail("connect to "+q.Address, err)
		return r
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) }) // whoever waits on the connection wakes up
	defer stop()
	r.did("connected to " + q.Address)
	s := newSession(conn, &r)
	if s.greet(cmp.Or(q.Hello, literal(conn.LocalAddr()))) && r.Offered && s.begin() {
		s.shake(ctx, conn, q)
	} else if r.Err == nil {
		s.say("QUIT")
	}
	if r.Err != nil && ctx.Err() != nil {
		r.Err = fmt.Errorf("%w: %w", ctx.Err(), r.Err)
	}
	return r
}

// literal is an address as it stands in place of a name.
func literal(local net.Addr) string {
	at, err := netip.ParseAddrPort(local.String())
	switch {
	case err != nil:
		return "[127.0.0.1]"
	case at.Addr().Unmap().Is4():
		return "[" + at.Addr().Unmap().String() + "]"
	}
	return "[IPv6:" + at.Addr().WithZone("").String() + "]"
}

// shake begins TLS.
func (s *session) shake(ctx context.Context, conn net.Conn, q Query) {
	r := s.r
	secure := tls.Client(conn, &tls.Config{
		ServerName:         q.Host,
		InsecureSkipVerify: true, // to judge the certificate is not ours: we want to see it
		MinVersion:         tls.VersionTLS10,
		MaxVersion:         q.MaxVersion,
		CipherSuites:       suites,
	})
	err := secure.HandshakeContext(ctx)
	if err != nil {
		r.Refused = ctx.Err() == nil && !errors.Is(err, os.ErrDeadlineExceeded)
		r.fail("TLS", err)
		return
	}
	state := secure.ConnectionState()
	r.Version, r.Cipher = state.Version, state.CipherSuite
	r.Chain = state.PeerCertificates[:min(len(state.PeerCertificates), maxChain)]
	r.did(fmt.Sprintf("%s with %s, %d certificates", tls.VersionName(r.Version), tls.CipherSuiteName(r.Cipher), len(state.PeerCertificates)))
	secure.SetWriteDeadline(time.Now().Add(time.Second))
	secure.Write([]byte("QUIT\r\n"))
}

// suites are all there are: a server is to be seen as it is.
var suites = func() []uint16 {
	var all []uint16
	for _, list := range [][]*tls.CipherSuite{tls.CipherSuites(), tls.InsecureCipherSuites()} {
		for _, s := range list {
			all = append(all, s.ID)
		}
	}
	return all
}()

func (r *Result) did(what string) { r.Steps = append(r.Steps, what) }

func (r *Result) fail(what string, err error) {
	r.Err = fmt.Errorf("%s: %w", what, err)
	r.did(what + ": " + cut(err.Error()))
}

func cut(s string) string {
	if len(s) > maxShown {
		return s[:maxShown] + "…"
	}
	return s
}
