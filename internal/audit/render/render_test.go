package render

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/diff"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/golden"
)

func rendered(t *testing.T, f Format, o Options, all ...Result) string {
	t.Helper()
	o.checks = sampleChecks
	var b bytes.Buffer
	w := New(&b, f, o)
	for _, r := range all {
		if err := w.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestEachFormatPrintsWhatItsFileSays(t *testing.T) {
	zone := Options{Zone: "zones/new zone", Version: "1.0.0"}
	for name, got := range map[string]string{
		"sample.txt":      rendered(t, Text, Options{}, sample(), silent()),
		"color.txt":       rendered(t, Text, Options{Color: true}, sample()),
		"sample.json":     rendered(t, JSON, Options{}, sample()),
		"many.jsonl":      rendered(t, JSON, Options{Many: true}, sample(), silent()),
		"sample.md":       rendered(t, Markdown, Options{}, sample(), silent()),
		"sample.html":     rendered(t, HTML, Options{}, sample()),
		"many.html":       rendered(t, HTML, Options{}, sample(), silent()),
		"sample.sarif":    rendered(t, SARIF, zone, sample(), silent()),
		"sample.xml":      rendered(t, JUnit, Options{FailOn: check.Warning}, sample(), silent()),
		"sample.csv":      rendered(t, CSV, Options{}, sample(), silent()),
		"explanation.txt": explained(t),
		"list.txt":        listed(t),
	} {
		path := filepath.Join("testdata", name)
		golden.Check(t, path, got)
	}
}

func explained(t *testing.T) string {
	var b bytes.Buffer
	if err := Explain(&b, sampleChecks[0], Options{Width: 80}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func listed(t *testing.T) string {
	var b bytes.Buffer
	if err := List(&b, sampleChecks, Options{Width: 80}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestNoFormatPassesOnWhatATerminalObeysOrAReaderIsMisledBy(t *testing.T) {
	for _, f := range Formats {
		out := rendered(t, f, Options{Many: true}, sample())
		if !utf8.ValidString(out) {
			t.Errorf("%s is no UTF-8", f)
		}
		for i, r := range out {
			if r != '\n' && r != '\t' && !unicode.IsPrint(r) && r != '\r' {
				t.Errorf("%s holds %U at %q", f, r, out[max(0, i-20):min(len(out), i+20)])
			}
		}
	}
}

func TestATerminalOfEightyColumnsHasRoomForAllButWhatIsCopied(t *testing.T) {
	copied := false
	for line := range strings.Lines(rendered(t, Text, Options{}, sample())) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "":
		case strings.HasPrefix(line, "  Publish at"), strings.HasPrefix(line, "  Put at"), strings.HasPrefix(line, "  The same text"):
			copied = true
		case strings.HasPrefix(line, "  "):
			copied = false
		}
		if n := utf8.RuneCountInString(line); n > 80 && !copied {
			t.Errorf("%d characters: %s", n, line)
		}
	}
}

func TestARecordCanBeCopiedFromTheScreenIntoAZone(t *testing.T) {
	out := rendered(t, Text, Options{}, sample())
	for _, c := range sample().Report.Publish {
		if !strings.Contains(out, "\n\n"+c.Zone()+"\n") {
			t.Errorf("%s is not there as it is", c.Zone())
		}
		zone, err := dns.ParseZone(strings.NewReader(c.Zone()), "copied")
		if err != nil {
			t.Fatal(err)
		}
		if a, err := zone.Lookup(t.Context(), c.Name, dns.TypeTXT); err != nil || !slices.Equal(a.TXT, []string{c.New}) {
			t.Errorf("a server answers %q, %v", a.TXT, err)
		}
	}
	if !strings.Contains(out, "\n\n"+longSPF+"\n\n") {
		t.Error("the long text is not there in one piece")
	}
}

func TestColoursAreOnlyWhereTheyAreAskedFor(t *testing.T) {
	with, without := rendered(t, Text, Options{Color: true}, sample()), rendered(t, Text, Options{}, sample())
	if strings.Contains(without, "\x1b") || !strings.Contains(with, red) {
		t.Error("colours are the wrong way round")
	}
	if stripped := regexp.MustCompile(`\x1b\[\d*m`).ReplaceAllString(with, ""); stripped != without {
		t.Errorf("colours change the text: %s", golden.Difference(without, stripped))
	}
}

func TestAPageRunsAndLoadsNothing(t *testing.T) {
	out := rendered(t, HTML, Options{}, sample(), silent())
	lower := strings.ToLower(out)
	for _, bad := range []string{"<script", "<img", "<link", "<iframe", "<b>long", " src=", "@import", "url(", "javascript:", " style="} {
		if strings.Contains(lower, bad) {
			t.Errorf("the page holds %s", bad)
		}
	}
	if !strings.Contains(out, `default-src &#39;none&#39;; style-src &#39;sha256-`) {
		t.Error("the page has no policy")
	}
	for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(out, -1) {
		if !strings.HasPrefix(m[1], documents+"#") && !strings.HasPrefix(m[1], "#domain-") {
			t.Errorf("the page links to %s", m[1])
		}
	}
}

func TestMarkdownHasNoLinkAndNoMarkupOfAStrangers(t *testing.T) {
	out := rendered(t, Markdown, Options{}, sample())
	inFence := ""
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if ticks := len(line) - len(strings.TrimLeft(line, "`")); ticks >= 3 && (inFence == "" || line == inFence) {
			if inFence = map[bool]string{true: line}[inFence == ""]; inFence != "" {
				inFence = strings.Repeat("`", ticks)
			}
			continue
		}
		if inFence != "" {
			continue
		}
		for _, bad := range []string{" <script", " <b>", "](https://attacker", " www.", " @everyone", " *b*", " _i_", " `"} {
			if strings.Contains(line, bad) {
				t.Errorf("%q holds %q", line, bad)
			}
		}
	}
	for text, want := range map[string]string{
		"-all": `\-all`, "1. one": `1\. one`, "a@b": "a@b", "(@me)": "(@<!-- -->me)", "http://a.example": `http:\//a.example`, "=x": `\=x`,
	} {
		if got := escape(text); got != want {
			t.Errorf("escape(%q) = %q, want %q", text, got, want)
		}
	}
	if got := fence([]string{"a ```` b"}); got != "`````\na ```` b\n`````\n" {
		t.Errorf("got %s", got)
	}
}

func TestNoCellIsAFormula(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(rendered(t, CSV, Options{}, sample(), silent()))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if want := len(sample().Findings) + 2; len(rows) != want {
		t.Errorf("%d rows, want %d", len(rows), want)
	}
	for _, row := range rows {
		for _, c := range row {
			if c != "" && strings.ContainsAny(c[:1], "=+-@\t\r\n") {
				t.Errorf("%q is a formula", c)
			}
		}
	}
	if rows[len(rows)-1][0] != "parked.example" || rows[len(rows)-1][3] != "" {
		t.Errorf("a domain without findings is %q", rows[len(rows)-1])
	}
}

func TestJSONHasEachTextWhole(t *testing.T) {
	var d Document
	if err := json.Unmarshal([]byte(rendered(t, JSON, Options{}, sample())), &d); err != nil {
		t.Fatal(err)
	}
	r := sample()
	if d.Domain != r.Domain || d.Grade != "C" || len(d.Findings) != len(r.Findings) || !d.CheckedAt.Equal(r.CheckedAt) {
		t.Errorf("got %+v", d)
	}
	for i, f := range r.Findings {
		if got := d.Findings[i]; got.Detail != strings.ToValidUTF8(f.Detail, "\ufffd") || got.Fix != f.Fix || got.ID != f.ID {
			t.Errorf("%s: got %+v", f.ID, got)
		}
	}
	if d.Publish[0].Zone != r.Report.Publish[0].Zone() || d.Records.SPF != oldSPF || d.Records.MX[0] != "10 mx1.example.com." {
		t.Errorf("got %+v, %+v", d.Publish[0], d.Records)
	}
}

func TestAReportIsOneLineOfJSONAndCanBeComparedWith(t *testing.T) {
	var b bytes.Buffer
	for _, r := range []Result{sample(), silent()} {
		if err := Line(&b, r); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(b.String(), "\n"); n != 2 {
		t.Errorf("%d lines", n)
	}
	if strings.Contains(b.String(), "null") {
		t.Error("a member is null")
	}
	earlier, err := diff.Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	if d := earlier.Compare(sample().Report); len(d.New)+len(d.Mended)+len(d.Untold) > 0 {
		t.Errorf("a report differs from itself: %+v", d)
	}
}

func TestAJUnitFileCountsWhatItHolds(t *testing.T) {
	for failOn, want := range map[check.Severity]int{check.Error: 4, check.Warning: 7, check.Info: 8} {
		var got testSuites
		if err := xml.Unmarshal([]byte(rendered(t, JUnit, Options{FailOn: failOn}, sample(), silent())), &got); err != nil {
			t.Fatal(err)
		}
		if got.Failures != want || got.Errors != 1 || len(got.Suites) != 2 || got.Suites[1].Failures != 0 {
			t.Errorf("from %s on: %d failures, %d errors in %d suites", failOn, got.Failures, got.Errors, len(got.Suites))
		}
		tests := 0
		for _, s := range got.Suites {
			tests += len(s.Cases)
		}
		if got.Tests != tests || got.Suites[1].Tests != len(sampleChecks)-1 {
			t.Errorf("%d tests of %d, %d", got.Tests, tests, got.Suites[1].Tests)
		}
	}
}

func TestAFingerprintGoesByWhatIsFoundAndNotByWhatIsSaidOfIt(t *testing.T) {
	prints := func(r Result) []string {
		var all []string
		for _, result := range resultsOf(r, Options{checks: sampleChecks}, nil) {
			all = append(all, result.Fingerprints["gatepostFinding/v1"])
		}
		return all
	}
	before, changed := sample(), sample()
	for i := range changed.Findings {
		changed.Findings[i].Detail += " today"
	}
	if !slices.Equal(prints(before), prints(changed)) {
		t.Error("another detail makes another fingerprint")
	}
	twice := sample()
	twice.Findings = append(twice.Findings, twice.Findings[0])
	twice.Diff = nil
	all := prints(twice)
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != len(twice.Findings) {
		t.Errorf("%d fingerprints of %d findings", n, len(twice.Findings))
	}
}

func TestEachSARIFResultHasARuleAndAPlace(t *testing.T) {
	var log sarifLog
	if err := json.Unmarshal([]byte(rendered(t, SARIF, Options{Zone: "./new.zone"}, sample())), &log); err != nil {
		t.Fatal(err)
	}
	run := log.Runs[0]
	for _, r := range run.Results {
		if run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID {
			t.Errorf("%s has the rule %s", r.RuleID, run.Tool.Driver.Rules[r.RuleIndex].ID)
		}
		if (r.Kind == "fail") == (r.Level == "none") { // 3.27.10
			t.Errorf("%s: kind %s, level %s", r.RuleID, r.Kind, r.Level)
		}
		if l := r.Locations[0]; l.Logical[0].Name == "" || l.Physical.Artifact.URI != "new.zone" || *l.Physical.Artifact.Index != 0 {
			t.Errorf("%s is at %+v", r.RuleID, l)
		}
	}
	for path, want := range map[string]string{"a b.zone": "a%20b.zone", "/etc/x.zone": "file:///etc/x.zone", "./z": "z"} {
		if got := fileURI(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

func TestATreeIsShownToPeople(t *testing.T) {
	v := ViewOf(sample())
	v.Tree = draw(branch{"example.com", "1 of 10 look-ups", []branch{{"include:_spf.mail.example", "1 look-up", nil}}})
	s := &screen{width: 80}
	s.report(v)
	if text := s.String(); !strings.Contains(text, "\n\nWhat the SPF record lets in\n\n  example.com  ") || !strings.Contains(text, "\n  └─ include:_spf.mail.example ") {
		t.Errorf("got %s", text)
	}
}

func TestWhatCannotBeWrittenIsAnError(t *testing.T) {
	for _, f := range Formats {
		w := New(full{}, f, Options{})
		if err := w.Add(sample()); err == nil {
			err = w.Close()
			if err == nil {
				t.Errorf("%s: it went well", f)
			}
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestTheDocumentOfFindingsIsCurrent(t *testing.T) {
	var b bytes.Buffer
	if err := Catalogue(&b, audit.Catalogue()); err != nil {
		t.Fatal(err)
	}
	const path = "../../../docs/findings.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != b.String() {
		t.Errorf("docs/findings.md is not what the catalogue says; make it anew: go run ./cmd/gatepost check --list --format markdown >docs/findings.md\n%s",
			golden.Difference(string(text), b.String()))
	}
}

// tags are the beginnings of elements, known those that a page has.
var (
	tags  = regexp.MustCompile("</?([^ >]*)")
	known = strings.Fields("!DOCTYPE html head meta title style body nav main div header section article h1 h2 h3 p a span ul li pre table thead tbody tr th td")
)

func FuzzNoTextBreaksOut(f *testing.F) {
	f.Add(hostile)
	f.Add("```\n\tx")
	f.Fuzz(func(t *testing.T, s string) {
		r := sample()
		r.Findings = []audit.Finding{finding("spf-softfail", s, s, s, publish.Change{Name: "example.com", Type: "TXT", New: s})}
		r.Diff = nil
		for _, format := range Formats {
			out := rendered(t, format, Options{Many: true}, r)
			for _, c := range out {
				if c != '\n' && c != '\t' && c != '\r' && !unicode.IsPrint(c) {
					t.Fatalf("%s holds %U", format, c)
				}
			}
			for _, m := range tags.FindAllStringSubmatch(out, -1) {
				if format == HTML && !slices.Contains(known, m[1]) {
					t.Fatalf("a text made the element %q", m[1])
				}
			}
		}
	})
}

func TestUnknownAreasDoNotRepeatEachOther(t *testing.T) {
	unknown := audit.Finding{Severity: check.Unknown, Title: "Answers could not be had", Why: "Nothing is said of it.", Advice: "Look again.", Reference: "RFC 2308"}
	v := ViewOf(Result{Report: &audit.Report{Findings: []audit.Finding{unknown, unknown}}})
	items := v.Groups[0].Items
	if len(items) != 2 || items[0].Why == "" || items[0].Advice == nil || items[1].Why != "" || items[1].Advice != nil || items[1].Reference != "" {
		t.Errorf("got %+v", items)
	}
}
