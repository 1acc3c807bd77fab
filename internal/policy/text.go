package policy

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/verify"
)

func client(e *verify.Evaluation) string {
	if !e.Client.IP.IsValid() {
		return "the client"
	}
	return e.Client.IP.String()
}

// mailFrom is the MAIL FROM identity: the address, or what stands in for a null one.
func mailFrom(e *verify.Evaluation) string {
	if e.Client.MailFrom == "" && e.Client.Helo == "" {
		return "an unknown sender" // of a message in a file
	}
	if e.Client.MailFrom == "" {
		return "the null sender with HELO " + part(e.Client.Helo, domainLength)
	}
	return part(e.Client.MailFrom, addressLength)
}

// because says which term of the record matched, and what the domain has to say (RFC 7208 6.2 asks to make plain whose words
// these are).
func because(s *verify.SPF) string {
	text := ""
	switch {
	case strings.HasSuffix(s.Term, "all"):
		text = fmt.Sprintf(` (its record ends in "%s")`, part(s.Term, 20))
	case s.Term != "":
		text = fmt.Sprintf(` (its record says "%s")`, part(s.Term, domainLength))
	}
	if s.Explanation != "" {
		text += fmt.Sprintf(`; the domain explains: "%s"`, part(s.Explanation, reasonLength))
	}
	return text
}

// published is the policy that applies, as it was published.
func published(d *verify.DMARC) string {
	policy := cmp.Or(d.Policy, "none")
	if d.Testing {
		policy += " with t=y"
	}
	return policy
}

// failedSignature names the aligned signature that was there and did not hold: that is what its owner has to look at.
func failedSignature(e *verify.Evaluation) string {
	for i := range e.DKIM {
		d := &e.DKIM[i]
		if d.Result != "pass" && aligned(d.SDID, &e.DMARC) {
			return fmt.Sprintf(" (DKIM %s%s)", part(d.Result, 20), colon(d.Reason))
		}
	}
	return ""
}

func colon(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + part(reason, reasonLength)
}
