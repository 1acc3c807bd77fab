package chart

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/png"
	"io"
	"math"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/golden"
	"github.com/gatepost-mail/gatepost/internal/insight"
)

var first = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// some are days in a row.
func some(n int, of func(i int) insight.Day) []insight.Day {
	all := make([]insight.Day, n)
	for i := range all {
		all[i] = of(i)
		all[i].Day = first.AddDate(0, 0, i)
	}
	return all
}

func usual(i int) insight.Day {
	return insight.Day{Passed: int64(900 + i%7*20), Forwarded: 20, Misconfigured: int64(i % 5 * 10), Unknown: 3, Abuse: int64(i % 3)}
}

func outlier(i int) insight.Day {
	if i == 12 {
		return insight.Day{Passed: 900, Abuse: 2_500_000}
	}
	return usual(i)
}

var trends = map[string]Trend{
	"none":    {ID: "t"},
	"one":     {ID: "t", Days: some(1, usual)},
	"month":   {ID: "t", Days: some(30, usual), Events: []Event{{first.AddDate(0, 0, 9), "p=quarantine", "The policy was changed from p=none to p=quarantine."}}},
	"year":    {ID: "t", Days: some(400, usual), Events: []Event{{first.AddDate(0, 0, 399), "p=reject", "The policy was changed."}}},
	"outlier": {ID: "t", Days: some(30, outlier)},
	"zero":    {ID: "t", Days: some(30, func(int) insight.Day { return insight.Day{} })},
	"crowded": {ID: "t", Days: some(30, usual), Events: []Event{
		{first, "p=none", "One."}, {first, "p=quarantine", "Two."}, {first.AddDate(0, 0, 1), "p=reject", "Three."}, {first.AddDate(0, 0, 2), "record gone", "Four."},
		{first.AddDate(0, 0, 40), "later", "Not in it."},
	}},
}

func TestPictures(t *testing.T) {
	for name, trend := range trends {
		got := strings.ReplaceAll(string(trend.SVG(insight.Number)), "><", ">\n<")
		path := filepath.Join("testdata", name+".svg")
		golden.Check(t, path, got)
	}
}

// wellFormed reads a picture as XML, which is stricter than what browsers do with it.
func wellFormed(t *testing.T, name, svg string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader("<x>" + svg + "</x>")); ; {
		switch _, err := d.Token(); err {
		case nil:
		case io.EOF:
			return
		default:
			t.Errorf("%s: %v in %s", name, err, svg)
			return
		}
	}
}

var styled = regexp.MustCompile(`(?i)\s(style|on[a-z]+|href|src)\s*=|<script|url\(`)

func TestPicturesHaveNoStyleNoScriptAndNoMoreThanAFewKilobytes(t *testing.T) {
	for name, trend := range trends {
		for _, svg := range []string{string(trend.SVG(insight.Number)), string(Spark(trend.Days, insight.Number)), string(Bar(1, 3))} {
			wellFormed(t, name, svg)
			if m := styled.FindString(svg); m != "" {
				t.Errorf("%s has %q", name, m)
			}
			if len(svg) > 24<<10 {
				t.Errorf("%s: %d bytes", name, len(svg))
			}
		}
		if spark := Spark(trend.Days, insight.Number); len(trend.Days) <= 30 && len(spark) > 900 {
			t.Errorf("%s: %d bytes in a line of a table", name, len(spark))
		}
	}
}

func TestWhatStrangersWroteIsText(t *testing.T) {
	hostile := `</title><script>alert(1)</script>" onload="x` + "\u202e\x00\x1b[31m" + strings.Repeat("x", 10<<10)
	svg := string(Trend{ID: `t"><script>`, Days: some(3, usual), Events: []Event{{first, hostile, hostile}}}.SVG(func(int64) string { return "<1>" }))
	wellFormed(t, "hostile", svg)
	if strings.Contains(svg, "<script") || strings.ContainsAny(svg, "\u202e\x00\x1b") || strings.Contains(svg, `" onload`) {
		t.Errorf("something got through: %.600s", svg)
	}
}

func TestAPictureSaysWhatItIs(t *testing.T) {
	svg := string(trends["month"].SVG(insight.Number))
	for _, want := range []string{
		`role="img" aria-labelledby="t-title t-words"`, `<title id="t-title">Messages a day</title>`,
		`<desc id="t-words">Bars of messages a day from 5 January 2026 to 3 February 2026: 28,700 of 30,020 passed.`,
		`On 14 January 2026: The policy was changed from p=none to p=quarantine.`, "6 Jan 2026: 954 messages\n920 passed\n20 passed on by others\n10 misconfigured\n3 unknown\n1 likely abuse",
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q in %s", want, svg)
		}
	}
	if year := string(trends["year"].SVG(insight.Number)); !strings.Contains(year, "Messages a week") || strings.Count(year, `class="hit"`) != 58 {
		t.Errorf("400 days are 57 weeks and a day: %s", year)
	}
}

func TestWeeksEndWithTheLastDay(t *testing.T) {
	days := some(128, func(int) insight.Day {
		return insight.Day{Passed: 1, Forwarded: 2, Misconfigured: 3, Unknown: 4, Abuse: 5}
	})
	bins := Bins(days)
	if len(bins) != 19 || bins[0].Passed != 2 || bins[1].Passed != 7 || !bins[18].To.Equal(days[127].Day) || bins[18].Messages() != 7*15 {
		t.Errorf("%d bars, %+v to %+v", len(bins), bins[0], bins[len(bins)-1])
	}
	var sum int64
	for _, b := range bins {
		sum += b.Messages()
	}
	if sum != 128*15 {
		t.Errorf("%d messages", sum)
	}
	for _, total := range Totals(days) {
		if want := map[string]int64{"passed": 128, "forwarded": 256, "misconfigured": 384, "unknown": 512, "abuse": 640}[total.Class]; total.Messages != want {
			t.Errorf("%s: %d, want %d", total.Name, total.Messages, want)
		}
	}
	if got := bins[0].Span() + ", " + bins[1].Span() + ", " + bins[4].Span(); got != "5–6 Jan, 7–13 Jan, 28 Jan – 3 Feb" {
		t.Error(got)
	}
}

func TestTicksAreRound(t *testing.T) {
	for most, want := range map[float64]string{
		0: "0 1", 1: "0 1", 3: "0 1 2 3", 4: "0 1 2 3 4", 5: "0 2 4 6", 160: "0 50 100 150 200", 3141: "0 1,000 2,000 3,000 4,000", 9999: "0 5,000 10,000",
		2_500_900: "0 1 M 2 M 3 M", 1_400_000: "0 500,000 1 M 1.5 M", 7e12: "0 2 tn 4 tn 6 tn 8 tn",
	} {
		var got []string
		for _, v := range ticks(most) {
			got = append(got, short(v, insight.Number))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v: got %v, want %s", most, got, want)
		}
	}
}

func TestWhatThereIsOfAPartShowsHoweverLittle(t *testing.T) {
	for _, d := range []insight.Day{outlier(12), {Passed: 1_000_000, Forwarded: 1, Misconfigured: 1, Unknown: 1, Abuse: 1}, {Abuse: 1}, {Passed: math.MaxInt64, Abuse: math.MaxInt64}, {Passed: -5, Abuse: 3}} {
		axis := ticks(size(d))
		sum := 0
		for i, h := range heights(d, axis[len(axis)-1]) {
			if n := Parts[i].Of(d); n > 0 && h < least || n <= 0 && h != 0 {
				t.Errorf("%+v: %s is %d high", d, Parts[i].Name, h)
			}
			sum += h
		}
		if sum > tall+least {
			t.Errorf("%+v: %d high", d, sum)
		}
	}
}

func TestALetterHasTheSamePicture(t *testing.T) {
	for name, trend := range trends {
		if len(trend.Days) == 0 {
			continue
		}
		b, err := PNG(trend.Days)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p, err := png.Decode(bytes.NewReader(b))
		if err != nil || p.Bounds().Dx() != Width*Scale || len(b) > 100<<10 {
			t.Errorf("%s: %v, %d bytes", name, err, len(b))
		}
		if name != "month" {
			continue
		}
		for _, part := range Parts[:3] { // of the others there is too little
			found := false
			for y := range p.Bounds().Dy() {
				for x := range p.Bounds().Dx() {
					r, g, b, _ := p.At(x, y).RGBA()
					found = found || fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8) == part.Color
				}
			}
			if !found {
				t.Errorf("nothing has the colour of %s", part.Name)
			}
		}
	}
}

func TestABarIsFullOnlyIfAllPassed(t *testing.T) {
	for _, c := range []struct {
		part, of int64
		width    string
	}{{0, 0, "0"}, {0, 9, "0"}, {1, 3, "33"}, {999_999, 1_000_000, "98"}, {7, 7, "100"}, {9, 7, "100"}, {-1, 7, "0"}} {
		if got := string(Bar(c.part, c.of)); !strings.Contains(got, `class="c-passed" width="`+c.width+`"`) {
			t.Errorf("%d of %d: %s", c.part, c.of, got)
		}
	}
}
