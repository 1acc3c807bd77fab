package cli

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

// A printer writes outcomes as they come, in order.
type printer struct {
	out        screen
	json       bool
	trace      bool
	authservID string
	complain   func(error)
	progress   *progress

	done   int
	unread int
	counts map[policy.Action]int
	held   *document // of the first message, until it is known whether there are many
	err    error
}

// A document is what --json prints of one message.
type document struct {
	File string `json:"file"`
	*verify.Evaluation
	Verdict               policy.Verdict `json:"verdict"`
	AuthenticationResults string         `json:"authentication_results"`
}

func (p *printer) print(o *outcome) {
	if o.err != nil {
		p.unread++
		p.progress.clear()
		p.complain(o.err)
		return
	}
	if p.counts == nil {
		p.counts = map[policy.Action]int{}
	}
	p.done++
	p.counts[o.Verdict.Action]++
	p.progress.show(p.done, p.counts[policy.Reject]+p.counts[policy.Quarantine])
	results := oneLine(o.Evaluation.AuthenticationResults(p.authservID))
	if p.json {
		p.document(&document{o.name, o.Evaluation, o.Verdict, results})
		return
	}
	if p.done > 1 {
		p.out.line("")
	}
	p.out.outcome(o)
	if p.trace {
		p.out.trace(o, results)
	}
}

// document prints one document as such, many on one line each.
func (p *printer) document(d *document) {
	if p.done == 1 {
		p.held = d
		return
	}
	if p.held != nil {
		p.line(p.held)
		p.held = nil
	}
	p.line(d)
}

func (p *printer) line(d *document) {
	if err := printJSONLine(p.out.w, d); err != nil && p.err == nil {
		p.err = err
	}
}

// end prints what remains to be printed when all messages have been.
func (p *printer) end() error {
	p.progress.clear()
	switch {
	case p.held != nil && p.unread > 0:
		p.line(p.held)
	case p.held != nil:
		p.err = printJSON(p.out.w, p.held)
	case !p.json && p.done+p.unread > 1:
		p.summary()
	}
	return p.err
}

func (p *printer) summary() {
	p.out.line("")
	p.out.line(fmt.Sprintf("%-12s%8s", "verdict", "messages"))
	for _, action := range []policy.Action{policy.Accept, policy.Mark, policy.Quarantine, policy.Reject, policy.Defer} {
		if n := p.counts[action]; n > 0 {
			p.out.line(p.out.paint(colorOf(string(action)), fmt.Sprintf("%-12s", action)) + fmt.Sprintf("%8d", n))
		}
	}
	if p.unread > 0 {
		p.out.line(p.out.paint(red, fmt.Sprintf("%-12s", "not read")) + fmt.Sprintf("%8d", p.unread))
	}
}

// status is that of the message which fared worst: what could not be read says least, and a refusal is more certain than a
// deferral.
func (p *printer) status() Status {
	switch {
	case p.unread > 0:
		return StatusUndone
	case p.counts[policy.Reject]+p.counts[policy.Quarantine] > 0:
		return StatusFails
	case p.counts[policy.Defer] > 0:
		return StatusTemporary
	}
	return StatusFine
}

// oneLine takes the folds out of a header field's value.
func oneLine(value string) string {
	return strings.Trim(strings.ReplaceAll(value, "\r\n\t", " "), " ")
}
