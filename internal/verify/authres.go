package verify

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/authres"
)

// AuthenticationResults is the value of the header field that tells e to who reads the message (RFC 8601), one line a method.
func (e *Evaluation) AuthenticationResults(authservID string) string {
	f := authres.Field{AuthservID: authservID}
	f.Results = e.spfResults(f.Results)
	f.Results = e.dkimResults(f.Results)
	if e.ARC.Result != "none" {
		f.Results = append(f.Results, e.arcResult())
	}
	if e.DMARC.Result != "" {
		f.Results = append(f.Results, e.dmarcResult())
	}
	if e.IPRev.Result != "none" {
		f.Results = append(f.Results, authres.Result{Method: "iprev", Value: e.IPRev.Result,
			Properties: []authres.Property{{Type: "policy", Name: "iprev", Value: e.Client.IP.String()}}})
	}
	return f.Format()
}

func (e *Evaluation) spfResults(rs []authres.Result) []authres.Result {
	for _, s := range e.SPF {
		p := authres.Property{Type: "smtp", Name: "helo", Value: e.Client.Helo}
		if s.Identity == IdentityMailFrom {
			if e.Client.MailFrom == "" {
				continue // the identity was HELO's, which has a line of its own
			}
			p = authres.Property{Type: "smtp", Name: "mailfrom", Value: e.Client.MailFrom}
		}
		rs = append(rs, authres.Result{Method: "spf", Value: s.Result, Reason: s.Reason, Properties: []authres.Property{p}})
	}
	return rs
}

func (e *Evaluation) dkimResults(rs []authres.Result) []authres.Result {
	if len(e.DKIM) == 0 && !e.Authenticated {
		return append(rs, authres.Result{Method: "dkim", Value: "none"})
	}
	for _, d := range e.DKIM {
		r := authres.Result{Method: "dkim", Value: d.Result, Reason: d.Reason}
		r.Comment = d.comment()
		for _, p := range []authres.Property{
			{Type: "header", Name: "d", Value: d.SDID},
			{Type: "header", Name: "i", Value: d.AUID},
			{Type: "header", Name: "s", Value: d.Selector},
			{Type: "header", Name: "a", Value: d.Algorithm},
			{Type: "header", Name: "b", Value: d.signatureTail},
		} {
			if p.Value != "" {
				r.Properties = append(r.Properties, p)
			}
		}
		rs = append(rs, r)
	}
	return rs
}

// comment says of a signature what a reader of the message must know to judge by it.
func (d *DKIM) comment() string {
	var parts []string
	if d.KeyBits > 0 {
		parts = append(parts, fmt.Sprintf("%d-bit key", d.KeyBits))
	}
	if d.Testing {
		parts = append(parts, "being tested")
	}
	if d.UnsignedBytes > 0 {
		parts = append(parts, fmt.Sprintf("%d octets at the end not signed", d.UnsignedBytes))
	}
	return strings.Join(parts, ", ")
}

func (e *Evaluation) arcResult() authres.Result {
	r := authres.Result{Method: "arc", Value: e.ARC.Result, Reason: e.ARC.Reason}
	if e.ARC.Result == "pass" { // RFC 8617 5.2 and 10.2
		r.Properties = []authres.Property{{Type: "header", Name: "oldest-pass", Value: fmt.Sprint(e.ARC.oldestPass)}}
	}
	return r
}

func (e *Evaluation) dmarcResult() authres.Result {
	r := authres.Result{Method: "dmarc", Value: e.DMARC.Result, Reason: e.DMARC.Reason}
	if e.DMARC.Policy != "" {
		r.Comment = fmt.Sprintf("p=%s dis=%s", e.DMARC.Policy, e.DMARC.Disposition)
	}
	if e.DMARC.AuthorDomain != "" {
		r.Properties = []authres.Property{{Type: "header", Name: "from", Value: e.DMARC.AuthorDomain}}
	}
	return r
}
