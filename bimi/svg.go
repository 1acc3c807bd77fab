package bimi

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

const (
	svgSpace   = "http://www.w3.org/2000/svg"
	xlinkSpace = "http://www.w3.org/1999/xlink"
	xmlSpace   = "http://www.w3.org/XML/1998/namespace"

	maxDepth  = 64
	maxFaults = 20 // that are told
)

// allowed are the elements of SVG Tiny 1.2 that are left in SVG Tiny PS: no pictures, no links, no scripts, nothing that moves or sounds.
var allowed = map[string]bool{
	"svg": true, "g": true, "defs": true, "title": true, "desc": true, "metadata": true, "use": true, "path": true, "rect": true, "circle": true,
	"ellipse": true, "line": true, "polyline": true, "polygon": true, "text": true, "textArea": true, "tspan": true, "tbreak": true,
	"linearGradient": true, "radialGradient": true, "stop": true, "solidColor": true, "font": true, "font-face": true, "font-face-src": true,
	"glyph": true, "missing-glyph": true, "hkern": true,
}

// running are elements that run scripts, or hold what does.
var running = map[string]bool{"script": true, "handler": true, "listener": true, "foreignObject": true, "iframe": true}

// fixed are attributes of the document that, if they are there, have one value.
var fixed = map[string]string{
	"zoomAndPan": "disable", "externalResourcesRequired": "false", "focusable": "false", "snapshotTime": "none", "playbackOrder": "all",
	"timelineBegin": "onLoad",
}

// CheckLogo holds a logo, compressed or not, to SVG Tiny Portable/Secure. It gives what is wrong, at most some twenty things, and nothing
// where all is well. A document type is a fault of its own, and ends the reading: what it declares is never expanded.
func CheckLogo(file []byte) []Fault {
	svg, err := Unpack(file)
	if err == errUnpacked {
		return []Fault{{TooLarge, err.Error()}}
	} else if err != nil {
		return []Fault{{NotSVG, err.Error()}}
	}
	l := &logo{}
	if len(svg) > MaxLogo {
		l.fault(TooLarge, "it has %d bytes, and %d are allowed", len(svg), MaxLogo)
	}
	if len(svg) > maxRead {
		return l.faults
	}
	l.read(svg)
	return l.faults
}

type logo struct {
	faults []Fault
	path   []string // the elements that are open
	root   bool     // was seen
	titles int
	text   strings.Builder // of the title or the description that is open
}

func (l *logo) fault(kind Kind, format string, args ...any) {
	f := Fault{kind, fmt.Sprintf(format, args...)}
	for _, known := range l.faults {
		if known == f {
			return
		}
	}
	if len(l.faults) < maxFaults || !has(l.faults, kind) { // each kind is told, whatever came before
		l.faults = append(l.faults, f)
	}
}

// read goes through the document once, and stops where it is none.
func (l *logo) read(svg []byte) {
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			l.fault(NotSVG, "line %d: it is not well-formed XML in UTF-8", lineOf(d))
			return
		}
		switch token := token.(type) {
		case xml.Directive:
			l.fault(NotSVG, "line %d: it has a document type, which may declare anything", lineOf(d))
			return
		case xml.ProcInst:
			if token.Target != "xml" {
				l.fault(External, "line %d: it has the instruction %s", lineOf(d), name(token.Target))
			}
		case xml.StartElement:
			if len(l.path) == maxDepth {
				l.fault(NotSVG, "line %d: elements within elements, more than %d deep", lineOf(d), maxDepth)
				return
			}
			l.start(token)
			l.path = append(l.path, token.Name.Local)
		case xml.EndElement:
			l.end()
		case xml.CharData:
			if l.in("title") || l.in("desc") {
				l.text.Write(token)
			}
		}
	}
	switch {
	case !l.root:
		l.fault(NotSVG, "there is no element in it")
	case l.titles == 0:
		l.fault(NoTitle, "it has no title")
	case l.titles > 1:
		l.fault(NoTitle, "it has %d titles", l.titles)
	}
}

func lineOf(d *xml.Decoder) int {
	line, _ := d.InputPos()
	return line
}

// in tells whether an element is the one that is open, and a child of the document.
func (l *logo) in(element string) bool { return len(l.path) == 2 && l.path[1] == element }

func (l *logo) start(e xml.StartElement) {
	element := e.Name.Local
	switch {
	case len(l.path) == 0 && (element != "svg" || e.Name.Space != svgSpace):
		l.root = true
		l.fault(NotSVG, "it begins with the element %s, not with svg of %s", name(element), svgSpace)
	case len(l.path) == 0:
		l.root = true
		l.document(e)
	case running[element]:
		l.fault(Script, "it has the element %s", name(element))
	case e.Name.Space != svgSpace:
		l.fault(Profile, "it has the element %s, which is not SVG", name(element))
	case element == "svg" || !allowed[element]:
		l.fault(Profile, "it has the element %s, which the profile leaves out", name(element))
	}
	for _, a := range e.Attr {
		l.attribute(element, a)
	}
	l.text.Reset()
}

func (l *logo) end() {
	text := strings.TrimSpace(l.text.String())
	switch {
	case l.in("title"):
		if l.titles++; text == "" {
			l.fault(NoTitle, "its title is empty")
		}
	case l.in("desc") && text == "":
		l.fault(Profile, "its description is empty")
	}
	l.path = l.path[:len(l.path)-1]
}

// document holds the outermost element to what it must and must not have.
func (l *logo) document(e xml.StartElement) {
	values := map[string]string{}
	for _, a := range e.Attr {
		if a.Name.Space == "" {
			values[a.Name.Local] = a.Value
		}
	}
	for _, must := range [][2]string{{"version", "1.2"}, {"baseProfile", "tiny-ps"}} {
		if got, ok := values[must[0]]; !ok {
			l.fault(Profile, "it does not say %s=%q", must[0], must[1])
		} else if got != must[1] {
			l.fault(Profile, "it says %s=%s, not %q", must[0], name(got), must[1])
		}
	}
	for _, not := range []string{"x", "y"} {
		if _, ok := values[not]; ok {
			l.fault(Profile, "the element svg has the attribute %s", not)
		}
	}
	for attribute, value := range fixed {
		if got, ok := values[attribute]; ok && got != value {
			l.fault(Profile, "it says %s=%s, where only %q is allowed", attribute, name(got), value)
		}
	}
	l.viewBox(values["viewBox"])
}

// viewBox tells the shape: four numbers, the last two of which are width and height.
func (l *logo) viewBox(text string) {
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == '\n' || r == '\r' })
	var numbers []float64
	for _, p := range parts[:min(len(parts), 5)] {
		if n, err := strconv.ParseFloat(p, 64); err == nil && !math.IsInf(n, 0) && !math.IsNaN(n) {
			numbers = append(numbers, n)
		}
	}
	switch {
	case text == "":
		l.fault(Profile, "it has no viewBox")
	case len(numbers) != 4 || len(parts) != 4 || numbers[2] <= 0 || numbers[3] <= 0:
		l.fault(Profile, "its viewBox is %s, not four numbers", name(text))
	case numbers[2] != numbers[3]:
		l.fault(NotSquare, "its viewBox is %g wide and %g high", numbers[2], numbers[3])
	}
}

// attribute looks for what leads out of the document, or runs.
func (l *logo) attribute(element string, a xml.Attr) {
	attribute := a.Name.Local
	switch {
	case a.Name.Space == "xmlns" || a.Name.Space == "" && attribute == "xmlns":
		return
	case len(attribute) > 2 && strings.EqualFold(attribute[:2], "on"):
		l.fault(Script, "the element %s has the attribute %s", name(element), name(attribute))
	case attribute == "href" || attribute == "src":
		if !strings.HasPrefix(strings.TrimSpace(a.Value), "#") {
			l.fault(External, "the element %s refers to %s", name(element), name(a.Value))
		}
	case attribute == "base" && a.Name.Space == xmlSpace:
		l.fault(External, "the element %s has an xml:base", name(element))
	case a.Name.Space == "" && attribute == "style":
		l.fault(Profile, "the element %s has a style", name(element))
	case a.Name.Space != "" && a.Name.Space != xmlSpace && a.Name.Space != xlinkSpace:
		l.fault(Profile, "the element %s has the attribute %s, which is not SVG", name(element), name(attribute))
	}
	if to, ok := leadsOut(a.Value); ok {
		l.fault(External, "the element %s refers to %s", name(element), name(to))
	}
}

// leadsOut finds a url(…) that is not one of a place in the same document, and a script in the place of an address.
func leadsOut(value string) (string, bool) {
	lower := strings.ToLower(value)
	if strings.HasPrefix(strings.TrimSpace(lower), "javascript:") {
		return value, true
	}
	for rest := lower; ; {
		i := strings.Index(rest, "url(")
		if i < 0 {
			return "", false
		}
		rest = rest[i+len("url("):]
		if to := strings.TrimLeft(rest, " \t\r\n\"'"); !strings.HasPrefix(to, "#") {
			return to, true
		}
	}
}

// name makes a stranger's word fit to be told.
func name(s string) string {
	const most = 60
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strconv.QuoteToASCII(s)
}
