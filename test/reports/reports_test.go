//go:build linux

// Package reports holds Gatepost to it that no report is lost and none counts twice, with the real program and every input that needs no
// other machine: SMTP, LMTP, HTTP, a mailbox on a real Dovecot, a directory, a Maildir.
//
// Several hundred reports are handed over, each again and again until its sender has the answer that it asks for, while the program and
// its database are killed. At the end the store must have what was sent, byte for byte and once.
//
// GATEPOST_KILLS says how often is killed, GATEPOST_SEED with what the dice begin.
package reports

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// binary is the gatepost that TestMain built.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
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

// kills is how often a test kills.
func kills(t *testing.T, short int) int {
	t.Helper()
	text := os.Getenv("GATEPOST_KILLS")
	if text == "" {
		return short
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("GATEPOST_KILLS=%s is no number", text)
	}
	return n
}

// dice are those of a test; what they began with is told, so that it can be had again.
func dice(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("GATEPOST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("GATEPOST_SEED: %v", err)
		}
	}
	t.Logf("GATEPOST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// Ports of our own are below those that the kernel gives to clients: one that is free for a moment while its server is away stays so.
const (
	firstPort = 10_000
	manyPorts = 10_000
)

var ports atomic.Uint32

// freePort is an address that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	ports.CompareAndSwap(0, uint32(os.Getpid()))
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+ports.Add(1)%manyPorts)
		if ln, err := net.Listen("tcp", address); err == nil {
			ln.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
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

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// patience is what no machine needs that is alive.
const patience = 3 * time.Minute

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}
