package aggregate

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/golden"
)

// shape is how a report is read, as the golden files have it.
type shape struct {
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
			if err := e.Encode(shape{report.Feedback, bare(report.Records), told(report.Warnings)}); err != nil {
				t.Fatal(err)
			}
			expected := strings.TrimSuffix(path, ".xml") + ".golden"
			golden.Check(t, expected, got.String())
		})
	}
}
