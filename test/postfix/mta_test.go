//go:build linux

package postfix

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
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
enable_long_queue_ids = yes
minimal_backoff_time = 2s
queue_run_delay = 1s
`

const masterCF = `
%[1]s inet n - %[2]s - - smtpd
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

// startPostfix runs Postfix until the test ends, with the gate at one address, as main.cf writes it, and its mail going to another. chroot
// is whether its smtpd runs in one: y or n.
func startPostfix(t *testing.T, gate, sink, chroot string) *mta {
	t.Helper()
	m := newPostfix(t)
	m.start(t, gate, sink, chroot)
	return m
}

// newPostfix makes the folders of a Postfix. Postfix makes its queue itself and looks at the whole installation when it starts, which takes
// seconds: it does so once for all tests, and the rest get a copy.
func newPostfix(t *testing.T) *mta {
	t.Helper()
	m := &mta{dir: shortDir(t, "gatepost-postfix-"), address: freePort(t)}
	m.folders(t)
	made.Do(func() {
		template := &mta{dir: filepath.Join(filepath.Dir(binary), "postfix"), address: m.address}
		template.folders(t)
		template.write(t, "main.cf", fmt.Sprintf(mainCF, template.dir, "25"))
		template.write(t, "master.cf", fmt.Sprintf(masterCF, template.address, "n"))
		template.postfix(t, "check")
		queue = filepath.Join(template.dir, "queue")
	})
	command(t, "cp", "-a", queue+"/.", filepath.Join(m.dir, "queue"))
	writeFile(t, filepath.Join(m.dir, "queue", "quick-start"), "") // postfix-script: no checks this time
	return m
}

var (
	made  sync.Once
	queue string // an empty queue, as Postfix made it
)

func (m *mta) folders(t *testing.T) {
	t.Helper()
	for _, sub := range []string{"", "etc", "queue", "data", "log"} {
		if err := os.MkdirAll(filepath.Join(m.dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	os.Chmod(m.dir, 0o755) // its daemons are not root
	command(t, "chown", "postfix", filepath.Join(m.dir, "data"))
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func (m *mta) start(t *testing.T, gate, sink, chroot string) {
	t.Helper()
	_, port, _ := net.SplitHostPort(sink)
	hook := strings.ReplaceAll(documentedLines(t), "inet:"+documented, gate)
	m.run(t, fmt.Sprintf(mainCF, m.dir, port)+hook, fmt.Sprintf(masterCF, m.address, chroot))
}

// run starts Postfix with these files.
func (m *mta) run(t *testing.T, mainCF, masterCF string) {
	t.Helper()
	m.write(t, "main.cf", mainCF)
	m.write(t, "master.cf", masterCF)
	m.postfix(t, "start")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Postfix's log:\n%s", m.log())
		}
		exec.Command("postfix", "-c", filepath.Join(m.dir, "etc"), "stop").Run()
	})
	waitFor(t, "Postfix", func() bool { return answers(m.address) })
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

// ports are below those that the system gives to connections: a port stays free for a gate that starts again.
var ports atomic.Uint32

const firstPort, manyPorts = 20000, 12000

func freePort(t *testing.T) string {
	t.Helper()
	ports.CompareAndSwap(0, uint32(os.Getpid()))
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+ports.Add(1)%manyPorts)
		tcp, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		udp, err := net.ListenPacket("udp", address)
		tcp.Close()
		if err == nil {
			udp.Close()
			return address
		}
	}
	t.Fatal("no port is free for both UDP and TCP")
	return ""
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
