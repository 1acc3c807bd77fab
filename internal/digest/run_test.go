package digest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/gatepost-mail/gatepost/internal/digest"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/outbox"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A server takes letters, or says something else.
type server struct {
	mu       sync.Mutex
	received []string
	answer   func() error // after the letter came
}

func (s *server) start(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(s)
	server.Domain = "mx.example.org"
	go server.Serve(ln)
	t.Cleanup(func() { server.Close() })
	return ln.Addr().String()
}

func (s *server) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{s}, nil }

func (s *server) letters() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.received...)
}

type session struct{ s *server }

func (c *session) Mail(string, *smtp.MailOptions) error { return nil }
func (c *session) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (c *session) Reset()                               {}
func (c *session) Logout() error                        { return nil }

func (c *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if c.s.answer != nil {
		if err := c.s.answer(); err != nil {
			return err
		}
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.received = append(c.s.received, string(b))
	return nil
}

func open(t *testing.T, path string) store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), path, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func runner(s store.Store, address string, log io.Writer) *digest.Runner {
	return &digest.Runner{
		Digests: []digest.Config{{Name: "weekly", Domains: []string{"example.com"}, To: []string{"a@example.org"}}},
		Asker:   &insight.Asker{Store: s}, Store: s, From: "Gatepost <gatepost@example.org>",
		Send: &outbox.Server{Address: address, From: "Gatepost <gatepost@example.org>"}, Log: slog.New(slog.NewTextHandler(log, nil)),
	}
}

var tuesday = time.Date(2026, 11, 24, 7, 0, 0, 0, time.UTC)

func listed(t *testing.T, s store.Store) []store.Letter {
	t.Helper()
	all, err := s.Letters(t.Context(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestALetterIsSentOnceHoweverOftenItIsLookedFor(t *testing.T) {
	mx := &server{}
	s := open(t, filepath.Join(t.TempDir(), "gatepost.db"))
	r := runner(s, mx.start(t), io.Discard)
	for now := tuesday; now.Before(tuesday.Add(6 * 24 * time.Hour)); now = now.Add(7 * time.Hour) {
		if err := r.Run(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(mx.letters()); n != 1 {
		t.Fatalf("%d letters", n)
	}
	if err := r.Run(t.Context(), tuesday.AddDate(0, 0, 28)); err != nil { // down for four weeks
		t.Fatal(err)
	}
	all := mx.letters()
	if len(all) != 2 {
		t.Fatalf("%d letters", len(all))
	}
	m, err := mail.ReadMessage(strings.NewReader(all[0]))
	if err != nil {
		t.Fatal(err)
	}
	if id := m.Header.Get("Message-Id"); id != "<"+listed(t, s)[1].MessageID+">" || !strings.HasPrefix(id, "<gatepost.weekly.2026-W47.") {
		t.Errorf("Message-ID %q", id)
	}
	if err := r.Run(t.Context(), tuesday.AddDate(0, 0, 14)); err != nil || len(mx.letters()) != 2 { // the clock went back
		t.Errorf("%d letters, %v", len(mx.letters()), err)
	}
}

func TestOfManyNodesOneSendsTheLetter(t *testing.T) {
	mx := &server{}
	address, path := mx.start(t), filepath.Join(t.TempDir(), "gatepost.db")
	var wg sync.WaitGroup
	for range 6 {
		r := runner(open(t, path), address, io.Discard)
		wg.Go(func() {
			if err := r.Run(t.Context(), tuesday); err != nil && !errors.Is(err, digest.ErrNotSent) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(mx.letters()); n != 1 {
		t.Errorf("%d letters", n)
	}
}

func TestALetterThatIsPutOffIsTriedAgainLater(t *testing.T) {
	later := true
	mx := &server{}
	mx.answer = func() error {
		if later {
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later"}
		}
		return nil
	}
	s := open(t, filepath.Join(t.TempDir(), "gatepost.db"))
	r := runner(s, mx.start(t), io.Discard)
	if err := r.Run(t.Context(), tuesday); err == nil {
		t.Error("no error of a letter that was put off")
	}
	if l := listed(t, s)[0]; l.State != store.LetterWaiting || !strings.Contains(l.Detail, "451") {
		t.Errorf("%+v", l)
	}
	later = false
	if err := r.Run(t.Context(), tuesday.Add(30*time.Second)); err != nil || len(mx.letters()) != 0 {
		t.Errorf("tried again at once: %v", err)
	}
	for range 2 {
		if err := r.Run(t.Context(), tuesday.Add(2*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if l := listed(t, s)[0]; len(mx.letters()) != 1 || l.State != store.LetterSent || l.Attempts != 2 {
		t.Errorf("%d letters, %+v", len(mx.letters()), l)
	}
}

func TestALetterThatIsRefusedIsNotTriedAgain(t *testing.T) {
	mx := &server{answer: func() error {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "never"}
	}}
	s := open(t, filepath.Join(t.TempDir(), "gatepost.db"))
	r := runner(s, mx.start(t), io.Discard)
	if err := r.Run(t.Context(), tuesday); err == nil {
		t.Error("no error of a letter that was refused")
	}
	if err := r.Run(t.Context(), tuesday.Add(time.Hour)); err != nil {
		t.Error(err)
	}
	if l := listed(t, s)[0]; l.State != store.LetterFailed || l.Attempts != 1 || !strings.Contains(l.Detail, "never") {
		t.Errorf("%+v", l)
	}
}

func TestWhenThereIsNothingToTellNothingIsSentIfSoConfigured(t *testing.T) {
	mx := &server{}
	s := open(t, filepath.Join(t.TempDir(), "gatepost.db"))
	r := runner(s, mx.start(t), io.Discard)
	r.Digests[0].Quiet = digest.QuietNothing
	for range 2 {
		if err := r.Run(t.Context(), tuesday); err != nil {
			t.Fatal(err)
		}
	}
	if l := listed(t, s); len(mx.letters()) != 0 || len(l) != 1 || l[0].State != store.LetterNothing {
		t.Errorf("%d letters, %+v", len(mx.letters()), l)
	}
}

// TestDies is not a test: the next one runs it in a process of its own.
func TestDies(t *testing.T) {
	address, path := os.Getenv("GATEPOST_TEST_SMTP"), os.Getenv("GATEPOST_TEST_STORE")
	if address == "" {
		return
	}
	t.Log(runner(open(t, path), address, io.Discard).Run(t.Context(), tuesday))
}

func TestAfterACrashALetterIsNotSentAgainAndIsToldOf(t *testing.T) {
	came, hold := make(chan struct{}), make(chan struct{})
	mx := &server{answer: func() error { close(came); <-hold; return nil }}
	address, path := mx.start(t), filepath.Join(t.TempDir(), "gatepost.db")
	s := open(t, path)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDies$")
	cmd.Env = append(os.Environ(), "GATEPOST_TEST_SMTP="+address, "GATEPOST_TEST_STORE="+path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-came // the server has the letter, and its sender will never know
	cmd.Process.Kill()
	cmd.Wait()
	mx.answer = nil
	close(hold)

	var log bytes.Buffer
	r := runner(s, address, &log)
	before := len(mx.letters())
	for _, after := range []time.Duration{time.Minute, time.Hour, 2 * time.Hour} {
		if err := r.Run(t.Context(), tuesday.Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	l := listed(t, s)[0]
	if l.State != store.LetterSending || len(mx.letters()) > before+1 {
		t.Fatalf("%+v, %d letters", l, len(mx.letters()))
	}
	if n := strings.Count(log.String(), "nobody knows whether a letter was sent"); n != 1 {
		t.Errorf("the log told of it %d times:\n%s", n, &log)
	}
	// An administrator who asks for it gets it, as another message.
	sent, err := r.Deliver(t.Context(), &r.Digests[0], "2026-W47", tuesday.Add(3*time.Hour), true)
	if err != nil || sent.State != store.LetterSent || sent.MessageID == l.MessageID {
		t.Errorf("sent again: %+v, %v", sent, err)
	}
}

func TestWhatThePeriodsLetterWasCannotBeSettledByAnOlderAttempt(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "gatepost.db"))
	mx := &server{}
	r := runner(s, "", io.Discard)
	r.Send = sender(func(ctx context.Context, l outbox.Letter) error {
		// While this attempt hangs, somebody sends it again.
		if strings.Count(l.ID, ".") > 0 && len(mx.received) == 0 {
			mx.received = append(mx.received, l.ID)
			_, err := r.Deliver(ctx, &r.Digests[0], "2026-W47", tuesday, true)
			return err
		}
		return nil
	})
	_, err := r.Deliver(t.Context(), &r.Digests[0], "2026-W47", tuesday, false)
	if !errors.Is(err, store.ErrNotClaimed) {
		t.Errorf("%v", err)
	}
	if l := listed(t, s)[0]; l.State != store.LetterSent || l.Attempts != 2 {
		t.Errorf("%+v", l)
	}
}

type sender func(context.Context, outbox.Letter) error

func (f sender) Send(ctx context.Context, l outbox.Letter) error { return f(ctx, l) }
