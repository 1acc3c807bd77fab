//go:build !race

package raced

// On tells that the race detector is there.
const On = false
