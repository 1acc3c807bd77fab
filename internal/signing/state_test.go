package signing

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

const oneKey = `{
  "domain": "example.com",
  "keys": [
    {
      "selector": "s1",
      "algorithm": "ed25519",
      "state": "signing",
      "since": "2026-11-02T10:00:00Z",
      "created": "2026-11-02T10:00:00Z",
      "ttl": "1h",
      "file": "s1.pem",
      "record": "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
      "check": "ok",
      "checked": "2026-11-02T10:00:00Z"
    }
  ]
}
`

func TestAStateIsWrittenAsItIsRead(t *testing.T) {
	d, err := ParseState([]byte(oneKey))
	if err != nil {
		t.Fatal(err)
	}
	text, err := d.format()
	if err != nil || string(text) != oneKey {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestAStateThatCannotBeIsRefused(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"{", "", "line 2: a string is in the wrong place"},
		{`"keys": [`, `"keys": [,`, "line 3"},
		{"}\n", "}\n}", "line"},
		{oneKey, "", "ends early"},
		{oneKey, oneKey[:100], "ends early"},
		{`"domain"`, `"domian"`, "domian"},
		{`example.com`, `../example.com`, "domain"},
		{`"s1"`, `"s1/../x"`, "selector"},
		{`"ed25519"`, `"dsa"`, `"dsa"`},
		{`"signing"`, `"sining"`, `"sining"`},
		{`"2026-11-02T10:00:00Z"`, `"tomorrow"`, "tomorrow"},
		{`"2026-11-02T10:00:00Z"`, `"0001-01-01T00:00:00Z"`, "time"},
		{`"s1.pem"`, `"../s1.pem"`, "file"},
		{`"s1.pem"`, `"state.json"`, "file"},
		{`      "file": "s1.pem",`, ``, "file"},
		{`"1h"`, `"1 hour"`, "1 hour"},
		{`"ok"`, `"okay"`, "okay"},
		{`p=11qY`, `p=!`, "record"},
		{`k=ed25519`, `k=rsa`, "record"},
		{"    }\n  ]", "    },\n" + oneKey[strings.Index(oneKey, "    {"):strings.Index(oneKey, "  ]")] + "  ]", "twice"},
	} {
		if _, err := ParseState([]byte(strings.Replace(oneKey, c.old, c.new, 1))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q for %q: got %v, want %q", c.new, c.old, err, c.want)
		}
	}
	if _, err := ParseState(bytes.Repeat([]byte(" "), maxState+1)); err == nil || !strings.Contains(err.Error(), "no state file") {
		t.Errorf("a large file: got %v", err)
	}
}

func TestTheOldestOfManyRemovedKeysAreForgotten(t *testing.T) {
	d := &Domain{Name: "example.com"}
	for range keepGone + 10 {
		if err := d.name("gp-{year}-{a}", Ed25519, start); err != nil {
			t.Fatal(err)
		}
		d.Keys[len(d.Keys)-1].State = Removed
	}
	for i := range d.Keys {
		d.Keys[i].File = ""
	}
	if _, err := d.format(); err != nil || len(d.Keys) != keepGone || d.Keys[0].Selector != "gp-2026-e-11" {
		t.Errorf("%v: %d are left, the first is %s", err, len(d.Keys), d.Keys[0].Selector)
	}
}

func TestAProblemIsOneBoundedLine(t *testing.T) {
	d, err := ParseState([]byte(oneKey))
	if err != nil {
		t.Fatal(err)
	}
	d.Keys[0].Problem = strings.Repeat("\x1b[2Jé\n", 200)
	text, err := d.format()
	if err != nil {
		t.Fatal(err)
	}
	if d, err = ParseState(text); err != nil || strings.ContainsAny(d.Keys[0].Problem, "\x1b\n") || len(d.Keys[0].Problem) > 2*maxProblem {
		t.Errorf("%v %q", err, d.Keys[0].Problem)
	}
}

func TestAKeyDirectoryIsItsOwnersAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such bits")
	}
	path := filepath.Join(t.TempDir(), "state", "keys")
	d, err := OpenDirectory(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	err = d.Update(t.Context(), "example.com", func(_ *Domain, save func() error) error { return save() })
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDirectory(path); err == nil || !strings.Contains(err.Error(), "chmod 700 "+path) {
		t.Errorf("got %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDirectory(file); err == nil || !strings.Contains(err.Error(), "is a file") {
		t.Errorf("got %v", err)
	}
}

func TestTwoProcessesDoNotChangeADomainAtOnce(t *testing.T) {
	d, err := OpenDirectory(filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	inside, done := make(chan bool), make(chan error)
	release := make(chan bool)
	go func() {
		done <- d.Update(t.Context(), "example.com", func(*Domain, func() error) error { close(inside); <-release; return nil })
	}()
	<-inside
	if unlock, err := lock(expired(t), d.file("example.com", lockName)); err == nil {
		unlock()
		t.Error("the lock is given twice")
	} else if !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	unlock, err := lock(t.Context(), d.file("example.com", lockName))
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func FuzzState(f *testing.F) {
	f.Add([]byte(oneKey))
	f.Add([]byte(`{"domain":"example.com","keys":[{"selector":"a","algorithm":"rsa","state":"making","since":"2026-11-02T10:00:00+02:00","created":"2026-11-02T10:00:00.5Z","file":"a.pem","problem":"\u001b"}]}`))
	f.Add([]byte(`{"domain":"a.b"} `))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := ParseState(text)
		if err != nil {
			return
		}
		out, err := d.format()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := ParseState(out)
		if err != nil || !reflect.DeepEqual(d, again) {
			t.Fatalf("%v\n%+v\n%+v", err, d, again)
		}
	})
}

func TestDurationsAreWrittenAsTheyAreRead(t *testing.T) {
	for _, text := range []string{"0s", "90s", "10m", "1h", "36h", "7d", "180d", "1h30m", "1h0m5s"} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil {
			t.Error(err)
		}
		want := strings.Replace(text, "90s", "1m30s", 1)
		if d.String() != want {
			t.Errorf("%s is written as %s", text, d)
		}
	}
	for _, text := range []string{"", "-1h", "1 day", "99999999d", "d"} {
		if err := new(Duration).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	if Duration(day).String() != "1d" || Duration(25*time.Hour).String() != "25h" {
		t.Error(Duration(day), Duration(25*time.Hour))
	}
}
