package digest

import (
	"fmt"

	"github.com/go-analyze/charts"

	"github.com/gatepost-mail/gatepost/internal/insight"
)

// The picture has twice the points that it is shown with, for screens that have them.
const (
	chartWidth  = 552
	chartHeight = 210
	chartScale  = 2
)

// A part of a day's messages.
type part struct {
	Name  string
	Mark  byte // in text
	Color string
	of    func(insight.Day) int64
}

// The parts of a day, in the order in which they are stacked. The colours differ in lightness too.
var parts = []part{
	{"passed", '#', "#2f9e78", func(d insight.Day) int64 { return d.Passed }},
	{"passed on by others", '~', "#7aa7e9", func(d insight.Day) int64 { return d.Forwarded }},
	{"misconfigured", '!', "#f0a830", func(d insight.Day) int64 { return d.Misconfigured }},
	{"unknown or abuse", '?', "#c8385a", func(d insight.Day) int64 { return d.Unknown + d.Abuse }},
}

// chart draws the days as bars. It has a background of its own, so that it can be read in whatever theme.
func chart(days []insight.Day) ([]byte, error) {
	var values [][]float64
	var colors []charts.Color
	for _, part := range parts {
		var line []float64
		for _, d := range days {
			line = append(line, float64(part.of(d)))
		}
		values, colors = append(values, line), append(colors, charts.ParseColor(part.Color))
	}
	text, grid := charts.ParseColor("#48525f"), charts.ParseColor("#e4e8ee")
	theme := charts.GetTheme(charts.ThemeLight).WithSeriesColors(colors).WithBackgroundColor(charts.ParseColor("#ffffff")).
		WithTextColor(text).WithXAxisTextColor(text).WithYAxisTextColor(text).WithLegendTextColor(text).WithXAxisColor(grid).WithYAxisColor(grid).WithAxisSplitLineColor(grid)
	font := charts.FontStyle{FontSize: 12 * chartScale, FontColor: text}

	o := charts.NewBarChartOptionWithData(values)
	o.Theme = theme
	o.StackSeries = charts.Ptr(true)
	o.BarSize = 0.72
	o.Padding = charts.NewBox(10*chartScale, 14*chartScale, 22*chartScale, 8*chartScale)
	o.Legend.Show = charts.Ptr(false) // it is too small on a telephone, and so beneath the picture
	every := max(1, (len(days)+4)/5)
	for i, d := range days {
		label := ""
		if (len(days)-1-i)%every == every/2 { // not at the end, where there is no room for it
			label = d.Day.Format("2 Jan")
		}
		o.CategoryAxis.Labels = append(o.CategoryAxis.Labels, label)
	}
	o.CategoryAxis.LabelFontStyle = font
	o.CategoryAxis.LabelCount = len(days)
	o.ValueAxis[0].LabelFontStyle = font
	o.ValueAxis[0].LabelCount = 5
	o.ValueAxis[0].Min = charts.Ptr(0.0)
	o.ValueAxis[0].ValueFormatter = func(v float64) string { return insight.Number(int64(v + 0.5)) }

	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputPNG, Width: chartWidth * chartScale, Height: chartHeight * chartScale, Theme: theme})
	if err := p.BarChart(o); err != nil {
		return nil, fmt.Errorf("the picture: %w", err)
	}
	return p.Bytes()
}

// describe says in words what the picture shows.
func describe(days []insight.Day) string {
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
		insight.Number(passed), insight.Number(all))
	if failed := worst.Messages() - worst.Passed; failed > 0 {
		text += fmt.Sprintf(" The most that failed on one day were %s, on %s.", insight.Number(failed), insight.Date(worst.Day))
	}
	return text
}
