package chart

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/show"
)

// A Trend is days with what changed on some of them.
type Trend struct {
	ID     string // of elements; another one for each picture of a page
	Days   []insight.Day
	Events []Event
}

// Sizes of the picture, in pixels. It is as wide as there is room: places along the time axis are shares of the width, so that letters
// keep their size and one picture serves every screen.
const (
	plotHeight = 200
	under      = 24 // for the days
	above      = 8
	labelRow   = 18 // of an event
	letter     = 7  // how wide one is, about
	narrow     = 300
	mostRows   = 3
	longest    = 24 // letters of a label
)

// In the plot each bar has so much room, and so much height if it reaches to the top.
const (
	slot  = 10
	tall  = 1000
	least = 6 // what there is of a part shows, however little
)

// SVG draws the days as stacked bars. Without any day it is empty.
func (t Trend) SVG(number Number) template.HTML {
	bins := Bins(t.Days)
	if len(bins) == 0 {
		return ""
	}
	var most float64
	for _, b := range bins {
		most = max(most, size(b.Day))
	}
	axis := ticks(most)
	rows, labels := t.labels(bins)
	top := above + labelRow*rows
	w := &writer{number: number}
	w.say(`<div class="trend">`)
	w.scale(axis, top)
	w.say(`<svg class="plot" width="100%%" height="%d" role="img" aria-labelledby="%s-title %[2]s-words">`, top+plotHeight+under, html.EscapeString(t.ID))
	title := "Messages a day"
	if len(bins) < len(t.Days) {
		title = "Messages a week"
	}
	w.say(`<title id="%[1]s-title">%[2]s</title><desc id="%[1]s-words">%[3]s</desc>`, html.EscapeString(t.ID), title, html.EscapeString(t.words(number)))
	for _, v := range axis[1:] {
		w.line("grid", top+plotHeight-int(v*plotHeight/axis[len(axis)-1]))
	}
	w.bars(bins, axis[len(axis)-1], top)
	w.line("base", top+plotHeight)
	w.days(bins, top+plotHeight+17)
	for _, l := range labels {
		w.event(l, top)
	}
	if most == 0 {
		w.say(`<text class="none" x="50%%" y="%d">No messages in these days</text>`, top+plotHeight/2)
	}
	w.say(`</svg></div>`)
	return template.HTML(w.b.String())
}

// words say what the picture shows, with what changed.
func (t Trend) words(number Number) string {
	text := Describe(t.Days, number)
	for _, e := range t.Events {
		text += fmt.Sprintf(" On %s: %s", insight.Date(e.Day), show.Printable(e.Text))
	}
	return text
}

// A writer writes SVG.
type writer struct {
	b      strings.Builder
	number Number
}

func (w *writer) say(format string, a ...any) { fmt.Fprintf(&w.b, format, a...) }

// scale is what stands to the left: how many messages each line of the grid is.
func (w *writer) scale(axis []float64, top int) {
	longest := 1
	for _, v := range axis {
		longest = max(longest, utf8.RuneCountInString(short(v, w.number)))
	}
	width := letter*longest + 10
	w.say(`<svg class="scale" width="%d" height="%d" aria-hidden="true">`, width, top+plotHeight+under)
	for _, v := range axis {
		w.say(`<text x="%d" y="%d">%s</text>`, width-6, top+plotHeight+4-int(v*plotHeight/axis[len(axis)-1]), html.EscapeString(short(v, w.number)))
	}
	w.say(`</svg>`)
}

func (w *writer) line(class string, y int) {
	w.say(`<line class="%s" x1="0" x2="100%%" y1="%d" y2="%[2]d"/>`, class, y)
}

// bars are one path for each part, and over them one field for each bar, which says what it is to whoever points at it.
func (w *writer) bars(bins []Bin, axis float64, top int) {
	w.say(`<svg y="%d" width="100%%" height="%d" viewBox="0 0 %d %d" preserveAspectRatio="none">`, top, plotHeight, slot*len(bins), tall)
	paths := make([]strings.Builder, len(Parts))
	wide := 0.8 * slot * min(1, float64(len(bins))/10) // a single day is no wall
	for i, b := range bins {
		y := tall
		for n, h := range heights(b.Day, axis) {
			if h == 0 {
				continue
			}
			y -= h
			fmt.Fprintf(&paths[n], "M%s %dh%sv%dh-%[3]sz", trimmed(float64(i*slot)+(slot-wide)/2), y, trimmed(wide), h)
		}
	}
	for n, p := range Parts {
		if paths[n].Len() > 0 {
			w.say(`<path class="c-%s" d="%s"/>`, p.Class, paths[n].String())
		}
	}
	for i, b := range bins {
		w.say(`<rect class="hit" x="%d" width="%d" height="%d"><title>%s</title></rect>`, i*slot, slot, tall, html.EscapeString(b.says(w.number)))
	}
	w.say(`</svg>`)
}

// heights are those of a bar's parts. What a small one has more than its share, the largest has less.
func heights(d insight.Day, axis float64) []int {
	all := make([]int, len(Parts))
	sum, largest := 0, 0
	for i, p := range Parts {
		n := p.Of(d)
		if n <= 0 {
			continue
		}
		all[i] = max(least, int(math.Round(float64(n)*tall/axis)))
		sum += all[i]
		if all[i] > all[largest] {
			largest = i
		}
	}
	most := int(math.Round(size(d) * tall / axis))
	if over := sum - most; over > 0 && all[largest]-over >= least {
		all[largest] -= over
	}
	return all
}

// size is how many messages there are, with as many as there may be.
func size(d insight.Day) (sum float64) {
	for _, p := range Parts {
		sum += float64(max(0, p.Of(d)))
	}
	return sum
}

// says is a bar in words.
func (b *Bin) says(number Number) string {
	text := b.Span() + b.To.Format(" 2006") + ": " + number(b.Messages()) + " messages"
	for _, p := range Parts {
		if n := p.Of(b.Day); n > 0 {
			text += "\n" + number(n) + " " + p.Name
		}
	}
	return text
}

// days are some of the days, beneath the axis. On a narrow screen there is room for every other one.
func (w *writer) days(bins []Bin, y int) {
	const most = 8
	every := (len(bins) + most - 1) / most
	for i := len(bins) - 1 - every/2; i >= 0; i -= every {
		class := ""
		if (len(bins)-1-i)/every%2 == 1 {
			class = " less"
		}
		w.say(`<text class="day%s" x="%s" y="%d">%s</text>`, class, share(float64(i)+0.5, len(bins)), y, bins[i].From.Format("2 Jan"))
	}
}

// A label is an event with its place.
type label struct {
	x    float64 // of 1
	row  int
	bare bool // there is no room for its word
	Event
}

// labels finds a row for the label of each event in which it does not lie on another.
func (t Trend) labels(bins []Bin) (rows int, all []label) {
	var ends [mostRows]float64
	for _, e := range t.Events {
		at := place(bins, e.Day)
		if at < 0 {
			continue
		}
		l := label{x: (float64(at) + 0.5) / float64(len(bins)), bare: true, Event: e}
		l.Label = show.Clip(show.Printable(e.Label), longest)
		width := float64(letter*utf8.RuneCountInString(l.Label)+12) / narrow
		from, to := l.x, l.x+width
		if to > 1 {
			from, to = l.x-width, l.x
		}
		for row := range ends {
			if ends[row] <= from {
				ends[row], l.row, l.bare = to, row, false
				rows = max(rows, row+1)
				break
			}
		}
		all = append(all, l)
	}
	return rows, all
}

// place is the bar of a day; -1 if it has none.
func place(bins []Bin, day time.Time) int {
	for i, b := range bins {
		if !day.Before(b.From) && !day.After(b.To) {
			return i
		}
	}
	return -1
}

func (w *writer) event(l label, top int) {
	x := trimmed(l.x*100) + "%"
	y := above/2 + labelRow*l.row
	w.say(`<g class="event"><title>%s</title><line x1="%s" x2="%[2]s" y1="%d" y2="%d"/>`,
		html.EscapeString(insight.Date(l.Day)+": "+show.Printable(l.Text)), x, y, top+plotHeight)
	if !l.bare {
		side, dx := "after", 5
		if l.x+float64(letter*utf8.RuneCountInString(l.Label)+12)/narrow > 1 {
			side, dx = "before", -5
		}
		w.say(`<text class="%s" x="%s" dx="%d" y="%d">%s</text>`, side, x, dx, y+12, html.EscapeString(l.Label))
	}
	w.say(`</g>`)
}

// Spark draws days without axes, to stand in a line of a table: passed, and on top of it what did not pass.
func Spark(days []insight.Day, number Number) template.HTML {
	var most float64
	for _, d := range days {
		most = max(most, size(d))
	}
	if most == 0 {
		return ""
	}
	const tall = 30
	scaled := func(v float64) int {
		if v > 0 {
			return max(1, int(math.Round(v*tall/most)))
		}
		return 0
	}
	steps := func(of func(insight.Day) int) string {
		var b strings.Builder
		fmt.Fprintf(&b, "M0 %d", tall)
		height, run := 0, 0
		flush := func() {
			if run > 0 {
				fmt.Fprintf(&b, "h%d", run)
				run = 0
			}
		}
		for _, d := range days {
			if h := of(d); h != height {
				flush()
				fmt.Fprintf(&b, "v%d", height-h)
				height = h
			}
			run++
		}
		flush()
		fmt.Fprintf(&b, "V%dz", tall)
		return b.String()
	}
	all := steps(func(d insight.Day) int { return scaled(size(d)) })
	// What failed shows, however little.
	passed := steps(func(d insight.Day) int {
		h := scaled(float64(max(0, d.Passed)))
		if d.Passed < d.Messages() {
			h = min(h, scaled(size(d))-1)
		}
		return h
	})
	text := fmt.Sprintf(`<svg class="spark" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s">`, len(days), tall, html.EscapeString(Describe(days, number)))
	if all != passed {
		text += `<path class="c-failed" d="` + all + `"/>`
	}
	if strings.Count(passed, "v") > 0 {
		text += `<path class="c-passed" d="` + passed + `"/>`
	}
	return template.HTML(text + `</svg>`)
}

// Bar draws a share. It says nothing: the number stands beside it.
func Bar(part, of int64) template.HTML {
	width := 0.0
	if of > 0 {
		width = math.Round(float64(min(max(0, part), of)) * 100 / float64(of))
		if part < of {
			width = min(width, 98)
		}
	}
	return template.HTML(fmt.Sprintf(`<svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="rest" width="100" height="8"/><rect class="c-passed" width="%s" height="8"/></svg>`,
		trimmed(width)))
}

// share is a place along the width.
func share(at float64, of int) string { return trimmed(at*100/float64(of)) + "%" }

// trimmed is a number with a digit behind the point at the most.
func trimmed(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}
