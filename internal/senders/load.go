package senders

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/gatepost-mail/gatepost/internal/nearest"
	"github.com/gatepost-mail/gatepost/internal/tomlfile"
)

//go:embed services/*.toml
var shipped embed.FS

// Known is the table that comes with Gatepost.
var Known = sync.OnceValue(func() *Table {
	entries, err := shipped.ReadDir("services")
	if err != nil {
		panic(err)
	}
	var all []*Service
	for _, e := range entries {
		text, err := shipped.ReadFile("services/" + e.Name())
		if err != nil {
			panic(err)
		}
		services, err := parse(e.Name(), text, nil)
		if err != nil {
			panic(err) // a test reads them all
		}
		all = append(all, services...)
	}
	return newTable(all)
})

// maxServices are those of one file.
const maxServices = 5000

// An Error says what is wrong with a file, and where.
type Error = tomlfile.Error

// Load reads an administrator's own file on top of the table; without one, the table is that which comes with Gatepost. A service with an id of ours changes ours, key by key; any other is
// added. What it is recognised by goes before what ours are. The error is an [*Error], or that of reading the file.
func Load(path string) (*Table, error) {
	if path == "" {
		return Known(), nil
	}
	text, err := tomlfile.Read(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, text)
}

// Parse is [Load] of the text of a file of this name.
func Parse(name string, text []byte) (*Table, error) {
	known := Known()
	own, err := parse(name, text, known.ids)
	if err != nil {
		return nil, err
	}
	var all []*Service
	for _, s := range known.services {
		if !slices.ContainsFunc(own, func(o *Service) bool { return o.ID == s.ID }) {
			all = append(all, s)
		}
	}
	for _, s := range own {
		s.own = true
	}
	return newTable(append(all, own...)), nil
}

// A file is a list of services as written.
type file struct {
	Services []Service `toml:"service"`
}

func parse(name string, text []byte, known map[string]*Service) ([]*Service, error) {
	if len(text) > tomlfile.MaxBytes {
		return nil, &Error{File: name, Err: fmt.Errorf("larger than %d bytes: this is no table of services", tomlfile.MaxBytes)}
	}
	var f file
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&f); err != nil {
		return nil, explain(name, err)
	}
	if len(f.Services) > maxServices {
		return nil, &Error{File: name, Err: fmt.Errorf("more than %d services", maxServices)}
	}
	places := locate(text)
	fail := func(i int, key string, err error) error {
		at := places[i].at(key)
		return &Error{File: name, Line: at.Line, Column: at.Column, Err: err}
	}
	seen := map[string]int{}
	claimed := map[string]int{}
	var all []*Service
	for i := range f.Services {
		s := &f.Services[i]
		if ours := known[s.ID]; ours != nil {
			s = override(ours, s)
		}
		if key, err := s.check(); err != nil {
			return nil, fail(i, key, err)
		}
		if j, ok := seen[s.ID]; ok {
			return nil, fail(i, "id", fmt.Errorf("id: %q is in line %d already", s.ID, places[j].at("id").Line))
		}
		seen[s.ID] = i
		for kind, suffixes := range s.suffixes() {
			for _, suffix := range suffixes {
				if j, ok := claimed[kind+" "+suffix]; ok && j != i {
					return nil, fail(i, keyOf(kind), fmt.Errorf("%s: %s is that of %s already", keyOf(kind), suffix, f.Services[j].ID))
				}
				claimed[kind+" "+suffix] = i
			}
		}
		all = append(all, s)
	}
	return all, nil
}

func keyOf(kind string) string {
	if kind == byInclude {
		return "spf"
	}
	return kind
}

// override gives ours with what theirs has set.
func override(ours, theirs *Service) *Service {
	s := *ours
	to, from := reflect.ValueOf(&s).Elem(), reflect.ValueOf(theirs).Elem()
	for i := range from.NumField() {
		if f := from.Field(i); to.Type().Field(i).IsExported() && !f.IsZero() { // an empty list is set, and is not zero
			to.Field(i).Set(f)
		}
	}
	return &s
}

// A place is where the parts of one service stand.
type place struct {
	table unstable.Position
	keys  map[string]unstable.Position
}

func (p place) at(key string) unstable.Position {
	if at, ok := p.keys[key]; ok {
		return at
	}
	return p.table
}

// locate finds where each service and its keys stand in a text that was parsed already.
func locate(text []byte) map[int]place {
	var p unstable.Parser
	p.Reset(text)
	places := map[int]place{}
	n, inside := -1, false
	for p.NextExpression() {
		e := p.Expression()
		var name []string
		var at unstable.Position
		for it := e.Key(); it.Next(); {
			if name == nil {
				at = p.Shape(it.Node().Raw).Start
			}
			name = append(name, string(it.Node().Data))
		}
		path := strings.Join(name, ".")
		switch e.Kind {
		case unstable.ArrayTable:
			if inside = path == "service"; inside {
				n++
				places[n] = place{at, map[string]unstable.Position{}}
			} else if n >= 0 && path == "service.records" {
				if _, ok := places[n].keys["records"]; !ok {
					places[n].keys["records"] = at
				}
			}
		case unstable.Table:
			inside = false
		case unstable.KeyValue:
			if inside {
				places[n].keys[name[0]] = at
			}
		}
	}
	return places
}

// explain turns what the library says into our words.
func explain(name string, err error) error {
	var missing *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case errors.As(err, &missing) && len(missing.Errors) > 0:
		wrong = &missing.Errors[0]
		err = unknownKey(wrong.Key())
	case errors.As(err, &wrong):
		message := strings.TrimPrefix(wrong.Error(), "toml: ")
		if rest, ok := strings.CutPrefix(message, "cannot decode TOML "); ok {
			kind, _, _ := strings.Cut(rest, " into")
			message = "the value is of the wrong kind: " + kind
		}
		if strings.Contains(message, "netip.ParsePrefix") {
			message = `no network; write it like "192.0.2.0/24"`
		}
		if key := strings.Join(wrong.Key(), "."); key != "" {
			message = key + ": " + message
		}
		err = errors.New(message)
	default:
		return &Error{File: name, Err: errors.New(strings.TrimPrefix(err.Error(), "toml: "))}
	}
	line, column := wrong.Position()
	return &Error{File: name, Line: line, Column: column, Err: err}
}

func unknownKey(key []string) error {
	of := reflect.TypeFor[Service]()
	switch {
	case len(key) < 2:
		return fmt.Errorf("%.100s: no such key; services are written as [[service]]", strings.Join(key, "."))
	case len(key) > 2:
		of = reflect.TypeFor[Record]()
	}
	var names []string
	for i := range of.NumField() {
		if tag := of.Field(i).Tag.Get("toml"); tag != "" {
			names = append(names, tag)
		}
	}
	last := key[len(key)-1]
	if guess := nearest.Word(last, names); guess != "" {
		return fmt.Errorf("%.100s: no such key; did you mean %s?", last, guess)
	}
	return fmt.Errorf("%.100s: no such key", last)
}

// networkBits bounds how much of the world one entry may claim.
func networkBits(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 8
	}
	return 16
}
