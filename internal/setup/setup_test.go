package setup

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/golden"
	"github.com/gatepost-mail/gatepost/internal/senders"
)

var start = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// A plan is testdata/NAME.txtar: answers.toml, the zone that is there (none: nobody looked), and what comes of it in each form.
func TestPlansAreAsWritten(t *testing.T) {
	paths, err := filepath.Glob("testdata/plans/*.txtar")
	if err != nil || len(paths) < 5 {
		t.Fatal(len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			plan := planOf(t, archive)
			terraform, err := plan.Terraform()
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{
				"zone": plan.Zone(), "dnsconfig.js": plan.DNSControl(), "gatepost.tf.json": string(terraform), "notes": strings.Join(plan.Notes, "\n") + "\n",
				"way": wayText(plan), "files": filesText(plan),
			}
			for i := range archive.Files {
				f := &archive.Files[i]
				if text, ok := got[f.Name]; ok {
					if *golden.Update {
						f.Data = []byte(text)
					} else if string(f.Data) != text {
						t.Errorf("%s is\n%s\nwant\n%s", f.Name, text, f.Data)
					}
				}
			}
			if *golden.Update {
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := dns.ParseZone(strings.NewReader(plan.Zone()), "plan"); err != nil {
				t.Errorf("the zone cannot be read: %v", err)
			}
		})
	}
}

func wayText(p *Plan) string {
	var b strings.Builder
	for _, s := range p.Way {
		b.WriteString(s.On.Format(time.DateOnly) + " " + s.Change.New + "\n")
	}
	for _, l := range p.After {
		b.WriteString(l.On.Format(time.DateOnly) + " " + l.What + "\n")
		for _, c := range l.Do {
			b.WriteString("  " + c.Name + " " + strings.TrimSpace(strings.ReplaceAll(strings.ReplaceAll(c.New, "\r", ""), "\n", " ")) + "\n")
		}
	}
	return b.String()
}

func filesText(p *Plan) string {
	var b strings.Builder
	for _, r := range p.Records {
		if r.Type == "file" {
			b.WriteString(r.Name + "\n" + strings.ReplaceAll(r.New, "\r", ""))
		}
	}
	return b.String()
}

func planOf(t *testing.T, archive *txtar.Archive) *Plan {
	t.Helper()
	files := map[string]string{}
	for _, f := range archive.Files {
		files[f.Name] = string(f.Data)
	}
	a, err := Parse("answers.toml", []byte(files["answers.toml"]))
	if err != nil {
		t.Fatal(err)
	}
	if a.Start.IsZero() {
		a.Start = start
	}
	return planFor(t, a, files["present"])
}

func planFor(t *testing.T, a Answers, zone string) *Plan {
	t.Helper()
	table := senders.Known()
	if err := a.Check(table); err != nil {
		t.Fatal(err)
	}
	present := Nothing()
	if zone != "" {
		present = Look(context.Background(), zoneOf(t, zone), a.Places(table))
	}
	p, err := Make(a, present, table)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func zoneOf(t *testing.T, text string) *dns.Zone {
	t.Helper()
	z, err := dns.ParseZone(strings.NewReader(text), "zone")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestNoRecordTakesTheResourceOfAnother(t *testing.T) {
	p := &Plan{Domain: "example.com", present: Nothing()}
	for _, selector := range []string{"a.b", "a_b"} {
		name := selector + "._domainkey.example.com"
		p.Records = append(p.Records, Record{Change: publish.Change{Name: name, Type: "TXT", New: "v=DKIM1; p=" + strings.ToUpper(selector[:1])}})
	}
	text, err := p.Terraform()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range p.Records {
		if name := strings.TrimSuffix(r.Name, ".example.com"); !strings.Contains(string(text), `"`+name+`"`) {
			t.Errorf("%s is not in\n%s", name, text)
		}
	}
}
