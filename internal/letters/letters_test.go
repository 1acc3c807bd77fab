package letters_test

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/digest"
	"github.com/gatepost-mail/gatepost/internal/inbox/address"
	"github.com/gatepost-mail/gatepost/internal/letters"
	"github.com/gatepost-mail/gatepost/internal/store"
)

func TestAConfigurationWithoutLettersSendsNone(t *testing.T) {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatepost.db"), store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, err := letters.New(letters.Options{Config: config.Default(), Store: s})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Digests.Run(t.Context(), time.Now()); err != nil {
		t.Error(err)
	}
	if err := l.Alerts.Run(t.Context(), time.Now()); err != nil {
		t.Error(err)
	}
}

func TestTheAskerIsAsTheConfigurationSays(t *testing.T) {
	c := config.Default()
	c.StateDir, c.AuthservID = t.TempDir(), "mx.example.org"
	c.OwnNetworks = append(c.OwnNetworks, netip.MustParsePrefix("192.0.2.0/24"))
	c.Reports.VerifiedOnly = true
	c.Digests = []digest.Config{{Name: "weekly"}}
	a, err := letters.Asker(letters.Options{Config: c})
	if err != nil {
		t.Fatal(err)
	}
	if !a.Verified || len(a.Networks) != 1 || a.Table == nil {
		t.Errorf("%+v", a)
	}
	// An address of our own is proposed where we receive, and no secret is made to know it.
	if got := a.Rua("example.com"); got != "" {
		t.Errorf("%q, though nothing is received", got)
	}
	c.Reports.SMTP.Listen = []config.Address{{Network: "tcp", Address: "127.0.0.1:2525"}}
	if got := a.Rua("example.com"); got != "" {
		t.Errorf("%q, though there is no secret", got)
	}
	if _, err := address.OpenSecrets(c.ReportSecret()); err != nil {
		t.Fatal(err)
	}
	if got := a.Rua("example.com"); !strings.HasPrefix(got, "rua+") || !strings.HasSuffix(got, "@mx.example.org") {
		t.Errorf("%q", got)
	}
	c.Reports.Senders = filepath.Join(c.StateDir, "none.toml")
	if _, err := letters.Asker(letters.Options{Config: c}); err == nil || !strings.Contains(err.Error(), "reports.senders") {
		t.Errorf("%v", err)
	}
}
