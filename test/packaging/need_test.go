// Package packaging holds what is shipped beside the program to what the program is: the Debian package, the units of systemd, the
// alerts, the dashboard, and the documents that speak of them.
package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const root = "../.."

// need skips where a program is not there, except in CI, where these tests are wanted.
func need(t *testing.T, debian string, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("there is no %s: apt-get install %s", p, debian)
		}
		t.Skipf("there is no %s: apt-get install %s", p, debian)
	}
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// command runs a program and gives what it says.
func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}
