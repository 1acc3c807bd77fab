package chart

import (
	"fmt"

	"github.com/go-analyze/charts"

	"github.com/gatepost-mail/gatepost/internal/insight"
)

// The picture of a letter has twice the points that it is shown with, for screens that have them.
const (
	Width     = 552 // that it is shown with
	Scale     = 2
	pngHeight = 210
)

// PNG draws the days as stacked bars. It has a background of its own, so that it can be read in whatever theme.
func PNG(days []insight.Day) ([]byte, error) {
	var values [][]float64
	var colors []charts.Color
	for _, part := range Parts {
		var line []float64
		for _, d := range days {
			line = append(line, float64(part.Of(d)))
		}
		values, colors = append(values, line), append(colors, charts.ParseColor(part.Color))
	}
	text, grid := charts.ParseColor("#48525f"), charts.ParseColor("#e4e8ee")
	theme := charts.GetTheme(charts.ThemeLight).WithSeriesColors(colors).WithBackgroundColor(charts.ParseColor("#ffffff")).
		WithTextColor(text).WithXAxisTextColor(text).WithYAxisTextColor(text).WithLegendTextColor(text).WithXAxisColor(grid).WithYAxisColor(grid).WithAxisSplitLineColor(grid)
	font := charts.FontStyle{FontSize: 12 * Scale, FontColor: text}

	o := charts.NewBarChartOptionWithData(values)
	o.Theme = theme
	o.StackSeries = charts.Ptr(true)
	o.BarSize = 0.72
	o.Padding = charts.NewBox(10*Scale, 14*Scale, 22*Scale, 8*Scale)
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

	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputPNG, Width: Width * Scale, Height: pngHeight * Scale, Theme: theme})
	if err := p.BarChart(o); err != nil {
		return nil, fmt.Errorf("the picture: %w", err)
	}
	return p.Bytes()
}
