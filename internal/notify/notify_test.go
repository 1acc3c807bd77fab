//go:build linux

package notify

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// manager is systemd's end.
func manager(t *testing.T) *net.UnixConn {
	t.Helper()
	dir, err := os.MkdirTemp("", "gp-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	address := &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"}
	conn, err := net.ListenUnixgram("unixgram", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", address.Name)
	return conn
}

func heard(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	b := make([]byte, 4096)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestSystemdHearsHowWeAre(t *testing.T) {
	c := manager(t)
	n := New()
	defer n.Close()
	if os.Getenv("NOTIFY_SOCKET") != "" {
		t.Error("NOTIFY_SOCKET is still there for those we start")
	}
	n.Ready("listening\non 127.0.0.1:8891")
	if got := heard(t, c); got != "READY=1\nSTATUS=listening on 127.0.0.1:8891" {
		t.Errorf("got %q", got)
	}
	n.Reloading()
	if got := heard(t, c); !strings.HasPrefix(got, "RELOADING=1\nMONOTONIC_USEC=") || strings.Contains(got, "USEC=0\n") {
		t.Errorf("got %q", got)
	}
	n.Stopping()
	if got := heard(t, c); !strings.HasPrefix(got, "STOPPING=1\n") {
		t.Errorf("got %q", got)
	}
}

func TestWatchdogHearsOfUsOnlyWhileWeLive(t *testing.T) {
	c := manager(t)
	t.Setenv("WATCHDOG_USEC", "2000")
	n := New()
	defer n.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	looks := 0
	go func() {
		defer close(ended)
		n.Watch(ctx, func() bool {
			looks++
			if looks == 20 {
				cancel()
			}
			return looks <= 3
		})
	}()
	<-ended
	n.Status("end")
	for range 3 {
		if got := heard(t, c); got != "WATCHDOG=1" {
			t.Errorf("got %q", got)
		}
	}
	if got := heard(t, c); got != "STATUS=end" {
		t.Errorf("got %q after the gate was found dead", got)
	}
}

func TestWithoutSystemdNothingHappens(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n := New()
	n.Ready("x")
	n.Watch(context.Background(), func() bool { t.Error("asked"); return true })
	n.Close()
	t.Setenv("NOTIFY_SOCKET", "/nowhere/at/all")
	n = New()
	n.Ready("x")
	n.Close()
}
