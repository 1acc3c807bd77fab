package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/gatepost-mail/gatepost/internal/outbox"
)

// A server takes letters in, or refuses them.
type server struct {
	password string // asked for, if not empty
	refuse   *smtp.SMTPError

	mu       sync.Mutex
	received []string
}

func (s *server) start(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(s)
	server.Domain, server.AllowInsecureAuth = "mx.example.org", true
	go server.Serve(ln)
	t.Cleanup(func() { server.Close() })
	return ln.Addr().String()
}

func (s *server) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{s: s}, nil }

func (s *server) letters() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.received
}

type session struct {
	s    *server
	auth bool
	to   []string
}

func (c *session) AuthMechanisms() []string {
	if c.s.password == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (c *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, _, password string) error {
		c.auth = password == c.s.password
		if !c.auth {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (c *session) Mail(string, *smtp.MailOptions) error {
	if c.s.password != "" && !c.auth {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.to = append(c.to, to)
	return nil
}

func (c *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if c.s.refuse != nil {
		return c.s.refuse
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.received = append(c.s.received, strings.Join(c.to, " ")+"\n"+string(b))
	return nil
}

func (c *session) Reset()        { c.to = nil }
func (c *session) Logout() error { return nil }

var letter = outbox.Letter{
	ID: "digest.1@example.org", Date: time.Date(2026, 11, 25, 7, 0, 0, 0, time.UTC), To: []string{"a@example.org", "b@example.org"},
	Subject: "Your week\r\nBcc: everybody@example.com", Text: "12 messages\n", HTML: "<p>12 messages <img src=\"cid:trend.png\">",
	Inline: []outbox.Image{{Name: "trend.png", PNG: []byte("\x89PNG")}},
}

func TestALetterArrivesWithItsPartsAndNobodyElses(t *testing.T) {
	s := &server{}
	o := outbox.Server{Address: s.start(t), From: "Gatepost <gatepost@example.org>"}
	if err := o.Send(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	got := s.letters()
	if len(got) != 1 || !strings.HasPrefix(got[0], "a@example.org b@example.org\n") {
		t.Fatalf("received %q", got)
	}
	m, err := mail.ReadMessage(strings.NewReader(strings.SplitN(got[0], "\n", 2)[1]))
	if err != nil {
		t.Fatal(err)
	}
	if m.Header.Get("Bcc") != "" || m.Header.Get("Message-Id") != "<digest.1@example.org>" || m.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("header %v", m.Header)
	}
	for _, part := range []string{"12 messages", "text/html", "<trend.png>", "multipart/alternative", "multipart/related"} {
		if !strings.Contains(got[0], part) {
			t.Errorf("there is no %q in\n%s", part, got[0])
		}
	}
}

func TestAServerThatWantsAPasswordGetsIt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &server{password: "secret"}
	o := outbox.Server{Address: s.start(t), From: "gatepost@example.org", User: "gatepost", PasswordFile: file}
	if err := o.Send(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	if n := len(s.letters()); n != 1 {
		t.Errorf("%d letters", n)
	}
}

func TestAnErrorTellsWhetherToTryAgain(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	busy := &server{refuse: &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later"}}
	never := &server{refuse: &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "never"}}
	for name, c := range map[string]struct {
		address   string
		temporary bool
	}{
		"nobody listens":  {closed.Addr().String(), true},
		"a 451":           {busy.start(t), true},
		"a 554":           {never.start(t), false},
		"no such address": {"nowhere", false},
	} {
		o := outbox.Server{Address: c.address, From: "gatepost@example.org"}
		err := o.Send(t.Context(), letter)
		var refused *outbox.Error
		if !errors.As(err, &refused) || refused.Temporary != c.temporary {
			t.Errorf("%s: %v, temporary %v expected", name, err, c.temporary)
		}
	}
}

func TestAServerThatSaysNothingIsNotWaitedForForEver(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	o := outbox.Server{Address: ln.Addr().String(), From: "gatepost@example.org", Timeout: 100 * time.Millisecond}
	if err := o.Send(context.WithoutCancel(t.Context()), letter); err == nil {
		t.Error("a silent server took a letter")
	}
}

func TestWithoutTLSNoPasswordGoesToAnotherHost(t *testing.T) {
	o := outbox.Server{Address: "mx.example.org:25", From: "gatepost@example.org", User: "u", PasswordFile: "p", TLS: outbox.TLSOff}
	if err := o.Check(); err == nil || !strings.Contains(err.Error(), "without TLS") {
		t.Errorf("%v", err)
	}
}

func TestWriteShowsWhatWouldBeSent(t *testing.T) {
	var b bytes.Buffer
	o := outbox.Server{From: "gatepost@example.org"}
	if err := o.Write(&b, letter); err != nil {
		t.Fatal(err)
	}
	if m, err := mail.ReadMessage(&b); err != nil || m.Header.Get("From") != "<gatepost@example.org>" {
		t.Errorf("%v, %v", m, err)
	}
}
