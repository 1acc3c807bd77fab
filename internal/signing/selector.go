package signing

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// newSelector fills in a pattern: {year}, {month}, {day}, {algorithm}, and {a} for its first letter. A selector that was ever used is
// not used again; the next is numbered.
func newSelector(pattern string, a Algorithm, now time.Time, used func(selector string) bool) (string, error) {
	now = now.UTC()
	name := strings.NewReplacer(
		"{year}", now.Format("2006"), "{month}", now.Format("01"), "{day}", now.Format("02"),
		"{algorithm}", string(a), "{a}", string(a[0]),
	).Replace(pattern)
	if strings.ContainsAny(name, "{}") {
		return "", fmt.Errorf("%q: a pattern knows {year}, {month}, {day}, {algorithm} and {a}, its first letter", pattern)
	}
	name, err := SelectorName(name)
	if err != nil {
		return "", err
	}
	if len(name) > 50 {
		return "", fmt.Errorf("%q makes selectors with %d characters; 50 are the most", pattern, len(name))
	}
	unique := name
	for n := 2; used != nil && used(unique); n++ {
		unique = name + "-" + strconv.Itoa(n)
	}
	return unique, nil
}
