package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// A document knows where in a file what was read stands.
type document struct {
	name string
	text []byte
	keys map[place]span
}

// A place is a key of the nth rule; -1 is the file itself. The key of a rule as such is empty.
type place struct {
	index int
	key   string
}

// A span is where a key begins, and its value.
type span struct {
	key        int
	value, end int // of the value as written, with quotes; 0, 0 if there is none
}

// locate finds every key of every table of an array: [[rule]]. Inline tables get the place of the key that they belong to.
func (d *document) locate() {
	d.keys = map[place]span{}
	var p unstable.Parser
	p.Reset(d.text)
	index, prefix := -1, ""
	for p.NextExpression() {
		e := p.Expression()
		key, at := path(e)
		switch e.Kind {
		case unstable.ArrayTable:
			index++
			prefix = ""
			d.keys[place{index, ""}] = span{key: at}
		case unstable.Table: // [case.given]
			_, within, _ := strings.Cut(key, ".")
			prefix = within + "."
			d.keys[place{index, within}] = span{key: at}
		case unstable.KeyValue:
			s := span{key: at}
			if v := e.Value(); v.Kind == unstable.String {
				s.value, s.end = int(v.Raw.Offset), int(v.Raw.Offset+v.Raw.Length)
			}
			d.keys[place{index, prefix + key}] = s
		}
	}
}

func path(e *unstable.Node) (string, int) {
	var parts []string
	at := -1
	for it := e.Key(); it.Next(); {
		if at < 0 {
			at = int(it.Node().Raw.Offset)
		}
		parts = append(parts, string(it.Node().Data))
	}
	return strings.Join(parts, "."), max(at, 0)
}

// fail is an error about a rule as a whole, or the file.
func (d *document) fail(key string, index int, err error) error { return d.failKey(index, key, err) }

// failKey is an error about a key's value. A key that is not there gets the place of its rule.
func (d *document) failKey(index int, key string, err error) error {
	s, ok := d.keys[place{index, key}]
	if !ok {
		if s, ok = d.keys[place{index, ""}]; !ok {
			s = d.keys[place{-1, "rule"}]
		}
	}
	at := s.key
	if s.end > 0 {
		at = s.value
	}
	line, column := lineColumn(d.text, at)
	return &Error{File: d.name, Line: line, Column: column, Err: fmt.Errorf("%s%w", d.prefix(key), err)}
}

func (d *document) prefix(key string) string {
	if key == "" {
		return ""
	}
	return key + ": "
}

// failWithin is an error about a key of a table: at that key, or at the nearest that holds it.
func (d *document) failWithin(index int, table, key string, err error) error {
	for at := table + "." + key; at != ""; at = at[:max(strings.LastIndexByte(at, '.'), 0)] {
		if s, ok := d.keys[place{index, at}]; ok {
			line, column := lineColumn(d.text, s.key)
			return &Error{File: d.name, Line: line, Column: column, Err: fmt.Errorf("%s: %w", table, err)}
		}
	}
	return d.failKey(index, table, err)
}

// failAt is an error at an octet of a key's value.
func (d *document) failAt(index int, key string, f *fault) error {
	s := d.keys[place{index, key}]
	if s.end <= s.value || s.end > len(d.text) {
		return d.failKey(index, key, f.err)
	}
	where := offsets(d.text[s.value:s.end])
	at := s.value
	if len(where) > 0 {
		at += where[min(f.at, len(where)-1)]
	}
	line, column := lineColumn(d.text, at)
	return &Error{File: d.name, Line: line, Column: column, Err: fmt.Errorf("%s%w", d.prefix(key), f.err)}
}

// keysOf lists the keys that a file can have, of all its tables.
func keysOf(into any) []string {
	var all []string
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		for i := range t.NumField() {
			f := t.Field(i)
			if tag := f.Tag.Get("toml"); tag != "" && !slices.Contains(all, tag) {
				all = append(all, tag)
			}
			if f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct {
				walk(f.Type.Elem())
			}
		}
	}
	walk(reflect.TypeOf(into).Elem())
	return all
}
