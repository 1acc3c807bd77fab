package render

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/gatepost-mail/gatepost/internal/audit/bulk"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/show"
)

// Brief writes a report as one line for people: grade, domain, how much was found, and what to do first.
func Brief(w io.Writer, r Result, o Options) error {
	count := map[check.Severity]int{}
	for _, f := range r.Findings {
		count[f.Severity]++
	}
	head := fmt.Sprintf("%-2s  %-34s  ", r.Grade, show.Elide(show.Printable(r.Domain), 34))
	var parts []string
	for _, s := range []struct {
		severity check.Severity
		called   string
	}{{check.Error, "error"}, {check.Warning, "warning"}} {
		if n := count[s.severity]; n > 0 {
			parts = append(parts, plural(n, s.called))
		}
	}
	if count[check.Unknown] > 0 {
		parts = append(parts, "not all known")
	}
	if len(parts) == 0 {
		parts = []string{"nothing to mend"}
	}
	line := head + strings.Join(parts, ", ")
	if i := worstOf(r); i != "" {
		line += ": " + i
	}
	_, err := io.WriteString(w, show.Clip(line, max(o.Width, utf8.RuneCountInString(head)+20))+"\n")
	return err
}

// worstOf is the id of what matters most.
func worstOf(r Result) string {
	for _, f := range r.Findings {
		if f.Severity == check.Error || f.Severity == check.Warning {
			return f.ID
		}
	}
	return ""
}

// Columns writes the head of a table in CSV, and Rows a report as its rows.
func Columns(w io.Writer) error {
	out := csv.NewWriter(w)
	out.Write(columns)
	out.Flush()
	return out.Error()
}

// Rows writes a report as rows of CSV.
func Rows(w io.Writer, r Result) error { return writeCSV(w, r, false) }

// mostShares bounds the findings that a summary names.
const mostShares = 15

// Summary writes for people how many of many domains have what.
func Summary(w io.Writer, s *bulk.Summary) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, of which %d send no mail", plural(s.Domains, "domain"), s.Silent)
	if s.Unknown > 0 {
		fmt.Fprintf(&b, "; of %d something could not be had", s.Unknown)
	}
	if s.NoNames > 0 {
		fmt.Fprintf(&b, "; %s held no domain", plural(s.NoNames, "line"))
	}
	b.WriteString("\n\nGrades\n")
	writeShares(&b, s.ByGrade())
	if all := s.ByFinding(); len(all) > 0 {
		b.WriteString("\nFindings\n")
		writeShares(&b, all[:min(len(all), mostShares)])
		if more := len(all) - mostShares; more > 0 {
			fmt.Fprintf(&b, "  and %d more\n", more)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeShares(b *strings.Builder, all []bulk.Share) {
	const bar = 20
	for _, s := range all {
		line := fmt.Sprintf("  %-34s %9d %6.1f %%  %s", s.Name, s.Domains, s.Percent, strings.Repeat("█", int(s.Percent*bar/100+0.5)))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}
