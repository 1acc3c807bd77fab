package render

import (
	"encoding/csv"
	"io"
	"time"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/show"
)

var columns = []string{"domain", "checked_at", "grade", "id", "severity", "subject", "title", "detail", "advice", "fix", "reference"}

// writeCSV writes a row a finding, and one row for a domain without any.
func writeCSV(w io.Writer, r Result, first bool) error {
	out := csv.NewWriter(w)
	if first {
		out.Write(columns)
	}
	all := r.Findings
	if len(all) == 0 {
		all = []audit.Finding{{}}
	}
	for i := range all {
		f := &all[i]
		row := []string{r.Domain, r.CheckedAt.UTC().Format(time.RFC3339), string(r.Grade), f.ID, string(f.Severity), f.Subject, f.Title,
			f.Detail, f.Advice, f.Fix, f.Reference}
		for j := range row {
			row[j] = cell(row[j])
		}
		out.Write(row)
	}
	out.Flush()
	return out.Error()
}

// cell is a text for a cell; what fits into none is cut off.
func cell(s string) string {
	const most = 32000 // characters, of the 32,767 that spreadsheets take
	return show.Clip(show.Cell(oneLine(s)), most)
}
