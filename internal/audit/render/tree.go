package render

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/gatepost-mail/gatepost/internal/show"
)

// A branch is a term of a record, what is to be said of it, and the terms of the record that it leads to.
type branch struct {
	Term, Note string
	Below      []branch
}

const (
	treeWidth  = 76 // what fits a terminal of 80 columns, indented
	noteColumn = 38
	maxTree    = 120 // lines
)

// draw draws a tree. What is to be said of a term stands beside it, or beneath it where there is no room.
func draw(root branch) []string {
	type todo struct {
		branch
		head, below string // what stands before its line, and before those beneath it
	}
	var lines []string
	for stack := []todo{{branch: root}}; len(stack) > 0; {
		b := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if len(lines) >= maxTree {
			return append(lines, fmt.Sprintf("… and %d terms more", len(stack)+1))
		}
		line := show.Elide(b.head+show.Printable(b.Term), treeWidth)
		note := show.Printable(b.Note)
		width := utf8.RuneCountInString(line)
		gap := max(2, noteColumn-width)
		stem := b.below
		if len(b.Below) > 0 {
			stem += "│  "
		}
		switch {
		case note == "":
			lines = append(lines, line)
		case width+gap+utf8.RuneCountInString(note) <= treeWidth:
			lines = append(lines, line+strings.Repeat(" ", gap)+note)
		default:
			lines = append(lines, line)
			for _, part := range show.Wrap(note, max(treeWidth/2, treeWidth-utf8.RuneCountInString(stem))) {
				lines = append(lines, stem+part)
			}
		}
		for i := len(b.Below) - 1; i >= 0; i-- { // the first on top
			t := todo{b.Below[i], b.below + "├─ ", b.below + "│  "}
			if i == len(b.Below)-1 {
				t.head, t.below = b.below+"└─ ", b.below+"   "
			}
			stack = append(stack, t)
		}
	}
	return lines
}
