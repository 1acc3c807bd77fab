//go:build linux

package postfix

import (
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
)

// A manager stands in for systemd: it opens the socket, passes it on, and hears what the gate says of itself.
type manager struct {
	socket *os.File
	path   string // where it is to be spoken to

	mu   sync.Mutex
	said []string // each message, as it came
}

func newManager(t *testing.T, socket string) *manager {
	t.Helper()
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	// SocketMode=0660 and SocketGroup=postfix, as packaging/systemd/gatepost-postfix.socket has it.
	group, err := user.LookupGroup("postfix")
	if err != nil {
		t.Fatal(err)
	}
	gid, _ := strconv.Atoi(group.Gid)
	if err := os.Chown(socket, 0, gid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(socket, 0o660); err != nil {
		t.Fatal(err)
	}
	m := &manager{path: filepath.Join(shortDir(t, "gatepost-notify-"), "notify")}
	if m.socket, err = ln.(*net.UnixListener).File(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.socket.Close() })
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		for buf := make([]byte, 4096); ; {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			m.mu.Lock()
			m.said = append(m.said, string(buf[:n]))
			m.mu.Unlock()
		}
	}()
	return m
}

// hears waits for the next word in a line of its own, behind the first n messages, and tells how many there are then.
func (m *manager) hears(t *testing.T, n int, word string) int {
	t.Helper()
	found := 0
	waitFor(t, "the gate to say "+word, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		for i := n; i < len(m.said); i++ {
			if said, _, _ := strings.Cut(m.said[i], "\n"); said == word {
				found = i + 1
				return true
			}
		}
		return false
	})
	return found
}

// launch starts the gate as systemd does: the name of the socket is that of FileDescriptorName=.
func (m *manager) launch(t *testing.T, p *process, name string) {
	t.Helper()
	// The process that LISTEN_PID names is the one that exec leaves.
	p.cmd = exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" serve --config "$1"`, binary, p.config)
	p.cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "LISTEN_FDNAMES="+name, "NOTIFY_SOCKET="+m.path, "WATCHDOG_USEC=1000000")
	p.cmd.ExtraFiles = []*os.File{m.socket}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// Postfix speaks from its chroot to a socket that systemd opened, and waits while the gate starts again.
func TestSocketOfSystemdInTheChrootOfPostfix(t *testing.T) {
	sideBySide(t)
	b := prepare(t, "")
	b.mta = newPostfix(t)
	folder := filepath.Join(b.mta.dir, "queue", "gatepost")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	m := newManager(t, filepath.Join(folder, "milter"))
	m.launch(t, b.gate, "milter")
	n := m.hears(t, 0, "READY=1")
	if answers(b.gate.address) {
		t.Error("it listens where its configuration says too, though systemd passed on a socket")
	}
	b.mta.start(t, "unix:gatepost/milter", b.sink.address, "y")
	softfail := sender{ip: "192.0.2.9", helo: "mx.example.com", from: "a@example.com"}
	if reply := b.send(t, good, message("one", fromGood)); !strings.HasPrefix(reply, "250 ") {
		t.Errorf("reply %s, want 250", reply)
	}
	if got := b.sink.wait(t, "<one@example.com>"); !strings.HasPrefix(got, "Authentication-Results: mx.example.org;") {
		t.Errorf("not verified:\n%.300s", got)
	}
	if reply := b.send(t, softfail, message("two", fromGood)); !strings.HasPrefix(reply, "550 5.7.23") {
		t.Errorf("reply %s, want 550 5.7.23", reply)
	}
	if queue := filepath.Join(b.mta.dir, "queue"); !chrooted(queue) {
		t.Errorf("no process of Postfix has %s as its root: the test shows nothing", queue)
	}
	n = m.hears(t, n, "WATCHDOG=1")

	b.gate.configure(t, b.dns.Addr, `mode = "monitor"`)
	b.gate.cmd.Process.Signal(syscall.SIGHUP)
	n = m.hears(t, m.hears(t, n, "RELOADING=1"), "READY=1")
	if reply := b.send(t, softfail, message("three", fromGood)); !strings.HasPrefix(reply, "250 ") {
		t.Errorf("in monitor mode: reply %s, want 250", reply)
	}

	b.gate.terminate(t)
	n = m.hears(t, n, "STOPPING=1")
	reply := make(chan string, 1)
	go func() {
		_, text, err := softfail.send(b.mta.address, message("four", fromGood))
		if err != nil {
			text = err.Error()
		}
		reply <- text
	}()
	time.Sleep(200 * time.Millisecond) // the mail server has come to the socket; it would be turned away by now if there were none
	m.launch(t, b.gate, "milter")
	m.hears(t, n, "READY=1")
	if text := <-reply; !strings.HasPrefix(text, "250 ") {
		t.Errorf("a message that came while the gate was away: %s, want 250", text)
	}
}

// chrooted tells whether a process has a folder as its root.
func chrooted(dir string) bool {
	roots, _ := filepath.Glob("/proc/[0-9]*/root")
	for _, link := range roots {
		if root, err := os.Readlink(link); err == nil && root == dir {
			return true
		}
	}
	return false
}

// A socket that nobody serves is one at which mail servers wait for ever.
func TestSocketOfSystemdWithAnotherNameIsAnError(t *testing.T) {
	sideBySide(t)
	b := prepare(t, "")
	m := newManager(t, filepath.Join(shortDir(t, "gatepost-socket-"), "milter"))
	m.launch(t, b.gate, "gatepost.socket") // what systemd calls it without FileDescriptorName=
	err := b.gate.ended(t)
	if want := `a socket from systemd is named "gatepost.socket": write FileDescriptorName=milter in its unit`; err == nil || !strings.Contains(b.gate.log.String(), want) {
		t.Errorf("got %v and\n%s\nwant %q", err, b.gate.log, want)
	}
}
