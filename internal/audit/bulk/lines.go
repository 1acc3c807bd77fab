package bulk

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
)

// maxLine bounds a line of the input: a name has 253 octets, and what stands behind it is not read.
const maxLine = 64 << 10

// Lines reads domains, one a line. What stands behind a comma, a semicolon or white space is left out, as are empty lines and those that
// begin with "#", so that a list with comments and a table whose first column is the domain will do.
func Lines(r io.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		in := bufio.NewScanner(r)
		in.Buffer(nil, maxLine)
		number := 0
		for in.Scan() {
			number++
			text := in.Text()
			if number == 1 {
				text = strings.TrimPrefix(text, "\ufeff")
			}
			name := first(text)
			if name != "" && !yield(name, nil) {
				return
			}
		}
		err := in.Err()
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("line %d has more than %d bytes; give it one domain a line", number+1, maxLine)
		}
		if err != nil {
			yield("", err)
		}
	}
}

// first is the domain of a line, as written; empty where there is none.
func first(text string) string {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "#") {
		return ""
	}
	if i := strings.IndexAny(text, " \t,;#"); i >= 0 {
		text = text[:i]
	}
	return strings.Trim(text, `"`)
}
