package aggregate

import (
	"strconv"
	"strings"
)

// A liberty is one that the reader takes.
type liberty uint8

const (
	wCharset liberty = iota
	wDoctype
	wPrologue
	wRootSpelling
	wNamespace
	wNamespaces
	wPrefix
	wSpelling
	wUnknown
	wForeign
	wTwice
	wAgain
	wStray
	wEndTag
	wUnclosed
	wMarkup
	wCharacter
	wInvalid
	wControl
	wLong
	wSpace
	wCase
	wWord
	wEmpty
	wMissing
	wLeftOut
	wNumber
	wZero
	wFraction
	wDate
	wDateForm
	wNoAddress
	wMapped
	wZeros
	wBrackets
	wMailbox
	wPlaceholder
	wTooMany
	wReasonType
	wReasonText
	wNewElement
	wVersion
	wSame
	wReversed
	wLongPeriod
	wFuture
	wAfter
	wExtension
	wNoNamespace
	wOverflow
)

// texts are how each liberty is told: {element} is where, {value} the value in quotes.
var texts = [...]string{
	wCharset:      "the encoding {value} is not the document's, or not known: read as UTF-8",
	wDoctype:      "a document type: passed over, with all it declares",
	wPrologue:     "{element} before the feedback: passed over",
	wRootSpelling: "the feedback element is called {value}",
	wNamespace:    "the namespace {value} is no standard's",
	wNamespaces:   "too many namespaces are declared: the others are not known",
	wPrefix:       "the prefix {element} is not declared: taken for the report's own",
	wSpelling:     "{element} is called {value}",
	wUnknown:      "{element}: an element that does not belong there, {value}: left out",
	wForeign:      "{element}: an element of another namespace, {value}, which does not belong there: left out",
	wTwice:        "{element} a second time: left out",
	wAgain:        "{element} a second time: only what the first left open is taken",
	wStray:        "{element}: text between its elements, {value}: left out",
	wEndTag:       "an end of {value}, which has not begun: passed over",
	wUnclosed:     "{element} does not end: taken to end where what it is in does, or the next begins",
	wMarkup:       "{element}: an element within text, {value}: kept as text",
	wCharacter:    "{element}: a bare {value}: kept as text",
	wInvalid:      "{element}: not UTF-8: read as windows-1252",
	wControl:      "{element}: a character that XML cannot hold: left out",
	wLong:         "{element}: a text that is too long: cut off",
	wSpace:        "{element}: space around the value: removed",
	wCase:         "{element} {value}: read in lower case",
	wWord:         "{element} {value}: no value that a standard knows: kept as it came",
	wEmpty:        "{element} is empty",
	wMissing:      "no {element}",
	wLeftOut:      "no {element}: left out",
	wNumber:       "{element} {value}: no number of messages: read as 0",
	wZero:         "{element} is 0: counts nothing",
	wFraction:     "{element} {value}: a fraction: cut off",
	wDate:         "{element} {value}: no time: left out",
	wDateForm:     "{element} {value}: not in seconds since 1970",
	wNoAddress:    "{element} {value} is no address: left out",
	wMapped:       "{element} {value}: read as the IPv4 address that it stands for",
	wZeros:        "{element} {value}: read as decimal numbers",
	wBrackets:     "{element} {value}: read without the brackets",
	wMailbox:      "{element}: an address where a domain belongs: only its domain is kept",
	wPlaceholder:  "{element} {value}: stands for no domain: kept as it came",
	wTooMany:      "{element}: too many: the others are left out",
	wReasonType:   "{element}: text where an element belongs, {value}: read as the type",
	wReasonText:   "{element}: text where an element belongs, {value}: read as the comment",
	wNewElement:   "{element}: an element of RFC 9990, without its namespace",
	wVersion:      "{element} {value} is no standard's",
	wSame:         "date_range: begins when it ends",
	wReversed:     "date_range: ends before it begins",
	wLongPeriod:   "date_range: covers {element} days",
	wFuture:       "date_range: ends in the future",
	wAfter:        "something after the end of the feedback: passed over",
	wExtension:    "an extension, {element}, that is too large or no XML: left out",
	wNoNamespace:  "an extension, {element}, without a namespace",
	wOverflow:     "further kinds of warnings: not kept",
}

// A warnKey is what makes warnings the same: then they are one, which is counted.
type warnKey struct {
	kind         liberty
	where, value string
}

const maxShown = 80 // bytes of a value in a warning

// warn notes a liberty.
func (r *Reader) warn(kind liberty, where, value string) {
	if r.quiet {
		return
	}
	if len(value) > maxShown {
		value = value[:maxShown] + "…"
	}
	key := warnKey{kind, where, value}
	if kind == wSpace { // one of its kind is enough
		key.where = ""
	}
	i, ok := r.warned[key]
	if !ok {
		if len(r.warnings) >= r.opt.MaxWarnings && kind != wOverflow {
			r.warn(wOverflow, "", "")
			return
		}
		text := strings.NewReplacer("{element}", where, "{value}", strconv.Quote(value)).Replace(texts[kind])
		if r.warned == nil {
			r.warned = map[warnKey]int{}
		}
		i = len(r.warnings)
		r.warned[key] = i
		r.warnings = append(r.warnings, Warning{Record: r.inRecord, Line: r.lex.line(), Text: text})
	}
	r.warnings[i].Times++
}
