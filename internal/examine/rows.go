package examine

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/show"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

// A Row is what one method found, in words that are fit to be shown.
type Row struct {
	Method string   `json:"method"` // spf, iprev, dkim, arc, dmarc, limit, verdict
	Result string   `json:"result"` // the word of RFC 8601, or the verdict's; "-" where nothing was evaluated
	Text   string   `json:"text"`   // about what
	More   []string `json:"more"`   // why, and what else is to be known
}

func row(method, result, text string, more ...string) Row {
	all := []string{}
	for _, m := range more {
		if m != "" {
			all = append(all, m)
		}
	}
	return Row{method, result, text, all}
}

// Rows are a line for each method, and the verdict. Note is what is to be said of the client, in words of whoever asked for one.
func (o *Outcome) Rows(note string) []Row {
	e := o.Evaluation
	var all []Row
	for _, limit := range e.Limits {
		all = append(all, row("limit", "reached", show.Printable(limit)))
	}
	all = append(all, o.clientRows(note)...)
	for i := range e.DKIM {
		all = append(all, o.dkimRow(&e.DKIM[i]))
	}
	if len(e.DKIM) == 0 && len(e.Limits) == 0 {
		all = append(all, row("dkim", "none", "no signature"))
	}
	all = append(all, o.arcRow(&e.ARC))
	if e.DMARC.Result != "" {
		all = append(all, o.dmarcRow(&e.DMARC))
	}
	if !o.HeaderOnly {
		all = append(all, VerdictRow(o.Verdict))
	}
	return all
}

func (o *Outcome) clientRows(note string) []Row {
	e := o.Evaluation
	if !o.Known || e.Client.MailFrom == "" && e.Client.Helo == "" {
		return []Row{row("spf", "-", note)}
	}
	var all []Row
	for i := range e.SPF {
		of := ""
		if i == 0 {
			of = note
		}
		all = append(all, spfRow(&e.SPF[i], &e.Client, of))
	}
	if e.IPRev.Result != "none" {
		all = append(all, row("iprev", e.IPRev.Result, show.Printable(reverseText(e))))
	}
	return all
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

func spfRow(r *verify.SPF, c *verify.Client, note string) Row {
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
	return row("spf", r.Result, show.Printable(text), show.Printable(reason), show.Printable(explanation), note)
}

func (o *Outcome) dkimRow(d *verify.DKIM) Row {
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
	about := show.Printable(strings.Join(parts, ", "))
	if o.HeaderOnly {
		return row("dkim", "-", about, "not checked: a signature is over the body, which is not here")
	}
	unsigned := ""
	if d.UnsignedBytes > 0 {
		unsigned = fmt.Sprintf("%s at the end are not signed (l=)", plural(int(d.UnsignedBytes), "byte"))
	}
	likely := ""
	if d.Diagnosis != "" {
		likely = "likely: " + show.Printable(d.Diagnosis)
	}
	return row("dkim", d.Result, about, show.Printable(d.Reason), unsigned, likely)
}

func (o *Outcome) arcRow(a *verify.ARC) Row {
	text := "no chain"
	if a.Instances > 0 {
		text = plural(a.Instances, "set")
		if len(a.Sealers) > 0 {
			text += ", sealed by " + strings.Join(a.Sealers, ", ")
		}
		if o.HeaderOnly {
			return row("arc", "-", show.Printable(text), "not checked: a chain is over the body, which is not here")
		}
	}
	vouch := ""
	switch a.Vouch {
	case "pass":
		vouch = a.VouchedBy + ", which is trusted, saw the author authenticated"
	case "temperror":
		vouch = "a trusted sealer may have seen the author authenticated"
	}
	return row("arc", a.Result, show.Printable(text), show.Printable(a.Reason), show.Printable(vouch))
}

func (o *Outcome) dmarcRow(d *verify.DMARC) Row {
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
	alignment, result := "", d.Result
	switch {
	case d.Aligned.SPF && d.Aligned.DKIM:
		alignment = "aligned: SPF and DKIM"
	case d.Aligned.SPF:
		alignment = "aligned: SPF"
	case d.Aligned.DKIM:
		alignment = "aligned: DKIM"
	case d.Result == "fail" && o.HeaderOnly:
		result, alignment = "-", "SPF is not aligned, or was not evaluated; a signature may be, which is not known without the body"
	case d.Result == "fail":
		alignment = fmt.Sprintf("aligned: neither SPF nor DKIM; the domain asks for %s", asked(d.Disposition))
	}
	return row("dmarc", result, show.Printable(text), alignment, show.Printable(d.Reason))
}

func asked(disposition string) string {
	if disposition == "none" {
		return "nothing"
	}
	return disposition
}

// VerdictRow is that of a verdict.
func VerdictRow(v policy.Verdict) Row {
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
	return row("verdict", string(v.Action), rule, show.Printable(text), held)
}

// plural is "1 set", "2 sets".
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
