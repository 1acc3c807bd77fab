package senders

// A Kind is what a source is to a domain.
type Kind string

// The kinds.
const (
	Passing       Kind = "passing"       // the domain's own, and it authenticates
	Misconfigured Kind = "misconfigured" // the domain's own, and it doesn't, or not always
	Forwarded     Kind = "forwarder"     // passes on what the domain sent
	Unclear       Kind = "unknown"       // could be the domain's own or a stranger's
	Abuse         Kind = "abuse"         // a stranger's, most likely
)

// A Fault says what is wrong with a source's mail. The ids are stable: scripts and letters rely on them.
type Fault string

// The faults.
const (
	NoFault             Fault = ""
	DKIMUnaligned       Fault = "dkim-unaligned"        // a signature passes, of another domain
	DKIMProviderDefault Fault = "dkim-provider-default" // a signature passes, of the name that the provider gave the domain
	DKIMFails           Fault = "dkim-fails"            // signatures of the domain fail: the key is missing, or the message was changed
	DKIMKey             Fault = "dkim-key"              // the key can't be used
	DKIMTemporary       Fault = "dkim-temporary"        // reporters couldn't get the key
	SPFUnaligned        Fault = "spf-unaligned"         // SPF passes, for another domain
	SPFNotListed        Fault = "spf-not-listed"        // the address is not in the domain's record
	SPFBroken           Fault = "spf-broken"            // the domain's record can't be evaluated
	SPFTemporary        Fault = "spf-temporary"         // reporters couldn't get it
	NotSigned           Fault = "not-signed"            // passes by SPF alone, so that it fails once forwarded
	StrictAlignment     Fault = "strict-alignment"      // it authenticates below the domain, and the policy asks for the domain itself
	Unauthenticated     Fault = "unauthenticated"       // nothing passes, though the source is the domain's own
	CannotAlign         Fault = "cannot-align"          // the service can't send so that it aligns
)

// A Class is what a source is to a domain, and how we came to think so.
type Class struct {
	Kind       Kind   `json:"kind"`
	Reason     string `json:"reason"` // a sentence
	Fault      Fault  `json:"fault"`
	Advice     string `json:"advice"`     // what to mend, and how; empty if nothing
	Confidence int    `json:"confidence"` // percent
	Overruled  Kind   `json:"overruled"`  // what it would have been without an administrator's word
}

// Classify says what a source is to a domain. It is the same for the same facts, in whatever order they are.
//
// Two errors are worse than any other: to call a mail server of the domain's own an abuser, and to call an abuser the domain's own. So
// abuse needs several signs that agree and nothing that speaks for the domain, and own needs what a stranger can't make: an aligned
// pass, a name or network of the domain's, or a service whose customer the domain can be. All else is unknown.
func Classify(s *Source) Class {
	c := judge(s)
	if s.Mark == nil {
		return c
	}
	was := c.Kind
	c.Kind, c.Confidence = s.Mark.Kind, 100
	text := "Marked as " + kindName(s.Mark.Kind)
	if s.Mark.By != "" {
		text += " by " + short(s.Mark.By)
	}
	if s.Mark.Note != "" {
		text += " (" + short(s.Mark.Note) + ")"
	}
	if was != c.Kind {
		c.Overruled = was
		c.Reason = text + "; without that it would be " + kindName(was) + ": " + c.Reason
		if c.Kind == Abuse || c.Kind == Forwarded || c.Kind == Passing {
			c.Fault, c.Advice = NoFault, ""
		}
		return c
	}
	c.Reason = text + ", as the evidence has it: " + c.Reason
	return c
}

func judge(s *Source) Class {
	j := &judgement{s: s, facts: weigh(s)}
	switch {
	case j.total == 0:
		return Class{Kind: Unclear, Reason: "No messages were counted."}
	case j.passed > 0:
		return j.passes()
	}
	for _, try := range []func() (Class, bool){j.own, j.onward, j.service, j.abuse} {
		if c, ok := try(); ok {
			return c
		}
	}
	return j.unknown()
}

func kindName(k Kind) string {
	switch k {
	case Passing:
		return "yours and passing"
	case Misconfigured:
		return "yours but misconfigured"
	case Abuse:
		return "likely abuse"
	}
	return string(k)
}

// short bounds what others wrote.
func short(s string) string {
	const most = 100
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
