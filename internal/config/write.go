package config

import (
	"bufio"
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

const exampleHead = `# Gatepost's configuration. Every key is shown with its default; what is left out keeps it.
# A key that is not known is an error. Try the file with: gatepost config check --config FILE
# Paths count from the folder of this file.
`

// Example writes a file that shows every key with its default and what it does. With comment, every setting is commented out, so
// that the file says the same after an upgrade that changes a default.
func Example(w io.Writer, comment bool) error {
	p := &printer{w: bufio.NewWriter(w), notes: notes, comment: comment}
	p.w.WriteString(exampleHead)
	p.written = true
	p.table("", reflect.ValueOf(Default()).Elem())
	return p.w.Flush()
}

// Write writes what the file says, with defaults for what it does not say. What is secret is not shown: what the struct marks with
// the tag secret:"true", and passwords in URLs.
func (c *Config) Write(w io.Writer) error {
	p := &printer{w: bufio.NewWriter(w)}
	p.table("", reflect.ValueOf(c).Elem())
	return p.w.Flush()
}

// hidden stands for a secret that is set.
const hidden = "(hidden)"

// A printer writes the value of a struct as TOML: by its toml tags, in the order of its fields, tables after what is none.
type printer struct {
	w       *bufio.Writer
	notes   map[string]note // nil for none
	comment bool
	written bool // something was, so that a blank line goes before what comes
}

// table writes the fields of a struct; prefix is its name with a dot, empty for the whole file.
func (p *printer) table(prefix string, v reflect.Value) {
	for _, tables := range []bool{false, true} { // TOML 1.0: a key after a table's head would be the table's
		for i := range v.NumField() {
			field := v.Type().Field(i)
			name := tag(field)
			if name == "" || isTable(field.Type) != tables {
				continue
			}
			key, value := prefix+name, v.Field(i)
			switch {
			case tables:
				p.tables(key, value)
			case field.Tag.Get("secret") == "true" && !value.IsZero():
				p.setting(key, name, quote(hidden))
			default:
				p.setting(key, name, text(value))
			}
		}
	}
}

// tables writes a table, or all of an array or a map of them. The example has a sample of those, since there is no default to show.
func (p *printer) tables(key string, v reflect.Value) {
	note, noted := p.notes[key], p.notes != nil
	if noted {
		p.blank()
		p.prose(note.text)
	}
	switch {
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() {
			p.tables(key, v.Elem())
		}
		return
	case v.Kind() == reflect.Struct:
		if !noted {
			p.blank()
		}
		p.line(p.comment, "["+key+"]")
		p.table(key+".", v)
		return
	case noted:
		p.sample(note.sample)
		return
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			p.blank()
			p.line(false, "[["+key+"]]")
			p.table(key+".", v.Index(i))
		}
	case v.Kind() == reflect.Map && v.Len() > 0:
		scalars := !isTable(v.Type().Elem())
		if scalars {
			p.blank()
			p.line(false, "["+key+"]")
		}
		names := v.MapKeys()
		slices.SortFunc(names, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, name := range names {
			if scalars {
				p.line(false, keyText(name.String())+" = "+text(v.MapIndex(name)))
				continue
			}
			p.tables(key+"."+keyText(name.String()), v.MapIndex(name))
		}
	}
}

func (p *printer) setting(key, name, value string) {
	if p.notes == nil {
		p.line(false, name+" = "+value)
		return
	}
	note := p.notes[key]
	if p.written {
		p.blank()
	}
	p.prose(note.text)
	if note.sample != "" {
		p.sample(note.sample)
		return
	}
	p.line(p.comment, name+" = "+value)
}

func (p *printer) sample(lines string) {
	for line := range strings.SplitSeq(lines, "\n") {
		p.line(true, line)
	}
}

// prose is told from a setting that is commented out by the space.
func (p *printer) prose(text string) {
	for line := range strings.SplitSeq(text, "\n") {
		p.line(false, "# "+line)
	}
}

func (p *printer) line(comment bool, text string) {
	if comment && text != "" {
		p.w.WriteByte('#')
	}
	p.w.WriteString(text + "\n")
	// What follows a table's head stands close to it.
	p.written = !strings.HasPrefix(text, "[")
}

func (p *printer) blank() { p.w.WriteByte('\n') }

// tag is the key of a field; empty if it has none.
func tag(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
	if !f.IsExported() || name == "-" {
		return ""
	}
	return name
}

var textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()

// isTable tells whether a value of a type is written as a table, or as several.
func isTable(t reflect.Type) bool {
	if t.Implements(textMarshaler) {
		return false
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return true
	case reflect.Slice, reflect.Pointer:
		return isTable(t.Elem())
	}
	return false
}

// text is a value as TOML writes it.
func text(v reflect.Value) string {
	if level, ok := v.Interface().(slog.Level); ok {
		return quote(strings.ToLower(level.String())) // as people write it
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		b, err := m.MarshalText()
		if err != nil {
			return quote("")
		}
		return quote(string(b))
	}
	switch v.Kind() {
	case reflect.String:
		return quote(withoutPassword(v.String()))
	case reflect.Slice:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = text(v.Index(i))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return fmt.Sprint(v.Interface())
}

// quote writes a basic string; what JSON escapes, TOML reads the same.
func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil {
		return `""`
	}
	return strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\x7f", `\u007f`)
}

// keyText writes a name of a map, bare where TOML allows that.
func keyText(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == "" {
		return s
	}
	return quote(s)
}

// withoutPassword hides the passwords of a URL, as in the address of a database, where they may stand in the query too.
func withoutPassword(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return s
	}
	secret := false
	if u.User != nil {
		_, secret = u.User.Password()
	}
	query := strings.Split(u.RawQuery, "&")
	for i := range query {
		if name, _, _ := strings.Cut(query[i], "="); strings.HasSuffix(strings.ToLower(name), "password") {
			query[i], secret = name+"=xxxxx", true
		}
	}
	if !secret {
		return s
	}
	u.RawQuery = strings.Join(query, "&")
	return u.Redacted()
}
