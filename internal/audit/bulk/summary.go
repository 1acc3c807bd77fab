package bulk

import (
	"cmp"
	"maps"
	"slices"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
)

// A Summary counts domains by what was found.
type Summary struct {
	Domains  int // that were audited
	NoNames  int // lines that held no name of a domain
	Silent   int // domains that send no mail
	Unknown  int // domains of which something could not be had
	Grades   map[check.Grade]int
	Findings map[string]int // domains with such a finding, by the check's id
}

// A Share is how many domains have something.
type Share struct {
	Name    string  `json:"name"`
	Domains int     `json:"domains"`
	Percent float64 `json:"percent"`
}

// ByGrade are the shares of the grades, the best first, those that no domain has too.
func (s *Summary) ByGrade() []Share {
	var all []Share
	for _, g := range []check.Grade{check.A, check.AMinus, check.B, check.C, check.D, check.F, check.Undecided} {
		all = append(all, s.share(string(g), s.Grades[g]))
	}
	return all
}

// ByFinding are the shares of the findings, the most frequent first.
func (s *Summary) ByFinding() []Share {
	var all []Share
	for _, id := range slices.Sorted(maps.Keys(s.Findings)) {
		all = append(all, s.share(id, s.Findings[id]))
	}
	slices.SortStableFunc(all, func(a, b Share) int { return cmp.Compare(b.Domains, a.Domains) })
	return all
}

func (s *Summary) share(name string, n int) Share {
	return Share{name, n, 100 * float64(n) / float64(max(1, s.Domains))}
}

// A line is what a summary keeps of a report, and reads again from a line of output.
type line struct {
	Domain   string      `json:"domain"`
	Grade    check.Grade `json:"grade"`
	Sends    bool        `json:"sends"`
	Error    string      `json:"error"`
	Findings []struct {
		ID       string         `json:"id"`
		Severity check.Severity `json:"severity"`
	} `json:"findings"`
}

func lineOf(r *audit.Report) *line {
	l := &line{Domain: r.Domain, Grade: r.Grade, Sends: r.Sends}
	for _, f := range r.Findings {
		l.Findings = append(l.Findings, struct {
			ID       string         `json:"id"`
			Severity check.Severity `json:"severity"`
		}{f.ID, f.Severity})
	}
	return l
}

// add counts one line of output; nil stands for one that held no name.
func (s *Summary) add(l *line) {
	if l == nil {
		s.NoNames++
		return
	}
	if s.Grades == nil {
		s.Grades, s.Findings = map[check.Grade]int{}, map[string]int{}
	}
	s.Domains++
	s.Grades[l.Grade]++
	if !l.Sends {
		s.Silent++
	}
	seen := map[string]bool{}
	unknown := false
	for _, f := range l.Findings {
		if !seen[f.ID] {
			seen[f.ID] = true
			s.Findings[f.ID]++
		}
		unknown = unknown || f.Severity == check.Unknown
	}
	if unknown {
		s.Unknown++
	}
}
