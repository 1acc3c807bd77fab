package cli

import "github.com/gatepost-mail/gatepost/internal/examine"

// outcome writes what an administrator wants to know of a message: who says it is from whom, a line for each method, the verdict.
func (s screen) outcome(o *outcome) {
	s.line(s.paint(bold, printable(display(o.name))))
	s.headline("From", o.From)
	s.headline("Subject", o.Subject)
	for _, r := range o.Rows(noteOf(o.Note)) {
		s.result(r)
	}
	s.watched(o.Verdict)
}

// result writes what one method found.
func (s screen) result(r examine.Row) { s.row(r.Method, r.Result, r.Text, r.More...) }

// noteOf says what is to be said of the client, by the flags that would say more.
func noteOf(n examine.Note) string {
	switch n {
	case examine.NoClient:
		return "not evaluated: give --ip, --helo and --mail-from, or --received"
	case examine.NoDomain:
		return "neither --mail-from nor --helo is given: there is no domain to ask about"
	case examine.NoMailFrom:
		return "no --mail-from: HELO stands for MAIL FROM"
	case examine.NoReturnPath:
		return "no Return-Path: HELO stands for MAIL FROM"
	}
	return ""
}

// headline writes one header field, shortened to a line.
func (s screen) headline(name, value string) {
	if value != "" {
		s.line("  " + pad(name, labelWidth) + clip(printable(value), s.width-2-labelWidth))
	}
}

// trace writes how everything came about.
func (s screen) trace(o *outcome, results string) {
	e := o.Evaluation
	for _, r := range e.SPF {
		s.steps("spf "+r.Identity, r.Trace)
	}
	s.steps("dns", e.Trace)
	s.fact("results", results)
}
