package dovecot

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
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
	"syscall"
	"time"
)

// A Server is a Dovecot that runs.
type Server struct {
	Dir, CA          string // all that it has; the authority of its certificate, which is for localhost
	Plain, Encrypted string // addresses on loopback
	UID, GID         int    // of whom the mail is

	cmd *exec.Cmd
}

// Home is the directory of an account, with its Maildir.
func (d *Server) Home(account string) string { return filepath.Join(d.Dir, "home", account) }

// Start runs a Dovecot with more configuration than what all have.
func Start(more string) (*Server, error) {
	path, err := exec.LookPath("dovecot")
	if err != nil {
		path = "/usr/sbin/dovecot"
	}
	dir, err := os.MkdirTemp(place(), "gp-dc-")
	if err != nil {
		return nil, err
	}
	d := &Server{Dir: dir, UID: os.Getuid(), GID: os.Getgid()}
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	login, internal, group := me.Username, me.Username, strconv.Itoa(d.GID)
	if g, err := user.LookupGroupId(me.Gid); err == nil {
		group = g.Name
	}
	chroot := "service imap-login {\n chroot =\n}\nservice anvil {\n chroot =\n}\nservice stats {\n chroot =\n}\n"
	if d.UID == 0 {
		login, internal, group, chroot = "dovenull", "dovecot", "dovecot", ""
		u, err := user.Lookup("nobody")
		if err != nil {
			return nil, err
		}
		d.UID, _ = strconv.Atoi(u.Uid)
		d.GID, _ = strconv.Atoi(u.Gid)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	for _, sub := range []string{"home", "run", "state"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.Chown(filepath.Join(dir, "home"), d.UID, d.GID); err != nil {
		return nil, err
	}
	if err := d.certificates(); err != nil {
		return nil, err
	}
	d.Plain, d.Encrypted = FreeAddress(), FreeAddress()
	_, plainPort, _ := net.SplitHostPort(d.Plain)
	_, securePort, _ := net.SplitHostPort(d.Encrypted)
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
`, dir, login, internal, group, d.UID, d.GID, plainPort, securePort, chroot, more)
	if err := os.WriteFile(filepath.Join(dir, "dovecot.conf"), []byte(config), 0o644); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "users"), []byte("all:{PLAIN}"+Password+"\n"), 0o644); err != nil {
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
		if conn, err := net.Dial("tcp", d.Encrypted); err == nil {
			conn.Close()
			return d, nil
		}
		time.Sleep(25 * time.Millisecond)
	}
	d.Stop()
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

// Stop ends it, and removes what it had.
func (d *Server) Stop() {
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
	os.RemoveAll(d.Dir)
}

// certificates makes an authority and one certificate of it, for localhost and not for 127.0.0.1.
func (d *Server) certificates() error {
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
	d.CA = filepath.Join(d.Dir, "ca.pem")
	for name, block := range map[string]*pem.Block{
		"ca.pem": {Type: "CERTIFICATE", Bytes: authorityDER}, "cert.pem": {Type: "CERTIFICATE", Bytes: leafDER},
		"key.pem": {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(filepath.Join(d.Dir, name), pem.EncodeToMemory(block), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// FreeAddress is one on loopback that nobody listens on.
func FreeAddress() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return l.Addr().String()
}
