package smtptest

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// Options say how a server behaves.
type Options struct {
	Certificate *tls.Certificate // nil: the server has no STARTTLS
	MinVersion  uint16           // TLS 1.2
	MaxVersion  uint16
}

// Start runs a mail server on a port of 127.0.0.1 until the test ends, and gives its address.
func Start(t testing.TB, o Options) string {
	t.Helper()
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return session{}, nil }))
	server.Domain = "mx.test.example"
	server.ErrorLog = silent{}
	if o.Certificate != nil {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*o.Certificate}, MinVersion: o.MinVersion, MaxVersion: o.MaxVersion}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	t.Cleanup(func() { // let conversations end: to close one in the midst of STARTTLS is a race in the library
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		l.Close()
		if err := server.Shutdown(ctx); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("smtptest: %v", err)
		}
	})
	return l.Addr().String()
}

// Raw runs a server that does what serve does, with each connection.
func Raw(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	return l.Addr().String()
}

// A session takes no mail.
type session struct{}

var errNoMail = errors.New("no mail here")

func (session) Reset()                               {}
func (session) Logout() error                        { return nil }
func (session) Mail(string, *smtp.MailOptions) error { return errNoMail }
func (session) Rcpt(string, *smtp.RcptOptions) error { return errNoMail }
func (session) Data(io.Reader) error                 { return errNoMail }

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

// A World leads connections to addresses of the internet to servers of a test.
type World struct {
	Servers map[string]string // "192.0.2.1:25" to where it is
	Failing []string          // addresses that do not answer

	mu     sync.Mutex
	dialed []string
}

// DialContext connects to the server that stands for an address, and to nothing else.
func (w *World) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	w.dialed = append(w.dialed, address)
	w.mu.Unlock()
	at := w.Servers[address]
	if at == "" || slices.Contains(w.Failing, address) {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
	}
	var d net.Dialer
	return d.DialContext(ctx, network, at)
}

// Dialed are the addresses that were connected to, in order.
func (w *World) Dialed() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.dialed)
}
