package signing

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Duration is written as Go writes it, or in days: "36h", "7d".
type Duration time.Duration

const day = 24 * time.Hour

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	if n, ok := strings.CutSuffix(s, "d"); ok {
		if days, err := strconv.ParseUint(n, 10, 16); err == nil {
			*d = Duration(time.Duration(days) * day)
			return nil
		}
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is no duration; write it like \"90m\", \"36h\" or \"7d\"", s)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes a duration as [Duration.String] does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String writes whole days as days, and leaves out what is zero.
func (d Duration) String() string {
	v := time.Duration(d)
	if v > 0 && v%day == 0 && v/day < 1<<16 {
		return strconv.Itoa(int(v/day)) + "d"
	}
	s := v.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
