package mtasts

import (
	"fmt"
	"strings"
)

const version = "v=STSv1"

// IsRecord tells whether a text claims to be a record: whether it begins with v=STSv1, in that case of letters. Others at the same name
// are passed over (RFC 8461 3.1).
func IsRecord(txt string) bool {
	rest, ok := strings.CutPrefix(txt, version)
	rest = strings.TrimLeft(rest, " \t")
	return ok && (rest == "" || rest[0] == ';')
}

// ParseRecord reads a record. The error is a [*SyntaxError].
func ParseRecord(txt string) (*Record, error) {
	if !IsRecord(txt) {
		return nil, &SyntaxError{0, "does not begin with v=STSv1;"}
	}
	r := &Record{}
	seen := false
	for _, f := range fields(txt) {
		name, value, ok := strings.Cut(f.text, "=")
		switch {
		case !ok:
			return nil, &SyntaxError{f.pos, shown(f.text) + " is no field: it has no ="}
		case name == "id" && seen:
			r.Warnings = warn(r.Warnings, "id stands twice: the first counts") // RFC 8461 3.2, at its end
		case name == "id":
			if !IsID(value) {
				return nil, &SyntaxError{f.pos, fmt.Sprintf("id=%s: an id has 1 to 32 letters and digits, and nothing else", shown(value))}
			}
			r.ID, seen = value, true
		case !isName(name):
			return nil, &SyntaxError{f.pos, shown(name) + " is no name of a field"}
		case !isExtension(value):
			return nil, &SyntaxError{f.pos, fmt.Sprintf("%s=%s: the value has characters that it must not have", name, shown(value))}
		case len(r.Extensions) < maxFields:
			r.Extensions = append(r.Extensions, Field{name, value})
			if strings.EqualFold(name, "id") {
				r.Warnings = warn(r.Warnings, "%s: the name is id, in small letters", shown(name))
			}
		}
	}
	if !seen {
		return nil, &SyntaxError{len(txt), "id is missing"}
	}
	return r, nil
}

// IsID tells whether a text can be an id: 1 to 32 letters and digits.
func IsID(s string) bool {
	for i := range len(s) {
		if !isAlphanumeric(s[i]) {
			return false
		}
	}
	return 1 <= len(s) && len(s) <= 32
}

// isExtension follows sts-ext-value: visible ASCII without "=" and ";".
func isExtension(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '=' || c == ';' {
			return false
		}
	}
	return s != ""
}

type field struct {
	text string // without the white space around it
	pos  int
}

// fields cuts what stands behind the version at semicolons. The last may be empty: a record may end in one.
func fields(txt string) []field {
	var all []field
	pos := strings.IndexByte(txt, ';') + 1
	for pos > 0 && pos <= len(txt) {
		end := strings.IndexByte(txt[pos:], ';')
		if end < 0 {
			end = len(txt) - pos
		}
		part := txt[pos : pos+end]
		text := strings.TrimLeft(part, " \t")
		at := pos + len(part) - len(text)
		text = strings.TrimRight(text, " \t")
		pos += end + 1
		if text != "" || pos <= len(txt) {
			all = append(all, field{text, at})
		}
	}
	return all
}

// String is the record as it is published.
func (r *Record) String() string {
	var b strings.Builder
	b.WriteString(version + "; id=" + r.ID + ";")
	for _, f := range r.Extensions {
		b.WriteString(" " + f.Name + "=" + f.Value + ";")
	}
	return b.String()
}
