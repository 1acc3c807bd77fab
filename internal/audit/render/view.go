package render

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/diff"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/show"
)

// A View is a report as people are shown it, whatever the format: in order, with all texts bounded and printable.
type View struct {
	Domain  string
	Grade   string
	Tone    string // good, fair, bad, unknown
	Counts  string // "2 errors, 1 warning"
	Checked string
	First   string
	Silent  bool // judged as a domain that sends no mail
	Since   *since
	Groups  []Group
	Tree    []string
	Publish []Record // all at once, where that is more than one finding's
}

// A Group are the findings of one severity.
type Group struct {
	Severity check.Severity
	Heading  string
	Items    []Item
}

// An Item is a finding.
type Item struct {
	ID, Title, Subject, Detail, Why, Reference string
	Area                                       facts.Area
	Severity                                   check.Severity
	New                                        bool
	Advice                                     []Block
	Records                                    []Record
}

// A Block is a paragraph, or lines that stand as they are.
type Block struct {
	Text  string
	Lines []string
}

// A Record is something to publish or to take away.
type Record struct {
	Do    string   // "Publish at example.com, in place of the present record"
	Lines []string // of a master file, or of the file
	Whole string   // a long text in one piece; empty where Lines have it so
}

// since is what has changed.
type since struct {
	When   string // "since 2026-11-01: grade D"
	New    int
	Mended []Item
	Untold int
}

// Bounds of what people are shown: the whole of it is in JSON.
const (
	maxDetail = 1000
	maxLines  = 60
)

// ViewOf makes one of a report.
func ViewOf(r Result) *View {
	v := &View{
		Domain: show.Printable(r.Domain), Grade: string(r.Grade), Tone: tone(r.Grade), Counts: counts(r.Findings),
		Checked: r.CheckedAt.UTC().Format("2006-01-02 15:04 UTC"), First: text(r.First), Silent: !r.Sends && r.Grade != check.Undecided, Since: sinceOf(r.Diff),
	}
	for _, s := range severities {
		g := Group{Severity: s, Heading: headings[s]}
		for i := range r.Findings {
			if f := &r.Findings[i]; f.Severity == s {
				g.Items = append(g.Items, itemOf(f, r.Diff != nil && r.Diff.States[i] == diff.New && !r.Diff.Since.IsZero()))
			}
		}
		if s == check.Unknown { // one cause, as a rule, of which all areas say the same
			for i := 1; i < len(g.Items); i++ {
				if g.Items[i].Why == g.Items[0].Why {
					g.Items[i].Why, g.Items[i].Advice, g.Items[i].Reference = "", nil, ""
				}
			}
		}
		if len(g.Items) > 0 {
			v.Groups = append(v.Groups, g)
		}
	}
	if r.Facts != nil {
		for _, line := range spfTree(r.Facts) {
			v.Tree = append(v.Tree, printableLine(line))
		}
	}
	if fixes := slices.DeleteFunc(slices.Clone(r.Findings), func(f audit.Finding) bool { return len(f.Changes) == 0 }); len(fixes) > 1 {
		v.Publish = recordsOf(r.Report.Publish)
	}
	return v
}

var headings = map[check.Severity]string{check.Error: "Errors", check.Warning: "Warnings", check.Unknown: "Unknown", check.Info: "Worth knowing"}

func itemOf(f *audit.Finding, isNew bool) Item {
	return Item{
		ID: f.ID, Area: f.Area, Severity: f.Severity, Title: show.Printable(f.Title), Subject: show.Printable(f.Subject), Detail: text(f.Detail), Why: text(f.Why),
		Reference: show.Printable(f.Reference), New: isNew, Advice: blocks(f.Advice), Records: recordsOf(f.Changes),
	}
}

// tone is what a grade means to who reads it.
func tone(g check.Grade) string {
	switch g {
	case check.A, check.AMinus:
		return "good"
	case check.B, check.C:
		return "fair"
	case check.D, check.F:
		return "bad"
	}
	return "unknown"
}

func counts(all []audit.Finding) string {
	var parts []string
	for _, s := range severities {
		n := 0
		for i := range all {
			if all[i].Severity == s {
				n++
			}
		}
		switch {
		case n == 0:
		case s == check.Unknown:
			parts = append(parts, fmt.Sprintf("%d unknown", n))
		case s == check.Info:
			parts = append(parts, plural(n, "note"))
		default:
			parts = append(parts, plural(n, string(s)))
		}
	}
	if len(parts) == 0 {
		return "nothing found"
	}
	return strings.Join(parts, ", ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// text is a stranger's text as one paragraph.
func text(s string) string {
	return show.Clip(show.Printable(oneLine(s)), maxDetail)
}

// oneLine makes spaces of line ends.
func oneLine(s string) string {
	return strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ").Replace(strings.TrimSpace(s))
}

// blocks parts our own words into paragraphs, at empty lines. Lines that begin with a tab stay as they are.
func blocks(s string) []Block {
	var all []Block
	for line := range strings.SplitSeq(strings.TrimRight(s, "\n"), "\n") {
		code, isCode := strings.CutPrefix(line, "\t")
		n := len(all)
		switch {
		case strings.TrimSpace(line) == "":
			all = append(all, Block{})
		case isCode && n > 0 && all[n-1].Text == "" && len(all[n-1].Lines) > 0:
			all[n-1].Lines = append(all[n-1].Lines, printableLine(code))
		case isCode:
			all = append(all, Block{Lines: []string{printableLine(code)}})
		case n > 0 && all[n-1].Text != "":
			all[n-1].Text += " " + show.Printable(line)
		default:
			all = append(all, Block{Text: show.Printable(line)})
		}
	}
	return slices.DeleteFunc(all, func(b Block) bool { return b.Text == "" && len(b.Lines) == 0 })
}

// printableLine keeps the tabs of a line.
func printableLine(s string) string {
	parts := strings.Split(strings.TrimSuffix(s, "\r"), "\t")
	for i := range parts {
		parts[i] = show.Printable(parts[i])
	}
	return strings.Join(parts, "\t")
}

func recordsOf(all []publish.Change) []Record {
	var out []Record
	for _, c := range all {
		out = append(out, recordOf(c))
	}
	return out
}

func recordOf(c publish.Change) Record {
	name := show.Printable(c.Name)
	var r Record
	switch {
	case c.Type == publish.File && c.New == "":
		r.Do = "Take away the file " + name
		return r
	case c.Type == publish.File:
		r.Do = "Put at " + name
	case c.Elsewhere:
		r.Do = "Have whoever runs it publish at " + name
	case c.New == "":
		r.Do = "Take away at " + name
		c.New = c.Old
	case c.Old == "":
		r.Do = "Publish at " + name
	default:
		r.Do = "Publish at " + name + ", in place of the present record"
	}
	zone := c.Zone()
	for line := range strings.Lines(zone) {
		r.Lines = append(r.Lines, printableLine(strings.TrimRight(line, "\r\n")))
	}
	if len(r.Lines) > maxLines {
		r.Lines = append(r.Lines[:maxLines], fmt.Sprintf("; and %d lines more, which --json has", len(r.Lines)-maxLines))
	}
	if c.Type == "TXT" && len(r.Lines) > 1 {
		r.Whole = show.Printable(c.New)
	}
	return r
}

func sinceOf(d *diff.Diff) *since {
	switch {
	case d == nil:
		return nil
	case d.Since.IsZero():
		return &since{When: "It was not audited before"}
	}
	s := &since{
		When: fmt.Sprintf("Since %s, when its grade was %s", d.Since.UTC().Format("2006-01-02"), show.Printable(show.Clip(d.Grade, 2))),
		New:  len(d.New), Untold: len(d.Untold),
	}
	for _, f := range d.Mended {
		s.Mended = append(s.Mended, Item{ID: show.Printable(f.ID), Title: text(f.Title), Subject: show.Printable(f.Subject)})
	}
	return s
}

// Summary is what has changed, in a sentence.
func (s *since) Summary() string {
	if s.When == "It was not audited before" {
		return s.When + "."
	}
	summary := fmt.Sprintf("%s: %d new, %d mended", s.When, s.New, len(s.Mended))
	if s.Untold > 0 {
		summary += fmt.Sprintf(", %d that could not be looked at", s.Untold)
	}
	return summary + "."
}

// documents is where what each finding means is told.
const documents = "https://github.com/gatepost-mail/gatepost/blob/main/docs/findings.md"

// PageOf is where a finding is explained.
func PageOf(id string) string { return documents + "#" + url.PathEscape(id) }
