package policy

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/verify"
)

// How much of a thing that the sender wrote goes into a sentence. Together they stay within a reply.
const (
	domainLength  = 80
	addressLength = 80
	reasonLength  = 120
)

func client(e *verify.Evaluation) string {
	if !e.Client.IP.IsValid() {
		return "the client"
	}
	return e.Client.IP.String()
}

// mailFrom is the MAIL FROM identity: the address, or what stands in for a null one.
func mailFrom(e *verify.Evaluation) string {
	if e.Client.MailFrom == "" {
		return "the null sender with HELO " + part(e.Client.Helo, domainLength)
	}
	return part(e.Client.MailFrom, addressLength)
}

func spfNotAuthorised(e *verify.Evaluation) string {
	s := identity(e, verify.IdentityMailFrom)
	domain := part(s.Domain, domainLength)
	text := fmt.Sprintf("SPF %s: %s is not authorised by %s to send for %s", s.Result, client(e), domain, mailFrom(e))
	return text + because(s) + "; ask its administrator to add this address to the SPF record, or send through the servers that it lists"
}

func heloNotAuthorised(e *verify.Evaluation) string {
	s := identity(e, verify.IdentityHelo)
	domain := part(s.Domain, domainLength)
	text := fmt.Sprintf("SPF %s for HELO: %s is not authorised by %s to use that name", s.Result, client(e), domain)
	return text + because(s) + "; greet with the server's own name, or add its address to the SPF record of that name"
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

func spfBroken(e *verify.Evaluation) string {
	s := identity(e, verify.IdentityMailFrom)
	return fmt.Sprintf("SPF permerror: the SPF record of %s, asked whether %s may send for %s, is in error%s; ask its administrator to mend it",
		part(s.Domain, domainLength), client(e), mailFrom(e), colon(s.Reason))
}

func spfUnknown(e *verify.Evaluation) string {
	s := identity(e, verify.IdentityMailFrom)
	return fmt.Sprintf("SPF temperror: whether %s authorises %s to send for %s could not be looked up%s; send it again later, and if this lasts, "+
		"have the name servers of the domain checked", part(s.Domain, domainLength), client(e), mailFrom(e), colon(s.Reason))
}

func heloUnknown(e *verify.Evaluation) string {
	s := identity(e, verify.IdentityHelo)
	return fmt.Sprintf("SPF temperror for HELO: whether %s authorises %s to use that name could not be looked up%s; send it again later, and if this "+
		"lasts, have the name servers of the domain checked", part(s.Domain, domainLength), client(e), colon(s.Reason))
}

func dmarcFailed(e *verify.Evaluation) string {
	d := &e.DMARC
	domain := part(d.AuthorDomain, domainLength)
	return fmt.Sprintf("DMARC fail: neither SPF nor DKIM authenticates %s, the domain in From, for this message from %s%s; its policy is %s; "+
		"sign with DKIM as %s, or send from a MAIL FROM of that domain with SPF pass", domain, client(e), failedSignature(e), published(d), domain)
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

func partSigned(e *verify.Evaluation) string {
	d := partSignature(e)
	return fmt.Sprintf("No acceptable DKIM signature: that of %s on this message from %s covers the body only in part (l=): %d octets after it are "+
		"signed by nobody; sign the whole body, without l=", part(d.SDID, domainLength), client(e), d.UnsignedBytes)
}

func dmarcMissing(e *verify.Evaluation) string {
	return fmt.Sprintf("DMARC none: %s, the domain in From, publishes no DMARC policy, and mail from %s is accepted only with one that it meets; "+
		`publish a record at _dmarc.%s such as "v=DMARC1; p=reject"`,
		part(e.DMARC.AuthorDomain, domainLength), client(e), part(cmp.Or(e.DMARC.OrganizationalDomain, e.DMARC.AuthorDomain), domainLength))
}

func dmarcUnknown(e *verify.Evaluation) string {
	return fmt.Sprintf("DMARC temperror: whether this message from %s meets the policy of %s, the domain in From, could not be looked up%s; send it "+
		"again later, and if this lasts, have the name servers of the domain checked",
		client(e), part(e.DMARC.AuthorDomain, domainLength), colon(e.DMARC.Reason))
}

func signatureUnknown(e *verify.Evaluation) string {
	d := openSignature(e)
	return fmt.Sprintf("DKIM temperror: the key %s._domainkey.%s for this message from %s could not be looked up%s; send it again later, and if "+
		"this lasts, have the name servers of the domain checked",
		part(d.Selector, domainLength), part(d.SDID, domainLength), client(e), colon(d.Reason))
}

func authorUnusable(e *verify.Evaluation) string {
	return fmt.Sprintf("From names no single author domain that a policy could be asked of%s (message from %s); write one From field with one "+
		"address (RFC 5322 3.6.2)", colon(cmp.Or(e.Author.Reason, e.DMARC.Reason)), client(e))
}

func overLimit(e *verify.Evaluation) string {
	return fmt.Sprintf("The message from %s for %s cannot be verified: %s; send a smaller one",
		client(e), mailFrom(e), part(strings.Join(e.Limits, "; "), 2*reasonLength))
}

func nothingPassed(e *verify.Evaluation) string {
	domain := part(cmp.Or(e.DMARC.AuthorDomain, "its sender"), domainLength)
	return fmt.Sprintf("No passing DKIM signature and no SPF pass: nothing shows that %s wrote this message from %s for %s; publish an SPF record "+
		"that lists the address, or sign with DKIM", domain, client(e), mailFrom(e))
}

func colon(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + part(reason, reasonLength)
}
