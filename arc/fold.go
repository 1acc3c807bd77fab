package arc

import "strings"

// onlyFolds keeps the line ends of a text that are folds, so that it stays within its field; the others and NUL become spaces.
func onlyFolds(s string) string {
	b := []byte(s)
	for i := range b {
		switch {
		case b[i] == 0:
		case b[i] == '\r' && i+2 < len(b) && b[i+1] == '\n' && (b[i+2] == ' ' || b[i+2] == '\t'):
			continue
		case b[i] == '\n' && i > 0 && b[i-1] == '\r':
			continue // its CR would be a space by now were this no fold
		case b[i] != '\r' && b[i] != '\n':
			continue
		}
		b[i] = ' '
	}
	return string(b)
}

const maxColumn = 78

// value joins tags, folded between them where a line would be too long. Within a tag nothing is folded if it can be helped: a seal is
// made over the other fields' text, and a space that somebody moves within b= would break it.
func value(tags ...string) string {
	var b strings.Builder
	column := len(nameAMS) + 1
	for i, tag := range tags {
		if i < len(tags)-1 {
			tag += ";"
		}
		tag = foldTag(tag)
		if column+1+len(tag) > maxColumn && i > 0 {
			b.WriteString("\r\n")
			column = 0
		}
		b.WriteByte(' ')
		b.WriteString(tag)
		column += 1 + len(tag)
	}
	return b.String()
}

// foldTag folds what would not fit into a line: a long h= after its colons, and a b= that nears the 998 octets which a line may have
// (RFC 5322 2.1.1). Where it folds does not depend on what stands before, for the field is signed without its b=.
func foldTag(tag string) string {
	const longest = 900
	var b strings.Builder
	switch {
	case strings.HasPrefix(tag, "h=") && len(tag) >= maxColumn:
		column := 1
		for name := range strings.SplitAfterSeq(tag, ":") {
			if column+len(name) > maxColumn {
				b.WriteString("\r\n ")
				column = 1
			}
			b.WriteString(name)
			column += len(name)
		}
	case len(tag) > longest:
		for len(tag) > maxColumn-1 {
			b.WriteString(tag[:maxColumn-1] + "\r\n ")
			tag = tag[maxColumn-1:]
		}
		b.WriteString(tag)
	default:
		return tag
	}
	return b.String()
}
