package listen_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/listen"
)

func TestPortInUseSaysWhoIsThereAndHowToMendIt(t *testing.T) {
	ln, err := listen.On("tcp", "127.0.0.1:0", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = listen.On("tcp", ln.Addr().String(), 0)
	want := "listen " + ln.Addr().String() + ": address already in use: another gatepost or milter runs there; stop it, or listen elsewhere"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestStaleSocketIsReplacedAndALiveOneIsNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	ln, err := listen.On("unix", path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode: got %v, %v, want 0600", info.Mode(), err)
	}
	if _, err := listen.On("unix", path, 0o600); err == nil || !strings.Contains(err.Error(), "already in use") {
		t.Errorf("a socket that is answered on: got %v", err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false) // as if killed
	ln.Close()
	ln, err = listen.On("unix", path, 0o660)
	if err != nil {
		t.Fatalf("a stale socket: %v", err)
	}
	ln.Close()

	file := filepath.Join(t.TempDir(), "file")
	os.WriteFile(file, []byte("precious"), 0o600)
	if _, err := listen.On("unix", file, 0o600); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file that is no socket: got %v", err)
	}
	if text, _ := os.ReadFile(file); string(text) != "precious" {
		t.Error("a file that is no socket was removed")
	}
	missing := filepath.Join(t.TempDir(), "none", "socket")
	if _, err := listen.On("unix", missing, 0o600); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("a folder that is not there: got %v", err)
	}
}
