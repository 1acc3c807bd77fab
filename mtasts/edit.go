package mtasts

import (
	"fmt"
	"slices"
	"strings"
)

// SetID puts an id into a record in the place of the one that it has. All else stays as it is written.
func SetID(record, id string) (string, error) {
	if !IsRecord(record) {
		return "", &SyntaxError{0, "does not begin with v=STSv1;"}
	}
	if !IsID(id) {
		return "", fmt.Errorf("mtasts: id %s: an id has 1 to 32 letters and digits", shown(id))
	}
	for _, f := range fields(record) {
		if strings.HasPrefix(f.text, "id=") {
			return record[:f.pos] + "id=" + id + record[f.pos+len(f.text):], nil
		}
	}
	rest := strings.TrimLeft(strings.TrimPrefix(record, version), " \t;")
	if rest == "" {
		return version + "; id=" + id + ";", nil
	}
	return version + "; id=" + id + "; " + rest, nil
}

// Set puts a field, which is not mx, into the text of a policy in the place of the first of that name, or at the end. All else stays as
// it is written.
func Set(policy, name, value string) (string, error) {
	lines, ending := split(policy)
	i := slices.IndexFunc(lines, func(l string) bool { return nameOf(l) == name })
	if i < 0 {
		return join(append(lines, name+": "+value), ending)
	}
	lines[i] = replaced(lines[i], value)
	return join(lines, ending)
}

// AddMX puts a pattern behind those that the text of a policy has. All else stays as it is written.
func AddMX(policy, pattern string) (string, error) {
	lines, ending := split(policy)
	at := len(lines)
	line := "mx: " + pattern
	for i, l := range lines {
		if nameOf(l) == "mx" {
			at, line = i+1, replaced(l, pattern)
		}
	}
	return join(slices.Insert(lines, at, line), ending)
}

// RemoveMX takes a pattern away from the text of a policy. All else stays as it is written.
func RemoveMX(policy, gone string) (string, error) {
	lines, ending := split(policy)
	return join(slices.DeleteFunc(lines, func(l string) bool {
		_, value, _ := strings.Cut(l, ":")
		p, ok := pattern(strings.Trim(value, " \t"))
		return nameOf(l) == "mx" && ok && p == gone
	}), ending)
}

// split cuts a text into lines without their ends, and says how these are written: as the first is.
func split(policy string) (lines []string, ending string) {
	ending = "\r\n"
	if i := strings.IndexByte(policy, '\n'); i == 0 || i > 0 && policy[i-1] != '\r' {
		ending = "\n"
	}
	for line := range strings.Lines(policy) {
		lines = append(lines, strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"))
	}
	return lines, ending
}

// join makes a text of lines, and refuses one that is no policy.
func join(lines []string, ending string) (string, error) {
	text := strings.Join(lines, ending) + ending
	if _, err := ParsePolicy([]byte(text)); err != nil {
		return "", fmt.Errorf("mtasts: with this change the policy is none: %w", err)
	}
	return text, nil
}

func nameOf(line string) string {
	name, _, _ := strings.Cut(line, ":")
	return name
}

// replaced is a line with another value behind the same name and white space.
func replaced(line, value string) string {
	i := strings.IndexByte(line, ':') + 1
	for i < len(line) && isSpace(line[i]) {
		i++
	}
	return line[:i] + value
}
