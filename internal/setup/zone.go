package setup

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// Zone writes the plan as lines of a master file (RFC 1035 5). What is there already is left out; what is to go, what has to be looked up
// first and what others publish are comments.
func (p *Plan) Zone() string {
	var b strings.Builder
	fmt.Fprintf(&b, "; Mail of %s.\n", p.Domain)
	for i := range p.Records {
		r := &p.Records[i]
		if r.There() || r.Type == publish.File {
			continue
		}
		b.WriteString(comment("; ", r))
		if r.Ready() {
			b.WriteString(r.Zone())
			continue
		}
		for line := range strings.Lines(plainly(r)) {
			b.WriteString("; " + line)
		}
	}
	return b.String()
}

// comment says what a record is for, what it takes the place of, and why it cannot be published as it is.
func comment(mark string, r *Record) string {
	var b strings.Builder
	b.WriteString("\n" + mark + r.For + ": " + oneLine(r.Why) + "\n")
	switch {
	case r.There():
		b.WriteString(mark + "published already\n")
	case r.Old != "" && r.New == "":
		b.WriteString(mark + "to be removed: " + oneLine(r.Old) + "\n")
	case r.Old != "":
		b.WriteString(mark + "in place of: " + oneLine(r.Old) + "\n")
	}
	switch {
	case r.Held != "":
		b.WriteString(mark + "not to be published as it is: " + oneLine(r.Held) + "\n")
	case len(r.Blanks) > 0:
		b.WriteString(mark + "what stands in braces is shown in the settings of " + oneLine(r.Service) + "\n")
	case r.Elsewhere != "":
		b.WriteString(mark + "published by the owner of " + r.Elsewhere + "\n")
	}
	return b.String()
}

// plainly is a record that is not to be read by a name server, for a comment.
func plainly(r *Record) string {
	if r.New == "" {
		return ""
	}
	if len(braces(r.Name)) > 0 {
		return fmt.Sprintf("%s %s %s\n", r.Name, r.Type, oneLine(r.New))
	}
	return r.Zone()
}

// oneLine keeps what was found in DNS within a comment.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}
