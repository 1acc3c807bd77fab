package audit

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/golden"
)

// testdata/domains holds made-up domains from exemplary to dreadful, DOMAIN.zone, each with the whole of what is found, DOMAIN.want. After a
// change, -update writes the latter anew: read every difference.
func TestWhatIsFoundOfFiftyDomains(t *testing.T) {
	paths, err := filepath.Glob("testdata/domains/*.zone")
	if err != nil || len(paths) < 50 {
		t.Fatalf("%d domains (%v)", len(paths), err)
	}
	for _, path := range paths {
		domain := strings.TrimSuffix(filepath.Base(path), ".zone")
		t.Run(domain, func(t *testing.T) {
			t.Parallel()
			zone, err := dns.ReadZone(path)
			if err != nil {
				t.Fatal(err)
			}
			o := facts.Options{Resolver: zone, Offline: true, Now: time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)}
			r := Run(context.Background(), domain, o)
			compareReport(t, strings.TrimSuffix(path, ".zone")+".want", r)

			o.Resolver = publish.Overlay(zone, r.Publish)
			after := Run(context.Background(), domain, o)
			for _, f := range after.Findings {
				if f.Severity != check.Info && fits(&f) {
					t.Errorf("all was published, and there is more to publish: %s at %s: %+v", f.ID, f.Subject, f.Changes)
				}
				if (f.Severity == check.Error || f.Severity == check.Warning) && !has(r.Findings, f.ID) && !has(r.Findings, before[f.ID]...) {
					t.Errorf("all was published, and %s came at %s: %s", f.ID, f.Subject, f.Detail)
				}
			}
			for _, c := range r.Publish {
				if c.Elsewhere || c.Type != publish.File && !r.Facts.Owns(c.Name) {
					t.Errorf("%s is not the domain's to publish", c.Name)
				}
			}
			if narrower(r.Facts, after.Facts) && !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.check.Narrows && fits(&f) }) {
				t.Errorf("all was published, and fewer pass SPF: %q became %q", r.Facts.SPF.Texts, after.Facts.SPF.Texts)
			}
			if rank(after.Grade) > rank(r.Grade) {
				t.Errorf("all was published, and the grade fell from %s to %s", r.Grade, after.Grade)
			}
		})
	}
}

// before are findings of which a lesser one is what is left when they are mended: a policy begins with none, ten look-ups are few enough and
// still many, and of what is named by its address nobody asked for its name.
var before = map[string][]string{
	"dmarc-p-none": {
		"dmarc-missing", "dmarc-multiple", "dmarc-none-without-rua", "dmarc-version-bad", "dmarc-p-invalid", "dmarc-spf-at-dmarc", "dmarc-dangling-cname",
	},
	"spf-lookups-near-limit": {"spf-too-many-lookups"},
	"mx-no-ptr":              {"mx-literal"},
}

func compareReport(t *testing.T, path string, r *Report) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "grade %s, sends %v\nfirst: %s\n\n", r.Grade, r.Sends, r.First)
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%-7s %s (%s)\n        %s\n", f.Severity, f.ID, f.Subject, f.Detail)
		if f.Advice != "" {
			fmt.Fprintf(&b, "        advice: %s\n", strings.ReplaceAll(f.Advice, "\n", "\n                "))
		}
		for _, c := range f.Changes {
			elsewhere := ""
			if c.Elsewhere {
				elsewhere = "elsewhere, "
			}
			fmt.Fprintf(&b, "        %s%s %s: %s -> %s\n", elsewhere, c.Name, c.Type, c.Old, c.New)
		}
	}
	b.WriteString("\npublish:\n")
	for _, c := range r.Publish {
		fmt.Fprintf(&b, "- %s %s %s\n+ %s", c.Name, c.Type, c.Old, c.Zone())
	}
	golden.Check(t, path, b.String())
}
