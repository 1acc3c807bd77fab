package control

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

// gate is a Handler that answers as it is told.
type gate struct {
	err    error
	status Status
	reads  int
}

func (g *gate) Reload(context.Context) error  { g.reads++; return g.err }
func (g *gate) Status(context.Context) Status { return g.status }

// folder is a state directory with a short name, as the paths of sockets are bounded.
func folder(t *testing.T) string {
	dir, err := os.MkdirTemp("", "gp-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func serve(t *testing.T, path string, h Handler) (stop func() error) {
	t.Helper()
	ln, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, ln, h) }()
	t.Cleanup(cancel)
	return func() error { cancel(); return <-ended }
}

func TestReloadSaysWhatCameOfIt(t *testing.T) {
	path := filepath.Join(folder(t), SocketName)
	g := &gate{}
	stop := serve(t, path, g)
	c := NewClient(path)
	if err := c.Reload(t.Context()); err != nil || g.reads != 1 {
		t.Errorf("got %v after %d reads, want success after one", err, g.reads)
	}
	g.err = errors.New(`gatepost.toml:3:1: policy "stict": no such preset`)
	var refused *Refusal
	if err := c.Reload(t.Context()); !errors.As(err, &refused) || err.Error() != g.err.Error() {
		t.Errorf("got %v, want the refusal %v", err, g.err)
	}
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestStatusComesAsItIs(t *testing.T) {
	path := filepath.Join(folder(t), SocketName)
	g := &gate{status: Status{Version: "v1", PID: 7, Started: time.Unix(1700000000, 0).UTC(), Listening: []string{"tcp:127.0.0.1:8891"}, Messages: 3}}
	serve(t, path, g)
	got, err := NewClient(path).Status(t.Context())
	if err != nil || !reflect.DeepEqual(got, g.status) {
		t.Errorf("got %+v, %v, want %+v", got, err, g.status)
	}
}

func TestWithoutAGateTheErrorNamesTheSocket(t *testing.T) {
	dir := folder(t)
	stale := filepath.Join(dir, "stale")
	ln, err := net.Listen("unix", stale)
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
	for path, want := range map[string]string{filepath.Join(dir, "none"): "no such socket", stale: "has gone"} {
		var away *Unreachable
		err := NewClient(path).Reload(t.Context())
		if !errors.As(err, &away) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that names %s and says %q", err, path, want)
		}
	}
}

func TestSomethingElseOnTheSocketIsNoGate(t *testing.T) {
	path := filepath.Join(folder(t), SocketName)
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.Write([]byte("HTTP/1.0 200 OK\r\n\r\nhello"))
			c.Close()
		}
	}()
	var away *Unreachable
	if _, err := NewClient(path).Status(t.Context()); !errors.As(err, &away) {
		t.Errorf("got %v, want that no gate answers", err)
	}
}

func TestOnlyTheOwnerMayOpenTheSocket(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("file modes mean something else on Windows")
	}
	path := filepath.Join(folder(t), SocketName)
	serve(t, path, &gate{})
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestSocketOfAnotherGateIsNotTaken(t *testing.T) {
	dir := folder(t)
	path := filepath.Join(dir, SocketName)
	serve(t, path, &gate{})
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "another gate") {
		t.Errorf("got %v, want that another gate runs", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(file); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("got %v, want that it is no socket", err)
	}
}

func TestSocketThatAKilledGateLeftIsReplaced(t *testing.T) {
	path := filepath.Join(folder(t), SocketName)
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
	serve(t, path, &gate{})
	if err := NewClient(path).Reload(t.Context()); err != nil {
		t.Error(err)
	}
}
