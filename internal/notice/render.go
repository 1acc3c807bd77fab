package notice

import (
	"bytes"
	_ "embed"
	"html/template"
	"strings"
	"sync"
	"unicode/utf8"
)

// columns is how wide lines of text are: mail programs quote them.
const columns = 72

// text is the page as plain text.
func (p *page) text() string {
	var b strings.Builder
	paragraph := func(s string) { b.WriteString(wrap(s, "") + "\n\n") }
	code := func(s string) {
		for line := range strings.SplitSeq(s, "\n") {
			b.WriteString("    " + line + "\n") // never broken: it is to be copied
		}
		b.WriteString("\n")
	}
	paragraph(p.Greeting)
	for _, s := range p.Happened {
		paragraph(s)
	}
	for _, x := range p.Blocks {
		b.WriteString(x.Heading + "\n" + strings.Repeat("-", utf8.RuneCountInString(x.Heading)) + "\n\n")
		if x.Text != "" {
			paragraph(x.Text)
		}
		if len(x.Rows) > 0 {
			for _, r := range x.Rows {
				b.WriteString(wrap(r.Line, "    ") + "\n")
			}
			b.WriteString("\n")
		}
		for _, line := range x.Lines {
			b.WriteString("  * " + wrap(line, "    ")[len("    "):] + "\n")
		}
		if len(x.Lines) > 0 {
			b.WriteString("\n")
		}
		if x.Code != "" {
			code(x.Code)
		}
		for _, s := range x.After {
			paragraph(s)
		}
		if x.More != "" {
			code(x.More)
		}
	}
	b.WriteString(p.Regards + "\n" + strings.Join(p.Signed, "\n") + "\n")
	return b.String()
}

// wrap breaks a text at its spaces, each line after an indent. A space that does not break stays.
func wrap(s, indent string) string {
	var b strings.Builder
	b.WriteString(indent)
	length := utf8.RuneCountInString(indent)
	for i, word := range strings.Split(s, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case i > 0 && length+1+n > columns:
			b.WriteString("\n" + indent)
			length = utf8.RuneCountInString(indent)
		case i > 0:
			b.WriteByte(' ')
			length++
		}
		b.WriteString(word)
		length += n
	}
	return b.String()
}

//go:embed letter.gohtml
var letterHTML string

var letter = sync.OnceValue(func() *template.Template { return template.Must(template.New("letter").Parse(letterHTML)) })

// html is the page as HTML that fetches nothing and has no link: a letter of a stranger's whose links one is to follow is what
// everybody is warned of.
func (p *page) html() (string, error) {
	var b bytes.Buffer
	err := letter().Execute(&b, p)
	return b.String(), err
}
