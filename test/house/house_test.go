// Package house holds the module to the rules of ARCHITECTURE.md: who may import whom, and what every package has.
package house

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/gatepost-mail/gatepost/"
	root   = "../.."
)

// A pkg is what go list says of a package.
type pkg struct {
	ImportPath   string
	Dir          string
	Imports      []string
	CgoFiles     []string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
}

func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, module) }

// own are the module's packages that p imports, without the tests.
func (p pkg) own() []string {
	var names []string
	for _, path := range p.Imports {
		if name, ok := strings.CutPrefix(path, module); ok {
			names = append(names, name)
		}
	}
	return names
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,CgoFiles,GoFiles,TestGoFiles,XTestGoFiles", "./...")
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := decoder.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("only %d packages", len(all))
	}
	return all
}

// protocols are the public packages, with the protocols that each builds on; dns and message stand under all of them.
var protocols = map[string][]string{
	"dns":     nil,
	"message": nil,
	"spf":     nil,
	"dkim":    nil,
	"arc":     {"dkim", "authres"},
	"dmarc":   nil,
	"bimi":    {"dkim"},
	"authres": nil,
	"dane":    nil,

	"report/aggregate": nil,
	"report/failure":   nil,
	"report/tlsrpt":    nil,

	"mtasts": nil,
	"tlsrpt": nil,
}

func TestAProtocolImportsDNSMessageAndWhatItBuildsOn(t *testing.T) {
	seen := 0
	for _, p := range packages(t) {
		builtOn, ok := protocols[p.name()]
		if !ok {
			continue
		}
		seen++
		for _, name := range p.own() {
			if name != "dns" && name != "message" && !slices.Contains(builtOn, name) {
				t.Errorf("%s imports %s: a protocol imports dns, message and the protocols it builds on (%v)", p.name(), name, builtOn)
			}
		}
	}
	if seen != len(protocols) {
		t.Errorf("%d of %d protocols are there", seen, len(protocols))
	}
}

func TestEveryPublicPackageIsAProtocol(t *testing.T) {
	for _, p := range packages(t) {
		first, _, _ := strings.Cut(p.name(), "/")
		if _, ok := protocols[p.name()]; !ok && !slices.Contains([]string{"internal", "cmd", "test"}, first) {
			t.Errorf("%s is neither a protocol nor internal", p.name())
		}
	}
}

func TestNobodyImportsTheCommandLineOrTheTestsAndOnlyTheGateKnowsMilter(t *testing.T) {
	const milter = "github.com/d--j/go-milter"
	for _, p := range packages(t) {
		for _, path := range p.Imports {
			name := strings.TrimPrefix(path, module)
			switch {
			case name == "internal/cli" && p.name() != "cmd/gatepost":
				t.Errorf("%s imports internal/cli: only cmd/gatepost may", p.name())
			case name == "internal/serve" && p.name() != "internal/cli":
				t.Errorf("%s imports internal/serve: only internal/cli may", p.name())
			case name == "internal/web" && p.name() != "internal/cli" && p.name() != "internal/serve" && !strings.HasPrefix(p.name(), "test/"):
				t.Errorf("%s imports internal/web: only internal/serve and internal/cli may", p.name())
			case (name == "internal/dnstest" || strings.HasPrefix(name, "test/")) && !strings.HasPrefix(p.name(), "test/"):
				t.Errorf("%s imports %s, which is for tests", p.name(), name)
			case strings.HasPrefix(path, milter) && p.name() != "internal/gate" && !strings.HasPrefix(p.name(), "test/"):
				t.Errorf("%s imports %s: only internal/gate knows milter", p.name(), path)
			case strings.HasPrefix(path, "cel.dev/") && p.name() != "internal/policy":
				t.Errorf("%s imports %s: only internal/policy knows in what language rules are written", p.name(), path)
			}
		}
	}
}

func TestDataGoesOneWay(t *testing.T) {
	below := map[string][]string{ // what a package must not know of
		"internal/verify":     {"internal/policy", "internal/gate", "internal/config"},
		"internal/policy":     {"internal/gate", "internal/config"},
		"internal/config":     {"internal/gate"},
		"internal/store":      {"internal/verify", "internal/policy", "internal/gate", "internal/config", "internal/observe", "internal/exceptions"},
		"internal/people":     {"internal/store", "internal/config", "internal/web", "internal/dashboard"},
		"internal/observe":    {"internal/gate", "internal/config", "internal/exceptions"},
		"internal/exceptions": {"internal/gate", "internal/config", "internal/observe"},
		"internal/signing":    {"internal/verify", "internal/policy", "internal/gate", "internal/config"},
		"internal/metrics":    {"internal/verify", "internal/policy", "internal/gate", "internal/config", "internal/store"},
		"internal/control":    {"internal/gate", "internal/config", "internal/metrics"},
		"internal/activation": {"internal/gate", "internal/config"},
		"internal/notify":     {"internal/gate", "internal/config"},
		"internal/postfix":    {"internal/gate", "internal/config"},
	}
	for _, p := range packages(t) {
		for _, name := range below[p.name()] {
			if slices.Contains(p.own(), name) {
				t.Errorf("%s imports %s: bytes become an Evaluation, and that a Verdict, never the other way", p.name(), name)
			}
		}
	}
}

func TestOnlyTheStoreKnowsSQLAndItKnowsNoProtocol(t *testing.T) {
	for _, p := range packages(t) {
		inside := p.name() == "internal/store" || strings.HasPrefix(p.name(), "internal/store/")
		for _, path := range p.Imports {
			name := strings.TrimPrefix(path, module)
			_, protocol := protocols[name]
			switch {
			case inside && protocol:
				t.Errorf("%s imports %s: the store has rows, and knows no protocol", p.name(), name)
			case path == "database/sql" && p.name() == "internal/jobs": // hands a connection to the library whose tables are there
			case strings.HasPrefix(path, "github.com/riverqueue/") && p.name() != "internal/jobs":
				t.Errorf("%s imports %s: only internal/jobs knows what runs the jobs", p.name(), path)
			case strings.HasPrefix(path, "github.com/emersion/go-imap/") && p.name() != "internal/inbox/imap":
				t.Errorf("%s imports %s: only internal/inbox/imap knows IMAP", p.name(), path)
			case !inside && (path == "database/sql" || strings.HasPrefix(path, "github.com/jackc/") || strings.HasPrefix(path, "modernc.org/") || strings.HasPrefix(path, "github.com/pressly/")):
				t.Errorf("%s imports %s: only internal/store knows SQL", p.name(), path)
			case strings.HasPrefix(p.name(), "test/"):
			case name == "internal/store/storetest" || name == "internal/store/pgtest" || name == "internal/inbox/inboxtest" || name == "internal/fetch/fetchtest" || name == "internal/demo/demotest":
				t.Errorf("%s imports %s, which is for tests", p.name(), name)
			}
		}
	}
}

func TestThereIsNoCgo(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.CgoFiles) > 0 {
			t.Errorf("%s uses cgo in %v", p.name(), p.CgoFiles)
		}
	}
}

func TestEveryPublicPackageHasExamplesAndFuzzTargets(t *testing.T) {
	for _, p := range packages(t) {
		if _, ok := protocols[p.name()]; !ok {
			continue
		}
		for what, pattern := range map[string]string{"example": `(?m)^func Example`, "fuzz target": `(?m)^func Fuzz`} {
			if !testsContain(t, p, pattern) {
				t.Errorf("%s has no %s", p.name(), what)
			}
		}
	}
}

func testsContain(t *testing.T, p pkg, pattern string) bool {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for _, file := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
		text, err := os.ReadFile(filepath.Join(p.Dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if re.Match(text) {
			return true
		}
	}
	return false
}

func TestFilesAreSmall(t *testing.T) {
	const mostLines = 600
	for _, p := range packages(t) {
		for _, file := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			text, err := os.ReadFile(filepath.Join(p.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(text), "\n"); n > mostLines {
				t.Errorf("%s/%s has %d lines: one idea a file, %d at most", p.name(), file, n, mostLines)
			}
		}
	}
}
