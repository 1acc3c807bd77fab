package web

import (
	"encoding/csv"
	"mime"
	"net/http"

	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/show"
)

// table answers with a table of an answer, as CSV.
func (s *site) table(w http.ResponseWriter, r *http.Request, who *people.Access, answer any, name string) {
	if t, ok := answer.(dashboard.Tabular); ok {
		for _, table := range t.Tables() {
			if table.Name == name {
				w.Header().Set("Content-Type", "text/csv; charset=utf-8")
				w.Header().Set("Content-Disposition", `attachment; filename="`+table.Name+`.csv"`)
				writeTable(csv.NewWriter(w), table)
				return
			}
		}
	}
	s.message(w, r, who, http.StatusNotFound, "No such table", "")
}

// file answers with an answer in another format, to be kept.
func (s *site) file(w http.ResponseWriter, r *http.Request, who *people.Access, answer any, format string) {
	if f, ok := answer.(dashboard.Filed); ok {
		for _, file := range f.Files() {
			if file.Format == format {
				w.Header().Set("Content-Type", file.Type)
				w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": file.Name}))
				if err := file.Write(w); err != nil {
					s.log.Warn("a file could not be sent", "path", r.URL.Path, "error", err.Error())
				}
				return
			}
		}
	}
	s.message(w, r, who, http.StatusNotFound, "No such format", "")
}

func writeTable(out *csv.Writer, t dashboard.Table) {
	out.Write(t.Columns)
	for row := range t.Rows {
		cells := make([]string, len(row))
		for i, text := range row {
			cells[i] = show.Cell(text)
		}
		out.Write(cells)
	}
	out.Flush()
}
