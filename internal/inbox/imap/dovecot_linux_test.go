package imap

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/gatepost-mail/gatepost/test/dovecot"
)

// Tests share one Dovecot for each configuration, and have accounts of their own.
var (
	dovecots     = map[string]*dovecot.Server{}
	dovecotsLock sync.Mutex
)

func TestMain(m *testing.M) {
	code := m.Run()
	for _, d := range dovecots {
		d.Stop()
	}
	os.Exit(code)
}

// server starts Dovecot with more configuration than what all have.
func server(t *testing.T, more string) *dovecot.Server {
	t.Helper()
	dovecotsLock.Lock()
	defer dovecotsLock.Unlock()
	if d := dovecots[more]; d != nil {
		return d
	}
	d, err := dovecot.Start(more)
	if err != nil {
		t.Fatal(err)
	}
	dovecots[more] = d
	return d
}

// An account is one on a dovecot, with the options that reach it and a connection of another client.
type account struct {
	t    *testing.T
	d    *dovecot.Server
	user string
	home string
	o    Options
	c    *imapclient.Client
}

func accountOf(t *testing.T, d *dovecot.Server) *account {
	t.Helper()
	a := &account{t: t, d: d, user: strings.ToLower(strings.Map(func(r rune) rune {
		if r == '/' || r == '#' {
			return '-'
		}
		return r
	}, t.Name()))}
	a.home = d.Home(a.user)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(d.Encrypted)
	a.o = Options{Address: "localhost:" + port, CAFile: d.CA, User: a.user, PasswordFile: password}
	return a
}

// client is another client of the same account.
func (a *account) client() *imapclient.Client {
	a.t.Helper()
	if a.c != nil {
		return a.c
	}
	c, err := imapclient.DialTLS(a.d.Encrypted, &imapclient.Options{TLSConfig: &tls.Config{InsecureSkipVerify: true}})
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { c.Close() })
	if err := c.Login(a.user, secret).Wait(); err != nil {
		a.t.Fatal(err)
	}
	a.c = c
	return c
}

// deliver puts a message into a mailbox.
func (a *account) deliver(mailbox, text string, flags ...imap.Flag) {
	a.t.Helper()
	text = strings.ReplaceAll(text, "\n", "\r\n")
	cmd := a.client().Append(mailbox, int64(len(text)), &imap.AppendOptions{Flags: flags})
	if _, err := cmd.Write([]byte(text)); err != nil {
		a.t.Fatal(err)
	}
	if err := cmd.Close(); err != nil {
		a.t.Fatal(err)
	}
	if _, err := cmd.Wait(); err != nil {
		a.t.Fatal(err)
	}
}

// seen is what a mailbox holds: of each message its subject and its flags, without \Recent.
func (a *account) seen(mailbox string) map[string][]imap.Flag {
	a.t.Helper()
	c := a.client()
	data, err := c.Select(mailbox, &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil {
		a.t.Fatalf("mailbox %s: %v", mailbox, err)
	}
	defer func() { c.Unselect().Wait() }()
	all := map[string][]imap.Flag{}
	if data.NumMessages == 0 {
		return all
	}
	found, err := c.Fetch(imap.SeqSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{Envelope: true, Flags: true}).Collect()
	if err != nil {
		a.t.Fatal(err)
	}
	for _, m := range found {
		flags := []imap.Flag{}
		for _, f := range m.Flags {
			if f != "\\Recent" {
				flags = append(flags, f)
			}
		}
		all[m.Envelope.Subject] = flags
	}
	return all
}

func mail(subject string) string {
	return "From: reporter@example.net\nSubject: " + subject + "\n\nBody of " + subject + ".\n"
}

// writeOwned writes a file of the account's.
func writeOwned(t *testing.T, a *account, name, text string) {
	t.Helper()
	path := filepath.Join(a.home, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, a.d.UID, a.d.GID); err != nil {
		t.Fatal(err)
	}
}
