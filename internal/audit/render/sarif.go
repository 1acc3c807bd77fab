package render

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/diff"
	"github.com/gatepost-mail/gatepost/internal/show"
)

// SARIF 2.1.0, as far as it is needed here. The section of the standard stands beside each object.

type sarifLog struct { // 3.13
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct { // 3.14
	Tool       sarifTool       `json:"tool"`
	ColumnKind string          `json:"columnKind"`
	Artifacts  []sarifArtifact `json:"artifacts,omitempty"`
	Results    []sarifResult   `json:"results"`
}

type sarifTool struct { // 3.18
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct { // 3.19
	Name    string      `json:"name"`
	Version string      `json:"version,omitempty"`
	URI     string      `json:"informationUri"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct { // 3.49
	ID      string       `json:"id"`
	Short   sarifMessage `json:"shortDescription"`
	Full    sarifMessage `json:"fullDescription"`
	Help    sarifMessage `json:"help"`
	HelpURI string       `json:"helpUri"`
	Default struct {
		Level string `json:"level"`
	} `json:"defaultConfiguration"`
	Properties struct {
		Tags []string `json:"tags"`
	} `json:"properties"`
}

type sarifMessage struct { // 3.11
	Text     string `json:"text"`
	Markdown string `json:"markdown,omitempty"`
}

type sarifArtifact struct { // 3.24
	Location sarifURI `json:"location"`
}

type sarifURI struct { // 3.4
	URI   string `json:"uri"`
	Index *int   `json:"index,omitempty"`
}

type sarifResult struct { // 3.27
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Kind         string            `json:"kind"`
	Level        string            `json:"level"`
	Message      sarifMessage      `json:"message"`
	Locations    []sarifLocation   `json:"locations"`
	Fingerprints map[string]string `json:"partialFingerprints"`
	Baseline     string            `json:"baselineState,omitempty"`
}

type sarifLocation struct { // 3.28
	Physical *sarifPhysical `json:"physicalLocation,omitempty"`
	Logical  []sarifLogical `json:"logicalLocations"`
}

type sarifPhysical struct { // 3.29
	Artifact sarifURI `json:"artifactLocation"`
	Region   struct {
		StartLine int `json:"startLine"`
	} `json:"region"`
}

type sarifLogical struct { // 3.33
	Name string `json:"fullyQualifiedName"`
	Kind string `json:"kind"`
}

func writeSARIF(w io.Writer, all []Result, o Options) error {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{
		Name: "Gatepost", Version: o.Version, URI: "https://github.com/gatepost-mail/gatepost", Rules: []sarifRule{},
	}
	for i := range o.checks {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, ruleOf(&o.checks[i]))
	}
	var file *sarifURI
	if o.Zone != "" {
		file = &sarifURI{URI: fileURI(o.Zone), Index: new(int)}
		run.Artifacts = []sarifArtifact{{Location: sarifURI{URI: file.URI}}}
	}
	for _, r := range all {
		run.Results = append(run.Results, resultsOf(r, o, file)...)
	}
	return writeJSON(w, sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}, false)
}

func ruleOf(c *check.Check) sarifRule {
	r := sarifRule{
		ID: c.ID, Short: sarifMessage{Text: c.Title}, Full: sarifMessage{Text: c.Why},
		Help:    sarifMessage{Text: c.Explain, Markdown: markdownBlocks(blocks(c.Explain))},
		HelpURI: PageOf(c.ID),
	}
	r.Default.Level = level(c.Severity)
	r.Properties.Tags = []string{"email", string(audit.AreaOf(c.ID)), c.Reference}
	return r
}

// level is SARIF's word for a severity (3.27.10).
func level(s check.Severity) string {
	switch s {
	case check.Error:
		return "error"
	case check.Warning:
		return "warning"
	case check.Info:
		return "note"
	}
	return "none"
}

// kind is fail, but for what could not be found out (3.27.9): its level must be none.
func kind(s check.Severity) string {
	if s == check.Unknown {
		return "open"
	}
	return "fail"
}

func resultsOf(r Result, o Options, file *sarifURI) []sarifResult {
	var out []sarifResult
	seen := map[string]int{}
	for i := range r.Findings {
		f := &r.Findings[i]
		same := f.ID + " " + f.Subject
		result := sarifResult{
			RuleID: f.ID, RuleIndex: slices.IndexFunc(o.checks, func(c check.Check) bool { return c.ID == f.ID }),
			Kind: kind(f.Severity), Level: level(f.Severity),
			Message:      sarifMessage{Text: show.Printable(f.Title) + ": " + text(f.Detail) + "\n\n" + prose(f)},
			Locations:    []sarifLocation{{Logical: []sarifLogical{{Name: show.Printable(f.Subject), Kind: "resource"}}}},
			Fingerprints: map[string]string{"gatepostFinding/v1": fingerprint(r.Domain, f, seen[same])},
		}
		if file != nil {
			result.Locations[0].Physical = &sarifPhysical{Artifact: *file}
			result.Locations[0].Physical.Region.StartLine = max(1, o.Place.line(f))
		}
		if r.Diff != nil {
			result.Baseline = "unchanged"
			if r.Diff.States[i] == diff.New {
				result.Baseline = "new"
			}
		}
		seen[same]++
		out = append(out, result)
	}
	return out
}

// fingerprint stays what it is while a finding does, whatever is said of it in detail.
func fingerprint(domain string, f *audit.Finding, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%d", domain, f.ID, f.Subject, n))
	return hex.EncodeToString(sum[:16])
}

// fileURI is a path as a URI, relative where the path is.
func fileURI(path string) string {
	path = filepath.ToSlash(path)
	if filepath.IsAbs(path) || strings.HasPrefix(path, "/") {
		return (&url.URL{Scheme: "file", Path: "/" + strings.TrimPrefix(path, "/")}).String()
	}
	return (&url.URL{Path: strings.TrimPrefix(path, "./")}).String()
}
