// Package golden compares what a test got with a file that somebody read and found right. go test PACKAGE -update writes the files anew, to be
// read and committed.
package golden

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

// Update tells that the files are to be written anew.
var Update = flag.Bool("update", false, "write the golden files anew, to be read and committed")

// Check compares a text with a file.
func Check(t testing.TB, path, got string) {
	t.Helper()
	if *Update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what came; if that is right, write it anew with -update\n%s", path, Difference(string(want), got))
	}
}

// Difference is where two texts begin to differ.
func Difference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d: want %s\ngot  %s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("want %d lines, got %d", len(a), len(b))
}
