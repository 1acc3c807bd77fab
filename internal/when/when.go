// Package when reads moments as people write them: a day, a time, or a stretch of time from now.
//
//	since, err := when.Since("7d", now)
//	until, err := when.Until("2026-12-31", now)
package when

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Since reads the first moment of something: a stretch is meant back from now.
func Since(s string, now time.Time) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		return day, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), nil
	}
	d, err := Duration(s)
	if err != nil {
		return time.Time{}, errors.New("not a time; write it as 1h, 7d, 2026-11-01 or 2026-11-01T12:00:00Z")
	}
	return now.Add(-d), nil
}

// Until reads the last moment of something: a day is meant to its end.
func Until(s string, now time.Time) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		return day.Add(24*time.Hour - time.Second), nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), nil
	}
	d, err := Duration(s)
	if err != nil {
		return time.Time{}, errors.New("not a date; write it as 2026-12-31, 2026-12-31T12:00:00Z or 30d")
	}
	return now.Add(d).UTC().Truncate(time.Second), nil
}

// End writes the last moment of something as Until reads it: only the day, where it is meant to the day's end. Of others it is empty.
func End(t time.Time) string {
	if t = t.UTC(); t.Hour() == 23 && t.Minute() == 59 && t.Second() == 59 {
		return t.Format(time.DateOnly)
	}
	return ""
}

// Duration reads a stretch of time: Go's form, days, or plain seconds.
func Duration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		number, unit := s, time.Second
		if n, ok := strings.CutSuffix(s, "d"); ok {
			number, unit = n, 24*time.Hour
		}
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || n > uint64((1<<63-1)/unit) {
			return 0, errors.New("not a duration; write it as 30s, 5m, 36h or 7d")
		}
		d = time.Duration(n) * unit
	}
	if d <= 0 {
		return 0, errors.New("a duration is more than nothing")
	}
	return d, nil
}
