package cli

import (
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"
)

const (
	defaultWidth = 80
	minWidth     = 60
	maxWidth     = 120
)

// A screen is where output for people goes.
type screen struct {
	w     io.Writer
	width int
	color bool
}

// newScreen finds out how wide the output is and whether it may have colours.
func newScreen(w io.Writer, noColor bool) screen {
	s := screen{w: w, width: defaultWidth}
	if f := terminal(w); f != nil {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			s.width = width
		}
		s.color = !noColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		s.width = n
	}
	s.width = max(minWidth, min(s.width, maxWidth))
	return s
}

// terminal gives the file behind w if it is one that a person looks at.
func terminal(w io.Writer) *os.File {
	if o, ok := w.(*output); ok {
		w = o.w
	}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return f
}

// The colours, by what a result means to who reads it.
const (
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
	dim    = "\x1b[2m"
	bold   = "\x1b[1m"
	plain  = "\x1b[0m"
)

func colorOf(result string) string {
	switch result {
	case "pass", "accept":
		return green
	case "fail", "permerror", "reject":
		return red
	case "none":
		return dim
	}
	return yellow
}

func (s screen) paint(color, text string) string {
	if !s.color || text == "" {
		return text
	}
	return color + text + plain
}

// The columns of the output: what was looked at, its result, and everything else.
const (
	labelWidth  = 9
	resultWidth = 12
	textColumn  = 2 + labelWidth + resultWidth
)

// row writes one result, with its text wrapped beneath itself. The text must be printable.
func (s screen) row(label, result, text string, more ...string) {
	lines := wrap(text, s.width-textColumn)
	for _, m := range more {
		lines = append(lines, wrap(m, s.width-textColumn)...)
	}
	head := "  " + pad(label, labelWidth) + s.paint(colorOf(result), result)
	if len(lines) == 0 {
		s.line(head)
		return
	}
	for i, line := range lines {
		if i == 0 {
			s.line(head + strings.Repeat(" ", max(1, resultWidth-len(result))) + line)
			continue
		}
		s.line(strings.Repeat(" ", textColumn) + line)
	}
}

func (s screen) line(text string) {
	io.WriteString(s.w, strings.TrimRight(text, " ")+"\n")
}

func pad(text string, width int) string {
	if len(text) >= width {
		return text + " "
	}
	return text + strings.Repeat(" ", width-len(text))
}
