package dmarc

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Set gives a record in which a tag has a value. Everything else stays as it was written, byte for byte: the order, the white space, and
// tags that nobody knows. A tag that is there keeps its place, and where it stands several times only the first is left. A new one comes
// last, except for p, sp and np, which come first: readers older than RFC 9989 want p in the second place.
//
//	dmarc.Set("v=DMARC1; p=none; x=1", "p", "reject") // v=DMARC1; p=reject; x=1
func Set(record, tag, value string) (string, error) {
	if !isTagName(tag) {
		return "", fmt.Errorf("dmarc: %s is no name of a tag: it has letters only", shown(tag))
	}
	parts, err := split(record, tag)
	if err != nil {
		return "", err
	}
	if !isValue(value) {
		return "", fmt.Errorf("dmarc: %s=%s: a value is printable ASCII without a semicolon, and not empty", tag, shown(value))
	}
	tag = strings.ToLower(tag)
	first := slices.IndexFunc(parts[1:], func(part string) bool { return tagOf(part) == tag })
	if first < 0 {
		return join(slices.Insert(parts, place(parts, tag), separator(parts)+tag+"="+value)), nil
	}
	first++
	name, old, _ := strings.Cut(parts[first], "=")
	before := old[:len(old)-len(strings.TrimLeft(old, " \t"))]
	after := old[len(strings.TrimRight(old, " \t")):]
	if trim(old) == "" {
		before, after = "", old
	}
	parts[first] = name + "=" + before + value + after
	return join(slices.Concat(parts[:first+1], without(parts[first+1:], tag))), nil
}

// Unset gives a record without a tag, wherever it stands; also one of a name that no tag can have. Everything else stays as it was written.
func Unset(record, tag string) (string, error) {
	parts, err := split(record, tag)
	if err != nil {
		return "", err
	}
	return join(slices.Concat(parts[:1], without(parts[1:], strings.ToLower(tag)))), nil
}

// split cuts a record at its semicolons. The first part is the version.
func split(record, tag string) ([]string, error) {
	switch {
	case !IsRecord(record):
		return nil, errors.New("dmarc: a record that does not begin with v=DMARC1 cannot be edited")
	case trim(tag) == "":
		return nil, errors.New("dmarc: a tag has a name")
	case strings.EqualFold(tag, "v"):
		return nil, errors.New("dmarc: the version cannot be edited")
	}
	return strings.Split(record, ";"), nil
}

func join(parts []string) string { return strings.Join(parts, ";") }

// tagOf is the name of the tag in a part, or empty.
func tagOf(part string) string {
	name, _, ok := strings.Cut(part, "=")
	if !ok {
		return ""
	}
	return strings.ToLower(trim(name))
}

func without(parts []string, tag string) []string {
	kept := make([]string, 0, len(parts))
	for _, part := range parts {
		if tagOf(part) != tag {
			kept = append(kept, part)
		}
	}
	return kept
}

// place is where a new tag goes: p behind the version, sp behind p, np behind both, and the others last, before a final semicolon.
func place(parts []string, tag string) int {
	var behind []string
	switch tag {
	case "p":
		return 1
	case "sp":
		behind = []string{"p"}
	case "np":
		behind = []string{"sp", "p"}
	}
	for _, other := range behind {
		if i := slices.IndexFunc(parts[1:], func(part string) bool { return tagOf(part) == other }); i >= 0 {
			return i + 2
		}
	}
	if behind != nil {
		return 1
	}
	last := len(parts)
	for last > 1 && trim(parts[last-1]) == "" {
		last--
	}
	return last
}

// separator is the white space that the record has behind its semicolons.
func separator(parts []string) string {
	for _, part := range parts[1:] {
		if trim(part) != "" {
			return part[:len(part)-len(strings.TrimLeft(part, " \t"))]
		}
	}
	return " "
}

func isTagName(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return s != ""
}

func isValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == ';' {
			return false
		}
	}
	return trim(s) != "" && trim(s) == s
}
