//go:build linux

// Package domain looks at domains as their owners do: BIND signs their zones, another BIND validates, and gatepost is the program.
package domain

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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

// A report is what gatepost check --json prints, as far as it is looked at.
type report struct {
	Grade    string
	Findings []finding
}

type finding struct{ ID, Severity, Subject, Detail string }

// check audits a domain, and gives the exit status too.
func check(t *testing.T, domain string, args ...string) (report, int) {
	t.Helper()
	return checkIn(t, nil, domain, args...)
}

// checkIn does so with more in the environment.
func checkIn(t *testing.T, env []string, domain string, args ...string) (report, int) {
	t.Helper()
	out, status := gatepost(t, env, append([]string{"check", domain, "--json"}, args...)...)
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("gatepost check %s: exit status %d, %v\n%s", domain, status, err, out)
	}
	return r, status
}

// of are the findings of areas, as "id subject".
func (r *report) of(areas ...string) []string {
	var all []string
	for _, f := range r.Findings {
		if area, _, _ := strings.Cut(f.ID, "-"); slices.Contains(areas, area) {
			all = append(all, f.ID+" "+f.Subject)
		}
	}
	return all
}

// gatepost runs the program, with more in its environment, and gives what it printed.
func gatepost(t *testing.T, env []string, args ...string) (out string, status int) {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), env...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	text, err := cmd.Output()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() && complaints.Len() > 0 {
			t.Logf("gatepost %s: %s", strings.Join(args, " "), &complaints)
		}
	})
	return string(text), cmd.ProcessState.ExitCode()
}
