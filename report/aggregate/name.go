package aggregate

import (
	"errors"
	"fmt"
	"mime"
	"strconv"
	"strings"
	"time"
)

// A FileName is the name of the file that a report comes in (RFC 9990 3.5.2).
type FileName struct {
	Receiver   string // the reporter's domain
	Domain     string // the Policy Domain
	Begin, End time.Time
	ID         string // letters and digits; empty for none
	Gzip       bool
}

// String gives the name: receiver!policy-domain!begin!end!id.xml.gz. Characters that may not stand in a part are left out of it.
func (n FileName) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s!%s!%d!%d", domainOnly(n.Receiver), domainOnly(n.Domain), max(0, n.Begin.Unix()), max(0, n.End.Unix()))
	if id := only(n.ID, isAlphanumeric); id != "" {
		b.WriteString("!" + id)
	}
	b.WriteString(".xml")
	if n.Gzip {
		b.WriteString(".gz")
	}
	return b.String()
}

// ParseFileName reads the name of a report's file, with a path before it or not. RFC 7489's .zip is taken for .xml, and so is any other
// ending, or none: what the bytes are, they say themselves.
func ParseFileName(s string) (FileName, error) {
	base := s[strings.LastIndexAny(s, `/\`)+1:]
	parts := strings.Split(base, "!")
	last := len(parts) - 1
	if last != 3 && last != 4 {
		return FileName{}, fmt.Errorf("aggregate: file name %q: not receiver!policy-domain!begin!end", s)
	}
	var ending string
	parts[last], ending, _ = strings.Cut(parts[last], ".")
	n := FileName{Receiver: lower(parts[0]), Domain: lower(parts[1]), Gzip: strings.HasSuffix(strings.ToLower(ending), "gz")}
	if n.Receiver == "" || n.Domain == "" {
		return FileName{}, fmt.Errorf("aggregate: file name %q: an empty domain", s)
	}
	for i, t := range []*time.Time{&n.Begin, &n.End} {
		seconds, err := strconv.ParseInt(parts[2+i], 10, 64)
		if err != nil || seconds < 0 || seconds > maxSeconds {
			return FileName{}, fmt.Errorf("aggregate: file name %q: %q is no time", s, parts[2+i])
		}
		*t = time.Unix(seconds, 0).UTC()
	}
	if last == 4 {
		n.ID = parts[4]
	}
	return n, nil
}

// A Subject is that of the mail that a report comes in (RFC 9990 3.5.2).
type Subject struct {
	Domain    string // the Policy Domain
	Submitter string // the reporter's domain
	ReportID  string // without angle brackets; empty for none
}

// String gives the subject in one line: Report Domain: D Submitter: S Report-ID: <id>. Characters that may not stand in a part are left
// out of it, so that no line can end where it should not.
func (s Subject) String() string {
	text := "Report Domain: " + domainOnly(s.Domain) + " Submitter: " + domainOnly(s.Submitter)
	if id := only(s.ReportID, isReportIDByte); id != "" {
		text += " Report-ID: <" + id + ">"
	}
	return text
}

var errSubject = errors.New("aggregate: not the subject of a report")

// ParseSubject reads the value of a Subject field, folded and encoded (RFC 2047) or not. It takes what reporters write: the words in any
// case, semicolons after the values, and values in braces.
func ParseSubject(value string) (Subject, error) {
	if decoded, err := new(mime.WordDecoder).DecodeHeader(value); err == nil {
		value = decoded
	}
	var s Subject
	words := strings.FieldsFunc(value, func(c rune) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ';' })
	var to *string
	for i, w := range words {
		switch key := strings.ToLower(w); {
		case key == "domain:" && i > 0 && strings.EqualFold(words[i-1], "report"):
			to = &s.Domain
		case key == "submitter:":
			to = &s.Submitter
		case key == "report-id:":
			to = &s.ReportID
		case to != nil:
			if *to == "" {
				*to = strings.Trim(w, "<>{}")
			}
			to = nil
		}
	}
	s.Domain, s.Submitter = lower(s.Domain), lower(s.Submitter)
	if s.Domain == "" {
		return Subject{}, errSubject
	}
	return s, nil
}

// IsReportID tells whether an id has the form that one should have (RFC 9990 3.5.1): dot-atom-text, or two of them with an @ between.
func IsReportID(id string) bool {
	if rest, ok := strings.CutPrefix(id, "<"); ok {
		if id, ok = strings.CutSuffix(rest, ">"); !ok {
			return false
		}
	}
	left, right, two := strings.Cut(id, "@")
	return isDotAtom(left) && (!two || isDotAtom(right))
}

func isDotAtom(s string) bool {
	for _, atom := range strings.Split(s, ".") {
		if atom == "" || only(atom, isReportIDByte) != atom || strings.Contains(atom, "@") {
			return false
		}
	}
	return true
}

// only is what of a text fits.
func only(s string, fits func(byte) bool) string {
	var b []byte
	for i := 0; i < len(s); i++ {
		if fits(s[i]) {
			b = append(b, s[i])
		}
	}
	return string(b)
}

func domainOnly(s string) string {
	return lower(only(s, func(c byte) bool { return isAlphanumeric(c) || c == '.' || c == '-' || c == '_' }))
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// isReportIDByte is of RFC 5322's atext, the dot and the @.
func isReportIDByte(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~.@", c) >= 0
}

func lower(domain string) string { return strings.ToLower(strings.Trim(domain, ".")) }
