package notice

import (
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// An Explanation is what is to be said of why a message was stopped, in English, to whoever can do something about it.
type Explanation struct {
	Domain string `json:"domain"` // whose fault it is
	Fault  string `json:"fault"`
	Title  string `json:"title"` // "its SPF record does not list the sending server"
	What   string `json:"what"`
	Why    string `json:"why"`
	Advice string `json:"advice"`
}

// Explain says what is wrong with the domain that a message came from, in the words of the letter to its owner; false where nobody can be
// told anything.
func (c *Catalogue) Explain(d *store.Decision) (Explanation, bool) {
	domain, fault := FaultOf(d)
	if domain == "" {
		return Explanation{}, false
	}
	w := &writer{speaker: c.speaker(base), k: &Case{Subject: Subject{Domain: domain, Decision: d}}, x: &chosen{fault: fault}, domain: domain}
	return Explanation{
		Domain: domain, Fault: fault, Title: w.fault("title"), What: w.fault("what", domain, w.server()), Why: w.fault("why"), Advice: w.fault("advice"),
	}, true
}

// Title is what a fault of a case is called, in English.
func (c *Catalogue) Title(id string) string {
	fault, ok := strings.CutPrefix(id, seenInMail)
	if !ok {
		fault, ok = faultOf[id]
	}
	if ok {
		return c.speaker(base).say("fault." + fault + ".title")
	}
	if check, ok := audit.Explain(id); ok {
		return check.Title
	}
	return ""
}

// Finding is the one that a letter about a message would be about; nil where an audit has none that explains it.
func Finding(d *store.Decision, r *audit.Report) *audit.Finding {
	x, ok := choose(&Case{Subject: Subject{Decision: d}, Report: r})
	if !ok {
		return nil
	}
	return x.finding
}
