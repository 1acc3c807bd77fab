package cli

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

// outcome writes what an administrator wants to know of a message: who says it is from whom, a line for each method, the verdict.
func (s screen) outcome(o *outcome) {
	e := o.evaluation
	s.line(s.paint(bold, printable(display(o.name))))
	s.headline("From", o.from)
	s.headline("Subject", o.subject)
	for _, limit := range e.Limits {
		s.row("limit", "reached", printable(limit))
	}
	s.clientRows(o)
	for i := range e.DKIM {
		s.dkimRow(&e.DKIM[i])
	}
	if len(e.DKIM) == 0 && len(e.Limits) == 0 {
		s.row("dkim", "none", "no signature")
	}
	s.arcRow(&e.ARC)
	s.dmarcRow(&e.DMARC)
	s.verdictRow(o.verdict)
	s.watched(o.verdict)
}

// headline writes one header field, shortened to a line.
func (s screen) headline(name, value string) {
	if value != "" {
		s.line("  " + pad(name, labelWidth) + clip(printable(value), s.width-2-labelWidth))
	}
}

func (s screen) clientRows(o *outcome) {
	e := o.evaluation
	if !o.envelope.known || e.Client.MailFrom == "" && e.Client.Helo == "" {
		s.row("spf", "-", o.envelope.note)
		return
	}
	for i := range e.SPF {
		note := ""
		if i == 0 {
			note = o.envelope.note
		}
		s.spfRow(&e.SPF[i], &e.Client, note)
	}
	if e.IPRev.Result != "none" {
		s.row("iprev", e.IPRev.Result, printable(reverseText(e)))
	}
}

func reverseText(e *verify.Evaluation) string {
	ip := e.Client.IP.String()
	switch {
	case e.IPRev.Result == "pass":
		return ip + " is " + strings.Join(e.IPRev.Names, ", ")
	case e.IPRev.Result == "permerror":
		return ip + " has no name"
	case len(e.Client.PTR) > 0:
		return fmt.Sprintf("%s has the name %s, which is not confirmed", ip, strings.Join(e.Client.PTR, ", "))
	}
	return "the names of " + ip + " could not be asked for"
}

func (s screen) spfRow(r *verify.SPF, c *verify.Client, note string) {
	text := "MAIL FROM " + r.Domain
	switch {
	case r.Identity == verify.IdentityHelo:
		text = "HELO " + r.Domain
	case c.MailFrom == "":
		text = "MAIL FROM is null, so HELO " + r.Domain
	}
	switch {
	case r.Term != "":
		text += fmt.Sprintf(": %s matches %s", r.Term, c.IP)
	case r.Result == "neutral":
		text += fmt.Sprintf(": nothing in the record matches %s", c.IP)
	case r.Result == "none" && r.Reason == "":
		text += ": no record"
	}
	reason := r.Reason
	if after, found := strings.CutPrefix(reason, r.Domain+": "); found && r.Domain != "" {
		text, reason = text+": "+after, ""
	}
	explanation := r.Explanation
	if explanation != "" {
		explanation = "the sender says: " + explanation
	}
	s.row("spf", r.Result, printable(text), printable(reason), printable(explanation), note)
}

func (s screen) dkimRow(d *verify.DKIM) {
	var parts []string
	if d.SDID != "" {
		parts = append(parts, d.SDID)
	}
	if d.Selector != "" {
		parts = append(parts, "selector "+d.Selector)
	}
	if d.Algorithm != "" {
		parts = append(parts, d.Algorithm)
	}
	if d.KeyBits > 0 {
		parts = append(parts, fmt.Sprintf("%d bits", d.KeyBits))
	}
	if d.Testing {
		parts = append(parts, "a key that is being tested (t=y)")
	}
	unsigned := ""
	if d.UnsignedBytes > 0 {
		unsigned = fmt.Sprintf("%s at the end are not signed (l=)", plural(int(d.UnsignedBytes), "byte"))
	}
	s.row("dkim", d.Result, printable(strings.Join(parts, ", ")), printable(d.Reason), unsigned, diagnosis(d.Diagnosis))
}

func diagnosis(text string) string {
	if text == "" {
		return ""
	}
	return "likely: " + printable(text)
}

func (s screen) arcRow(a *verify.ARC) {
	text := "no chain"
	if a.Instances > 0 {
		text = plural(a.Instances, "set")
		if len(a.Sealers) > 0 {
			text += ", sealed by " + strings.Join(a.Sealers, ", ")
		}
	}
	vouch := ""
	switch a.Vouch {
	case "pass":
		vouch = a.VouchedBy + ", which is trusted, saw the author authenticated"
	case "temperror":
		vouch = "a trusted sealer may have seen the author authenticated"
	}
	s.row("arc", a.Result, printable(text), printable(a.Reason), printable(vouch))
}

func (s screen) dmarcRow(d *verify.DMARC) {
	if d.Result == "" {
		return
	}
	text := d.AuthorDomain
	if d.Policy != "" {
		text += ": p=" + d.Policy
		if d.PolicyDomain != d.AuthorDomain {
			text += " of " + d.PolicyDomain
		}
		if d.Testing {
			text += ", which is being tested (t=y)"
		}
	}
	if d.Result == "none" && d.Reason == "" {
		text += ": no policy"
	}
	alignment := ""
	switch {
	case d.Aligned.SPF && d.Aligned.DKIM:
		alignment = "aligned: SPF and DKIM"
	case d.Aligned.SPF:
		alignment = "aligned: SPF"
	case d.Aligned.DKIM:
		alignment = "aligned: DKIM"
	case d.Result == "fail":
		alignment = fmt.Sprintf("aligned: neither SPF nor DKIM; the domain asks for %s", asked(d.Disposition))
	}
	s.row("dmarc", d.Result, printable(text), alignment, printable(d.Reason))
}

func asked(disposition string) string {
	if disposition == "none" {
		return "nothing"
	}
	return disposition
}

func (s screen) verdictRow(v policy.Verdict) {
	rule := ""
	if v.Rule != "" {
		rule = "by the rule " + v.Rule
	}
	text := v.Reply
	if text == "" {
		text = v.Reason
	}
	held := ""
	switch {
	case v.Redirect != "":
		held = "redirected to " + v.Redirect
	case v.Holding == policy.Header:
		held = "delivered with a header field"
	}
	s.row("verdict", string(v.Action), rule, printable(text), held)
}

// trace writes how everything came about.
func (s screen) trace(o *outcome, results string) {
	e := o.evaluation
	for _, r := range e.SPF {
		s.steps("spf "+r.Identity, r.Trace)
	}
	s.steps("dns", e.Trace)
	s.fact("results", results)
}
