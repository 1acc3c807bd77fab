package config

import (
	"reflect"
	"slices"
	"strings"
)

// A Section is a table of the file.
type Section struct {
	Head     string // as it is written: "[reports.smtp]", "[[digest]]"; empty for the keys before the first table
	Note     string // what it is for
	Settings []Setting
}

// A Setting is a key of a table, with its value.
type Setting struct {
	Key     string // with its table: "reports.smtp.listen"
	Line    string // as it is written: `listen = ["0.0.0.0:25"]`
	Note    string // what it does; none of the keys of a table that may be there several times
	Default bool   // it holds without being written
}

// Sections are the tables with one of some names, and those within them, all if none is named: "reports", "reports.smtp"; "" is what comes
// before the first. What is secret is not shown, as by Write.
func (c *Config) Sections(names ...string) []Section {
	s := sectioner{names: names}
	s.table("", "", reflect.ValueOf(c).Elem(), reflect.ValueOf(Default()).Elem())
	return s.all
}

type sectioner struct {
	names []string
	all   []Section
}

func (s *sectioner) wanted(key string) bool {
	return len(s.names) == 0 || slices.ContainsFunc(s.names, func(n string) bool { return key == n || n != "" && strings.HasPrefix(key, n+".") })
}

// table adds a table and those within it; usual has the values that hold without being written.
func (s *sectioner) table(key, head string, v, usual reflect.Value) {
	section := Section{Head: head, Note: notes[key].text}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name := tag(field)
		if name == "" || isTable(field.Type) {
			continue
		}
		full := strings.TrimPrefix(key+"."+name, ".")
		value := text(v.Field(i))
		if field.Tag.Get("secret") == "true" && !v.Field(i).IsZero() {
			value = quote(hidden)
		}
		section.Settings = append(section.Settings, Setting{full, name + " = " + value, notes[full].text, value == text(usual.Field(i))})
	}
	if s.wanted(key) && len(section.Settings) > 0 {
		s.all = append(s.all, section)
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if name := tag(field); name != "" && isTable(field.Type) {
			s.tables(strings.TrimPrefix(key+"."+name, "."), v.Field(i), usual.Field(i))
		}
	}
}

func (s *sectioner) tables(key string, v, usual reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		s.table(key, "["+key+"]", v, usual)
	case reflect.Pointer:
		if !v.IsNil() {
			s.table(key, "["+key+"]", v.Elem(), reflect.Zero(v.Type().Elem()))
		}
	case reflect.Slice:
		for i := range v.Len() {
			s.table(key, "[["+key+"]]", v.Index(i), reflect.Zero(v.Type().Elem()))
		}
	case reflect.Map:
		if !s.wanted(key) || v.Len() == 0 {
			return
		}
		section := Section{Head: "[" + key + "]", Note: notes[key].text}
		names := v.MapKeys()
		slices.SortFunc(names, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, name := range names {
			section.Settings = append(section.Settings, Setting{Key: key + "." + name.String(), Line: keyText(name.String()) + " = " + text(v.MapIndex(name))})
		}
		s.all = append(s.all, section)
	}
}

// Change gives the lines that make of a configuration another one, and the keys among them that are written already and so are to be
// put in the place of what is there. The error is why the other cannot be.
func (c *Config) Change(change func(*Config)) (lines string, replaces []string, err error) {
	next := *c
	next.Reports.Domains = slices.Clone(c.Reports.Domains)
	change(&next)
	before := map[string]int{}
	old := map[string][]Section{}
	for _, s := range c.Sections() {
		old[s.Head] = append(old[s.Head], s)
	}
	var b strings.Builder
	for _, s := range next.Sections() {
		i := before[s.Head]
		before[s.Head]++
		var differ []string
		for n, setting := range s.Settings {
			switch {
			case i >= len(old[s.Head]):
				if !setting.Default {
					differ = append(differ, setting.Line)
				}
			case n < len(old[s.Head][i].Settings) && old[s.Head][i].Settings[n].Line != setting.Line:
				differ = append(differ, setting.Line)
				if !old[s.Head][i].Settings[n].Default {
					replaces = append(replaces, setting.Key)
				}
			}
		}
		if len(differ) == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		if s.Head != "" {
			b.WriteString(s.Head + "\n")
		}
		b.WriteString(strings.Join(differ, "\n") + "\n")
	}
	var whole strings.Builder
	if err := next.Write(&whole); err != nil {
		return "", nil, err
	}
	_, err = Parse("gatepost.toml", []byte(whole.String()))
	return b.String(), replaces, err
}
