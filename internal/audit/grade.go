package audit

import (
	"slices"
	"strings"
	"unicode"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

var grades = []check.Grade{check.A, check.AMinus, check.B, check.C, check.D, check.F}

func rank(g check.Grade) int { return slices.Index(grades, g) }

// core are the areas without which mail is not authenticated. What is wrong elsewhere pulls nothing below A-.
var core = []facts.Area{facts.SPF, facts.DKIM, facts.DMARC}

// capOf is the best grade that a domain with this finding can have.
func capOf(f *Finding) check.Grade {
	switch {
	case f.Severity == check.Unknown || f.Severity == check.Info && f.cap == "":
		return check.A
	case f.cap != "":
		return f.cap
	case !slices.Contains(core, f.Area):
		return check.AMinus
	case f.Severity == check.Error:
		return check.D
	}
	return check.B
}

// grade is the letter, and what would raise it.
func grade(r *Report) (check.Grade, string) {
	worst := -1
	letter := check.A
	for i := range r.Findings {
		if c := capOf(&r.Findings[i]); rank(c) > rank(letter) {
			worst, letter = i, c
		}
	}
	if r.Facts.Gone() {
		return check.Undecided, "There is no domain " + r.Domain + ": look whether the name is right."
	}
	if area := r.Facts.Undecided(); area != "" && letter != check.F {
		return check.Undecided, "Too little could be had of its " + strings.ToUpper(string(area)) + " to tell; look again later."
	}
	if worst < 0 {
		return letter, ""
	}
	return letter, first(&r.Findings[worst])
}

// first says what to do about a finding.
func first(f *Finding) string {
	advice, _, more := strings.Cut(f.Advice, "\n")
	if at := strings.LastIndex(advice, ". "); more && strings.HasSuffix(advice, ":") { // it leads to what is not shown here
		advice = advice[:at+1]
	}
	switch {
	case f.Fix != "" && !f.Changes[0].Elsewhere:
		return f.Title + ": publish at " + f.Changes[0].Name + " what is given below."
	case advice != "":
		return f.Title + " (" + f.Subject + "). " + firstSentence(advice)
	}
	return f.Title + " (" + f.Subject + ")."
}

// firstSentence is enough of an advice to know what is to be done.
func firstSentence(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	for i := 0; ; {
		end := strings.Index(s[i:], ". ")
		if end < 0 {
			return s
		}
		i += end + 2
		if next := strings.TrimLeft(s[i:], " "); next != "" && unicode.IsUpper(rune(next[0])) {
			return s[:i-1]
		}
	}
}
