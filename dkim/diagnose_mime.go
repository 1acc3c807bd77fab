package dkim

import (
	"bytes"
	"fmt"
)

// withoutPartFooter tries the body without the last lines before a boundary of its parts. That is where a list puts its footer: at the
// end of a part, or as a part of its own before the last boundary.
func (d *diagnosis) withoutPartFooter() string {
	if d.sig.BodyLength >= 0 {
		return ""
	}
	text := d.form()
	for _, at := range boundaries(text) {
		// From a boundary in the middle the rest is long, so that fewer lines can be tried.
		if end := d.cut(text, 0, lastLines(text, at, false), text[at:]); end >= 0 {
			return fmt.Sprintf("the body verifies without the %s before the boundary %s, added in transit",
				describe(text[end:at]), quote(string(firstLine(text[at:]))))
		}
	}
	return ""
}

// unwrapped tries the first part of the body alone: a list that adds a footer to a message of one part makes it the first of two.
func (d *diagnosis) unwrapped() string {
	text := d.form()
	start := partStart(text)
	if start < 0 || d.sig.BodyLength >= 0 {
		return ""
	}
	boundary := firstLine(text)
	var ends []int
	for at := start; len(ends) < maxBoundaries; {
		i := bytes.Index(text[at:], append([]byte("\r\n"), boundary...))
		if i < 0 {
			break
		}
		at += i + 2
		ends = append(ends, filledEnd(text, start, at))
	}
	end := d.cut(text, start, ends, nil)
	if end < 0 {
		return ""
	}
	return fmt.Sprintf("the body verifies as the first part alone: it was wrapped in a multipart message in transit, to which were added %s",
		describe(text[end:]))
}

// filledEnd goes back from at over empty lines.
func filledEnd(text []byte, start, at int) int {
	for at-2 > start && lineStart(text, at) == at-2 {
		at -= 2
	}
	return at
}

// withoutBanner tries the body without its first lines, or without the first lines of its first part. For this the rest must be hashed
// anew each time; hence places after an empty line come first, and only so many.
func (d *diagnosis) withoutBanner() string {
	text := d.form()
	starts := []int{0}
	if start := partStart(text); start > 0 {
		starts = append(starts, start)
	}
	tries := bodyRounds * 4
	for _, emptyLines := range []bool{true, false} {
		for _, start := range starts {
			for n, at := 0, start; n < maxBannerLines && at < len(text) && tries > 0; n++ {
				line := firstLine(text[at:])
				at += len(line) + 2
				if (len(line) == 0) != emptyLines || at >= len(text) {
					continue
				}
				if tries--; d.fits(text[:start], text[at:]) {
					return fmt.Sprintf("the body verifies without the %s at its top, added in transit", describe(text[start:at]))
				}
			}
		}
		tries = bodyRounds * 4
	}
	return ""
}

// boundaries gives the places of lines that begin like a boundary (RFC 2046 5.1.1), the last first.
func boundaries(text []byte) []int {
	var places []int
	for end := len(text); end > 0 && len(places) < maxBoundaries; {
		i := bytes.LastIndex(text[:end], []byte("\r\n--"))
		if i < 0 {
			break
		}
		if end = i; isBoundary(firstLine(text[i+2:])) {
			places = append(places, i+2)
		}
	}
	return places
}

// partStart is where the body of the first part begins, in a body that begins with a boundary; or -1.
func partStart(text []byte) int {
	if !isBoundary(firstLine(text)) {
		return -1
	}
	i := bytes.Index(text, []byte("\r\n\r\n"))
	if i < 0 {
		return -1
	}
	return i + 4
}

// isBoundary tells a boundary from the line above a signature.
func isBoundary(line []byte) bool {
	return len(line) > 2 && string(line[:2]) == "--" && line[2] != ' '
}

func firstLine(text []byte) []byte {
	line, _, _ := bytes.Cut(text, crlf)
	return line
}
