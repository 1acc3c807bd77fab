package render

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/show"
)

// An Entry is a check as JSON has it.
type Entry struct {
	ID        string `json:"id"`
	Area      string `json:"area"`
	Severity  string `json:"severity"`
	Title     string `json:"title"`
	Why       string `json:"why"`
	Explain   string `json:"explain"`
	Reference string `json:"reference"`
}

// EntryOf is the entry of a check.
func EntryOf(c check.Check) Entry {
	return Entry{c.ID, string(audit.AreaOf(c.ID)), string(c.Severity), c.Title, c.Why, c.Explain, c.Reference}
}

// List writes the catalogue, a check a line, with the sign of its severity. A title that has no room goes on below itself.
func List(w io.Writer, all []check.Check, o Options) error {
	const idWidth, signWidth = 34, 2
	s := &screen{width: o.Width, color: o.Color}
	var legend []string
	for _, severity := range severities {
		legend = append(legend, s.paint(marks[severity].color, marks[severity].sign)+" "+string(severity))
	}
	s.line(strings.Join(legend, "   "))
	s.line("")
	for i, c := range all {
		if i > 0 && audit.AreaOf(c.ID) != audit.AreaOf(all[i-1].ID) {
			s.line("")
		}
		head := s.paint(marks[c.Severity].color, marks[c.Severity].sign) + " " + padded(c.ID, idWidth)
		for _, line := range show.Wrap(c.Title, s.width-idWidth-signWidth) {
			s.line(head + line)
			head = strings.Repeat(" ", idWidth+signWidth)
		}
	}
	_, err := w.Write(s.Bytes())
	return err
}

func padded(text string, width int) string {
	return text + strings.Repeat(" ", max(1, width-utf8.RuneCountInString(text)))
}

// Explain writes a page about one check.
func Explain(w io.Writer, c check.Check, o Options) error {
	s := &screen{width: o.Width, color: o.Color}
	s.line(s.paint(bold, c.Title))
	s.line(s.paint(dim, c.ID+" · "+string(c.Severity)+" · "+c.Reference))
	s.line("")
	s.paragraph("", c.Why)
	for _, b := range blocks(c.Explain) {
		s.line("")
		s.paragraph("", b.Text)
		for _, line := range b.Lines {
			s.line("    " + line)
		}
	}
	_, err := w.Write(s.Bytes())
	return err
}

const pageHead = `# What each finding means

` + "`gatepost check DOMAIN`" + ` names what it finds by the ids below, and ` + "`gatepost check --explain ID`" + ` prints what stands here about one.
[check.md](check.md) says how to use it. An *error* is something that does not work, or not as its owner thinks; a *warning* works, and
should be better; *info* is worth knowing; *unknown* means that no answer could be had, and nothing is concluded from that.

This page is made from the program: ` + "`go run ./cmd/gatepost check --list --format markdown >docs/findings.md`" + `.
`

var areaNames = map[facts.Area]string{
	facts.SPF: "SPF", facts.DKIM: "DKIM", facts.DMARC: "DMARC", facts.MX: "Mail servers", facts.TLS: "TLS of mail servers", facts.DNSSEC: "DNSSEC",
	facts.DANE: "DANE", facts.STS: "MTA-STS", facts.TLSRPT: "TLS reports", facts.BIMI: "BIMI",
}

// Catalogue writes a document about all checks, in Markdown. The id of each is its anchor.
func Catalogue(w io.Writer, all []check.Check) error {
	var b strings.Builder
	b.WriteString(pageHead)
	for _, area := range facts.Areas {
		fmt.Fprintf(&b, "\n## %s\n", areaNames[area])
		for _, c := range all {
			if audit.AreaOf(c.ID) == area {
				entry(&b, &c)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func entry(b *strings.Builder, c *check.Check) {
	fmt.Fprintf(b, "\n### %s\n\n", c.ID)
	b.WriteString(wrapMarkdown(fmt.Sprintf("**%s** (%s, %s). %s", escape(c.Title), c.Severity, escape(c.Reference), escape(c.Why))))
	for _, part := range blocks(c.Explain) {
		if part.Text != "" {
			b.WriteString("\n" + wrapMarkdown(escape(part.Text)))
		}
		if len(part.Lines) > 0 {
			b.WriteString("\n" + fence(part.Lines))
		}
	}
}

// IDs are the ids of some checks.
func IDs(all []check.Check) []string {
	var ids []string
	for _, c := range all {
		ids = append(ids, c.ID)
	}
	slices.Sort(ids)
	return ids
}
