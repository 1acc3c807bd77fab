package aggregate

import (
	"bytes"
	"fmt"
)

// A set is one of elements.
type set uint64

func (s *set) add(e element) (first bool) {
	first = *s&(1<<e) == 0
	*s |= 1 << e
	return first
}

func (s set) has(e element) bool { return s&(1<<e) != 0 }

// node finds the next token within the element that is being read: its end, the start of a child, or text. Tags need not match: an end
// tag ends all that has begun since its start, and one without a start is passed over.
func (r *Reader) node() token {
	for r.err == nil {
		if r.close > 0 {
			r.close--
			r.leave()
			return tokenEnd
		}
		if n := len(r.bound); n > 0 && r.bound[n-1].depth > len(r.ends) {
			r.undeclare(len(r.ends))
		}
		switch t := r.lex.scan(); t {
		case tokenEOF:
			r.cutOff()
		case tokenEnd:
			if string(r.lex.name) == string(r.top()) {
				r.leave()
				return tokenEnd
			}
			r.mismatch()
		case tokenStart:
			if len(r.lex.attrs) > 0 {
				r.declare(len(r.ends) + 1)
			}
			return t
		default:
			return t
		}
	}
	return tokenEOF
}

// child finds the next element within the one that is being read, or its end. After an error it is the end, so that whoever reads
// need not look.
func (r *Reader) child(where string) element {
	for {
		if len(r.stray) == 0 && r.close == 0 {
			r.lex.skipSpace()
		}
		switch r.node() {
		case tokenEOF, tokenEnd:
			r.between(where)
			return end
		case tokenStart:
			r.between(where)
			e, spelt := lookup(r.lex.local())
			if !r.mine() {
				return foreign
			}
			if r.resume(e) {
				continue
			}
			if !spelt {
				r.warn(wSpelling, names[e], string(r.lex.local()))
			}
			return e
		default:
			if !r.quiet && !r.full {
				text := r.lex.text
				if len(r.stray) == 0 {
					text = bytes.TrimLeft(text, " \t\r\n")
				}
				var o odd
				r.stray, o = appendText(r.stray, text, r.opt.MaxText)
				r.full = o.long
			}
		}
	}
}

// depths are how many elements the large parts of a report are in. They show where one is in a report whose end tags do not.
var depths = [elements]int{reportMetadata: 1, policyPublished: 1, record: 1, row: 2, identifiers: 2, authResults: 2}

// resume ends whatever has not ended, and should have before the element whose start tag has just been found. It is then found again.
func (r *Reader) resume(e element) bool {
	depth := depths[e]
	if depth == 0 || len(r.ends) <= depth || depth == 2 && string(r.openedLocal(1)) != names[record] {
		return false
	}
	quiet := r.quiet
	r.quiet = false
	r.warn(wUnclosed, shown(r.top()), "")
	r.quiet = quiet
	r.lex.unread()
	r.close = len(r.ends) - depth
	return true
}

// between deals with text where only elements belong. A reason's is looked at when it ends.
func (r *Reader) between(where string) {
	if len(r.stray) == 0 || where == "reason" || r.quiet {
		return
	}
	if text := bytes.TrimSpace(r.stray); len(text) > 0 {
		r.warn(wStray, where, shown(text))
	}
	r.stray, r.full = r.stray[:0], false
}

// top is the name of the element that is being read.
func (r *Reader) top() []byte { return r.opened(len(r.ends) - 1) }

func (r *Reader) opened(i int) []byte {
	from := 0
	if i > 0 {
		from = r.ends[i-1]
	}
	return r.open[from:r.ends[i]]
}

// openedLocal is the same without prefix. It is not searched for: an end tag is compared with the names of all that has begun.
func (r *Reader) openedLocal(i int) []byte { return r.open[r.local[i]:r.ends[i]] }

// enter begins to read the element whose start tag has just been found.
func (r *Reader) enter() {
	if len(r.ends) == maxDepth {
		r.fail(fmt.Errorf("%w: %d", ErrTooDeep, maxDepth))
		return
	}
	r.local = append(r.local, len(r.open)+r.lex.colon)
	r.open = append(r.open, r.lex.name...)
	r.ends = append(r.ends, len(r.open))
	if r.lex.empty {
		r.close = 1
	}
}

// leave ends the element that is being read.
func (r *Reader) leave() {
	r.ends = r.ends[:len(r.ends)-1]
	r.local = r.local[:len(r.ends)]
	n := 0
	if len(r.ends) > 0 {
		n = r.ends[len(r.ends)-1]
	}
	r.open = r.open[:n]
}

// mismatch deals with an end tag that is not that of the element being read.
func (r *Reader) mismatch() {
	i := r.isOpen()
	if i < 0 {
		r.warn(wEndTag, "", shown(r.lex.name))
		return
	}
	if string(r.openedLocal(len(r.ends)-1)) != string(r.lex.local()) {
		r.warn(wUnclosed, shown(r.top()), "")
	}
	r.close = len(r.ends) - i
}

// isOpen gives the place among the elements that have begun of the innermost that the end tag just scanned can end, or -1.
func (r *Reader) isOpen() int {
	for i := len(r.ends) - 1; i >= 0; i-- {
		if string(r.openedLocal(i)) == string(r.lex.local()) {
			return i
		}
	}
	return -1
}

// skip passes over the element whose start tag has just been found.
func (r *Reader) skip() {
	depth, quiet := len(r.ends), r.quiet
	r.quiet = true
	r.enter()
	for r.err == nil && len(r.ends) > depth {
		if r.child("") != end {
			r.enter()
		}
	}
	r.quiet = quiet
}

// unexpected deals with an element that does not belong where it stands.
func (r *Reader) unexpected(e element, where string, skip bool) {
	kind := wUnknown
	if e == foreign {
		kind = wForeign
	}
	r.warn(kind, where, shown(r.lex.name))
	if skip {
		r.skip()
	}
}

// first reports whether an element is there for the first time, and passes over any other.
func (r *Reader) first(s *set, e element, where string) bool {
	if s.add(e) {
		return true
	}
	r.warn(wTwice, where, "")
	r.skip()
	return false
}

// isSpace tells whether text is nothing but what stands between elements to be read more easily.
func isSpace(text []byte) bool {
	for _, c := range text {
		if class[c]&space == 0 {
			return false
		}
	}
	return true
}

// shown is a piece of the document for a warning.
func shown(b []byte) string {
	if len(b) > maxShown+1 { // warn marks it as cut off
		b = b[:maxShown+1]
	}
	return string(b)
}
