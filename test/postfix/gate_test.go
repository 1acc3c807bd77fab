//go:build linux

package postfix

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// binary is the gatepost that TestMain built.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if why := missing(); why != "" {
			return m.Run() // each test says why it is skipped
		}
		dir, err := os.MkdirTemp("", "gatepost-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "gatepost")
		if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/gatepost").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building gatepost: %v\n%s", err, out)
			return 2
		}
		return m.Run()
	}())
}

// missing says why these tests cannot be run here.
func missing() string {
	if os.Geteuid() != 0 {
		return "Postfix is started by root alone: run the test as root"
	}
	if _, err := exec.LookPath("postfix"); err != nil {
		return "there is no Postfix: apt-get install postfix"
	}
	return ""
}

// needPostfix skips, except in CI, where these tests are wanted.
func needPostfix(t *testing.T) {
	t.Helper()
	switch why := missing(); {
	case why == "":
	case os.Getenv("CI") != "":
		t.Fatal(why)
	default:
		t.Skip(why)
	}
}

// A process is a running gatepost.
type process struct {
	config  string
	address string
	cmd     *exec.Cmd
	log     *logBuffer
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newGate writes a configuration; start runs it.
func newGate(t *testing.T, dns, more string) *process {
	t.Helper()
	p := &process{config: filepath.Join(t.TempDir(), "gatepost.toml"), address: freePort(t), log: &logBuffer{}}
	p.configure(t, dns, more)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("Gatepost's log:\n%s", p.log)
		}
	})
	return p
}

func (p *process) configure(t *testing.T, dns, more string) {
	t.Helper()
	text := fmt.Sprintf("listen = [%q]\nauthserv_id = \"mx.example.org\"\nstate_dir = \"state\"\n%s\n[web]\nlisten = []\n[resolver]\nservers = [%q]\n", p.address, more, dns)
	if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p *process) start(t *testing.T) {
	t.Helper()
	p.cmd = exec.Command(binary, "serve", "--config", p.config)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "gatepost", func() bool { return answers(p.address) })
}

// kill is how a machine that loses its power ends it.
func (p *process) kill() {
	if p.cmd != nil {
		p.cmd.Process.Kill()
		p.cmd.Wait()
		p.cmd = nil
	}
}

// terminate is how an administrator ends it.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v, want exit status 0", err)
	}
	p.cmd = nil
}
