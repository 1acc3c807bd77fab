// Package message reads an Internet message (RFC 5322, RFC 6532) as it came over the wire.
//
// Nothing is decoded and no byte is changed, since signatures are made over the bytes; the one exception is a line end that is
// a bare LF, as in a file on Unix, which is read as the CRLF that it was on the wire.
//
//	m, err := message.Read(file, message.Limits{})
//	if err != nil { … }
//	fmt.Println(m.Header.Author().Domain)
//	io.Copy(hash, m.Body)
package message

import "strings"

// A Header is the fields of a message, the topmost first.
type Header []Field

// A Field is one header field.
type Field struct {
	Name string // as written, without the colon
	Raw  string // everything: name, colon, value with its folds, and the CRLF at its end
}

// NewField makes a field of a name and a raw value, which begins with the white space that stands after the colon, if any,
// and has no final line end. Folds may be LF, as Postfix hands them to a milter: they become CRLF.
func NewField(name, value string) Field {
	return Field{Name: name, Raw: name + ":" + wireLines(value) + "\r\n"}
}

// Value is the field's raw value: what stands after the colon, without the final CRLF. Folds and white space are kept.
func (f Field) Value() string {
	i := len(f.Name)
	for i < len(f.Raw) && f.Raw[i] != ':' {
		i++ // RFC 5322 4.5.8: white space before the colon
	}
	if i == len(f.Raw) {
		return ""
	}
	return strings.TrimSuffix(f.Raw[i+1:], "\r\n")
}

// Is tells whether the field has this name, compared without regard to case.
func (f Field) Is(name string) bool {
	return len(f.Name) == len(name) && strings.EqualFold(f.Name, name)
}

// Count tells how many fields have this name.
func (h Header) Count(name string) int {
	n := 0
	for _, f := range h {
		if f.Is(name) {
			n++
		}
	}
	return n
}

// First returns the topmost field of this name.
func (h Header) First(name string) (Field, bool) {
	for _, f := range h {
		if f.Is(name) {
			return f, true
		}
	}
	return Field{}, false
}
