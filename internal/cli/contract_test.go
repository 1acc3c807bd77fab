package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// run is the program, called from within the test.
func run(t *testing.T, stdin string, args ...string) (stdout, stderr string, status Status) {
	t.Helper()
	var out, errs bytes.Buffer
	status = Run(t.Context(), args, Streams{In: strings.NewReader(stdin), Out: &out, Err: &errs})
	return out.String(), errs.String(), status
}

// signed gives a zone and a message that it vouches for.
func signed(t *testing.T) (zone, file string) {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "s1.pem")
	out, errs, status := run(t, "", "keys", "generate", "--domain", "example.com", "--selector", "s1", "--out", key, "--json")
	if status != StatusFine {
		t.Fatal(errs)
	}
	var made struct{ Zone string }
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatal(err)
	}
	records, err := os.ReadFile(filepath.Join("testdata", "contract", "zone"))
	if err != nil {
		t.Fatal(err)
	}
	zone, file = filepath.Join(dir, "zone"), filepath.Join(dir, "m.eml")
	m, errs, status := run(t, "", "sign", "--domain", "example.com", "--selector", "s1", "--key", key,
		filepath.Join("testdata", "contract", "message.eml"))
	if status != StatusFine {
		t.Fatal(errs)
	}
	for path, text := range map[string]string{zone: string(records) + made.Zone, file: m} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return zone, file
}

// extra are members that are there only when there is something to say.
var extra = []string{".limits", ".trace", ".authenticated", ".author", ".dmarc.testing", ".dkim[].unsigned_bytes"}

func TestJSONHasTheMembersThatScriptsRelyOn(t *testing.T) {
	zone, file := signed(t)
	out, errs, status := run(t, "", "verify", "--zone", zone, "--ip", "192.0.2.1", "--helo", "mx.example.net",
		"--mail-from", "a@example.com", "--authserv-id", "mx.example.org", "--trace", "--json", file)
	if status != StatusFails || errs != "" {
		t.Fatalf("exit status %d, want %d\n%s%s", status, StatusFails, errs, out)
	}
	text, err := os.ReadFile(filepath.Join("testdata", "contract", "verify.json"))
	if err != nil {
		t.Fatal(err)
	}
	got, want := shape(t, out), shape(t, string(text))
	for member, kind := range want {
		if got[member] != kind {
			t.Errorf("%s is %q, want %q", member, got[member], kind)
		}
	}
	for member := range got {
		if want[member] == "" && !slices.ContainsFunc(extra, func(e string) bool { return strings.HasPrefix(member, e) }) {
			t.Errorf("%s is not in the contract", member)
		}
	}
	var d struct {
		File    string
		SPF     []struct{ Identity, Result, Term string }
		Verdict struct{ Action, Rule, Reply string }
		Results string `json:"authentication_results"`
	}
	if err := json.Unmarshal([]byte(out), &d); err != nil {
		t.Fatal(err)
	}
	if d.File != file || len(d.SPF) != 2 || d.SPF[0].Identity != "mailfrom" || d.SPF[0].Result != "softfail" || d.SPF[0].Term != "~all" ||
		d.SPF[1].Identity != "helo" || d.SPF[1].Result != "pass" {
		t.Errorf("got %+v", d)
	}
	if d.Verdict.Action != "reject" || d.Verdict.Rule != "spf-softfail" || !strings.HasPrefix(d.Verdict.Reply, "550 5.7.23 ") {
		t.Errorf("got the verdict %+v", d.Verdict)
	}
	if !strings.HasPrefix(d.Results, "mx.example.org; spf=softfail ") || strings.ContainsAny(d.Results, "\r\n\t") {
		t.Errorf("got the results %q", d.Results)
	}
}

func TestSPFAloneHasTheSameObject(t *testing.T) {
	zone, _ := signed(t)
	out, errs, status := run(t, "", "spf", "--zone", zone, "--ip", "192.0.2.1", "--helo", "mx.example.net",
		"--mail-from", "a@example.com", "--trace", "--json")
	if status != StatusFails || errs != "" {
		t.Fatalf("exit status %d, want %d\n%s%s", status, StatusFails, errs, out)
	}
	text, err := os.ReadFile(filepath.Join("testdata", "contract", "verify.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for member, kind := range shape(t, string(text)) {
		if rest, ok := strings.CutPrefix(member, ".spf[]."); ok {
			want["."+rest] = kind
		}
	}
	if got := shape(t, out); !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// shape gives every member of a document with the kind of its value.
func shape(t *testing.T, text string) map[string]string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	type node struct {
		path  string
		value any
	}
	kinds := map[string]string{}
	for todo := []node{{"", v}}; len(todo) > 0; todo = todo[1:] {
		n := todo[0]
		switch value := n.value.(type) {
		case map[string]any:
			for name, member := range value {
				todo = append(todo, node{n.path + "." + name, member})
			}
		case []any:
			kinds[n.path] = "array"
			for _, element := range value[:min(1, len(value))] {
				todo = append(todo, node{n.path + "[]", element})
			}
		default:
			kinds[n.path] = fmt.Sprintf("%T", value)
		}
	}
	return kinds
}

func TestJSONOfAMessageWithoutAnythingHasNoNull(t *testing.T) {
	zone, _ := signed(t)
	out, _, _ := run(t, "From: a@nowhere.example\n\nbody\n", "verify", "--zone", zone, "--json")
	for member, kind := range shape(t, out) {
		if kind == "<nil>" {
			t.Errorf("%s is null", member)
		}
	}
}
