package intake

import (
	"slices"
	"strings"
)

// settled begins the reason why something holds no report though nothing is wrong with it.
const settled = "no report, and settled: "

// Settled is the reason kept for what was no report, but something else that was seen to: nobody need look at it.
func Settled(what string) string { return settled + what }

// IsSettled tells whether all reasons that are kept are such.
func IsSettled(refusals []string) bool {
	return len(refusals) > 0 && !slices.ContainsFunc(refusals, func(r string) bool { return !strings.HasPrefix(r, settled) })
}
