package imap

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// A dovecot is a real server of its own in a directory of its own. Tests share one for each configuration, and have accounts of their own.
type dovecot struct {
	dir, ca          string
	plain, encrypted string // addresses; both on loopback
	uid, gid         int
	cmd              *exec.Cmd
}

var (
	dovecots     = map[string]*dovecot{}
	dovecotsLock sync.Mutex
)

func TestMain(m *testing.M) {
	code := m.Run()
	for _, d := range dovecots {
		d.stop()
	}
	os.Exit(code)
}

// server starts Dovecot with more configuration than what all have.
func server(t *testing.T, more string) *dovecot {
	t.Helper()
	dovecotsLock.Lock()
	defer dovecotsLock.Unlock()
	if d := dovecots[more]; d != nil {
		return d
	}
	d, err := start(more)
	if err != nil {
		t.Fatal(err)
	}
	dovecots[more] = d
	return d
}

func start(more string) (*dovecot, error) {
	path, err := exec.LookPath("dovecot")
	if err != nil {
		path = "/usr/sbin/dovecot"
	}
	dir, err := os.MkdirTemp(place(), "gp-dc-")
	if err != nil {
		return nil, err
	}
	d := &dovecot{dir: dir, uid: os.Getuid(), gid: os.Getgid()}
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	login, internal, group := me.Username, me.Username, strconv.Itoa(d.gid)
	if g, err := user.LookupGroupId(me.Gid); err == nil {
		group = g.Name
	}
	chroot := "service imap-login {\n chroot =\n}\nservice anvil {\n chroot =\n}\nservice stats {\n chroot =\n}\n"
	if d.uid == 0 {
		login, internal, group, chroot = "dovenull", "dovecot", "dovecot", ""
		u, err := user.Lookup("nobody")
		if err != nil {
			return nil, err
		}
		d.uid, _ = strconv.Atoi(u.Uid)
		d.gid, _ = strconv.Atoi(u.Gid)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	for _, sub := range []string{"home", "run", "state"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.Chown(filepath.Join(dir, "home"), d.uid, d.gid); err != nil {
		return nil, err
	}
	if err := d.certificates(); err != nil {
		return nil, err
	}
	d.plain, d.encrypted = freeAddress(), freeAddress()
	_, plainPort, _ := net.SplitHostPort(d.plain)
	_, securePort, _ := net.SplitHostPort(d.encrypted)
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
ssl = yes
ssl_cert = <%[1]s/cert.pem
ssl_key = <%[1]s/key.pem
ssl_dh =
disable_plaintext_auth = no
auth_failure_delay = 0
mail_max_userip_connections = 100
imap_idle_notify_interval = 10 s
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=all %[1]s/users
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
  inet_listener imaps {
    port = %[8]s
    ssl = yes
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
%[9]s
%[10]s
`, dir, login, internal, group, d.uid, d.gid, plainPort, securePort, chroot, more)
	if err := os.WriteFile(filepath.Join(dir, "dovecot.conf"), []byte(config), 0o644); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "users"), []byte("all:{PLAIN}"+secret+"\n"), 0o644); err != nil {
		return nil, err
	}
	d.cmd = exec.Command(path, "-F", "-c", filepath.Join(dir, "dovecot.conf"))
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out := new(strings.Builder)
	d.cmd.Stdout, d.cmd.Stderr = out, out
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("dovecot (Debian's dovecot-imapd) is needed: %w", err)
	}
	for range 200 {
		if conn, err := net.Dial("tcp", d.encrypted); err == nil {
			conn.Close()
			return d, nil
		}
		time.Sleep(25 * time.Millisecond)
	}
	d.stop()
	return nil, fmt.Errorf("dovecot does not start: %s", out)
}

// place is where the server's directory is to be: in memory if there is room, since Dovecot makes and renames many files, and short, since
// the names of sockets have a limit.
func place() string {
	var fs syscall.Statfs_t
	if err := syscall.Statfs("/dev/shm", &fs); err == nil && fs.Bavail*uint64(fs.Bsize) > 1<<30 {
		return "/dev/shm"
	}
	return "/tmp"
}

func (d *dovecot) stop() {
	d.cmd.Process.Signal(syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		d.cmd.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	}
	os.RemoveAll(d.dir)
}

// certificates makes an authority and one certificate of it, for localhost and not for 127.0.0.1.
func (d *dovecot) certificates() error {
	now := time.Now()
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, &authorityKey.PublicKey, authorityKey)
	if err != nil {
		return err
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(24 * time.Hour), DNSNames: []string{"localhost"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, authority, &key.PublicKey, authorityKey)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	d.ca = filepath.Join(d.dir, "ca.pem")
	for name, block := range map[string]*pem.Block{
		"ca.pem": {Type: "CERTIFICATE", Bytes: authorityDER}, "cert.pem": {Type: "CERTIFICATE", Bytes: leafDER},
		"key.pem": {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(filepath.Join(d.dir, name), pem.EncodeToMemory(block), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func freeAddress() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// An account is one on a dovecot, with the options that reach it and a connection of another client.
type account struct {
	t    *testing.T
	d    *dovecot
	user string
	home string
	o    Options
	c    *imapclient.Client
}

func (d *dovecot) account(t *testing.T) *account {
	t.Helper()
	a := &account{t: t, d: d, user: strings.ToLower(strings.Map(func(r rune) rune {
		if r == '/' || r == '#' {
			return '-'
		}
		return r
	}, t.Name()))}
	a.home = filepath.Join(d.dir, "home", a.user)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(d.encrypted)
	a.o = Options{Address: "localhost:" + port, CAFile: d.ca, User: a.user, PasswordFile: password}
	return a
}

// client is another client of the same account.
func (a *account) client() *imapclient.Client {
	a.t.Helper()
	if a.c != nil {
		return a.c
	}
	c, err := imapclient.DialTLS(a.d.encrypted, &imapclient.Options{TLSConfig: &tls.Config{InsecureSkipVerify: true}})
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
	if err := os.Chown(path, a.d.uid, a.d.gid); err != nil {
		t.Fatal(err)
	}
}
