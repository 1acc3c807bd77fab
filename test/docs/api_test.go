package docs

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// TestRequestsToTheAPIAreAnsweredAsItsDocumentSays sends what docs/api.md shows to the dashboard of a demo.
func TestRequestsToTheAPIAreAnsweredAsItsDocumentSays(t *testing.T) {
	path := program(t)
	dir := t.TempDir()
	base := serveDemo(t, path, filepath.Join(dir, "made"))
	t.Setenv("GATEPOST", base)
	t.Setenv("TOKEN", token(t, filepath.Join(dir, "made", "gatepost.db")))
	document := filepath.Join(root, "docs", "api.md")
	steps := read(t, document, "shell")
	if len(steps) < 4 {
		t.Fatalf("only %d requests", len(steps))
	}
	for _, s := range steps {
		out, status := run(t, dir, path, s.command)
		for end := time.Now().Add(time.Minute); strings.Contains(out, `"pending":true`) && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			out, status = run(t, dir, path, s.command)
		}
		if status != s.status || !matches(s.output, out) {
			t.Errorf("%s:%d: $ %s\nexit status %d, got:\n%.2000s\nwant:\n%s", document, s.line, s.command, status, out, strings.Join(s.output, "\n"))
		}
	}
}

// serveDemo opens the dashboard on a demo, and gives its address.
func serveDemo(t *testing.T, path, dir string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(path, "gatepost"), "demo", "--serve", "--no-open", "--listen", "127.0.0.1:0", "--dir", dir, "--end", "2026-11-29")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	link := regexp.MustCompile(`(http://\S+)/welcome/`)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if found := link.FindStringSubmatch(lines.Text()); found != nil {
			go func() {
				for lines.Scan() {
				}
			}()
			return found[1]
		}
	}
	t.Fatal("the demo tells no address")
	return ""
}

// token makes one for the demo's administrator, who sees everything by it.
func token(t *testing.T, path string) string {
	t.Helper()
	s, err := store.Open(t.Context(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p, err := s.PersonByName(t.Context(), "amara")
	if err != nil {
		t.Fatal(err)
	}
	who := people.NewAccess(p.Name, p.Grants, nil)
	who.Person = p.ID
	text, err := (&people.Office{Store: s}).NewToken(t.Context(), who, "documents", people.Viewer, people.Everything, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return text
}
