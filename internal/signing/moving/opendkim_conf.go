package moving

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A setting is one line of opendkim.conf.
type setting struct {
	name  string // as opendkim.conf(5) spells it
	value string
	place string // FILE:LINE
}

// A conf is an opendkim.conf with what it includes. Of a setting that is there twice, the last counts.
type conf struct {
	settings []setting
	base     string // what relative paths are relative to
}

const (
	maxIncludes = 5     // levels, as opendkim itself allows
	maxSettings = 10000 //
)

func readConf(path string) (*conf, error) {
	c := &conf{}
	if err := c.include(path, 0); err != nil {
		return nil, err
	}
	if base := c.get("BaseDirectory"); base != nil {
		c.base = base.value
	}
	return c, nil
}

// include reads one file. What opendkim.conf(5) says: a line is a name, white space and a value; "#" begins a comment wherever it is.
func (c *conf) include(path string, level int) error {
	if level > maxIncludes {
		return fmt.Errorf("%s: files include each other too deeply", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := bounded(f, path)
	if err != nil {
		return err
	}
	settings, err := parseConf(path, text)
	if err != nil {
		return err
	}
	for _, s := range settings {
		if s.name != "Include" {
			c.settings = append(c.settings, s)
		} else if err := c.include(s.value, level+1); err != nil {
			return fmt.Errorf("%s: %w", s.place, err)
		}
		if len(c.settings) > maxSettings {
			return fmt.Errorf("%s: more than %d settings: this is something else", path, maxSettings)
		}
	}
	return nil
}

func parseConf(path string, text []byte) ([]setting, error) {
	var settings []setting
	for i, line := range bytes.Split(text, []byte("\n")) {
		if end := bytes.IndexAny(line, "#\r"); end >= 0 {
			line = line[:end]
		}
		word := strings.Trim(string(line), " \t")
		if word == "" {
			continue
		}
		place := fmt.Sprintf("%s:%d", path, i+1)
		name, value := word, ""
		if end := strings.IndexAny(word, " \t"); end >= 0 {
			name, value = word[:end], strings.Trim(word[end:], " \t")
		}
		known := canonicalName(name)
		switch {
		case known == "":
			return nil, fmt.Errorf("%s: %.60q is no setting of opendkim.conf", place, name)
		case value == "":
			return nil, fmt.Errorf("%s: %s has no value", place, known)
		}
		settings = append(settings, setting{known, value, place})
	}
	return settings, nil
}

// get gives a setting, or nil.
func (c *conf) get(name string) *setting {
	for i := len(c.settings) - 1; i >= 0; i-- {
		if c.settings[i].name == name {
			return &c.settings[i]
		}
	}
	return nil
}

func (c *conf) yes(name string) bool {
	s := c.get(name)
	return s != nil && strings.ContainsRune("TtYy1", rune(s.value[0]))
}

func (c *conf) path(p string) string {
	if c.base != "" && !filepath.IsAbs(p) {
		return filepath.Join(c.base, p)
	}
	return p
}

// An entry is one of a data set: a key, and a value where the set has values.
type entry struct{ key, value, place string }

// errForeign is the error of a data set that lives in another program.
var errForeign = errors.New("it is kept in a database or asked of a program: write its entries into a file, and name that")

// dataset reads a data set (opendkim(8), DATA SETS). Patterns tells whether its keys hold wildcards.
func (c *conf) dataset(s *setting) (entries []entry, patterns bool, err error) {
	kind, rest, found := strings.Cut(s.value, ":")
	switch {
	case found && (kind == "file" || kind == "refile"):
		entries, err = c.flat(rest)
		return entries, kind == "refile", err
	case found && kind == "csl":
		return list(rest, s.place), false, nil
	case found && contains(foreign, kind), !found && strings.HasSuffix(s.value, ".db"):
		return nil, false, fmt.Errorf("%s: %s %.80s: %w", s.place, s.name, s.value, errForeign)
	case strings.HasPrefix(s.value, "/"):
		entries, err = c.flat(s.value)
		return entries, false, err
	}
	return list(s.value, s.place), false, nil
}

// foreign are the kinds of data sets that are no files.
var foreign = []string{"db", "dsn", "ldap", "ldaps", "ldapi", "lua", "memcache", "erlang", "mdb", "repute", "socket"}

func (c *conf) flat(path string) ([]entry, error) {
	path = c.path(path)
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := bounded(f, path)
	if err != nil {
		return nil, err
	}
	return parseFlat(path, text), nil
}

// parseFlat reads a flat file: a key a line, and behind white space its value.
func parseFlat(path string, text []byte) []entry {
	var entries []entry
	for i, line := range bytes.Split(text, []byte("\n")) {
		if end := bytes.IndexAny(line, "#\r"); end >= 0 {
			line = line[:end]
		}
		word := strings.Trim(string(line), " \t")
		if word == "" {
			continue
		}
		e := entry{key: word, place: fmt.Sprintf("%s:%d", path, i+1)}
		if end := strings.IndexAny(word, " \t"); end >= 0 {
			e.key, e.value = word[:end], strings.Trim(word[end:], " \t")
		}
		entries = append(entries, e)
	}
	return entries
}

// list reads a data set that is written out: "a, b" or "a=1, b=2".
func list(text, place string) []entry {
	var entries []entry
	for part := range strings.SplitSeq(text, ",") {
		part = strings.Trim(part, " \t")
		if part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		entries = append(entries, entry{strings.Trim(key, " \t"), strings.Trim(value, " \t"), place})
	}
	return entries
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
