package policy

import (
	"fmt"
	"strings"
)

// Names are the presets, the most lenient first.
func Names() []string { return []string{"standard", "strict", "lockdown"} }

// Preset gives the policy of that name.
func Preset(name string) (*Policy, error) {
	switch name {
	case "standard":
		return &Policy{Name: name, Rules: standard()}, nil
	case "strict":
		return &Policy{Name: name, Rules: strict()}, nil
	case "lockdown":
		return &Policy{Name: name, Rules: lockdown()}, nil
	}
	return nil, fmt.Errorf("policy %q: no such preset; there are %s", name, strings.Join(Names(), ", "))
}

// In every preset what is certain comes before what a temporary failure leaves open: a message that is refused whatever the
// missing answer would be is refused now. A message that a missing answer could still have refused or held is deferred before
// anything lets it in, marks it or holds it. Whether it gets a mark is worth no delay.

// standard refuses what the sender's own records ask to be refused, and marks the rest.
func standard() []Rule {
	return []Rule{
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
func strict() []Rule {
	return []Rule{
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
func lockdown() []Rule {
	return []Rule{
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
