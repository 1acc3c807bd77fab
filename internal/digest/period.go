package digest

import (
	"fmt"
	"time"

	"github.com/gatepost-mail/gatepost/internal/insight"
)

// Due gives the last moment at which a letter was to be sent, and the period that it is about. There is one for every moment: a program
// that was down for a month owes the last letter, not four.
//
// A weekly letter is about the last week, Monday to Sunday, that ended before; a monthly one about the last month; a daily one about the
// day before yesterday, for in the morning most of yesterday's reports are still to come. What day it is, the time zone says; the days of
// the reports are those of UTC. Where clocks go forward past the moment, it is an hour off, and where they go back it comes once.
func (c *Config) Due(now time.Time) (at time.Time, period string, err error) {
	s, err := c.schedule()
	if err != nil {
		return at, "", err
	}
	local := now.In(s.zone)
	on := func(day time.Time) time.Time {
		return time.Date(day.Year(), day.Month(), day.Day(), s.hour, s.minute, 0, 0, s.zone)
	}
	// Days are counted at noon, which every day of every time zone has.
	day := time.Date(local.Year(), local.Month(), local.Day(), 12, 0, 0, 0, s.zone)
	for {
		if s.on(day) && !on(day).After(now) {
			break
		}
		day = day.AddDate(0, 0, -1)
	}
	at = on(day)
	return at, s.period(day), nil
}

func (s *schedule) on(day time.Time) bool {
	switch s.every {
	case Weekly:
		return day.Weekday() == s.weekday
	case Monthly:
		return day.Day() == s.monthDay
	}
	return true
}

// period names the last one that was over on a day.
func (s *schedule) period(day time.Time) string {
	switch s.every {
	case Daily:
		return day.AddDate(0, 0, -2).Format("2006-01-02")
	case Monthly:
		return day.AddDate(0, 0, -day.Day()).Format("2006-01")
	}
	year, week := day.AddDate(0, 0, -7).ISOWeek()
	return fmt.Sprintf("%04d-W%02d", year, week)
}

// ParsePeriod reads the name of a period: a day (2026-11-24), a week of ISO 8601 (2026-W47) or a month (2026-11).
func ParsePeriod(s string) (insight.Period, error) {
	if day, err := time.Parse("2006-01-02", s); err == nil {
		return insight.Period{From: day, To: day}, nil
	}
	if month, err := time.Parse("2006-01", s); err == nil {
		return insight.Period{From: month, To: month.AddDate(0, 1, -1)}, nil
	}
	var year, week int
	if n, err := fmt.Sscanf(s+"\n", "%4d-W%2d\n", &year, &week); err == nil && n == 2 && len(s) == len("2026-W47") {
		// The week with the 4th of January is the first.
		first := time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC)
		monday := first.AddDate(0, 0, -(int(first.Weekday())+6)%7+7*(week-1))
		if y, w := monday.ISOWeek(); y == year && w == week {
			return insight.Period{From: monday, To: monday.AddDate(0, 0, 6)}, nil
		}
	}
	return insight.Period{}, fmt.Errorf("%q is no period; write a day as 2026-11-24, a week as 2026-W47, a month as 2026-11", s)
}

// trend is how many days the picture shows.
func trend(p insight.Period) int {
	if p.Len() > 14 {
		return p.Len() + p.Before().Len()
	}
	return 14
}

// says tells a person of a period: "week 47, 16 to 22 November 2026".
func says(p insight.Period) string {
	switch n := p.Len(); {
	case n == 1:
		return insight.Date(p.From)
	case n == 7:
		_, week := p.From.ISOWeek()
		from := p.From.Format("2")
		if p.From.Month() != p.To.Month() {
			from = p.From.Format("2 January")
		}
		return fmt.Sprintf("week %d, %s to %s", week, from, insight.Date(p.To))
	}
	return p.From.Format("January 2006")
}

// before names the period before one, for a comparison.
func before(p insight.Period) string {
	switch n := p.Len(); {
	case n == 1:
		return "the day before"
	case n == 7:
		return "the week before"
	}
	return fmt.Sprintf("the %d days before", p.Len())
}
