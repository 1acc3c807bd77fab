package cli

import (
	"fmt"
	"strconv"

	"github.com/gatepost-mail/gatepost/internal/show"
)

// These have short names here, since all that is printed goes through them.
func printable(s string) string            { return show.Printable(s) }
func clip(s string, n int) string          { return show.Clip(s, n) }
func elide(s string, n int) string         { return show.Elide(s, n) }
func wrap(text string, width int) []string { return show.Wrap(text, width) }

// plural is "1 message", "2 messages".
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// thousands is "1,234,567".
func thousands[N int | int64](n N) string {
	digits := strconv.FormatInt(int64(n), 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// counted is "1 report", "2,000 reports".
func counted[N int | int64](n N, what string) string {
	if n != 1 {
		what += "s"
	}
	return thousands(n) + " " + what
}
