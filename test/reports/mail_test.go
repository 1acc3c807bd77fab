//go:build linux

package reports

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/gatepost-mail/gatepost/test/dovecot"
)

// A mailServer is a real Dovecot, with one account that reports come to.
type mailServer struct{ *dovecot.Server }

const imapUser = "reports"

func startMailServer(t *testing.T) mailServer {
	t.Helper()
	d, err := dovecot.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Stop)
	return mailServer{d}
}

// client is another client than gatepost.
func (d mailServer) client() (*imapclient.Client, error) {
	c, err := imapclient.DialInsecure(d.Plain, nil)
	if err != nil {
		return nil, err
	}
	if err := c.Login(imapUser, dovecot.Password).Wait(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// mails are the names of the files of a mailbox.
func (d mailServer) mails(mailbox string) []string {
	dir := filepath.Join(d.Home(imapUser), "Maildir")
	if mailbox != "INBOX" {
		dir = filepath.Join(dir, "."+mailbox)
	}
	return maildir(dir)
}

// maildir are the paths of the messages in a Maildir.
func maildir(dir string) []string {
	var all []string
	for _, sub := range []string{"new", "cur"} {
		names, _ := filepath.Glob(filepath.Join(dir, sub, "*"))
		all = append(all, names...)
	}
	return all
}

func answers(address string) bool {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	c.Close()
	return true
}
