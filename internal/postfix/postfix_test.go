//go:build linux

package postfix

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const masterCF = `
postlog unix-dgram n - n - 1 postlogd
smtp inet n - y - - smtpd
submission inet n - y - - smtpd
  -o smtpd_milters=unix:other
`

// instance is a configuration folder of the test's own, for Debian's Postfix.
func instance(t *testing.T, main string) Postfix {
	t.Helper()
	t.Parallel()
	why := ""
	if _, err := exec.LookPath("postconf"); err != nil {
		why = "there is no Postfix: apt-get install postfix"
	} else if os.Geteuid() != 0 {
		why = "postfix check is run by root alone: run the test as root"
	}
	switch {
	case why == "":
	case os.Getenv("CI") != "":
		t.Fatal(why)
	default:
		t.Skip(why)
	}
	dir, err := os.MkdirTemp("/tmp", "gatepost-postconf-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.Chmod(dir, 0o755)
	for _, sub := range []string{"etc", "queue", "data"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("chown", "postfix", filepath.Join(dir, "data")).CombinedOutput(); err != nil {
		t.Fatalf("chown: %v\n%s", err, out)
	}
	main = "compatibility_level = 3.6\nmyhostname = mx.example.org\nqueue_directory = " + dir + "/queue\ndata_directory = " + dir + "/data\nmaillog_file = " + dir + "/log\nmaillog_file_prefixes = " + dir + "\n" + main
	for name, text := range map[string]string{"main.cf": main, "master.cf": masterCF} {
		if err := os.WriteFile(filepath.Join(dir, "etc", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Postfix{ConfigDir: filepath.Join(dir, "etc")}
}

func (p Postfix) mainCF(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.ConfigDir, "main.cf"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEnablingAndDisablingLeavesMainCFAsItWas(t *testing.T) {
	p := instance(t, "smtpd_milters = inet:127.0.0.1:11332\n  unix:opendkim/sock\n")
	g := Gate{Address: "inet:127.0.0.1:8891", Sign: true}
	changes, notes, err := p.Enable(t.Context(), g)
	if err != nil || len(changes) != 2 {
		t.Fatalf("got %v, %v, want two changes", changes, err)
	}
	if len(notes) != 1 || !strings.Contains(notes[0], "submission/inet") || !strings.Contains(notes[0], "unix:other") {
		t.Errorf("notes: got %q, want one on submission", notes)
	}
	if running, err := p.Apply(t.Context(), changes); err != nil || running {
		t.Fatalf("got running %v, %v", running, err)
	}
	got, err := p.get(t.Context(), smtp)
	if want := g.entry() + ", inet:127.0.0.1:11332, unix:opendkim/sock"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if got, err := p.get(t.Context(), submitted); err != nil || got != g.entry() {
		t.Errorf("got %q, %v, want %q", got, err, g.entry())
	}
	if changes, _, err := p.Enable(t.Context(), g); err != nil || len(changes) != 0 {
		t.Errorf("the second time: got %v, %v, want nothing to change", changes, err)
	}
	changes, err = p.Disable(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
	if got, err := p.get(t.Context(), smtp); err != nil || got != "inet:127.0.0.1:11332, unix:opendkim/sock" {
		t.Errorf("after disable: got %q, %v", got, err)
	}
}

func TestCommandsThatArePrintedDoTheSame(t *testing.T) {
	p := instance(t, "smtpd_milters = unix:it's/here\n")
	g := Gate{Address: "unix:" + filepath.Join(filepath.Dir(p.ConfigDir), "queue/gatepost/milter"), Monitor: true}
	changes, _, err := p.Enable(t.Context(), g)
	if err != nil || len(changes) != 1 {
		t.Fatalf("got %v, %v, want one change", changes, err)
	}
	if out, err := exec.Command("sh", "-c", changes[0].Command(p)).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, err := p.get(t.Context(), smtp)
	if want := "{ unix:gatepost/milter, protocol=6, default_action=accept,"; err != nil || !strings.HasPrefix(got, want) || !strings.HasSuffix(got, " }, unix:it's/here") {
		t.Errorf("got %q, %v, want %q…", got, err, want)
	}
}

func TestSocketThatAChrootHidesIsRefused(t *testing.T) {
	p := instance(t, "")
	if _, _, err := p.Enable(t.Context(), Gate{Address: "unix:/run/gatepost/milter"}); err == nil || !strings.Contains(err.Error(), "chroot") {
		t.Errorf("got %v, want that the chroot hides it", err)
	}
}

func TestWherePostfixFindsFaultMainCFIsPutBack(t *testing.T) {
	p := instance(t, "")
	before := p.mainCF(t)
	changes, _, err := p.Enable(t.Context(), Gate{Address: "inet:127.0.0.1:8891"})
	if err != nil {
		t.Fatal(err)
	}
	// What postfix check refuses, whatever the milters are.
	if err := os.RemoveAll(filepath.Join(filepath.Dir(p.ConfigDir), "queue")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), changes); err == nil || !strings.Contains(err.Error(), "main.cf is as it was") {
		t.Errorf("got %v, want an error that says so", err)
	}
	if after := p.mainCF(t); after != before {
		t.Errorf("main.cf was\n%s\nand is\n%s", before, after)
	}
}
