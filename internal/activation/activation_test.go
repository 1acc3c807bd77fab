//go:build unix

package activation

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMain makes the test binary the service that systemd starts, where it is told to: it says a word to who connects.
func TestMain(m *testing.M) {
	if os.Getenv("ACTIVATED") == "" {
		os.Exit(m.Run())
	}
	sockets, err := Listeners()
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	for _, name := range []string{"milter", "web"} {
		for i, ln := range sockets[name] {
			c, err := ln.Accept()
			if err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			fmt.Fprintf(c, "%s %d %s %q", name, i, ln.Addr().Network(), os.Getenv("LISTEN_FDS"))
			c.Close()
			ln.Close()
		}
	}
	again, err := Listeners()
	fmt.Println("end", len(again), err)
}

// activate runs the service with sockets as systemd does.
func activate(t *testing.T, environment string, files ...*os.File) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", "LISTEN_PID=$$ "+environment+` exec "$0"`, self)
	cmd.Env = append(os.Environ(), "ACTIVATED=1")
	cmd.ExtraFiles = files
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return cmd, out
}

func file(t *testing.T, ln net.Listener) *os.File {
	t.Helper()
	f, err := ln.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close(); ln.Close() })
	return f
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func hear(t *testing.T, ln net.Listener) string {
	t.Helper()
	c, err := net.Dial(ln.Addr().Network(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	text, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSocketsComeByTheirNames(t *testing.T) {
	dir, err := os.MkdirTemp("", "gp-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "milter")
	tcp, unix, web := listen(t, "tcp", "127.0.0.1:0"), listen(t, "unix", path), listen(t, "tcp", "127.0.0.1:0")
	cmd, out := activate(t, "LISTEN_FDS=3 LISTEN_FDNAMES=milter:milter:web", file(t, tcp), file(t, unix), file(t, web))
	for _, c := range []struct {
		ln   net.Listener
		want string
	}{{tcp, `milter 0 tcp ""`}, {unix, `milter 1 unix ""`}, {web, `web 0 tcp ""`}} { // in the order in which they are answered
		if got := hear(t, c.ln); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	if err := cmd.Wait(); err != nil || out.String() != "end 0 <nil>\n" {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("systemd's socket is gone: %v", err)
	}
}

func TestSocketsOfAnotherProcessAreLeftAlone(t *testing.T) {
	t.Setenv("LISTEN_PID", "1")
	t.Setenv("LISTEN_FDS", "1")
	if got, err := Listeners(); got != nil || err != nil {
		t.Errorf("got %v, %v, want none", got, err)
	}
	if os.Getenv("LISTEN_FDS") != "" {
		t.Error("LISTEN_FDS is still there for those we start")
	}
}

func TestWhatIsNoStreamSocketIsAnError(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd, out := activate(t, "LISTEN_FDS=1 LISTEN_FDNAMES=milter", f)
	if err := cmd.Wait(); err == nil || !strings.Contains(out.String(), "socket 3 (milter) from systemd") {
		t.Errorf("%v: %s", err, out)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("2", "milter:web")
	f.Add("1", "")
	f.Add("-1", ":")
	f.Add("99999", "a:b")
	f.Fuzz(func(t *testing.T, count, names string) {
		sockets, err := parse(count, names)
		if err == nil && (len(sockets) > maxSockets || slices.Contains(sockets, "")) {
			t.Errorf("%q, %q: got %q", count, names, sockets)
		}
	})
}
