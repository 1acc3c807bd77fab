//go:build linux

package postfix

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/testlog"
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
	if why := missing(); why != "" {
		without(t, why)
	}
}

// without skips what cannot be done here. Where CI runs it must be.
func without(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// atOnce bounds the tests that run side by side: each has a Postfix of its own.
var atOnce = make(chan struct{}, 2)

// sideBySide lets a test run beside another one.
func sideBySide(t *testing.T) {
	t.Parallel()
	atOnce <- struct{}{}
	t.Cleanup(func() { <-atOnce })
}

// A process is a running gatepost.
type process struct {
	config  string
	state   string // its state directory
	address string // of the milter
	web     string // of metrics and state
	cmd     *exec.Cmd
	log     *testlog.Buffer
}

// newGate writes a configuration; start runs it.
func newGate(t *testing.T, dns, more string) *process {
	t.Helper()
	dir := shortDir(t, "gatepost-gate-")
	p := &process{
		config: filepath.Join(dir, "gatepost.toml"), state: filepath.Join(dir, "state"), address: freePort(t), web: freePort(t), log: &testlog.Buffer{},
	}
	p.configure(t, dns, more)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("Gatepost's log:\n%s", p.log)
		}
	})
	return p
}

// shortDir is a folder with a short name, since the paths of sockets are bounded.
func shortDir(t *testing.T, pattern string) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", pattern)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// configure writes the configuration: keys that stand alone first, and then tables.
func (p *process) configure(t *testing.T, dns, more string) {
	t.Helper()
	text := fmt.Sprintf("listen = [%q]\nauthserv_id = \"mx.example.org\"\nstate_dir = %q\n%s\n[web]\nlisten = [%q]\n[resolver]\nservers = [%q]\n",
		p.address, p.state, more, p.web, dns)
	writeFile(t, p.config, text)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
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
	if err := p.ended(t); err != nil {
		t.Errorf("after SIGTERM: %v, want exit status 0", err)
	}
}

// ended waits until it has ended, and gives its exit status if that is not 0.
func (p *process) ended(t *testing.T) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	defer func() { p.cmd = nil }()
	select {
	case err := <-ended:
		return err
	case <-time.After(time.Minute):
		t.Error("it still runs, after a minute")
		p.cmd.Process.Kill()
		return <-ended
	}
}

// run has gatepost do something else beside; want is the exit status.
func (p *process) run(t *testing.T, want int, args ...string) string {
	t.Helper()
	cmd := exec.Command(binary, append(args, "--config", p.config)...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
		t.Fatalf("gatepost %s: %v, want exit status %d\n%s", strings.Join(args, " "), err, want, out)
	}
	return string(out)
}

// page reads what the gate shows by HTTP.
func (p *process) page(t *testing.T, path string) (status int, text string) {
	t.Helper()
	client := http.Client{Timeout: 20 * time.Second}
	resp, err := client.Get("http://" + p.web + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// metric reads one series as Prometheus sees it; 0 where there is none.
func (p *process) metric(t *testing.T, series string) float64 {
	t.Helper()
	for line := range strings.Lines(p.metrics(t)) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			var value float64
			if _, err := fmt.Sscan(rest, &value); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			return value
		}
	}
	return 0
}

func (p *process) metrics(t *testing.T) string {
	t.Helper()
	_, text := p.page(t, "/metrics")
	return text
}
