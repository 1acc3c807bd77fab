package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/gatepost-mail/gatepost/internal/nearest"
)

// keys lists every key that there is, with its table: "limits.queries".
func keys() []string {
	var all []string
	root := reflect.TypeFor[Config]()
	for i := range root.NumField() {
		f := root.Field(i)
		name, table := f.Tag.Get("toml"), f.Type
		all = append(all, name)
		if table.Kind() == reflect.Slice {
			table = table.Elem()
		}
		if table.Kind() != reflect.Struct || table.Field(0).Tag.Get("toml") == "" { // a value of its own, such as an address
			continue
		}
		for j := range table.NumField() {
			all = append(all, name+"."+table.Field(j).Tag.Get("toml"))
		}
	}
	return all
}

// kindOf says what is written for a key.
func kindOf(key string) string {
	t := reflect.TypeFor[Config]()
	for name := range strings.SplitSeq(key, ".") {
		if t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			break
		}
		for i := range t.NumField() {
			if t.Field(i).Tag.Get("toml") == name {
				t = t.Field(i).Type
				break
			}
		}
	}
	switch {
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return `a text, in quotes`
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct && t.Elem().Field(0).Tag.Get("toml") != "":
		return "tables: [[" + key + "]]"
	case t.Kind() == reflect.Slice:
		return `a list: ["…"]`
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int:
		return "a number"
	case t.Kind() == reflect.Struct:
		return "a table: [" + key + "]"
	}
	return `a text, in quotes`
}

// unknownKey says so, and what was likely meant.
func unknownKey(key string) error {
	if guess := nearest.Word(key, keys()); guess != "" {
		return fmt.Errorf("%s: no such key; did you mean %s?", key, guess)
	}
	return fmt.Errorf("%.100s: no such key", key)
}

// locate finds where a key gets its value in a text that was parsed already: "limits.queries", or "recipients[1].policy" in the second
// of its tables. A key that is not in it gets the beginning.
func locate(text []byte, key string) (line, column int) {
	var p unstable.Parser
	p.Reset(text)
	table := ""
	tables := map[string]int{}
	for p.NextExpression() {
		e := p.Expression()
		name, at := path(e)
		switch e.Kind {
		case unstable.Table:
			table = name + "."
		case unstable.ArrayTable:
			table = fmt.Sprintf("%s[%d].", name, tables[name])
			tables[name]++
		case unstable.KeyValue:
			full := strings.TrimPrefix(table+name, ".")
			if full == key || strings.HasPrefix(key, full+".") { // or in an inline table
				shape := p.Shape(at)
				return shape.Start.Line, shape.Start.Column
			}
		}
	}
	return 1, 1
}

func path(e *unstable.Node) (string, unstable.Range) {
	var parts []string
	var at unstable.Range
	for it := e.Key(); it.Next(); {
		if parts == nil {
			at = it.Node().Raw
		}
		parts = append(parts, string(it.Node().Data))
	}
	return strings.Join(parts, "."), at
}
