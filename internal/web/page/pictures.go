package page

import (
	"html/template"

	"golang.org/x/text/message"

	"github.com/gatepost-mail/gatepost/internal/chart"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/show"
)

// longest is how many letters of a name that a stranger chose are shown.
const longest = 120

// pictures are what templates call to draw.
func pictures(print *message.Printer) template.FuncMap {
	number := func(n int64) string { return print.Sprint(n) }
	return template.FuncMap{
		"trend":  func(t chart.Trend) template.HTML { return t.SVG(number) },
		"spark":  func(days []insight.Day) template.HTML { return chart.Spark(days, number) },
		"share":  chart.Bar,
		"totals": chart.Totals,
		"bins":   chart.Bins,
		"days":   func() []int { return []int{7, 30, 90, 365} },
		"more":   func(all, shown int) string { return print.Sprint(all - shown) },
		"clip":   func(text string) string { return show.Clip(text, longest) },
	}
}
