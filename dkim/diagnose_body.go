package dkim

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"slices"
	"strings"
)

const (
	maxFooterLines = 500 // that are taken off the end, or from before a boundary
	maxBannerLines = 60  // that are taken off the top
	maxBoundaries  = 8   // before which lines are taken off, the last ones first
	bodyRounds     = 4   // times the body's size that one such search may hash, beside the body itself
)

// explainBody says why the body hash does not match.
func (d *diagnosis) explainBody() string {
	limit := d.sig.BodyLength
	switch {
	case limit > d.octets: // RFC 6376 3.5, l=
		return fmt.Sprintf("the body was cut short in transit: %d octets of it were signed, and %d arrived", limit, d.octets)
	case d.length > int64(len(d.body)):
		return fmt.Sprintf("the body was changed; its first %d octets alone are kept to find out how, and it has %d", len(d.body), d.length)
	case d.isHash(nil) || d.isHash(crlf):
		return "the signature is over an empty body: all of the body was added after it was made"
	case d.octets <= 2 && len(bytes.Trim(d.body, "\r\n")) == 0:
		return "the body is empty, and was not when it was signed: it was lost in transit"
	}
	for _, search := range []func() string{
		d.withoutFooter, d.otherBytes, d.otherForm, d.withoutLimit, d.withoutPartFooter, d.unwrapped, d.withoutBanner,
	} {
		if found := search(); found != "" {
			return found
		}
	}
	if d.short {
		return "the body was changed; " + tooLong
	}
	return fmt.Sprintf("the body was changed; not by a footer of up to %d lines or a text put on top of it, "+
		"nor in its line ends, white space, dots or transfer encoding", maxFooterLines)
}

var crlf = []byte("\r\n")

// isHash tells whether bh= is the hash of this text.
func (d *diagnosis) isHash(text []byte) bool {
	sum := sha256.Sum256(text)
	return bytes.Equal(sum[:], d.sig.BodyHash)
}

// A collector takes what would be hashed, in place of a hash.
type collector struct{ text []byte }

func (c *collector) Write(p []byte) (int, error) { c.text = append(c.text, p...); return len(p), nil }
func (c *collector) Sum(b []byte) []byte         { return b }
func (c *collector) Reset()                      { c.text = c.text[:0] }
func (c *collector) Size() int                   { return 0 }
func (c *collector) BlockSize() int              { return 1 }

// canonicalText is the canonical form of a body, of which each line ends in CRLF and the last is not empty. Taking lines out of it gives
// the canonical form of the body without them, but for empty lines at the end.
func canonicalText(c Canon, body []byte) []byte {
	to := &collector{text: make([]byte, 0, len(body)+2)}
	s := &stream{canon: c, hash: to}
	s.want(-1)
	s.write(body)
	s.close()
	return to.text
}

// form is the canonical form of the body under what c= says.
func (d *diagnosis) form() []byte {
	if d.text == nil {
		d.text = canonicalText(d.sig.Canonicalization.Body, d.body)
	}
	return d.text
}

// fits tells whether bh= is the hash of a body in canonical form, of as much of it as l= says.
func (d *diagnosis) fits(parts ...[]byte) bool {
	h, left := sha256.New(), d.sig.BodyLength
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	if !d.spend(size) {
		return false
	}
	for _, p := range parts {
		if left >= 0 {
			p = p[:min(int64(len(p)), left)]
			left -= int64(len(p))
		}
		h.Write(p)
	}
	return left <= 0 && bytes.Equal(h.Sum(nil), d.sig.BodyHash)
}

// withoutFooter tries the body without its last lines, with l= left aside. Hashing goes on from line to line, so that the many bodies
// cost little more than one.
func (d *diagnosis) withoutFooter() string {
	text := d.form()
	end := d.cut(text, 0, lastLines(text, len(text), true), nil)
	if end < 0 {
		return ""
	}
	return fmt.Sprintf("the body verifies without its last %s, added in transit", describe(text[end:]))
}

// cut finds the first of some ends, in ascending order, such that text[start:end] and the tail make up what was signed; or -1.
func (d *diagnosis) cut(text []byte, start int, ends []int, tail []byte) int {
	if len(ends) == 0 {
		return -1
	}
	afford := (bodyRounds*len(text) + 1<<16) / (len(tail) + 2*sha256.BlockSize)
	if len(ends) > afford {
		ends = ends[len(ends)-afford:]
	}
	if len(ends) == 0 || !d.spend(len(text)+len(ends)*(len(tail)+2*sha256.BlockSize)) {
		return -1
	}
	h := sha256.New()
	var sum [sha256.Size]byte
	for _, end := range ends {
		h.Write(text[start:end])
		start = end
		if bytes.Equal(sumWith(h, tail, sum[:0]), d.sig.BodyHash) {
			return end
		}
	}
	return -1
}

// sumWith is the sum of what was hashed and of p, and leaves the hash as it is.
func sumWith(h hash.Hash, p, sum []byte) []byte {
	clone, err := h.(hash.Cloner).Clone()
	if err != nil {
		panic(err) // SHA-256 can always be cloned
	}
	clone.Write(p)
	return clone.Sum(sum)
}

// lastLines gives the places in text[:end] at which a line begins, of the last lines, in ascending order. With filled, places after
// an empty line are left out: what ends there has the canonical form of what ends above.
func lastLines(text []byte, end int, filled bool) []int {
	var ends []int
	for at := end; at > 0 && len(ends) < maxFooterLines; {
		at = lineStart(text, at)
		if !filled || at >= 2 && lineStart(text, at) < at-2 {
			ends = append(ends, at)
		}
	}
	slices.Reverse(ends)
	return ends
}

// lineStart is where the line begins that ends at end.
func lineStart(text []byte, end int) int {
	if i := bytes.LastIndex(text[:max(end-2, 0)], crlf); i >= 0 {
		return i + 2
	}
	return 0
}

// describe counts lines and quotes the first that are not empty.
func describe(lines []byte) string {
	const most = 3
	var quoted []string
	for line := range strings.SplitSeq(string(lines[:min(len(lines), 4<<10)]), "\r\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if len(quoted) == most {
			quoted = append(quoted, "…")
			break
		}
		quoted = append(quoted, quote(line))
	}
	count := plural(bytes.Count(lines, crlf), "line")
	if len(quoted) == 0 {
		return count
	}
	return fmt.Sprintf("%s (%s)", count, strings.Join(quoted, ", "))
}

// otherForm tries the canonical form that c= does not name, without its last lines too.
func (d *diagnosis) otherForm() string {
	is, other, fault := d.sig.Canonicalization.Body, Simple, "the signer is at fault"
	if is == Simple {
		other, fault = Relaxed, "the signer is at fault, or white space was added in transit"
	}
	text := canonicalText(other, d.body)
	if d.fits(text) {
		return fmt.Sprintf("the body verifies as %s, though c= says %s: %s", other, is, fault)
	}
	if end := d.cut(text, 0, lastLines(text, len(text), true), nil); end >= 0 {
		return fmt.Sprintf("the body verifies as %s, though c= says %s, and without its last %s, added in transit", other, is, describe(text[end:]))
	}
	return ""
}

// withoutLimit tries the whole body where l= asks for its beginning.
func (d *diagnosis) withoutLimit() string {
	text := d.form()
	if d.sig.BodyLength < 0 || !d.spend(len(text)) || !d.isHash(text) {
		return ""
	}
	return fmt.Sprintf("the body verifies as a whole, all its %d octets, though l= says %d: the signer is at fault", d.octets, d.sig.BodyLength)
}
