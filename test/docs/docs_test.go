// Package docs runs the commands that the documents show, and holds the output that they print against what comes.
package docs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

const root = "../.."

// A step is one command of a ```console block: "$ command", its output below, where a line "…" stands for any lines and "…" in a
// line for any text. A last line "[exit 1]" is the exit status, 0 if absent.
type step struct {
	line    int
	command string
	output  []string
	status  int
}

func TestDocumentedCommandsPrintWhatTheDocumentsSay(t *testing.T) {
	documents, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	path := program(t)
	total := 0
	for _, document := range append(documents, filepath.Join(root, "README.md")) {
		steps := read(t, document, "console")
		total += len(steps)
		if len(steps) == 0 {
			continue
		}
		t.Run(filepath.Base(document), func(t *testing.T) {
			dir := workplace(t)
			for _, s := range steps {
				out, status := run(t, dir, path, s.command)
				if status != s.status {
					t.Errorf("%s:%d: $ %s\nexit status %d, want %d\n%s", document, s.line, s.command, status, s.status, out)
				}
				if !matches(s.output, out) {
					t.Errorf("%s:%d: $ %s\ngot:\n%s\nwant:\n%s", document, s.line, s.command, out, strings.Join(s.output, "\n"))
				}
			}
		})
	}
	if total == 0 {
		t.Error("no document holds a console block")
	}
}

var built string // the folder of the program, once it is there

func TestMain(m *testing.M) {
	status := m.Run()
	os.RemoveAll(built)
	os.Exit(status)
}

// program builds gatepost, once, and gives the folder to put in front of PATH.
func program(t *testing.T) string {
	if built != "" {
		return built
	}
	dir, err := os.MkdirTemp("", "gatepost-docs-")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-o", dir, "./cmd/gatepost")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	built = dir
	return dir
}

// workplace is a folder in which docs/ is what it is in the repository, and everything else is the reader's own.
func workplace(t *testing.T) string {
	dir := t.TempDir()
	docs, err := filepath.Abs(filepath.Join(root, "docs"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(docs, filepath.Join(dir, "docs")); err != nil {
		t.Fatal(err)
	}
	remember(t, filepath.Join(dir, "state"))
	return dir
}

// remember makes the store that a gate would have after some mail.
func remember(t *testing.T, state string) {
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), filepath.Join(state, "gatepost.db"), store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	text, err := os.ReadFile(filepath.Join("testdata", "decisions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	b := store.Batch{Source: "documents", Number: 1}
	for line := range bytes.Lines(text) {
		var d store.Decision
		if err := json.Unmarshal(line, &d); err != nil {
			t.Fatal(err)
		}
		b.Decisions = append(b.Decisions, d)
		b.Counts = append(b.Counts, store.Count{Observation: store.Observe(&d), Count: 1})
	}
	if err := s.AddBatch(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	reported(t, s)
	watched(t, s)
}

// watched puts into a store what was seen of a domain whose provider has changed its record.
func watched(t *testing.T, s store.Store) {
	t.Helper()
	june, december := time.Date(2026, 6, 4, 6, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)
	for _, seen := range []struct {
		at   time.Time
		text string
	}{
		{june, "v=spf1 ip4:192.0.2.0/24 -all"},
		{december, "v=spf1 ip4:192.0.2.0/24 -all"},
		{december.Add(6 * time.Hour), "v=spf1 ip4:192.0.2.0/24 include:more.example.net -all"},
	} {
		err := s.SeePublished(t.Context(), "example.com", []store.Published{{Kind: "include", Name: "spf.example.net", Text: seen.text}}, seen.at)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// read finds the commands in blocks of a kind.
func read(t *testing.T, document, kind string) []step {
	content, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	inside := false
	for i, line := range strings.Split(string(content), "\n") {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```"+kind
		case !inside:
		case isCommand:
			steps = append(steps, step{line: i + 1, command: command})
		case len(steps) == 0:
			t.Fatalf("%s:%d: output before any command", document, i+1)
		default:
			last := &steps[len(steps)-1]
			if strings.HasSuffix(last.command, "\\") { // the command goes on
				last.command += "\n" + strings.TrimPrefix(line, "> ")
			} else if _, err := fmt.Sscanf(line, "[exit %d]", &last.status); err != nil {
				last.output = append(last.output, line)
			}
		}
	}
	return steps
}

func run(t *testing.T, dir, path, command string) (string, int) {
	cmd := exec.Command("bash", "-c", command)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+path+":"+os.Getenv("PATH"), "TZ=UTC", "NO_COLOR=1", "COLUMNS=80",
		"STATE_DIRECTORY="+filepath.Join(dir, "state"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("$ %s: %v", command, err)
	}
	return strings.TrimRight(out.String(), "\n"), cmd.ProcessState.ExitCode()
}

func matches(want []string, got string) bool {
	var pattern strings.Builder
	pattern.WriteString(`(?s)\A`)
	for i, line := range trimBlank(want) {
		if i > 0 {
			pattern.WriteString(`\n`)
		}
		if strings.TrimSpace(line) == "…" {
			pattern.WriteString(`.*`)
			continue
		}
		for j, part := range strings.Split(line, "…") {
			if j > 0 {
				pattern.WriteString(`[^\n]*`)
			}
			pattern.WriteString(regexp.QuoteMeta(part))
		}
	}
	pattern.WriteString(`\z`)
	return regexp.MustCompile(pattern.String()).MatchString(strings.TrimRight(got, "\n"))
}

func trimBlank(lines []string) []string {
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}
