//go:build linux

package reports

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/dnstest"
	"github.com/gatepost-mail/gatepost/internal/testlog"
	"github.com/gatepost-mail/gatepost/test/dovecot"
)

// A scene is where reports come from: what all nodes share.
type scene struct {
	imap                mailServer
	dns                 *dnstest.Server
	in, done, bad, mail string // directories; the last is a Maildir
	store               string // the address; the SQLite of the one node if empty
	nodes               []*node
	log                 *testlog.Buffer
}

const (
	token = "q8Zk3mW0v1Yb7Rr4Tn2x"
	host  = "reports.example.net"
	rua   = "dmarc@" + host
)

func setScene(t *testing.T, nodes int, store string) *scene {
	t.Helper()
	dir := shortDir(t, "gp-in-")
	s := &scene{
		imap: startMailServer(t), store: store, in: filepath.Join(dir, "in"), done: filepath.Join(dir, "done"), bad: filepath.Join(dir, "bad"),
		mail: filepath.Join(dir, "Maildir"), log: &testlog.Buffer{}, dns: dnstest.Start(t, "$ORIGIN .\n_dmarc.mx.example.net. TXT \"v=DMARC1; p=none\"\n"),
	}
	for _, sub := range []string{s.in, s.mail + "/new", s.mail + "/cur", s.mail + "/tmp"} {
		if err := os.MkdirAll(sub, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			log := s.log.String()
			t.Logf("the end of the log:\n%s", log[max(0, len(log)-20_000):])
			if name := os.Getenv("GATEPOST_LOG"); name != "" {
				os.WriteFile(name, []byte(log), 0o600)
			}
		}
	})
	for i := range nodes {
		s.nodes = append(s.nodes, s.newNode(t, i))
	}
	return s
}

// A node is one gatepost, which runs, or does not.
type node struct {
	config, state   string
	web, smtp, lmtp string
	milter          string
	log             io.Writer

	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended, with err
	err   error
}

func (s *scene) newNode(t *testing.T, i int) *node {
	t.Helper()
	dir := shortDir(t, "gp-node-")
	n := &node{
		config: filepath.Join(dir, "gatepost.toml"), state: filepath.Join(dir, "state"), web: freePort(t), smtp: freePort(t), milter: freePort(t),
		lmtp: filepath.Join(dir, "lmtp"), log: s.log,
	}
	t.Cleanup(n.kill)
	writeFile(t, filepath.Join(dir, "tokens"), "test "+token+"\n")
	writeFile(t, filepath.Join(dir, "password"), dovecot.Password+"\n")
	n.configure(t, s, "")
	return n
}

// configure writes the configuration, with more inputs.
func (n *node) configure(t *testing.T, s *scene, more string) {
	t.Helper()
	store := s.store
	if store == "" {
		store = filepath.Join(n.state, "gatepost.db")
	}
	writeFile(t, n.config, fmt.Sprintf(`listen = [%q]
authserv_id = "mx.example.org"
state_dir = %q
[store]
url = %q
[web]
listen = [%q]
[resolver]
servers = [%q]
[log]
level = "info"
[reports]
domains = ["example.com", "example.org", "example.net"]
[reports.address]
host = %q
plain = ["dmarc"]
[reports.smtp]
listen = [%q]
lmtp = ["unix:%s"]
[reports.http]
tokens = "tokens"
trusted_proxies = ["127.0.0.0/8"]
[[reports.folder]]
path = %q
after = "move"
done = %q
bad = %q
[[reports.folder]]
path = %q
after = "move"
done = ".Done"
bad = ".Bad"
[[reports.imap]]
server = %q
tls = "none"
user = %q
password_file = "password"
poll = "2s"
%s`, n.milter, n.state, store, n.web, s.dns.Addr, host, n.smtp, n.lmtp, s.in, s.done, s.bad, s.mail, s.imap.Plain, imapUser, more))
}

// launch starts it, and does not wait.
func (n *node) launch(t *testing.T) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cmd = exec.Command(binary, "serve", "--config", n.config)
	n.cmd.Stdout, n.cmd.Stderr = n.log, n.log
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cmd, ended := n.cmd, make(chan struct{})
	n.ended = ended
	go func() {
		defer close(ended)
		n.err = cmd.Wait()
	}()
}

// start starts it, and waits until it answers.
func (n *node) start(t *testing.T) {
	t.Helper()
	n.launch(t)
	n.wait(t)
}

// wait waits until it answers.
func (n *node) wait(t *testing.T) {
	t.Helper()
	waitFor(t, "gatepost", func() bool {
		select {
		case <-n.ended:
			t.Fatalf("gatepost ended by itself: %v", n.err)
		default:
		}
		return answers(n.web) && answers(n.smtp)
	})
}

// kill is how a machine that loses its power ends it.
func (n *node) kill() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd != nil {
		n.cmd.Process.Kill()
		<-n.ended
		n.cmd = nil
	}
}

// terminate is how an administrator ends it.
func (n *node) terminate(t *testing.T) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil {
		return
	}
	n.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-n.ended:
	case <-time.After(patience):
		n.cmd.Process.Signal(syscall.SIGQUIT)
		t.Errorf("it still runs %v after SIGTERM", patience)
		<-n.ended
	}
	if n.err != nil {
		t.Errorf("after SIGTERM: %v, want exit status 0", n.err)
	}
	n.cmd = nil
}

// url is the address of the store.
func (s *scene) url() string {
	if s.store != "" {
		return s.store
	}
	return filepath.Join(s.nodes[0].state, "gatepost.db")
}
