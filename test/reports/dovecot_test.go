//go:build linux

package reports

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
)

// A dovecot is a real server of its own, on loopback, with one account.
type dovecot struct {
	address, home string
}

const imapUser, imapPassword = "reports", "of-a-test"

func startDovecot(t *testing.T) *dovecot {
	t.Helper()
	path, err := exec.LookPath("dovecot")
	if err != nil {
		path = "/usr/sbin/dovecot"
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	uid, gid := os.Getuid(), os.Getgid()
	login, internal, group := me.Username, me.Username, me.Username
	chroot := "service imap-login {\n chroot =\n}\nservice anvil {\n chroot =\n}\nservice stats {\n chroot =\n}\n"
	if uid == 0 {
		login, internal, group, chroot = "dovenull", "dovecot", "dovecot", ""
		nobody, err := user.Lookup("nobody")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ = strconv.Atoi(nobody.Uid)
		gid, _ = strconv.Atoi(nobody.Gid)
	}
	dir := shortDir(t, "gp-dc-")
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"home", "run", "state"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(filepath.Join(dir, "home"), uid, gid); err != nil {
		t.Fatal(err)
	}
	d := &dovecot{address: freePort(t), home: filepath.Join(dir, "home", imapUser)}
	_, port, _ := net.SplitHostPort(d.address)
	config := fmt.Sprintf(`base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/log
listen = 127.0.0.1
protocols = imap
default_login_user = %[2]s
default_internal_user = %[3]s
default_internal_group = %[4]s
first_valid_uid = 1
mail_location = maildir:~/Maildir
mail_fsync = never
ssl = no
disable_plaintext_auth = no
auth_failure_delay = 0
mail_max_userip_connections = 100
passdb {
  driver = static
  args = password=%[8]s
}
userdb {
  driver = static
  args = uid=%[5]d gid=%[6]d home=%[1]s/home/%%u
}
namespace inbox {
  inbox = yes
}
service imap-login {
  inet_listener imap {
    port = %[7]s
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
%[9]s`, dir, login, internal, group, uid, gid, port, imapPassword, chroot)
	writeFile(t, filepath.Join(dir, "dovecot.conf"), config)
	cmd := exec.Command(path, "-F", "-c", filepath.Join(dir, "dovecot.conf"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out := &logBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatalf("dovecot (Debian's dovecot-imapd) is needed: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait()
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
		}
	})
	waitFor(t, "dovecot", func() bool {
		select {
		case <-ended:
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Fatalf("dovecot does not start: %s%s", out, log)
		default:
		}
		return answers(d.address)
	})
	return d
}

// client is another client than gatepost.
func (d *dovecot) client() (*imapclient.Client, error) {
	c, err := imapclient.DialInsecure(d.address, nil)
	if err != nil {
		return nil, err
	}
	if err := c.Login(imapUser, imapPassword).Wait(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// mails are the names of the files of a mailbox.
func (d *dovecot) mails(mailbox string) []string {
	dir := filepath.Join(d.home, "Maildir")
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
