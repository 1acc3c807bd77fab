package imap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/inbox"
)

const dialTimeout = 30 * time.Second

// dial connects and encrypts as configured.
func (in *Input) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, min(dialTimeout, 5*in.o.stall))
	defer cancel()
	conn, err := (&net.Dialer{KeepAlive: time.Minute}).DialContext(ctx, "tcp", in.o.Address)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s: %w", in.o.Address, err)
	}
	ok := false
	defer func() {
		if !ok {
			conn.Close()
		}
	}()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	greeted := false
	switch in.o.TLS {
	case Plain:
		if tcp, is := conn.RemoteAddr().(*net.TCPAddr); !is || !tcp.IP.IsLoopback() {
			return nil, fmt.Errorf("%s is not on this machine, but at %v: nothing secret is sent there without TLS", in.o.Address, conn.RemoteAddr())
		}
		ok = stop()
		return conn, contextError(ctx, ok)
	case StartTLS:
		if err := startTLS(conn); err != nil {
			return nil, err
		}
		greeted = true
	}
	secure := tls.Client(conn, in.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, explainTLS(err)
	}
	if ok = stop(); !ok {
		return nil, contextError(ctx, ok)
	}
	if greeted {
		return &greetedConn{Conn: secure, greeting: strings.NewReader("* OK encrypted\r\n")}, nil
	}
	return secure, nil
}

func contextError(ctx context.Context, ok bool) error {
	if ok {
		return nil
	}
	return ctx.Err()
}

// startTLS asks for encryption (RFC 9051 6.2.1). It reads no byte beyond the answer: what somebody on the way put behind it in the clear
// then spoils the handshake and is never taken for the server's word.
func startTLS(conn net.Conn) error {
	line, err := readLine(conn)
	if err != nil {
		return fmt.Errorf("the server did not greet: %w", err)
	}
	if !strings.HasPrefix(strings.ToUpper(line), "* OK") {
		return fmt.Errorf("the server does not want us: %s", inbox.Line(line, 200))
	}
	if _, err := conn.Write([]byte("a STARTTLS\r\n")); err != nil {
		return fmt.Errorf("the connection broke: %w", err)
	}
	for range 100 {
		if line, err = readLine(conn); err != nil {
			return fmt.Errorf("the server did not answer to STARTTLS: %w", err)
		}
		switch {
		case strings.HasPrefix(strings.ToUpper(line), "A OK"):
			return nil
		case !strings.HasPrefix(line, "* "):
			return fmt.Errorf("the server refused STARTTLS: %s", inbox.Line(line, 200))
		}
	}
	return errors.New("the server did not answer to STARTTLS")
}

func readLine(r io.Reader) (string, error) {
	const longest = 8 << 10
	var line []byte
	for b := make([]byte, 1); len(line) < longest; line = append(line, b[0]) {
		if _, err := io.ReadFull(r, b); err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return strings.TrimSuffix(string(line), "\r"), nil
		}
	}
	return "", errors.New("a line without end")
}

// A greetedConn greets the library, which the server did before the connection was encrypted.
type greetedConn struct {
	net.Conn
	greeting *strings.Reader
}

func (c *greetedConn) Read(p []byte) (int, error) {
	if c.greeting.Len() > 0 {
		return c.greeting.Read(p)
	}
	return c.Conn.Read(p)
}

func explainTLS(err error) error {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		plain   tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("the server's certificate is from an authority that is not trusted (CAFile names another): %w", err)
	case errors.As(err, &name):
		return fmt.Errorf("the server's certificate is another's (ServerName says whose to expect): %w", err)
	case errors.As(err, &plain):
		return fmt.Errorf("the server does not speak TLS on this port; perhaps starttls is meant: %w", err)
	}
	return fmt.Errorf("the connection could not be encrypted: %w", err)
}
