package aggregate

import (
	"bytes"
	"slices"
)

const (
	maxAttributes = 32 // of an element of an extension
	xmlNamespace  = "http://www.w3.org/XML/1998/namespace"
)

// extension keeps the element whose start tag has just been found (RFC 9990 5). It is written anew, so that it stands for itself: every
// prefix that it uses is declared in it, and its tags match even where the document's do not.
func (r *Reader) extension(to *[]Extension) {
	if len(*to) == r.opt.MaxPerRecord {
		r.warn(wTooMany, "extension", "")
		r.skip()
		return
	}
	x := extractor{reader: r, outer: len(r.ends), out: r.ext[:0]}
	name := shown(r.lex.name)
	uri, _ := r.namespace(r.lex.prefix())
	found := Extension{Namespace: uri, Name: r.str.string(r.lex.local())}

	quiet := r.quiet
	r.quiet = true // text between elements is as it should be
	x.start()
	for r.err == nil && len(r.ends) > x.outer {
		switch t := r.node(); t {
		case tokenStart:
			x.start()
		case tokenEnd:
			x.end()
		case tokenEOF:
		default:
			x.text(r.lex.text)
		}
	}
	r.quiet = quiet
	r.ext = x.out[:0]
	if r.err != nil {
		return
	}
	if x.bad {
		r.warn(wExtension, name, "")
		return
	}
	if uri == "" {
		r.warn(wNoNamespace, name, "")
	}
	found.XML = x.whole()
	*to = append(*to, found)
}

// An extractor writes an extension as it is read.
type extractor struct {
	reader *Reader
	outer  int // how many elements it is in
	out    []byte
	names  [][]byte  // of its elements that have begun
	used   []binding // those from outside that it uses
	insert int       // where in out they are to be declared
	bad    bool      // it is too large, or no XML; it is read to its end all the same

	prefixed bool // whether its name is
}

// write appends, within the bound.
func (x *extractor) write(parts ...[]byte) {
	for _, p := range parts {
		if x.bad = x.bad || len(x.out)+len(p) > x.reader.opt.MaxExtension; !x.bad {
			x.out = append(x.out, p...)
		}
	}
}

// start writes a start tag, and begins its element.
func (x *extractor) start() {
	l := &x.reader.lex
	if !isName(l.name) {
		x.bad = true
	}
	if !x.bad {
		x.names = append(x.names, bytes.Clone(l.name))
		x.write([]byte("<"), l.name)
		if x.insert == 0 {
			x.insert = len(x.out)
			x.prefixed = l.colon > 0
		}
		x.use(l.prefix())
		x.attributes()
		x.write([]byte(">"))
	}
	x.reader.enter()
}

// attributes writes those of the tag.
func (x *extractor) attributes() {
	var had [][]byte
	eachAttribute(x.reader.lex.attrs, func(name, value []byte) {
		prefix, local, prefixed := bytes.Cut(name, []byte(":"))
		xmlns := string(name) == "xmlns" || prefixed && string(prefix) == "xmlns"
		switch {
		case x.bad:
			return
		case !isName(name), len(had) == maxAttributes, slices.ContainsFunc(had, func(b []byte) bool { return bytes.Equal(b, name) }):
			x.bad = true
			return
		case xmlns && prefixed && (len(value) == 0 || string(local) == "xmlns" || string(local) == "xml"):
			return
		case prefixed && !xmlns:
			x.use(prefix)
		}
		had = append(had, name)
		text, _ := appendText(nil, unescape(value), windowSize)
		x.write([]byte(" "), name, []byte(`="`), appendEscaped(nil, string(text)), []byte(`"`))
	})
}

// use notes a prefix whose declaration stands outside.
func (x *extractor) use(prefix []byte) {
	if string(prefix) == "xml" || slices.ContainsFunc(x.used, func(b binding) bool { return b.prefix == string(prefix) }) {
		return
	}
	bound := x.reader.bound
	for i := len(bound) - 1; i >= 0; i-- {
		if b := bound[i]; b.prefix == string(prefix) {
			if b.depth <= x.outer {
				x.used = append(x.used, b)
			}
			return
		}
	}
	x.used = append(x.used, binding{prefix: string(prefix)}) // nowhere
}

func (x *extractor) end() {
	if !x.bad {
		last := len(x.names) - 1
		x.write([]byte("</"), x.names[last], []byte(">"))
		x.names = x.names[:last]
	}
}

func (x *extractor) text(text []byte) {
	if !x.bad {
		clean, _ := appendText(nil, text, 3*windowSize)
		x.write(appendEscaped(nil, string(clean)))
	}
}

// whole is the extension with the declarations that it needs.
func (x *extractor) whole() string {
	var b []byte
	for _, u := range x.used {
		switch {
		case u.prefix != "" && u.uri == "":
			u.uri = "urn:undeclared:" + u.prefix // a prefix must stand for something
		case u.prefix == "" && u.uri == "" && !x.prefixed:
			continue // it has no namespace, and needs none
		}
		b = append(b, " xmlns"...)
		if u.prefix != "" {
			b = append(append(b, ':'), u.prefix...)
		}
		b = append(appendEscaped(append(b, `="`...), u.uri), '"')
	}
	return string(slices.Concat(x.out[:x.insert], b, x.out[x.insert:]))
}

// isName tells whether an extension may have this name: ASCII, with a prefix or without (Namespaces in XML 4).
func isName(name []byte) bool {
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		return isNCName(name[:i]) && isNCName(name[i+1:])
	}
	return isNCName(name)
}

func isNCName(name []byte) bool {
	for i, c := range name {
		if c >= 0x80 || c == ':' || class[c]&nameByte == 0 || i == 0 && class[c]&nameStart == 0 {
			return false
		}
	}
	return len(name) > 0
}
