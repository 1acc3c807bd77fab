package show

import (
	"regexp"
	"strings"
)

// formula is where a spreadsheet takes a text for a formula, which may send what is in the table to anybody: at the beginning of a cell. In
// countries whose numbers have commas cells end at semicolons, and so one can begin in the middle of what is one cell elsewhere.
var formula = regexp.MustCompile(`(^|;\s*)([=+\-@＝＋－＠])`)

// Cell is a text that a stranger may have written, for a cell of a table: printable, and with an apostrophe where a formula would begin.
func Cell(s string) string {
	return formula.ReplaceAllString(Printable(strings.TrimSpace(s)), "$1'$2")
}
