//go:build linux

package postfix

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	document   = "../../docs/postfix.md"
	documented = "127.0.0.1:8891" // where the document says that the gate listens
)

// mainCF is what the document says, and what a server for a test alone needs.
const mainCF = `
compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = %[1]s/log/maillog
maillog_file_prefixes = %[1]s
myhostname = mx.example.org
mydestination =
mynetworks =
relay_domains = example.org, lenient.example
transport_maps = inline:{{example.org=smtp:[127.0.0.1]:%[2]s}, {lenient.example=smtp:[127.0.0.1]:%[2]s}}
smtpd_relay_restrictions = reject_unauth_destination
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtp_dns_support_level = disabled
smtp_host_lookup = native
inet_interfaces = 127.0.0.1
inet_protocols = all
message_size_limit = 67108864
mailbox_size_limit = 0
alias_maps =
alias_database =
minimal_backoff_time = 1s
queue_run_delay = 1s
`

const masterCF = `
%[1]s inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
`

// An mta is a Postfix of the test's own.
type mta struct {
	dir     string
	address string
}

// startPostfix runs Postfix until the test ends, with the gate at one address and its mail going to another.
func startPostfix(t *testing.T, gate, sink string) *mta {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "gatepost-postfix-") // short, since the paths of its sockets are bounded
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &mta{dir: dir, address: freePort(t)}
	for _, sub := range []string{"", "etc", "queue", "data", "log"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	os.Chmod(dir, 0o755) // its daemons are not root
	chown := exec.Command("chown", "postfix", filepath.Join(dir, "data"))
	if out, err := chown.CombinedOutput(); err != nil {
		t.Fatalf("chown: %v\n%s", err, out)
	}
	_, port, _ := net.SplitHostPort(sink)
	hook := strings.ReplaceAll(documentedLines(t), documented, gate)
	m.write(t, "main.cf", fmt.Sprintf(mainCF, dir, port)+hook)
	m.write(t, "master.cf", fmt.Sprintf(masterCF, m.address))
	m.postfix(t, "start")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Postfix's log:\n%s", m.log())
		}
		exec.Command("postfix", "-c", filepath.Join(dir, "etc"), "stop").Run()
	})
	waitFor(t, "Postfix", func() bool { return answers(m.address) })
	return m
}

// documentedLines are the lines of main.cf in the document.
func documentedLines(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "```postfix\n")
	lines, _, closed := strings.Cut(rest, "```")
	if !found || !closed || !strings.Contains(lines, documented) {
		t.Fatalf("%s has no block of main.cf that names %s", document, documented)
	}
	return lines
}

func (m *mta) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, "etc", name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (m *mta) postfix(t *testing.T, args ...string) {
	t.Helper()
	args = append([]string{"-c", filepath.Join(m.dir, "etc")}, args...)
	if out, err := exec.Command("postfix", args...).CombinedOutput(); err != nil {
		t.Fatalf("postfix %s: %v\n%s\n%s", strings.Join(args, " "), err, out, m.log())
	}
}

func (m *mta) log() string {
	text, _ := os.ReadFile(filepath.Join(m.dir, "log", "maillog"))
	return string(text)
}

// held counts the messages that are on hold.
func (m *mta) held() int {
	n := 0
	filepath.WalkDir(filepath.Join(m.dir, "queue", "hold"), func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return nil
	})
	return n
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func answers(address string) bool {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: not within 30 seconds", what)
}
