package policy

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/verify"
)

// A closure is a rule in Go. The presets were such lists once: they stay here as what the TOML ones are held to, in what they decide and
// in how long they take.
type closure struct {
	Name   string
	When   func(*verify.Evaluation) bool
	Action Action
	Code   string
	Text   func(*verify.Evaluation) string
}

func decideByClosures(rules []closure, e *verify.Evaluation) Verdict {
	for i := range rules {
		r := &rules[i]
		if !r.When(e) {
			continue
		}
		v := Verdict{Action: r.Action, Rule: r.Name}
		if r.Text != nil {
			v.Reason = line(r.Text(e), maxReply-len(r.Code)-len(" \r\n"))
		}
		if r.Action == Reject || r.Action == Defer {
			v.Reply = r.Code + " " + v.Reason
		}
		return v
	}
	return Verdict{Action: Accept}
}

var closures = map[string][]closure{"standard": standardClosures(), "strict": strictClosures(), "lockdown": lockdownClosures()}

// standard refuses what the sender's own records ask to be refused, and marks the rest.
func standardClosures() []closure {
	return []closure{
		{Name: RuleAuthenticated, When: authenticated, Action: Accept},
		{Name: "spf-fail", When: spfIs("fail"), Action: Reject, Code: "550 5.7.23", Text: spfNotAuthorised},
		{Name: "dmarc-reject", When: dmarcAsks("reject"), Action: Reject, Code: "550 5.7.26", Text: dmarcFailed},
		{Name: "dmarc-reject", When: partAsks("reject"), Action: Reject, Code: "550 5.7.21", Text: partSigned},
		{Name: "limit", When: limited, Action: Reject, Code: "552 5.3.4", Text: overLimit},
		// SPF fail refuses the message whatever DKIM and DMARC say.
		{Name: "spf-temperror", When: spfIs("temperror"), Action: Defer, Code: "451 4.7.24", Text: spfUnknown},
		// A fail would be acted upon only where the published policy asks for it.
		{Name: "dmarc-temperror", When: dmarcOpen, Action: Defer, Code: "451 4.7.26", Text: dmarcUnknown},
		{Name: "dmarc-quarantine", When: dmarcAsks("quarantine"), Action: Quarantine, Text: dmarcFailed},
		{Name: "dmarc-quarantine", When: partAsks("quarantine"), Action: Quarantine, Text: partSigned},
		{Name: "author", When: noAuthor, Action: Mark, Text: authorUnusable},
		{Name: "spf-softfail", When: spfIs("softfail"), Action: Mark, Text: spfNotAuthorised},
		{Name: "spf-permerror", When: spfIs("permerror"), Action: Mark, Text: spfBroken},
		{Name: "helo-fail", When: heloIs("fail"), Action: Mark, Text: heloNotAuthorised},
		{Name: "unauthenticated", When: unauthenticated, Action: Mark, Text: nothingPassed},
	}
}

// strict refuses whatever SPF does not allow, and holds what nobody vouches for.
func strictClosures() []closure {
	return []closure{
		{Name: RuleAuthenticated, When: authenticated, Action: Accept},
		{Name: "spf-fail", When: spfIs("fail"), Action: Reject, Code: "550 5.7.23", Text: spfNotAuthorised},
		{Name: "spf-softfail", When: spfIs("softfail"), Action: Reject, Code: "550 5.7.23", Text: spfNotAuthorised},
		{Name: "spf-permerror", When: spfIs("permerror"), Action: Reject, Code: "550 5.7.24", Text: spfBroken},
		{Name: "helo-fail", When: heloIs("fail"), Action: Reject, Code: "550 5.7.23", Text: heloNotAuthorised},
		{Name: "dmarc-reject", When: dmarcAsks("reject"), Action: Reject, Code: "550 5.7.26", Text: dmarcFailed},
		{Name: "dmarc-reject", When: partAsks("reject"), Action: Reject, Code: "550 5.7.21", Text: partSigned},
		{Name: "limit", When: limited, Action: Reject, Code: "552 5.3.4", Text: overLimit},
		{Name: "author", When: noAuthor, Action: Reject, Code: "550 5.7.1", Text: authorUnusable},
		// Fail and softfail refuse the message whatever DKIM and DMARC say, and so does a fail of HELO.
		{Name: "spf-temperror", When: spfIs("temperror"), Action: Defer, Code: "451 4.7.24", Text: spfUnknown},
		{Name: "helo-temperror", When: heloIs("temperror"), Action: Defer, Code: "451 4.7.24", Text: heloUnknown},
		// Every fail is held at least, even under p=none.
		{Name: "dmarc-temperror", When: dmarcIs("temperror"), Action: Defer, Code: "451 4.7.26", Text: dmarcUnknown},
		// Without a policy to meet, the one signature whose key is missing may be all that vouches for the message.
		{Name: "dkim-temperror", When: signatureOpen, Action: Defer, Code: "451 4.7.20", Text: signatureUnknown},
		{Name: "dmarc-quarantine", When: dmarcIs("fail"), Action: Quarantine, Text: dmarcFailed},
		{Name: "dmarc-quarantine", When: onlyPartSigned, Action: Quarantine, Text: partSigned},
		{Name: "unauthenticated", When: unauthenticated, Action: Quarantine, Text: nothingPassed},
		{Name: "helo-softfail", When: heloIs("softfail"), Action: Mark, Text: heloNotAuthorised},
	}
}

// lockdown lets in what passes DMARC, and nothing else.
func lockdownClosures() []closure {
	return []closure{
		{Name: RuleAuthenticated, When: authenticated, Action: Accept},
		{Name: "spf-fail", When: spfIs("fail"), Action: Reject, Code: "550 5.7.23", Text: spfNotAuthorised},
		{Name: "spf-softfail", When: spfIs("softfail"), Action: Reject, Code: "550 5.7.23", Text: spfNotAuthorised},
		{Name: "spf-permerror", When: spfIs("permerror"), Action: Reject, Code: "550 5.7.24", Text: spfBroken},
		{Name: "helo-fail", When: heloIs("fail"), Action: Reject, Code: "550 5.7.23", Text: heloNotAuthorised},
		{Name: "dmarc-fail", When: dmarcIs("fail"), Action: Reject, Code: "550 5.7.26", Text: dmarcFailed},
		{Name: "dmarc-fail", When: onlyPartSigned, Action: Reject, Code: "550 5.7.21", Text: partSigned},
		{Name: "limit", When: limited, Action: Reject, Code: "552 5.3.4", Text: overLimit},
		{Name: "author", When: noAuthor, Action: Reject, Code: "550 5.7.1", Text: authorUnusable},
		{Name: "dmarc-none", When: dmarcIs("none"), Action: Reject, Code: "550 5.7.26", Text: dmarcMissing},
		{Name: "spf-temperror", When: spfIs("temperror"), Action: Defer, Code: "451 4.7.24", Text: spfUnknown},
		{Name: "helo-temperror", When: heloIs("temperror"), Action: Defer, Code: "451 4.7.24", Text: heloUnknown},
		{Name: "dmarc-temperror", When: dmarcIs("temperror"), Action: Defer, Code: "451 4.7.26", Text: dmarcUnknown},
		{Name: "unauthenticated", When: unauthenticated, Action: Reject, Code: "550 5.7.20", Text: nothingPassed},
		{Name: "helo-softfail", When: heloIs("softfail"), Action: Mark, Text: heloNotAuthorised},
	}
}

// partAsks tells whether the message passes by a signature that leaves a part of the body to anyone, and what is asked for
// one that fails is this.
func partAsks(disposition string) func(*verify.Evaluation) bool {
	return func(e *verify.Evaluation) bool { return onlyPartSigned(e) && onFail(e) == disposition }
}

// dmarcAsks tells whether the message fails and its published policy asks for this.
func dmarcAsks(disposition string) func(*verify.Evaluation) bool {
	return func(e *verify.Evaluation) bool {
		return e.DMARC.Result == "fail" && e.DMARC.Disposition == disposition
	}
}

func dmarcIs(result string) func(*verify.Evaluation) bool {
	return func(e *verify.Evaluation) bool { return e.DMARC.Result == result }
}

func heloIs(result string) func(*verify.Evaluation) bool {
	return func(e *verify.Evaluation) bool {
		s := identity(e, verify.IdentityHelo)
		return s != nil && s.Result == result
	}
}

func spfIs(result string) func(*verify.Evaluation) bool {
	return func(e *verify.Evaluation) bool {
		s := identity(e, verify.IdentityMailFrom)
		return s != nil && s.Result == result
	}
}

func authenticated(e *verify.Evaluation) bool { return e.Authenticated }

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
