// Package outbox sends letters: the weekly one, and alerts.
//
//	server := outbox.Server{Address: "127.0.0.1:25", From: "Gatepost <gatepost@example.org>"}
//	err := server.Send(ctx, outbox.Letter{To: []string{"postmaster@example.org"}, Subject: "…", Text: "…"})
//
// It hands a letter to one mail server, which queues it, retries and signs it: that is what mail servers are for.
package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	netmail "net/mail"
	"strconv"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/secretfile"
	"github.com/gatepost-mail/gatepost/internal/trust"
)

// A Letter is one mail.
type Letter struct {
	ID      string // a Message-ID without its angle brackets: the same letter sent again has the same, by which receivers know it
	Date    time.Time
	To      []string
	Subject string
	Text    string
	HTML    string  // may be empty
	Inline  []Image // that the HTML shows as cid:NAME

	Return      string // the envelope's sender, where bounces go; that of From if empty
	ReplyTo     string // where answers go; to From if empty
	Unsubscribe string // an address: a message to it ends the letters (RFC 2369 3.2)
}

// An Image is a PNG.
type Image struct {
	Name string
	PNG  []byte
}

// The ways to a server.
const (
	TLSRequired = "required" // STARTTLS, with a certificate that is good
	TLSImplicit = "implicit" // TLS from the first byte
	TLSOff      = "off"      // for a server on this host
)

// A Server is who takes letters in.
type Server struct {
	Address      string // HOST:PORT
	TLS          string // required if empty, and off for an address on this host
	CA           string // a file of certificates to trust in the place of the system's
	User         string // nobody logs in if empty
	PasswordFile string
	From         string // "Gatepost <gatepost@example.org>"
	Helo         string // this host's name if empty
	Timeout      time.Duration

	// Signers give the keys to sign with as a domain; nil, or none: who takes the letter may sign it.
	Signers func(domain string) []dkim.Signer
}

// DefaultTimeout is how long the sending of one letter may take.
const DefaultTimeout = 30 * time.Second

// An Error is a letter that was not taken.
type Error struct {
	Temporary bool // try again later
	Err       error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Refused tells whether a letter was not taken, and will not be however often it is tried.
func Refused(err error) bool {
	var e *Error
	return errors.As(err, &e) && !e.Temporary
}

// Check tells what is wrong with the settings, without asking the server.
func (s *Server) Check() error {
	host, _, err := s.split()
	if err != nil {
		return err
	}
	if _, err := netmail.ParseAddress(s.From); err != nil {
		return fmt.Errorf("from %q: not an address; write it as gatepost@example.org or Gatepost <gatepost@example.org>", s.From)
	}
	switch s.TLS {
	case "", TLSRequired, TLSImplicit:
	case TLSOff:
		if s.User != "" && !isLocal(host) {
			return errors.New("tls: a password is not sent without TLS to another host; leave tls out")
		}
	default:
		return fmt.Errorf("tls %q: there are required, implicit and off", s.TLS)
	}
	if (s.User == "") != (s.PasswordFile == "") {
		return errors.New("user and password_file go together")
	}
	return nil
}

func (s *Server) split() (host string, port int, err error) {
	host, p, err := net.SplitHostPort(s.Address)
	if err == nil {
		port, err = strconv.Atoi(p)
	}
	if err != nil || host == "" || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("server %q: write it as HOST:PORT", s.Address)
	}
	return host, port, nil
}

func isLocal(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Send hands a letter over. An [Error] says whether it makes sense to try again.
func (s *Server) Send(ctx context.Context, l Letter) error {
	m, err := s.message(l)
	if err != nil {
		return &Error{Err: err}
	}
	client, err := s.client()
	if err != nil {
		return &Error{Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.Timeout, DefaultTimeout))
	defer cancel()
	if err := client.DialWithContext(ctx); err != nil {
		return &Error{Temporary: true, Err: fmt.Errorf("mail server %s: %w", s.Address, err)}
	}
	// What is said after the server took the letter changes nothing any more.
	defer client.Close()
	if err := client.Send(m); err != nil {
		var refused *mail.SendError
		temporary := !errors.As(err, &refused) || refused.IsTemp() || refused.ErrorCode() == 0
		return &Error{Temporary: temporary, Err: fmt.Errorf("mail server %s: %w", s.Address, err)}
	}
	return nil
}

// Write writes a letter as it would be sent.
func (s *Server) Write(w io.Writer, l Letter) error {
	m, err := s.message(l)
	if err != nil {
		return err
	}
	_, err = m.WriteTo(w)
	return err
}

func (s *Server) client() (*mail.Client, error) {
	host, port, err := s.split()
	if err != nil {
		return nil, err
	}
	config, err := trust.TLS(s.CA)
	if err != nil {
		return nil, err
	}
	config.ServerName = host
	options := []mail.Option{mail.WithPort(port), mail.WithTLSConfig(config), mail.WithTimeout(cmp.Or(s.Timeout, DefaultTimeout)),
		mail.WithoutNoop()}
	how := s.TLS
	if how == "" && isLocal(host) {
		how = TLSOff
	}
	switch how {
	case TLSOff:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	case TLSImplicit:
		options = append(options, mail.WithSSL())
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if s.Helo != "" {
		options = append(options, mail.WithHELO(s.Helo))
	}
	if s.User != "" {
		password, err := secretfile.Line(s.PasswordFile)
		if err != nil {
			return nil, err
		}
		auth := mail.SMTPAuthAutoDiscover
		if how == TLSOff {
			auth = mail.SMTPAuthPlainNoEnc // to this host
		}
		options = append(options, mail.WithUsername(s.User), mail.WithPassword(password), mail.WithSMTPAuth(auth))
	}
	return mail.NewClient(host, options...)
}
