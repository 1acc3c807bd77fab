package serve

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/inbox/address"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// nobody knows no address.
type nobody struct{}

func (nobody) Recipient(string) (string, error) { return "", address.ErrUnknown }

func TestWhatComesBackToALetterIsObeyedAmongTheReports(t *testing.T) {
	c := config.Default()
	c.StateDir = t.TempDir()
	s, err := store.Open(t.Context(), filepath.Join(c.StateDir, "gatepost.db"), store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a := &answers{store: s}
	if err := a.follow(&state{config: c}); err != nil || a.now() != nil {
		t.Fatalf("without [notice]: %v, %v", a.now(), err)
	}
	c.Notice.From, c.Notice.ReturnAddress = "postmaster@example.org", "notices@example.org"
	if err := a.follow(&state{config: c}); err != nil {
		t.Fatal(err)
	}

	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	d := store.Decision{Time: at, AuthorDomain: "example.com", DMARC: "pass", Done: "accept"}
	if err := s.AddBatch(t.Context(), store.Batch{Source: "a", Number: 1, Counts: []store.Count{{Observation: store.Observe(&d), Count: 1}}}); err != nil {
		t.Fatal(err)
	}
	token := a.now().New()
	n, _, err := s.ProposeNotice(t.Context(), store.Notice{Domain: "example.com", Organization: "example.com", Opened: at, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.MoveNotice(t.Context(), n.ID, store.OpenNotice, store.NoticeMove{State: store.NoticeApproved, At: at}); err != nil {
		t.Fatal(err)
	}
	l, err := s.ClaimNotice(t.Context(), store.NoticeLetter{Notice: n.ID, Recipient: "postmaster@example.com", At: at}, store.NoticeLimits{PerHour: 1, PerDay: 1})
	if err != nil {
		t.Fatal(err)
	}
	l.State = store.LetterSent
	if err := s.SettleNotice(t.Context(), l); err != nil {
		t.Fatal(err)
	}

	to := a.now().Address(token)
	rs := recipients{nobody{}, a}
	if _, err := rs.Recipient(to); err != nil {
		t.Errorf("the receiver does not take mail for %s: %v", to, err)
	}
	if _, err := rs.Recipient("notices+" + strings.Repeat("a", len(token)) + "@example.org"); !errors.Is(err, address.ErrUnknown) {
		t.Errorf("it takes mail for a token that nobody made: %v", err)
	}
	got, err := a.read(t.Context(), strings.NewReader("To: "+to+"\r\nFrom: a@example.com\r\n\r\nno more\r\n"))
	if err != nil || len(got.Reports) != 0 || len(got.Refusals) != 1 || !strings.Contains(got.Refusals[0], "obeyed: unsubscribe") {
		t.Errorf("%+v, %v", got, err)
	}
	if n, err := s.Notice(t.Context(), n.ID); err != nil || n.State != store.NoticeClosed {
		t.Errorf("%+v, %v", n, err)
	}
	other, err := a.read(t.Context(), strings.NewReader("To: rua@example.org\r\n\r\nno report\r\n"))
	if err != nil || len(other.Refusals) != 1 || strings.Contains(other.Refusals[0], "obeyed") {
		t.Errorf("%+v, %v", other, err)
	}
}
