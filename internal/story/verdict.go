package story

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/store"
)

func dmarc(d *store.Decision) Chapter {
	text := d.DMARC
	if d.Policy != "" {
		text += ", p=" + d.Policy + " of " + d.PolicyDomain
	}
	c := Chapter{Name: "dmarc", Title: "DMARC asked whether that authenticates the author", Result: d.DMARC, Facts: []Fact{
		{"dmarc", text}, {"aligned", aligned(d)}, {"record", d.Record},
	}}
	switch d.DMARC {
	case "pass":
		c.Tone = Good
		c.Means = []string{fmt.Sprintf("The author is authenticated: what passed is of %s too.", d.AuthorDomain)}
	case "fail":
		c.Tone = Bad
		c.Means = []string{fmt.Sprintf("Neither SPF nor DKIM shows that the message is of %s.", d.AuthorDomain)}
		if asks := asked(d); asks != "" {
			c.Means = append(c.Means, asks)
		}
	case "none":
		c.Tone = Warn
		c.Means = []string{fmt.Sprintf("%s publishes no DMARC policy, and so asks nothing of whoever gets mail in its name.", either(d.AuthorDomain, "The author"))}
	case "temperror":
		c.Tone = Warn
		c.Means = []string{"The policy, or what it is to be held against, could not be looked up."}
	case "permerror":
		c.Tone = Bad
		c.Means = []string{"There is no one policy that could be read."}
	}
	return c
}

// aligned names what authenticates the author.
func aligned(d *store.Decision) string {
	var by []string
	if d.AlignedSPF {
		by = append(by, "SPF")
	}
	if d.AlignedDKIM {
		by = append(by, "DKIM")
	}
	return strings.Join(by, ", ")
}

// asked is what the domain wants done.
func asked(d *store.Decision) string {
	owner := either(d.PolicyDomain, d.AuthorDomain)
	switch d.Disposition {
	case "reject":
		return fmt.Sprintf("%s asks that such mail is rejected.", owner)
	case "quarantine":
		return fmt.Sprintf("%s asks that such mail is treated as suspicious.", owner)
	case "none":
		return fmt.Sprintf("%s asks that nothing is done about it.", owner)
	}
	return ""
}

func either(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func verdict(d *store.Decision) Chapter {
	text := d.Verdict
	if d.Rule != "" {
		text += " by the rule " + d.Rule
	}
	c := Chapter{Name: "verdict", Title: "The policy decided", Result: d.Verdict, Tone: Tone(d.Verdict), Facts: []Fact{{"verdict", text}}}
	if !Carried(d) {
		done := d.Done
		if d.Mode == "monitor" {
			done += ", since the mode is monitor"
		}
		c.Facts = append(c.Facts, Fact{"done", done})
	}
	c.Facts = append(c.Facts, Fact{"reason", d.Reason})
	if d.Exception != 0 {
		c.Facts = append(c.Facts, Fact{"exception", fmt.Sprint(d.Exception)})
	}
	for _, w := range d.Watched {
		c.Facts = append(c.Facts, Fact{"watched", fmt.Sprintf("the rule %s would %s", w.Rule, w.Action)})
	}
	c.Means = []string{outcome(d)}
	return c
}

// Carried tells whether what was decided is what was done.
func Carried(d *store.Decision) bool { return d.Done == "" || d.Done == d.Verdict }

// Tone is that of a verdict.
func Tone(verdict string) string {
	switch verdict {
	case "accept":
		return Good
	case "reject":
		return Bad
	case "mark", "quarantine", "defer":
		return Warn
	}
	return ""
}

// outcome says what became of it in the end.
func outcome(d *store.Decision) string {
	switch {
	case d.Exception != 0:
		return "An exception let it in; without it a rule would not have."
	case !Carried(d):
		return "Nothing was done about it: the verdict only says what would have been."
	case d.Verdict == "accept" && d.Rule == "":
		return "No rule had anything against it, and it was let in."
	}
	switch d.Verdict {
	case "accept":
		return "It was let in."
	case "mark":
		return "It was let in, with a header field that says what is doubtful about it."
	case "quarantine":
		return "It was held apart from other mail."
	case "reject":
		return "It was refused: its sender got a reply that says why, and nobody here got the message."
	case "defer":
		return "It was put off: its sender tries again later."
	}
	return ""
}
