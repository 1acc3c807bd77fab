package digest

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/gatepost-mail/gatepost/internal/chart"
	"github.com/gatepost-mail/gatepost/internal/insight"
)

// columns is how wide a text is: what quoting adds still fits into a terminal.
const columns = 72

// text is the page for who reads no HTML.
func (p *page) text(days []insight.Day) string {
	t := &texter{}
	t.line(p.Title)
	t.line(p.Period)
	for i := range p.Blocks {
		t.block(&p.Blocks[i], days)
	}
	t.line("")
	t.line("-- ")
	if p.Link != "" {
		t.line("Dashboard: " + p.Link)
	}
	t.wrap("", p.Footer)
	return t.b.String()
}

type texter struct{ b strings.Builder }

func (t *texter) line(s string) {
	if s != "-- " {
		s = strings.TrimRight(s, " ")
	}
	t.b.WriteString(s + "\n")
}

// wrap writes a text in lines that each begin with an indent. A word that is longer than a line has one of its own.
func (t *texter) wrap(indent, s string) {
	line := ""
	for _, word := range strings.Fields(s) {
		switch {
		case line == "":
			line = word
		case width(indent)+width(line)+1+width(word) > columns:
			t.line(indent + line)
			line = word
		default:
			line += " " + word
		}
	}
	if line != "" {
		t.line(indent + line)
	}
}

func width(s string) int { return utf8.RuneCountInString(s) }

func (t *texter) block(b *block, days []insight.Day) {
	t.line("")
	if b.Heading != "" {
		t.line(strings.ToUpper(b.Heading))
	}
	for _, s := range b.Stats {
		line := fmt.Sprintf("%-12s %12s", s.Label, s.Value)
		if s.Note != "" {
			line += "   " + s.Note
		}
		t.line(line)
	}
	t.wrap("", b.Text)
	if s := b.Step; s != nil {
		head := "NEXT STEP"
		if s.Domain != "" {
			head += " · " + s.Domain
		}
		t.line(head)
		t.wrap("  ", s.Text)
		if s.Value != "" {
			t.line("")
			t.line("  " + s.Type + " record at " + s.Name)
			t.line("  " + s.Value) // to be copied, and so one line
		}
		if s.Docs != "" && !strings.Contains(s.Text, s.Docs) {
			t.line("  " + s.Docs)
		}
	}
	if b.Trend {
		t.trend(days)
	}
	for i := range b.Rows {
		t.row(&b.Rows[i])
	}
	for _, line := range b.Lines {
		t.item(line)
	}
	if b.More != "" {
		t.wrap("  ", b.More)
	}
}

func (t *texter) item(s string) {
	var inner texter
	inner.wrap("  ", s)
	text := inner.b.String()
	t.b.WriteString("-" + text[min(1, len(text)):])
}

// The columns of a row, from the right.
const (
	shareColumn = 9
	countColumn = 13
)

func (t *texter) row(r *row) {
	name := r.Name
	if r.Tag != "" {
		name += " (" + r.Tag + ")"
	}
	if r.Domain != "" {
		name += ", " + r.Domain
	}
	right := fmt.Sprintf("%*s%*s", countColumn, r.Count, shareColumn, r.Share)
	room := columns - width(right)
	if width(name) > room {
		var inner texter
		inner.wrap("", name)
		lines := strings.Split(strings.TrimSuffix(inner.b.String(), "\n"), "\n")
		for _, line := range lines[:len(lines)-1] {
			t.line(line)
		}
		if name = lines[len(lines)-1]; width(name) > room {
			t.line(name)
			name = ""
		}
	}
	t.line(name + strings.Repeat(" ", room-width(name)) + right)
	t.wrap("    ", r.Reason)
	t.wrap("    ", r.Advice)
}

// trend writes a bar a day; of more days than fit, a bar for each seven.
func (t *texter) trend(days []insight.Day) {
	step, label, left := 1, "2 Jan", len("22 Nov")
	if len(days) > 14 {
		step, label, left = 7, "from 2 Jan", len("from 22 Nov")
	}
	type bar struct {
		label string
		day   insight.Day
	}
	var bars []bar
	most := int64(1)
	for end := len(days); end > 0; end -= step {
		sum := insight.Day{Day: days[max(0, end-step)].Day}
		for _, d := range days[max(0, end-step):end] {
			sum.Passed += d.Passed
			sum.Forwarded += d.Forwarded
			sum.Misconfigured += d.Misconfigured
			sum.Unknown += d.Unknown
			sum.Abuse += d.Abuse
		}
		bars = append([]bar{{sum.Day.Format(label), sum}}, bars...)
		most = max(most, sum.Messages())
	}
	const numbers = 10 + 9
	room := columns - left - 2 - numbers - 1
	for _, b := range bars {
		share := ""
		if n := b.day.Messages(); n > 0 {
			share = insight.Percent(float64(b.day.Passed) * 100 / float64(n))
		}
		t.line(fmt.Sprintf("%*s  %-*s %10s%9s", left, b.label, room, barOf(b.day, most, room), insight.Number(b.day.Messages()), share))
	}
	var legend []string
	for _, part := range chart.Parts {
		legend = append(legend, string(part.Mark)+" "+part.Name)
	}
	t.wrap("", strings.Join(legend, "   "))
}

// barOf draws a day. What there is of a part shows, however little.
func barOf(d insight.Day, most int64, room int) string {
	if d.Messages() == 0 {
		return ""
	}
	length := max(1, int(d.Messages()*int64(room)/most))
	var marks []byte
	for _, part := range chart.Parts[1:] {
		n := part.Of(d)
		if n == 0 {
			continue
		}
		marks = append(marks, strings.Repeat(string(part.Mark), max(1, int(n*int64(length)/d.Messages())))...)
	}
	if d.Passed == 0 {
		length = len(marks)
	}
	passed := length - len(marks)
	if d.Passed > 0 {
		passed = max(1, passed)
	}
	return strings.Repeat(string(chart.Parts[0].Mark), passed) + string(marks)
}
