package aggregate

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden is how a report is read, as the golden files have it.
type golden struct {
	Feedback Feedback
	Records  []Record
	Warnings []string
}

func TestReportsInTheShapesOfReporters(t *testing.T) {
	paths, err := filepath.Glob("testdata/wild/*.xml")
	if err != nil || len(paths) < 36 {
		t.Fatalf("%d reports, %v", len(paths), err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".xml")
		t.Run(name, func(t *testing.T) {
			file, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			report, err := Read(file, Options{Now: now})
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			e := json.NewEncoder(&got)
			e.SetEscapeHTML(false)
			e.SetIndent("", "  ")
			if err := e.Encode(golden{report.Feedback, bare(report.Records), told(report.Warnings)}); err != nil {
				t.Fatal(err)
			}
			expected := strings.TrimSuffix(path, ".xml") + ".golden"
			if *update {
				if err := os.WriteFile(expected, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(expected)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("got\n%s\nwant\n%s", got.Bytes(), want)
			}
		})
	}
}
