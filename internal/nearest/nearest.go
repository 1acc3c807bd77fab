// Package nearest finds the word that somebody meant who made a slip of the pen.
package nearest

import (
	"slices"
	"strings"
)

const (
	maxTyped = 253 // what is longer is no slip: no name of ours, and no domain, is
	slips    = 2   // two slips are a guess, three are another word
	short    = 5   // in a word of fewer letters two slips are one too
)

// Word is the one of some words that was likely meant: the one that begins so, the right key in another table ("limits.queries" for
// "queries"), or the one with the fewest slips in it. It is empty where there is none.
func Word(typed string, words []string) string {
	if len(typed) > maxTyped {
		return ""
	}
	best, distance := "", slips+1
	if len(typed) < short {
		distance = slips
	}
	for _, word := range slices.Sorted(slices.Values(words)) {
		d := Edits(strings.ToLower(typed), strings.ToLower(word))
		switch {
		case len(typed) > 1 && strings.HasPrefix(word, typed):
			d = min(d, 1)
		case strings.Contains(word, ".") && last(word) == last(typed):
			d = min(d, slips)
		}
		if d < distance && d < len(word) {
			best, distance = word, d
		}
	}
	return best
}

func last(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

// Edits is the number of letters to insert, leave out, replace or swap with the next (optimal string alignment).
func Edits(a, b string) int {
	width := len(a) + 1
	rows := make([]int, 3*width)
	before, above, row := rows[:width], rows[width:2*width], rows[2*width:]
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(b); i++ {
		before, above, row = above, row, before
		row[0] = i
		for j := 1; j <= len(a); j++ {
			cost := 1
			if a[j-1] == b[i-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[j-1] == b[i-2] && a[j-2] == b[i-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(a)]
}
