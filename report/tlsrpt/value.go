package tlsrpt

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatepost-mail/gatepost/dns"
)

// string1 takes a string; null is an empty one.
func (r *reader) string1(place, name string) (string, error) {
	c, err := r.peek()
	if err != nil {
		return "", err
	}
	if c == '{' || c == '[' {
		r.warn("%s: %s is no string: left out", place, name)
		return "", r.skip()
	}
	text, quoted, err := r.scalar()
	switch {
	case err != nil:
		return "", err
	case !quoted && (text == "null" || text == "None"):
		return "", nil
	case !quoted:
		r.warn("%s: %s is no string", place, name)
	case r.cut:
		r.warn("%s: %s has more than %d bytes: the rest is left out", place, name, r.o.TextBytes)
	}
	return r.fit(text, short), nil
}

// short is the length of what is kept whatever room there is: of domains and words, without which the sessions would be another's.
const short = 100

// fit makes text fit to keep, as long as there is room for it, or it is no longer than so much.
func (r *reader) fit(text string, always int) string {
	text = clip(clean(strings.TrimSpace(text)), r.o.TextBytes)
	if len(text) > r.o.Kept-r.kept && len(text) > always {
		if !r.full {
			r.full = true
			r.warn("the report has more than %d bytes of text: the rest is left out", r.o.Kept)
		}
		return ""
	}
	r.kept += len(text)
	return text
}

// strings takes a list of strings. An object in it is kept as JSON, which some put there.
func (r *reader) strings(place, name string) ([]string, error) {
	var list []string
	err := r.listOr(place, name, func() error {
		c, err := r.peek()
		if err != nil {
			return err
		}
		var text string
		if c == '{' || c == '[' {
			r.warn("%s: %s holds JSON", place, name)
			if text, err = r.raw(); err != nil {
				return err
			}
		} else {
			var quoted bool
			if text, quoted, err = r.scalar(); err != nil {
				return err
			}
			if quoted && strings.HasPrefix(strings.TrimSpace(text), "{") {
				r.warn("%s: %s holds JSON", place, name)
			}
			if quoted && r.cut {
				r.warn("%s: %s has a text of more than %d bytes: the rest is left out", place, name, r.o.TextBytes)
			}
			if !quoted && text == "null" {
				return nil
			}
		}
		for line := range strings.Lines(text) {
			if line = r.fit(line, 0); line == "" {
				continue
			}
			if len(list) == r.o.Values {
				r.warn("%s: %s has more than %d values: the rest is left out", place, name, r.o.Values)
				return nil
			}
			list = append(list, line)
		}
		return nil
	})
	return list, err
}

// raw takes a value as it is written.
func (r *reader) raw() (string, error) {
	var b strings.Builder
	depth := 0
	inString, escaped := false, false
	for {
		c, err := r.next()
		if err != nil {
			return "", err
		}
		if b.Len() < r.o.TextBytes && c >= ' ' {
			b.WriteByte(c)
		}
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; r.depth+depth > r.max {
				return "", r.fail("values within values, too deep")
			}
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return strings.ToValidUTF8(b.String(), "\ufffd"), nil
			}
		}
	}
}

// count takes a number of sessions, in whichever way it is written.
func (r *reader) count(place, name string) (int64, error) {
	c, err := r.peek()
	if err != nil {
		return 0, err
	}
	if c == '{' || c == '[' {
		r.warn("%s: %s is no number: taken for 0", place, name)
		return 0, r.skip()
	}
	text, quoted, err := r.scalar()
	if err != nil {
		return 0, err
	}
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
		if quoted {
			r.warn("%s: %s is a string", place, name)
		}
		return n, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > 1<<53 {
		r.warn("%s: %s is %.40q: taken for 0", place, name, text)
		return 0, nil
	}
	r.warn("%s: %s is %.40q: taken for %d", place, name, text, int64(f))
	return int64(f), nil
}

// word is in lower case if it is known, and as it came if not.
func (r *reader) word(place, name, text string, words []string) string {
	if lower := strings.ToLower(text); slices.Contains(words, lower) {
		return lower
	}
	if text != "" {
		r.warn("%s: %s %.60q is not known: kept as it came", place, name, text)
	}
	return text
}

func (r *reader) domain(place, name, text string) string {
	if domain, err := dns.ToASCII(text); err == nil && domain != "" {
		return domain
	}
	r.warn("%s: %s %.100q is no domain: kept as it came", place, name, text)
	return text
}

func (r *reader) ip(place, name, text string) netip.Addr {
	ip, err := netip.ParseAddr(strings.Trim(text, "[] "))
	if err != nil {
		r.warn("%s: %s %.60q is no address: left out", place, name, text)
		return netip.Addr{}
	}
	return ip.Unmap().WithZone("")
}

// date reads a date of RFC 3339, or what is written in its place.
func (r *reader) date(name, text string) time.Time {
	upper := strings.ToUpper(text)
	if t, err := time.Parse(time.RFC3339Nano, upper); err == nil && t.UTC().Year() >= 1970 && t.UTC().Year() < 9999 {
		return t.UTC()
	}
	r.warn("%s %.60q is not in the form of RFC 3339", name, text)
	day := time.Duration(0)
	if strings.Contains(upper, "T24:00:00") { // a day's end, as drafts of RFC 8460 had it
		upper, day = strings.Replace(upper, "T24:", "T00:", 1), 24*time.Hour
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700",
		"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05-0700", "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01-02Z"} {
		if t, err := time.Parse(layout, upper); err == nil && t.Year() >= 1970 && t.Year() < 9998 {
			return t.Add(day).UTC()
		}
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 && n < 1<<36 {
		return time.Unix(n, 0).UTC()
	}
	r.warn("%s %.60q is no date: left out", name, text)
	return time.Time{}
}

// clean makes valid UTF-8 without control characters: each of what is not stands as U+FFFD.
func clean(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
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
	return strings.TrimSpace(s[:n])
}
