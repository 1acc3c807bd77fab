package verify

import (
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/arc"
	"github.com/gatepost-mail/gatepost/authres"
	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/dns"
)

// judgeVouch finds out whether a trusted sealer saw the Author Domain authenticated before the message was changed on its way (RFC 8617
// 7.2.1).
//
// Only the sealers count that are trusted, and behind whom nobody stands who is not. The seals of a chain hold its header fields
// together, not the body: a stranger may put a set that somebody trusted once made below a message of his own, and seal that.
func (s *Session) judgeVouch(e *Evaluation) {
	r := &s.chain
	if len(s.o.Sealers) == 0 || s.noHeader != nil || s.tooLarge() || s.author.Domain == "" || len(s.policies) != 1 ||
		r.Unsigned > 0 || len(r.Sealers) != r.Instances || len(r.AuthResults) != r.Instances {
		return
	}
	if r.Code != arc.Pass && r.Code != arc.TempError {
		return
	}
	for i := r.Instances - 1; i >= 0 && s.trusts(r.Sealers[i]); i-- {
		if !s.sawAuthor(r.AuthResults[i]) {
			continue
		}
		if r.Code == arc.TempError {
			e.ARC.Vouch = string(arc.TempError)
			return
		}
		e.ARC.Vouch, e.ARC.VouchedBy = string(arc.Pass), r.Sealers[i]
		return
	}
}

func (s *Session) trusts(sealer string) bool {
	return slices.ContainsFunc(s.o.Sealers, func(d string) bool { return strings.EqualFold(d, sealer) })
}

// sawAuthor tells whether results in a set, which are believed, authenticate the Author Domain: by DMARC itself, or by an identifier
// that is aligned by the policy as it is now.
func (s *Session) sawAuthor(results string) bool {
	f, err := authres.Parse(results)
	if err != nil {
		return false
	}
	var ids dmarc.Identifiers
	for _, r := range f.Results {
		if r.Value != "pass" {
			continue
		}
		switch r.Method {
		case "dmarc":
			if domainOf(&r, "header.from") == s.author.Domain {
				return true
			}
		case "dkim":
			if domain := domainOf(&r, "header.d", "header.i"); domain != "" {
				ids.DKIM = append(ids.DKIM, dmarc.Identifier{Domain: domain, Code: r.Value})
			}
		case "spf":
			if domain := domainOf(&r, "smtp.mailfrom"); domain != "" {
				ids.SPF = dmarc.Identifier{Domain: domain, Code: r.Value}
			}
		}
	}
	return s.policies[0].Evaluate(s.ctx, ids).Code == dmarc.Pass
}

// domainOf is the domain in the first of some properties that a result has, such as "header.d".
func domainOf(r *authres.Result, properties ...string) string {
	for _, want := range properties {
		for _, p := range r.Properties {
			if !strings.EqualFold(p.Type+"."+p.Name, want) {
				continue
			}
			if domain, err := dns.ToASCII(p.Value[strings.LastIndexByte(p.Value, '@')+1:]); err == nil {
				return domain
			}
		}
	}
	return ""
}
