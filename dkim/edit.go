package dkim

import (
	"errors"
	"fmt"
	"strings"
)

// EveryTag reads a tag-list as [ParseTags] does, but lets a name stand in it several times: for who wants to say what is wrong with one.
func EveryTag(list string) ([]Tag, error) {
	spans, err := spansOf(list)
	tags := make([]Tag, 0, len(spans))
	for _, s := range spans {
		tags = append(tags, s.Tag)
	}
	return tags, err
}

// SetTag gives a tag of a tag-list another value, or adds it at the end. All else stays as it was written.
func SetTag(list, name, value string) (string, error) {
	if again, err := EveryTag(name + "=" + value); err != nil || len(again) != 1 || again[0].Name != name || again[0].Value != value {
		return "", fmt.Errorf("%s=%s is no tag", quote(name), quote(value))
	}
	if strings.TrimSpace(list) == "" {
		return name + "=" + value, nil
	}
	spans, err := spansOf(list)
	if err != nil {
		return "", err
	}
	for _, s := range spans {
		if s.Name != name {
			continue
		}
		first := skipFWS(list, s.start)
		if s.Value == "" {
			first = s.start
		}
		return list[:first] + value + list[first+len(s.Value):], nil
	}
	end := strings.TrimRight(list, " \t\r\n")
	if !strings.HasSuffix(end, ";") {
		end += ";"
	}
	return end + " " + name + "=" + value, nil
}

// RemoveTag takes a tag out of a tag-list, each time that it stands there. All else stays as it was written.
func RemoveTag(list, name string) (string, error) {
	return removeSpans(list, func(spans []span, i int) bool { return spans[i].Name == name })
}

// RemoveRepeatedTags takes out what stands in a tag-list again with the same value. It fails where a name has several values: which of
// them is meant, only who wrote it knows.
func RemoveRepeatedTags(list string) (string, error) {
	var differs string
	out, err := removeSpans(list, func(spans []span, i int) bool {
		for _, before := range spans[:i] {
			if before.Name == spans[i].Name {
				if before.Value != spans[i].Value {
					differs = before.Name
				}
				return true
			}
		}
		return false
	})
	if err == nil && differs != "" {
		return "", fmt.Errorf("the tag %s= stands in it with several values", quote(differs))
	}
	return out, err
}

// MoveTagFirst puts a tag before all others. All else stays as it was written.
func MoveTagFirst(list, name string) (string, error) {
	spans, err := spansOf(list)
	if err != nil {
		return "", err
	}
	for i, s := range spans {
		if s.Name != name {
			continue
		}
		if i == 0 {
			return list, nil
		}
		rest, err := removeSpans(list, func(_ []span, at int) bool { return at == i })
		if err != nil {
			return "", err
		}
		tag := strings.TrimSpace(strings.TrimSuffix(list[s.from:s.to], ";"))
		return tag + "; " + strings.TrimLeft(rest, " \t\r\n"), nil
	}
	return "", missing(name)
}

// A span is a tag and where it stands in its list, with the ";" that ends it.
type span struct {
	Tag
	from, to int
}

func spansOf(list string) ([]span, error) {
	var all []span
	for i := 0; ; {
		if skipFWS(list, i) == len(list) {
			if len(all) == 0 {
				return nil, errors.New("there are no tags in it")
			}
			return all, nil
		}
		t, next, err := parseTag(list, skipFWS(list, i))
		if err != nil {
			return nil, err
		}
		if len(all) == maxTags {
			return nil, fmt.Errorf("there are more than %d tags in it", maxTags)
		}
		to := min(next+1, len(list))
		all = append(all, span{t, i, to})
		i = to
	}
}

func removeSpans(list string, goes func(spans []span, i int) bool) (string, error) {
	spans, err := spansOf(list)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	end, last := 0, 0
	for i, s := range spans {
		end = s.to
		if !goes(spans, i) {
			b.WriteString(list[s.from:s.to])
			last = i
		}
	}
	b.WriteString(list[end:])
	out := b.String()
	if spans[0].from == 0 && goes(spans, 0) {
		out = strings.TrimLeft(out, " \t\r\n")
	}
	if last != len(spans)-1 && !strings.HasSuffix(strings.TrimRight(list, " \t\r\n"), ";") {
		out = strings.TrimSuffix(strings.TrimRight(out, " \t\r\n"), ";") // as the list ended before
	}
	return out, nil
}
