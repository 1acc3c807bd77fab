// Package raced tells tests whether they run beside the race detector, where everything takes ten times as long and memory is not what it is.
package raced

import "testing"

// Skip leaves a test that takes too long there, and would show nothing new, to a run without it: make test has one for each package that
// imports this.
func Skip(t testing.TB) {
	t.Helper()
	if On {
		t.Skip("it takes too long beside the race detector, and runs without it")
	}
}
