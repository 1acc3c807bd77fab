package failure

import (
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"
)

// text makes a value fit to keep: on one line, valid UTF-8, without control characters, and not too long.
func (r *reader) text(name, value string) string {
	if len(value) > r.o.TextBytes {
		value = clip(value, r.o.TextBytes)
		r.warn("%s has more than %d bytes: the rest is left out", clip(name, 100), r.o.TextBytes)
	}
	return clip(clean(unfold(value)), r.o.TextBytes)
}

// unfold makes one space of each run of white space, line ends among it, and none of that at the ends.
func unfold(s string) string {
	return strings.Join(strings.FieldsFunc(s, isSpace), " ")
}

func isSpace(c rune) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// clean makes valid UTF-8 without control characters: each of what is not stands as U+FFFD.
func clean(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 || c == 0x2028 || c == 0x2029 {
			return utf8.RuneError
		}
		return c
	}, s)
}

// clip cuts s to n bytes at most, and not within a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.TrimRight(s[:n], " ")
}

// bare is a value without comments (RFC 5322 3.2.2) and white space around it.
func bare(value string) string {
	value = unfold(value)
	if !strings.Contains(value, "(") {
		return strings.Trim(value, "; ")
	}
	var b strings.Builder
	depth, inQuotes := 0, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\' && i+1 < len(value):
			if depth == 0 {
				b.WriteString(value[i : i+2])
			}
			i++
		case c == '"' && depth == 0:
			inQuotes = !inQuotes
			b.WriteByte(c)
		case c == '(' && !inQuotes:
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth == 0:
			b.WriteByte(c)
		}
	}
	return strings.Trim(unfold(b.String()), "; ")
}

// address takes the angle brackets off; "<>" stays.
func address(value string) string {
	if i := strings.LastIndexByte(value, '<'); i >= 0 && strings.HasSuffix(value, ">") {
		value = value[i+1 : len(value)-1]
		if strings.TrimSpace(value) == "" {
			return "<>"
		}
	}
	return strings.TrimSpace(brackets.Replace(value))
}

var brackets = strings.NewReplacer("<", "", ">", "")

// unquote takes a quoted string apart (RFC 5322 3.2.4), and joins several as the strings of a DNS record are joined. What is not quoted
// from its beginning to its end is left alone.
func unquote(value string) string {
	var b strings.Builder
	rest := value
	for {
		quoted, ok := strings.CutPrefix(rest, `"`)
		if !ok {
			return value
		}
		i := 0
		for ; i < len(quoted) && quoted[i] != '"'; i++ {
			if quoted[i] == '\\' && i+1 < len(quoted) {
				i++
			}
			b.WriteByte(quoted[i])
		}
		if i == len(quoted) {
			return value
		}
		if rest = strings.TrimLeft(quoted[i+1:], " "); rest == "" {
			return unfold(b.String())
		}
	}
}

// quote is the opposite of unquote.
func quote(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}

// zones are the names of RFC 5322 4.3 and others that are seen. time.Parse takes each of them for UTC.
var zones = map[string]string{
	"UT": "+0000", "UTC": "+0000", "GMT": "+0000", "Z": "+0000", "EST": "-0500", "EDT": "-0400", "CST": "-0600", "CDT": "-0500",
	"MST": "-0700", "MDT": "-0600", "PST": "-0800", "PDT": "-0700", "CET": "+0100", "CEST": "+0200", "BST": "+0100", "JST": "+0900", "MSK": "+0300",
}

var dateLayouts = []string{
	time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05",
	"Mon Jan _2 15:04:05 2006", "Mon Jan _2 15:04:05 -0700 2006", "Mon Jan _2 15:04:05 2006 -0700", "Mon, 2 Jan 2006 15:04:05", "2 Jan 2006 15:04:05",
}

// date reads a date (RFC 5322 3.3), or what is written in its place.
func (r *reader) date(name, value string) time.Time {
	text := clip(bare(clip(value, 200)), 100)
	date, zone := text, ""
	if i := strings.LastIndexByte(text, ' '); i >= 0 {
		last := strings.ToUpper(text[i+1:])
		if offset, ok := zones[last]; ok {
			date = text[:i] + " " + offset
		} else if len(last) >= 2 && len(last) <= 5 && strings.Trim(last, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
			date, zone = text[:i]+" +0000", last
		}
	}
	t, err := mail.ParseDate(date)
	if err != nil {
		for _, layout := range dateLayouts {
			if t, err = time.Parse(layout, date); err == nil {
				break
			}
		}
		if err == nil {
			r.warn("%s %.60q is not in the form of RFC 5322", name, text)
		}
	}
	if err != nil || t.Year() < 1970 || t.Year() > 9998 {
		r.warn("%s %.60q is no date: left out", name, text)
		return time.Time{}
	}
	if zone != "" {
		r.warn("%s is in the unknown time zone %q: taken for UTC", name, zone)
	}
	return t.UTC().Truncate(time.Second)
}

// lines makes text of several lines fit to print: valid UTF-8, and no control characters but the tab and the line end.
func lines(s string) string {
	return strings.Map(func(c rune) rune {
		if c == '\n' || c == '\t' || c == '\r' {
			return c
		}
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return utf8.RuneError
		}
		return c
	}, s)
}
