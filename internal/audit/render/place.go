package render

import (
	"bufio"
	"io"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

// Places are the lines of a master file at which the records of each name begin.
type Places map[string][]place

type place struct {
	line int
	text string // the line, in capitals
}

// maxZoneLine bounds a line of a master file.
const maxZoneLine = 1 << 20

// ReadPlaces finds out what stands where in a master file (RFC 1035 5.1). It judges nothing: what it does not understand it passes over.
func ReadPlaces(r io.Reader) Places {
	all := Places{}
	origin, owner := "", ""
	depth := 0
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxZoneLine)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		begins := depth == 0
		depth = max(0, depth+parentheses(line))
		words := strings.Fields(line)
		if !begins || len(words) == 0 || strings.HasPrefix(words[0], ";") {
			continue
		}
		switch first := strings.ToLower(words[0]); {
		case first == "$origin" && len(words) > 1:
			origin = absolute(words[1], origin)
			continue
		case strings.HasPrefix(first, "$"):
			continue
		case line[0] != ' ' && line[0] != '\t':
			owner = absolute(first, origin)
		}
		all[owner] = append(all[owner], place{n, strings.ToUpper(line)})
	}
	return all
}

// absolute is a name of a master file, in lower case and without a final dot.
func absolute(name, origin string) string {
	name = strings.ToLower(name)
	switch {
	case name == "@":
		return origin
	case strings.HasSuffix(name, "."):
		return strings.TrimSuffix(name, ".")
	case origin == "":
		return name
	}
	return name + "." + origin
}

// parentheses is how many more are opened in a line than are closed, outside of texts and comments.
func parentheses(line string) int {
	depth := 0
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ';':
			return depth
		case c == '(':
			depth++
		case c == ')':
			depth--
		}
	}
	return depth
}

// line is where a finding is best shown: at the record that is to go, at one of the kind that its area is about, or at its name's first;
// 0 where the file has nothing of the name.
func (p Places) line(f *audit.Finding) int {
	typ, begins := "TXT", ""
	switch f.Area {
	case facts.SPF:
		begins = "V=SPF1"
	case facts.DMARC:
		begins = "V=DMARC1"
	case facts.MX, facts.TLS:
		typ = "MX"
	case facts.DANE:
		typ = "TLSA"
	case facts.DNSSEC:
		typ = "NS"
	}
	name := f.Subject
	if len(f.Changes) > 0 && len(p[f.Changes[0].Name]) > 0 {
		name, typ = f.Changes[0].Name, f.Changes[0].Type
	}
	best, line := -1, 0
	for _, at := range p[name] {
		score := 0
		if hasWord(at.text, typ) {
			score++
			if begins != "" && strings.Contains(at.text, begins) {
				score++
			}
		}
		if score > best {
			best, line = score, at.line
		}
	}
	return line
}

// hasWord tells whether a word stands in a line before any text.
func hasWord(line, word string) bool {
	before, _, _ := strings.Cut(line, `"`)
	for w := range strings.FieldsSeq(before) {
		if w == word {
			return true
		}
	}
	return false
}
