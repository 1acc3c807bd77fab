package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/store/pgtest"
)

// program builds gatepost as it is installed, and gives its path: how much memory it takes is part of what is tested, and under the race
// detector it takes several times as much.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gatepost")
	cmd := exec.Command("go", "build", "-o", path, "../../cmd/gatepost")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building gatepost: %v\n%s", err, out)
	}
	return path
}

// The scripts run the program as a shell does. Each is about one topic.
func TestScripts(t *testing.T) {
	path := program(t)
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("COLUMNS", "80")
			e.Setenv("TMPDIR", e.WorkDir)
			e.Setenv("GATEPOST", path)
			e.Setenv("PATH", filepath.Dir(path)+string(os.PathListSeparator)+os.Getenv("PATH"))
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("no such condition: %s", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"complains": complains,
			"publish":   publish,
			"published": published,
			"sparse":    sparse,
			"fields":    fields,
			"columns":   columns,
			"listen":    listenOn,
			"wrapped":   wrapped,
			"remember":  remember,
			"reported":  reported,
			"mailhost":  mailhost,
			"claimed":   claimed,
			"named":     bindServer(t),
			// database NAME: the variable is the address of an empty database on a PostgreSQL server.
			"database": func(ts *testscript.TestScript, neg bool, args []string) { ts.Setenv(args[0], pgtest.Database(t)) },
		},
	})
}

// exits N COMMAND…: the command ends with this status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
		// What a process took is no less than what its parent took before: Linux counts on from there.
		if peak, most := peakMemory(exit.ProcessState), max(maxMemory, ownPeak()); peak > most {
			ts.Fatalf("it took %d MiB of memory, want %d at most", peak>>20, most>>20)
		}
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d\n%s", got, want, ts.ReadFile("stderr"))
	}
}

// maxMemory is what no command may take, whatever the message.
const maxMemory = 128 << 20

// complains TEXT…: standard error is one line of the program's that holds each text.
func complains(ts *testscript.TestScript, neg bool, args []string) {
	text := ts.ReadFile("stderr")
	if !strings.HasPrefix(text, "gatepost: ") || strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
		ts.Fatalf("standard error is not one line of gatepost's: %q", text)
	}
	for _, want := range args {
		if !strings.Contains(text, want) {
			ts.Fatalf("%q does not hold %q", text, want)
		}
	}
}

// publish ZONE KEY.json…: the keys' records are added to the zone.
func publish(ts *testscript.TestScript, neg bool, args []string) {
	zone := ts.ReadFile(args[0])
	for _, path := range args[1:] {
		var key struct{ Zone string }
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(path)), &key))
		zone += key.Zone
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(zone), 0o600))
}

// published LIST.json ZONE: the zone gets the records of all keys that are listed, and a SOA.
func published(ts *testscript.TestScript, neg bool, args []string) {
	zone := "example.com. 300 IN SOA ns.example.com. host.example.com. 1 3600 600 86400 300\n"
	var keys []struct{ Domain, Selector, Record string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &keys))
	for _, k := range keys {
		zone += dkim.ZoneRecord(k.Selector, k.Domain, k.Record)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(zone), 0o600))
}

// sparse FILE SIZE: the file gets longer, with zeros that take no place on a disk.
func sparse(ts *testscript.TestScript, neg bool, args []string) {
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_CREATE|os.O_WRONLY, 0o600)
	ts.Check(err)
	ts.Check(f.Truncate(size))
	ts.Check(f.Close())
}

// fields FILE N: the file becomes a message with so many header fields.
func fields(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	w := bufio.NewWriter(f)
	fmt.Fprint(w, "From: a@example.com\n")
	for i := range n - 1 {
		fmt.Fprintf(w, "X-Field-%d: value\n", i)
	}
	fmt.Fprint(w, "\nbody\n")
	ts.Check(w.Flush())
	ts.Check(f.Close())
}

// listen FILE: somebody listens on a port until the script ends, and the file is a configuration that names it.
func listenOn(ts *testscript.TestScript, neg bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { ln.Close() })
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), fmt.Appendf(nil, "listen = [%q]\n", ln.Addr()), 0o600))
}

// columns N: no line of standard output is longer than N characters.
func columns(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if length := len([]rune(strings.TrimSuffix(line, "\n"))); length > n {
			ts.Fatalf("%d characters: %q", length, line)
		}
	}
}
