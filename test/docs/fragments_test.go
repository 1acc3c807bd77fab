package docs

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// others are documents whose ```toml blocks are no configuration, by the command that reads them; an empty one has a test of its own.
var others = map[string]string{
	"policy.md":  "", // internal/policy
	"senders.md": "gatepost senders --file fragment.toml",
	"setup.md":   "gatepost setup example.com --file fragment.toml --keys keys --offline",
}

// needed are files that fragments name, where the text beside them says how to make them.
var needed = map[string]string{
	"upload-tokens": "backup " + strings.Repeat("ab", 20) + "\n",
	"gatepost.key":  "key \"gatepost\" {\n\talgorithm hmac-sha256;\n\tsecret \"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI=\";\n};\n",
}

func TestConfigurationsInDocumentsAreGood(t *testing.T) {
	path := program(t)
	documents, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, document := range documents {
		name := filepath.Base(document)
		command, isOther := others[name]
		all := blocks(t, document, "toml")
		if isOther && command == "" || len(all) == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range needed {
				put(t, filepath.Join(dir, file), text)
			}
			if command == "" {
				command = "gatepost config check --config fragment.toml"
			}
			before := ""
			for i, fragment := range all {
				total++
				fragment = strings.NewReplacer("/etc/gatepost/", dir+"/", "p=…", "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "k=rsa", "k=ed25519").Replace(fragment)
				put(t, filepath.Join(dir, "fragment.toml"), fragment)
				out, status := run(t, dir, path, command)
				if status != 0 && before != "" { // it goes on where those before it ended
					put(t, filepath.Join(dir, "fragment.toml"), before+fragment)
					out, status = run(t, dir, path, command)
				}
				if status != 0 {
					t.Errorf("%s, block %d: exit status %d\n%s\n%s", document, i+1, status, out, fragment)
				}
				before += fragment
			}
		})
	}
	if total == 0 {
		t.Error("no document holds a configuration")
	}
}

// The pipelines are read as the services read them, and their scripts run where there is a zone, and no name server that answers.
func TestPipelinesInDocumentsRun(t *testing.T) {
	path := program(t)
	all := blocks(t, filepath.Join(root, "docs", "check.md"), "yaml")
	zone, err := os.ReadFile(filepath.Join(root, "docs", "tour", "new.zone"))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, text := range all {
		var pipeline any
		if err := yaml.Unmarshal([]byte(text), &pipeline); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		for _, script := range scripts(pipeline) {
			if !strings.Contains(script, "gatepost check") {
				continue
			}
			ran++
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "zones"), 0o700); err != nil {
				t.Fatal(err)
			}
			put(t, filepath.Join(dir, "zones", "example.com.zone"), string(zone))
			put(t, filepath.Join(dir, "resolv.conf"), "# ours\nnameserver 127.0.0.1:1\nnameserver 127.0.0.1:2\n")
			out, status := run(t, dir, path, "set -e; "+strings.ReplaceAll(script, "/etc/resolv.conf", "resolv.conf"))
			if status != 1 { // the zone has errors, whatever the rest of the world says
				t.Errorf("exit status %d\n%s\n%s", status, script, out)
			}
			written, err := filepath.Glob(filepath.Join(dir, "mail.*"))
			if err != nil || len(written) != 1 {
				t.Fatalf("written: %q, %v", written, err)
			}
			whole(t, written[0])
		}
	}
	if ran != 2 {
		t.Errorf("%d pipelines check a domain, want 2", ran)
	}
}

// scripts are the shell scripts of a pipeline: texts under run, and the lines under script as one.
func scripts(node any) []string {
	var all []string
	switch n := node.(type) {
	case map[string]any:
		for key, value := range n {
			text, isText := value.(string)
			lines, isList := value.([]any)
			switch {
			case key == "run" && isText:
				all = append(all, text)
			case key == "script" && isList:
				script := ""
				for _, line := range lines {
					text, _ := line.(string)
					script += text + "\n"
				}
				all = append(all, script)
			default:
				all = append(all, scripts(value)...)
			}
		}
	case []any:
		for _, value := range n {
			all = append(all, scripts(value)...)
		}
	}
	return all
}

// whole holds a report to being one that a program can read.
func whole(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(path, ".sarif") {
		if !json.Valid(text) {
			t.Errorf("%s is no JSON:\n%s", path, text)
		}
		return
	}
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
}

// blocks are the fenced texts of a language in a document.
func blocks(t *testing.T, document, language string) []string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for i, part := range strings.Split("\n"+string(text), "\n```"+language+"\n") {
		if i == 0 {
			continue
		}
		block, _, closed := strings.Cut(part, "```")
		if !closed {
			t.Fatalf("%s: a block of %s does not end", document, language)
		}
		all = append(all, block)
	}
	return all
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
