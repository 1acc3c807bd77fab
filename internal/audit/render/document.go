package render

import (
	"bytes"
	"encoding/json"
	"io"
	"time"

	"github.com/gatepost-mail/gatepost/internal/audit/diff"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/show"
)

// A Document is a report in JSON. Scripts rely on its members.
type Document struct {
	Domain    string    `json:"domain"`
	CheckedAt time.Time `json:"checked_at"`
	Grade     string    `json:"grade"`
	First     string    `json:"first"`
	Sends     bool      `json:"sends"`
	Records   Records   `json:"records"`
	Findings  []Finding `json:"findings"`
	Publish   []Change  `json:"publish"`
	Diff      *Diff     `json:"diff,omitempty"`
}

// Records are what the domain publishes, as it stands there. What was not found, or could not be had, is empty.
type Records struct {
	SPF    string            `json:"spf"`
	DMARC  string            `json:"dmarc"`
	DKIM   map[string]string `json:"dkim"` // by selector
	MX     []string          `json:"mx"`
	STS    string            `json:"mta_sts"`
	TLSRPT string            `json:"tls_rpt"`
}

// A Finding is one of a [Document].
type Finding struct {
	ID        string   `json:"id"`
	Severity  string   `json:"severity"`
	Subject   string   `json:"subject"`
	Title     string   `json:"title"`
	Detail    string   `json:"detail"`
	Why       string   `json:"why"`
	Advice    string   `json:"advice"`
	Fix       string   `json:"fix"`
	Publish   []Change `json:"publish"`
	Reference string   `json:"reference"`
}

// A Change is one of a [Document]: Zone is the new record as a line of a master file.
type Change struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Old  string `json:"old"`
	New  string `json:"new"`
	Zone string `json:"zone"`

	Elsewhere bool `json:"elsewhere,omitempty"` // it is for somebody else to make
}

// A Diff is what has changed since an earlier audit. Since is null where there was none.
type Diff struct {
	Since  *time.Time     `json:"since"`
	Grade  string         `json:"grade"`
	New    []diff.Finding `json:"new"`
	Mended []diff.Finding `json:"mended"`
	Untold []diff.Finding `json:"untold"`
}

// Of makes a document of a report.
func Of(r Result) Document {
	d := Document{
		Domain: r.Domain, CheckedAt: r.CheckedAt.UTC().Truncate(time.Second), Grade: string(r.Grade), First: r.First, Sends: r.Sends,
		Records: records(r.Facts), Findings: []Finding{}, Publish: changes(r.Report.Publish),
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		d.Findings = append(d.Findings, Finding{
			ID: f.ID, Severity: string(f.Severity), Subject: f.Subject, Title: f.Title, Detail: f.Detail, Why: f.Why,
			Advice: f.Advice, Fix: f.Fix, Publish: changes(f.Changes), Reference: f.Reference,
		})
	}
	if r.Diff != nil {
		d.Diff = &Diff{Grade: r.Diff.Grade, New: list(r.Diff.New), Mended: list(r.Diff.Mended), Untold: list(r.Diff.Untold)}
		if !r.Diff.Since.IsZero() {
			d.Diff.Since = &r.Diff.Since
		}
	}
	return d
}

// Line writes a report as one line of JSON.
func Line(w io.Writer, r Result) error { return writeJSON(w, Of(r), true) }

func writeJSON(w io.Writer, v any, line bool) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if !line {
		e.SetIndent("", "  ")
	}
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(show.JSON(text.Bytes()))
	return err
}

func records(f *facts.Facts) Records {
	r := Records{DKIM: map[string]string{}, MX: []string{}}
	if f == nil {
		return r
	}
	r.SPF, r.DMARC = first(f.SPF.Texts), first(f.DMARC.Texts)
	r.STS, r.TLSRPT = first(f.STS.TXT.TXT), first(f.TLSRPT.TXT.TXT)
	for _, s := range f.DKIM.Selectors {
		if s.Text != "" {
			r.DKIM[s.Name] = s.Text
		}
	}
	for _, m := range f.MX.Asked.MX {
		r.MX = append(r.MX, publish.MX(m))
	}
	return r
}

func first(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return texts[0]
}

func changes(all []publish.Change) []Change {
	out := []Change{}
	for _, c := range all {
		out = append(out, ChangeOf(c))
	}
	return out
}

// ChangeOf makes the member of a document of a change.
func ChangeOf(c publish.Change) Change {
	return Change{c.Name, c.Type, c.Old, c.New, c.Zone(), c.Elsewhere}
}

func list(all []diff.Finding) []diff.Finding {
	if all == nil {
		return []diff.Finding{}
	}
	return all
}
