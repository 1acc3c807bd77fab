// Package tlsrpt reads and writes the record by which a domain asks to be told when mail could not be handed to it over TLS: SMTP TLS
// Reporting (RFC 8460 3). It is a TXT record at _smtp._tls:
//
//	r, err := tlsrpt.Parse("v=TLSRPTv1; rua=mailto:tls@example.com")
//	if err != nil { … } // a *SyntaxError
//	fmt.Println(r.RUA) // [mailto:tls@example.com]
//
// The reports themselves are read by the package report/tlsrpt.
package tlsrpt

import (
	"fmt"
	"strconv"
	"strings"
)

// Prefix are the labels below a domain at which its record is.
const Prefix = "_smtp._tls"

const version = "v=TLSRPTv1"

// A Record is what a domain says (RFC 8460 3).
type Record struct {
	RUA        []string // URIs that reports go to, mailto and https
	Extensions []Field  // fields that the standard does not know, in their order
	Warnings   []string // what was odd and is ignored
}

// A Field is one name with its value.
type Field struct{ Name, Value string }

// A SyntaxError says where and why a text is no record.
type SyntaxError struct {
	Pos    int // in bytes from the beginning of the text
	Reason string
}

func (e *SyntaxError) Error() string { return e.Reason }

// Bounds of what is kept of one record.
const (
	maxFields   = 64
	maxURIs     = 20
	maxWarnings = 16
)

// IsRecord tells whether a text claims to be a record: whether it begins with v=TLSRPTv1, in that case of letters. Others at the same
// name are passed over.
func IsRecord(txt string) bool {
	rest, ok := strings.CutPrefix(txt, version)
	rest = strings.TrimLeft(rest, " \t")
	return ok && (rest == "" || rest[0] == ';')
}

// Parse reads a record. The error is a [*SyntaxError]: one URI that is none makes the whole record unusable, since that is what the
// grammar says.
func Parse(txt string) (*Record, error) {
	if !IsRecord(txt) {
		return nil, &SyntaxError{0, "does not begin with v=TLSRPTv1;"}
	}
	r := &Record{}
	seen := false
	for _, f := range fields(txt) {
		name, value, ok := strings.Cut(f.text, "=")
		switch {
		case !ok:
			return nil, &SyntaxError{f.pos, shown(f.text) + " is no field: it has no ="}
		case name == "rua" && seen:
			r.warn("rua stands twice: the first counts")
		case name == "rua":
			seen = true
			if err := r.uris(value, f.pos+len("rua=")); err != nil {
				return nil, err
			}
		case !isName(name):
			return nil, &SyntaxError{f.pos, shown(name) + " is no name of a field"}
		case !isExtension(value):
			return nil, &SyntaxError{f.pos, fmt.Sprintf("%s=%s: the value has characters that it must not have", name, shown(value))}
		case len(r.Extensions) < maxFields:
			r.Extensions = append(r.Extensions, Field{name, value})
			if strings.EqualFold(name, "rua") {
				r.warn("%s: the name is rua, in small letters", shown(name))
			}
		}
	}
	if !seen {
		return nil, &SyntaxError{len(txt), "rua is missing"}
	}
	return r, nil
}

// uris reads where reports go.
func (r *Record) uris(value string, pos int) error {
	for part := range strings.SplitSeq(value, ",") {
		uri := strings.Trim(part, " \t")
		if err := CheckURI(uri); err != nil {
			return &SyntaxError{pos, err.Error()}
		}
		if len(r.RUA) == maxURIs {
			r.warn("rua names more than %d URIs; the first are used", maxURIs)
			return nil
		}
		r.RUA = append(r.RUA, uri)
		pos += len(part) + 1
	}
	return nil
}

func (r *Record) warn(format string, args ...any) {
	if len(r.Warnings) < maxWarnings {
		r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
	}
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

// isName follows the grammar of a field's name: a letter or digit, and up to 31 more with "_", "-" and "." among them.
func isName(s string) bool {
	if s == "" || len(s) > 32 || !isAlphanumeric(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && c != '_' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	lower := c | 0x20
	return 'a' <= lower && lower <= 'z' || '0' <= c && c <= '9'
}

// isExtension is for visible ASCII without "=" and ";".
func isExtension(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '=' || c == ';' {
			return false
		}
	}
	return s != ""
}

// shown is a piece of a text, fit for a message: quoted, and cut where it is long.
func shown(s string) string {
	const most = 60
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "…"
	}
	return strconv.QuoteToASCII(s)
}

// String is the record as it is published.
func (r *Record) String() string {
	var b strings.Builder
	b.WriteString(version + "; rua=" + strings.Join(r.RUA, ","))
	for _, f := range r.Extensions {
		b.WriteString("; " + f.Name + "=" + f.Value)
	}
	return b.String()
}
