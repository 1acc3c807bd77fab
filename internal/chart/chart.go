// Package chart draws how the messages of a domain fared, day by day: as SVG for a page, as PNG for a letter, and in words for whoever
// sees neither.
//
//	svg := chart.Trend{ID: "trend", Days: answer.Days, Events: events}.SVG(insight.Number)
//	png, err := chart.PNG(answer.Days)
//	alt := chart.Describe(answer.Days, insight.Number)
//
// All of them have the parts of a day in the same order, with the same names and colours. SVG has no style of its own, as the dashboard
// lets no page have one: the colours are those of its style sheet, by classes, and so follow the reader's theme.
package chart

import (
	"fmt"
	"math"
	"time"

	"github.com/gatepost-mail/gatepost/internal/insight"
)

// A Part is one of a day's messages.
type Part struct {
	Name  string
	Class string // in SVG and style sheets
	Mark  byte   // in text
	Color string // where no style sheet is
	Of    func(insight.Day) int64
}

// Parts are those of a day, in the order in which they are stacked. The colours differ in lightness too, and those of the style sheet on
// light ground are the same.
var Parts = []Part{
	{"passed", "passed", '#', "#2f9e78", func(d insight.Day) int64 { return d.Passed }},
	{"passed on by others", "forwarded", '~', "#7aa7e9", func(d insight.Day) int64 { return d.Forwarded }},
	{"misconfigured", "misconfigured", '!', "#e99b1f", func(d insight.Day) int64 { return d.Misconfigured }},
	{"unknown", "unknown", '?', "#8b93a3", func(d insight.Day) int64 { return d.Unknown }},
	{"likely abuse", "abuse", 'x', "#c8385a", func(d insight.Day) int64 { return d.Abuse }},
}

// Number writes a count: insight.Number, or as the reader's language has it.
type Number func(int64) string

// An Event is something that changed on a day.
type Event struct {
	Day   time.Time `json:"day"`
	Label string    `json:"label"` // a word or two, in the picture
	Text  string    `json:"text"`  // a sentence
}

// A Bin is what one bar stands for: a day, or a week where there are many days.
type Bin struct {
	From, To time.Time
	insight.Day
}

// daily is up to how many days each has a bar of its own.
const daily = 120

const week = 7

// Bins are the bars of some days. Weeks end with the last day, so that the first may be shorter.
func Bins(days []insight.Day) []Bin {
	step := 1
	if len(days) > daily {
		step = week
	}
	bins := make([]Bin, 0, (len(days)+step-1)/step)
	for from := 0; from < len(days); {
		to := from + step
		if from == 0 && len(days)%step > 0 {
			to = len(days) % step
		}
		b := Bin{From: days[from].Day, To: days[to-1].Day, Day: insight.Day{Day: days[from].Day}}
		for _, d := range days[from:to] {
			b.Passed += d.Passed
			b.Forwarded += d.Forwarded
			b.Misconfigured += d.Misconfigured
			b.Unknown += d.Unknown
			b.Abuse += d.Abuse
		}
		bins = append(bins, b)
		from = to
	}
	return bins
}

// Span is the days of a bar, as people write them.
func (b Bin) Span() string {
	switch {
	case b.From.Equal(b.To):
		return b.From.Format("2 Jan")
	case b.From.Month() == b.To.Month() && b.From.Year() == b.To.Year():
		return b.From.Format("2") + "–" + b.To.Format("2 Jan")
	}
	return b.From.Format("2 Jan") + " – " + b.To.Format("2 Jan")
}

// A Total is how many messages a part has in all.
type Total struct {
	Name, Class string
	Messages    int64
}

// Totals are those of the parts, the empty ones too.
func Totals(days []insight.Day) []Total {
	all := make([]Total, 0, len(Parts))
	for _, p := range Parts {
		t := Total{Name: p.Name, Class: p.Class}
		for _, d := range days {
			t.Messages += p.Of(d)
		}
		all = append(all, t)
	}
	return all
}

// Describe says in words what the picture shows.
func Describe(days []insight.Day, number Number) string {
	if len(days) == 0 {
		return "There are no days."
	}
	var all, passed int64
	worst := insight.Day{}
	for _, d := range days {
		all += d.Messages()
		passed += d.Passed
		if d.Messages()-d.Passed > worst.Messages()-worst.Passed {
			worst = d
		}
	}
	text := fmt.Sprintf("Bars of messages a day from %s to %s: %s of %s passed.", insight.Date(days[0].Day), insight.Date(days[len(days)-1].Day),
		number(passed), number(all))
	if failed := worst.Messages() - worst.Passed; failed > 0 {
		text += fmt.Sprintf(" The most that failed on one day were %s, on %s.", number(failed), insight.Date(worst.Day))
	}
	return text
}

// ticks are round numbers from 0 to one that is no less than most, and is of use as the end of an axis.
func ticks(most float64) []float64 {
	const about = 4
	step := math.Pow(10, math.Floor(math.Log10(max(most, 1)/about)))
	for _, times := range []float64{1, 2, 5, 10} {
		if step*times*about >= most {
			step *= times
			break
		}
	}
	step = max(1, step)
	all := []float64{0}
	for v := step; ; v += step {
		all = append(all, v)
		if v >= most {
			return all
		}
	}
}

// short writes a number of an axis.
func short(v float64, number Number) string {
	for _, u := range []struct {
		of   float64
		name string
	}{{1e12, " tn"}, {1e9, " bn"}, {1e6, " M"}} {
		if v >= u.of {
			return trimmed(v/u.of) + u.name
		}
	}
	return number(int64(v))
}
