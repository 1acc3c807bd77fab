// Package render shows what an audit found: to people on a terminal, as a page or as text to pass on, and to programs.
//
//	out := render.New(os.Stdout, render.HTML, render.Options{})
//	out.Add(render.Result{Report: report})
//	out.Close()
//
// Findings carry texts that strangers published. Each format bounds and escapes them in its own way; only JSON has them whole.
package render

import (
	"io"
	"slices"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/diff"
)

// A Format is a way to show reports.
type Format string

// The formats.
const (
	Text     Format = "text"     // for a terminal
	JSON     Format = "json"     // one document, or one a line
	Markdown Format = "markdown" // to pass on
	HTML     Format = "html"     // one page that needs nothing else
	SARIF    Format = "sarif"    // 2.1.0, for code scanning
	JUnit    Format = "junit"    // for pipelines
	CSV      Format = "csv"      // for a spreadsheet
)

// Formats are all.
var Formats = []Format{Text, JSON, Markdown, HTML, SARIF, JUnit, CSV}

// A Result is a report, and what has changed since an earlier one where that is asked for.
type Result struct {
	*audit.Report
	Diff *diff.Diff
}

// Options say how to show. The zero value of each means its default.
type Options struct {
	Width   int            // of the terminal; 80
	Color   bool           // on the terminal
	Many    bool           // there may be more than one report: JSON is one a line
	FailOn  check.Severity // from where on JUnit calls a finding a failure; check.Error
	Zone    string         // the master file that was audited, for SARIF to point at
	Place   Places         // where in Zone each name is
	Version string         // ours

	checks []check.Check // the catalogue
}

// A Writer writes reports, as they come where the format lets it.
type Writer interface {
	Add(Result) error
	Close() error // writes the rest
}

// New gives a writer for a format.
func New(w io.Writer, f Format, o Options) Writer {
	if o.Width == 0 {
		o.Width = 80
	}
	if o.FailOn == "" {
		o.FailOn = check.Error
	}
	if o.checks == nil {
		o.checks = audit.Catalogue()
	}
	switch f {
	case JSON:
		return stream{add: func(r Result, _ bool) error { return writeJSON(w, Of(r), o.Many) }}.writer()
	case CSV:
		return stream{add: func(r Result, first bool) error { return writeCSV(w, r, first) }}.writer()
	case Markdown:
		return stream{add: func(r Result, first bool) error { return writeMarkdown(w, r, first) }}.writer()
	case HTML:
		return &collected{write: func(all []Result) error { return writeHTML(w, all) }}
	case SARIF:
		return &collected{write: func(all []Result) error { return writeSARIF(w, all, o) }}
	case JUnit:
		return &collected{write: func(all []Result) error { return writeJUnit(w, all, o) }}
	}
	return stream{add: func(r Result, first bool) error { return writeText(w, r, first, o) }}.writer()
}

// A stream writes each report when it comes.
type stream struct {
	add   func(r Result, first bool) error
	later bool
}

func (s stream) writer() Writer { return &s }

// Add implements [Writer].
func (s *stream) Add(r Result) error {
	first := !s.later
	s.later = true
	return s.add(r, first)
}

// Close implements [Writer].
func (s *stream) Close() error { return nil }

// collected writes all reports at the end.
type collected struct {
	all   []Result
	write func([]Result) error
}

// Add implements [Writer].
func (c *collected) Add(r Result) error {
	c.all = append(c.all, r)
	return nil
}

// Close implements [Writer].
func (c *collected) Close() error { return c.write(c.all) }

// severities are in the order in which people are told.
var severities = []check.Severity{check.Error, check.Warning, check.Unknown, check.Info}

// Reaches tells whether a severity is at or above another. What is unknown reaches none.
func Reaches(s, least check.Severity) bool {
	order := []check.Severity{check.Info, check.Warning, check.Error}
	i, j := slices.Index(order, s), slices.Index(order, least)
	return i >= 0 && j >= 0 && i >= j
}
