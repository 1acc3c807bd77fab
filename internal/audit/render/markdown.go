package render

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/show"
)

func writeMarkdown(w io.Writer, r Result, first bool) error {
	var b strings.Builder
	if !first {
		b.WriteString("\n---\n\n")
	}
	v := ViewOf(r)
	fmt.Fprintf(&b, "# %s: grade %s\n\n%s, checked %s.\n", escape(v.Domain), escape(v.Grade), v.Counts, v.Checked)
	if v.Silent {
		b.WriteString("\nIt is judged as a domain that sends no mail.\n")
	}
	if v.First != "" {
		fmt.Fprintf(&b, "\n**What to do first:** %s\n", escape(v.First))
	}
	if v.Since != nil {
		fmt.Fprintf(&b, "\n%s\n", escape(v.Since.Summary()))
		for i, f := range v.Since.Mended {
			if i == 0 {
				b.WriteString("\n")
			}
			fmt.Fprintf(&b, "- mended: %s (%s, %s)\n", escape(f.Title), escape(f.ID), escape(f.Subject))
		}
	}
	for _, g := range v.Groups {
		fmt.Fprintf(&b, "\n## %s\n", g.Heading)
		for _, f := range g.Items {
			markdownFinding(&b, &f)
		}
	}
	if len(v.Tree) > 0 {
		b.WriteString("\n## What the SPF record lets in\n\n" + fence(v.Tree))
	}
	if len(v.Publish) > 0 {
		b.WriteString("\n## All of it at once\n")
		markdownRecords(&b, v.Publish)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func markdownFinding(b *strings.Builder, f *Item) {
	fmt.Fprintf(b, "\n### %s\n\n", escape(f.Title))
	if f.New {
		b.WriteString("**New.** ")
	}
	fmt.Fprintf(b, "[%s](%s), at %s. %s\n", escape(f.ID), PageOf(f.ID), escape(f.Subject), escape(f.Detail))
	if f.Why != "" {
		b.WriteString("\n" + escape(f.Why) + "\n")
	}
	if len(f.Advice) > 0 {
		b.WriteString("\n" + markdownBlocks(f.Advice))
	}
	markdownRecords(b, f.Records)
	if f.Reference != "" {
		fmt.Fprintf(b, "\nSee %s.\n", escape(f.Reference))
	}
}

func markdownRecords(b *strings.Builder, all []Record) {
	for _, r := range all {
		if len(r.Lines) == 0 {
			fmt.Fprintf(b, "\n%s.\n", escape(r.Do))
			continue
		}
		fmt.Fprintf(b, "\n%s:\n\n%s", escape(r.Do), fence(r.Lines))
		if r.Whole != "" {
			fmt.Fprintf(b, "\nThe same text in one piece, for a form:\n\n%s", fence([]string{r.Whole}))
		}
	}
}

func markdownBlocks(all []Block) string {
	var parts []string
	for _, block := range all {
		if block.Text != "" {
			parts = append(parts, escape(block.Text)+"\n")
		}
		if len(block.Lines) > 0 {
			parts = append(parts, fence(block.Lines))
		}
	}
	return strings.Join(parts, "\n")
}

// fence sets lines apart as they are, between more back-ticks than any of them holds.
func fence(lines []string) string {
	ticks := "```"
	for text := strings.Join(lines, "\n"); strings.Contains(text, ticks); {
		ticks += "`"
	}
	return ticks + "\n" + strings.Join(lines, "\n") + "\n" + ticks + "\n"
}

var (
	markdownSigns = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`, "|", `\|`,
		"~", `\~`, "&", `\&`, "$", `\$`, "#", `\#`, "://", `:\//`)
	bareLink    = regexp.MustCompile(`(?i)\bwww\.`)
	mention     = regexp.MustCompile(`(^|[^\pL\pN])@([\pL\pN])`)
	listOpening = regexp.MustCompile(`^(\d{1,9})([.)])|^([-+=])`)
)

// escape keeps a text from being anything but text: no link that a stranger chose, nobody called by name, no list at its beginning.
func escape(s string) string {
	s = markdownSigns.Replace(s)
	s = bareLink.ReplaceAllStringFunc(s, func(www string) string { return www[:3] + `\.` })
	s = mention.ReplaceAllString(s, "$1@<!-- -->$2")
	return listOpening.ReplaceAllStringFunc(s, func(m string) string { return m[:len(m)-1] + `\` + m[len(m)-1:] })
}

// markdownWidth is how long the lines of the documents are.
const markdownWidth = 130

// wrapMarkdown breaks a text that is escaped. What a line must not begin with is escaped there as well.
func wrapMarkdown(s string) string {
	lines := show.Wrap(s, markdownWidth)
	for i := range lines {
		lines[i] = listOpening.ReplaceAllStringFunc(lines[i], func(m string) string { return m[:len(m)-1] + `\` + m[len(m)-1:] })
	}
	return strings.Join(lines, "\n") + "\n"
}
