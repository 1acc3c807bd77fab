package render

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/show"
)

// A screen is what a terminal shows.
type screen struct {
	bytes.Buffer
	width int
	color bool
}

// The colours, by what they mean.
const (
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
	cyan   = "\x1b[36m"
	dim    = "\x1b[2m"
	bold   = "\x1b[1m"
	plain  = "\x1b[0m"
)

var toneColors = map[string]string{"good": green, "fair": yellow, "bad": red, "unknown": cyan}

var marks = map[check.Severity]struct{ sign, color string }{
	check.Error: {"✗", red}, check.Warning: {"!", yellow}, check.Unknown: {"?", cyan}, check.Info: {"·", dim},
}

// letters are the grades, to be seen from afar.
var letters = map[check.Grade][3]string{
	check.A:         {"▄▀▀▄", "█▄▄█", "█  █"},
	check.AMinus:    {"▄▀▀▄", "█▄▄█ ▄▄", "█  █"},
	check.B:         {"█▀▀▄", "█▀▀▄", "█▄▄▀"},
	check.C:         {"▄▀▀▄", "█", "▀▄▄▀"},
	check.D:         {"█▀▀▄", "█  █", "█▄▄▀"},
	check.F:         {"█▀▀▀", "█▀▀", "█"},
	check.Undecided: {"▄▀▀▄", "  ▄▀", "  ▄"},
}

// writeText writes a screen about one report.
func writeText(w io.Writer, r Result, first bool, o Options) error {
	s := &screen{width: o.Width, color: o.Color}
	if !first {
		s.line("")
		s.line(s.paint(dim, strings.Repeat("─", s.width)))
		s.line("")
	}
	s.report(ViewOf(r))
	_, err := w.Write(s.Bytes())
	return err
}

func (s *screen) report(v *View) {
	s.head(v)
	if v.Silent {
		s.line("")
		s.paragraph("", "It is judged as a domain that sends no mail.")
	}
	if v.First != "" {
		s.heading("What to do first")
		s.paragraph("", v.First)
	}
	if v.Since != nil {
		s.changed(v.Since)
	}
	for _, g := range v.Groups {
		s.heading(g.Heading)
		for i, f := range g.Items {
			if i > 0 {
				s.gap()
			}
			s.finding(&f)
		}
	}
	if len(v.Tree) > 0 {
		s.heading("What the SPF record lets in")
		for _, line := range v.Tree {
			s.line("  " + line)
		}
	}
	if len(v.Publish) > 0 {
		s.heading("All of it at once")
		s.records(v.Publish)
	}
	if len(v.Groups) > 0 {
		s.gap()
		s.paragraph("", "More about a finding: gatepost check --explain "+v.Groups[0].Items[0].ID)
	}
}

// head writes the grade beside the domain.
func (s *screen) head(v *View) {
	color := toneColors[v.Tone]
	lines := [3]string{s.paint(bold, v.Domain), s.paint(color, "Grade "+v.Grade) + "   " + v.Counts, s.paint(dim, "checked "+v.Checked)}
	glyph, ok := letters[check.Grade(v.Grade)]
	for i, line := range lines {
		if ok {
			const column = 8
			line = s.paint(color, glyph[i]) + strings.Repeat(" ", column-utf8.RuneCountInString(glyph[i])) + line
		}
		s.line("  " + line)
	}
}

func (s *screen) changed(c *since) {
	s.line("")
	s.paragraph("", c.Summary())
	for _, f := range c.Mended {
		s.line("  " + s.paint(green, "✓") + " mended: " + f.Title)
		s.line("    " + s.paint(dim, show.Elide(f.ID+" · "+f.Subject, s.width-4)))
	}
}

func (s *screen) heading(text string) {
	s.gap()
	s.line(s.paint(bold, text))
	s.line("")
}

func (s *screen) finding(f *Item) {
	mark := marks[f.Severity]
	titles := show.Wrap(f.Title, s.width-utf8.RuneCountInString("✗  (new)"))
	for i, title := range titles {
		head, end := "  ", ""
		if i == 0 {
			head = s.paint(mark.color, mark.sign) + " "
		}
		if f.New && i == len(titles)-1 {
			end = " " + s.paint(yellow, "(new)")
		}
		s.line(head + s.paint(bold, title) + end)
	}
	s.line("  " + s.paint(dim, show.Elide(f.ID+" · "+f.Subject, s.width-2)))
	s.paragraph("  ", s.narrow(f.Detail))
	s.paragraph("  ", f.Why)
	s.blocks("  ", f.Advice)
	s.records(f.Records)
	if f.Reference != "" {
		for _, line := range show.Wrap("See "+f.Reference+".", s.width-2) {
			s.line("  " + s.paint(dim, line))
		}
	}
}

// records writes what is to be published, each set apart and from the left margin on: lines of a master file that are copied with white
// space before them would be read as another name's.
func (s *screen) records(all []Record) {
	for _, r := range all {
		if len(r.Lines) == 0 {
			s.paragraph("  ", r.Do+".")
			continue
		}
		s.paragraph("  ", r.Do+":")
		s.copied(r.Lines...)
		if r.Whole != "" {
			s.line("  The same text in one piece, for a form:")
			s.copied(r.Whole)
		}
	}
}

// copied writes lines as they are.
func (s *screen) copied(lines ...string) {
	s.gap()
	for _, line := range lines {
		s.WriteString(s.paint(cyan, line) + "\n")
	}
	s.gap()
}

// blocks writes paragraphs, and lines that stand as they are.
func (s *screen) blocks(indent string, all []Block) {
	for _, b := range all {
		s.paragraph(indent, b.Text)
		for _, line := range b.Lines {
			s.line(indent + "  " + line)
		}
	}
}

// paragraph wraps a text.
func (s *screen) paragraph(indent, text string) {
	for _, line := range show.Wrap(text, s.width-len(indent)) {
		s.line(indent + line)
	}
}

// narrow takes the middle out of words that no line has room for.
func (s *screen) narrow(text string) string {
	words := strings.Fields(text)
	for i := range words {
		words[i] = show.Elide(words[i], s.width-2)
	}
	return strings.Join(words, " ")
}

func (s *screen) paint(color, text string) string {
	if !s.color || text == "" || color == "" {
		return text
	}
	return color + text + plain
}

// gap leaves one line empty, however many ask for it.
func (s *screen) gap() {
	if !bytes.HasSuffix(s.Bytes(), []byte("\n\n")) {
		s.line("")
	}
}

func (s *screen) line(text string) { s.WriteString(strings.TrimRight(text, " ") + "\n") }
