package policy

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const documentPath = "../../docs/policy.md"

// referenceTables are the tables of the document, as the code has it.
func referenceTables() map[string]string {
	var n, m, f strings.Builder
	n.WriteString("| name | kind | what it is |\n|---|---|---|\n")
	for _, v := range names {
		doc := v.doc
		if v.words != nil {
			var some []string
			for _, w := range v.words {
				if w != "" {
					some = append(some, "`"+w+"`")
				}
			}
			doc += ": " + strings.Join(some, ", ")
		}
		fmt.Fprintf(&n, "| `%s` | %s | %s |\n", v.name, kindOf(v.typ.String()), doc)
	}
	m.WriteString("| member | kind | what it is |\n|---|---|---|\n")
	for _, v := range members {
		fmt.Fprintf(&m, "| `%s` | %s | %s |\n", v.name, kindOf(v.typ.String()), v.doc)
	}
	f.WriteString("| function | what it gives |\n|---|---|\n")
	for _, v := range functions {
		fmt.Fprintf(&f, "| `%s` | %s |\n", v.signature, v.doc)
	}
	return map[string]string{"## Every name": n.String(), "## Every signature": m.String(), "## Every function": f.String()}
}

// kindOf is a type of CEL in the words of the document.
func kindOf(t string) string {
	return map[string]string{"string": "text", "bool": "true or false", "int": "number", "list(string)": "list of texts",
		"list(signature)": "list of signatures", "google.protobuf.Timestamp": "time", "timestamp": "time"}[t]
}

func TestDocumentListsEveryNameAsItIs(t *testing.T) {
	text, err := os.ReadFile(documentPath)
	if err != nil {
		t.Fatal(err)
	}
	for heading, table := range referenceTables() {
		if strings.Contains(table, "|  |") {
			t.Errorf("%s: a kind without a word:\n%s", heading, table)
		}
		_, section, found := strings.Cut(string(text), heading+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		if !found || !strings.Contains(section, table) {
			t.Errorf("%s: docs/policy.md does not have this table:\n%s", heading, table)
		}
	}
}

// blocks gives the TOML blocks of the document, with the line of each.
func blocks(t *testing.T) (all []struct {
	line int
	text string
}) {
	t.Helper()
	content, err := os.ReadFile(documentPath)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(content), "\n")
	for i := 0; i < len(lines); i++ {
		if lines[i] != "```toml" {
			continue
		}
		begin := i + 1
		for i++; lines[i] != "```"; i++ {
		}
		all = append(all, struct {
			line int
			text string
		}{begin, strings.Join(lines[begin:i], "\n")})
	}
	return all
}

func TestEveryPolicyOfTheDocumentDoesWhatItSays(t *testing.T) {
	var p *Policy
	policies := 0
	for _, b := range blocks(t) {
		name := fmt.Sprintf("policy.md, the block at line %d", b.line)
		if !strings.Contains(b.text, "[[case]]") {
			var err error
			if p, err = Parse(name, []byte(b.text)); err != nil {
				t.Fatal(err)
			}
			policies++
			continue
		}
		x, err := ParseExpectations(name, []byte(b.text))
		if err != nil {
			t.Fatal(err)
		}
		if p == nil {
			t.Fatalf("%s: expectations without a policy", name)
		}
		decisive := map[string]bool{}
		for i := range x.Cases {
			c := &x.Cases[i]
			v := p.DecideAt(c.Given, c.Now)
			decisive[v.Rule] = true
			for _, w := range v.Watched {
				decisive[w.Rule] = true
			}
			for _, d := range c.Differences(v) {
				t.Errorf("%s: %s: %s\nwant %s\ngot  %s (rule %s: %s)", name, c.Name, d.What, d.Want, d.Got, v.Rule, v.Reason)
			}
		}
		if own := p.Rules()[0]; !decisive[own] {
			t.Errorf("%s: no case shows the rule %s", name, own)
		}
		p = nil
	}
	if policies != 10 {
		t.Errorf("%d policies, want 10", policies)
	}
}
