//go:build linux

package packaging

import (
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/d--j/go-milter"
)

// built is the folder that build has made.
var built string

// build makes the package once for all tests.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gatepost-deb-")
	if err != nil {
		return "", err
	}
	built = dir
	cmd := exec.Command(filepath.Join(root, "packaging/deb/build"))
	cmd.Env = append(os.Environ(), "DIST="+dir, "VERSION=1.2.3-rc.1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("built %v, %v", found, err)
	}
	return found[0], nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(status)
}

func deb(t *testing.T) string {
	t.Helper()
	need(t, "dpkg", "dpkg", "dpkg-deb")
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPackageHoldsWhatItShouldAndNothingWritable(t *testing.T) {
	path := deb(t)
	if want := regexp.MustCompile(`^gatepost_1\.2\.3~rc\.1_(amd64|arm64)\.deb$`); !want.MatchString(filepath.Base(path)) {
		t.Errorf("it is called %s: a candidate must sort before its release", filepath.Base(path))
	}
	list := command(t, "", "dpkg-deb", "-c", path)
	for _, file := range []string{
		"/usr/bin/gatepost", "/etc/gatepost/gatepost.toml", "/usr/lib/systemd/system/gatepost.service",
		"/usr/lib/systemd/system/gatepost.socket", "/usr/lib/systemd/system/gatepost-postfix.socket", "/usr/share/man/man1/gatepost.1.gz",
		"/usr/share/bash-completion/completions/gatepost", "/usr/share/doc/gatepost/copyright", "/usr/share/doc/gatepost/install.md",
		"/usr/share/doc/gatepost/examples/prometheus.rules.yml", "/usr/share/doc/gatepost/examples/grafana.json",
	} {
		if !strings.Contains(list, " ."+file+"\n") {
			t.Errorf("there is no %s", file)
		}
	}
	allowed := regexp.MustCompile(`^(drwxr-xr-x|-rwxr-xr-x|-rw-r--r--) root/root `)
	for line := range strings.Lines(list) {
		if !allowed.MatchString(line) {
			t.Errorf("its mode or owner is wrong: %s", line)
		}
		if strings.Contains(line, "/build") {
			t.Errorf("left over from building: %s", line)
		}
	}
	if got := command(t, "", "dpkg-deb", "-I", path, "conffiles"); got != "/etc/gatepost/gatepost.toml\n" {
		t.Errorf("conffiles: %q", got)
	}
	for _, script := range []string{"postinst", "prerm", "postrm"} {
		command(t, root, "sh", "-n", filepath.Join("packaging/deb", script))
	}
}

// dpkg works on a root of the test's own, where the scripts of the package find nothing to start.
func dpkg(t *testing.T, root string, args ...string) string {
	t.Helper()
	args = append([]string{"--root=" + root, "--force-script-chrootless", "--force-not-root", "--force-depends", "--log=" + root + ".log"}, args...)
	return command(t, "", "dpkg", args...)
}

func newRoot(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "root")
	for _, sub := range []string{"var/lib/dpkg/updates", "var/lib/dpkg/info", "var/lib/dpkg/triggers"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "var/lib/dpkg/status"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// files are those below a root that are not dpkg's own.
func files(t *testing.T, root string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		if err == nil && !e.IsDir() && !strings.HasPrefix(name, "var/lib/dpkg/") {
			all = append(all, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestInstalledGateRefusesMailAndIsRemovedWithoutATrace(t *testing.T) {
	path := deb(t)
	dir := newRoot(t)
	dpkg(t, dir, "--install", path)
	program, conf := filepath.Join(dir, "usr/bin/gatepost"), filepath.Join(dir, "etc/gatepost/gatepost.toml")
	command(t, "", program, "config", "check", "--config", conf)
	if got := command(t, "", program, "version"); !strings.HasPrefix(got, "gatepost ") {
		t.Errorf("version: %q", got)
	}

	// An administrator writes his own lines into the file, which has every key commented out.
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(filepath.Dir(dir), "m")
	zone := filepath.Join(filepath.Dir(dir), "zone")
	if err := os.WriteFile(zone, []byte("fail.example. TXT \"v=spf1 -all\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	own := fmt.Sprintf("listen = [%q]\nauthserv_id = \"mx.example.org\"\nresolver.zone = %q\n", "unix:"+socket, zone)
	if err := os.WriteFile(conf, append([]byte(own), text...), 0o644); err != nil {
		t.Fatal(err)
	}
	stop := serve(t, program, conf)
	waitFor(t, socket)
	if reply := deliver(t, socket); !strings.HasPrefix(reply, "550 5.7.23 ") {
		t.Errorf("the gate answered %q, want a refusal for SPF", reply)
	}
	stop()

	// The file is kept as it was changed, by the removal as well as by an upgrade.
	dpkg(t, dir, "--force-confold", "--install", path)
	if after, err := os.ReadFile(conf); err != nil || !bytes.HasPrefix(after, []byte(own)) {
		t.Errorf("%v: the administrator's lines are gone:\n%s", err, after)
	}
	dpkg(t, dir, "--remove", "gatepost")
	if left := files(t, dir); !slices.Equal(left, []string{"etc/gatepost/gatepost.toml"}) {
		t.Errorf("after the removal there are %v, want the configuration alone", left)
	}
	dpkg(t, dir, "--purge", "gatepost")
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("after the purge there are %v", left)
	}
}

// serve runs the installed program.
func serve(t *testing.T, program, conf string) (stop func()) {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(program, "serve", "--config", conf)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = sync.OnceFunc(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil || t.Failed() {
			t.Errorf("gatepost serve: %v\n%s", err, &log)
		}
	})
	t.Cleanup(stop)
	return stop
}

func waitFor(t *testing.T, socket string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("unix", socket); err == nil {
			c.Close()
			return
		}
	}
	t.Fatal("the gate does not listen")
}

// deliver hands over a message that SPF does not authorise, and gives the reply.
func deliver(t *testing.T, socket string) string {
	t.Helper()
	s, err := milter.NewClient("unix", socket).Session(milter.NewMacroBag())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, step := range []func() (*milter.Action, error){
		func() (*milter.Action, error) { return s.Conn("client.example", milter.FamilyInet, 25, "192.0.2.9") },
		func() (*milter.Action, error) { return s.Helo("client.example") },
		func() (*milter.Action, error) { return s.Mail("a@fail.example", "") },
		func() (*milter.Action, error) { return s.Rcpt("b@example.org", "") },
		s.DataStart,
		func() (*milter.Action, error) { return s.HeaderField("From", " a@fail.example", nil) },
		s.HeaderEnd,
		func() (*milter.Action, error) { return s.BodyChunk([]byte("hello\r\n")) },
	} {
		if _, err := step(); err != nil {
			t.Fatal(err)
		}
	}
	_, action, err := s.End()
	if err != nil {
		t.Fatal(err)
	}
	return action.SMTPReply
}
