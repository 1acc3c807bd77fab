// Package policy turns an Evaluation into a Verdict by a list of rules, of which the first that matches decides.
//
//	p, err := policy.Preset("strict")
//	verdict := p.Decide(evaluation)
//
// A rule sees the Evaluation and nothing else, so that the same message gets the same verdict from the gate and from the command
// line.
package policy

import (
	"github.com/gatepost-mail/gatepost/internal/verify"
)

// An Action is what becomes of a message.
type Action string

// The actions.
const (
	Accept     Action = "accept"
	Mark       Action = "mark" // accept, with a header field that says why one might not have
	Quarantine Action = "quarantine"
	Reject     Action = "reject"
	Defer      Action = "defer"
)

// The rules that accept without verifying.
const (
	RuleAuthenticated = "authenticated" // submitted by a user of our own who logged in
	RuleOwnNetwork    = "own-network"   // from an address that the configuration names; the gate tells, an Evaluation does not
)

// A Verdict is what we do about a message, and why.
type Verdict struct {
	Action Action `json:"action"`
	Rule   string `json:"rule"`  // the rule that decided; empty if none did
	Reply  string `json:"reply"` // the SMTP reply, for reject and defer: "550 5.7.23 …"; printable ASCII
	Reason string `json:"-"`     // the reply's sentence, for the log and the header field, whatever the action
}

// A Policy is a list of rules. It does not change and is safe for concurrent use.
type Policy struct {
	Name  string
	Rules []Rule
}

// A Rule is one line of a policy.
type Rule struct {
	Name   string
	When   func(*verify.Evaluation) bool
	Action Action
	Code   string                          // of the SMTP reply, for reject and defer: "550 5.7.23"
	Text   func(*verify.Evaluation) string // one sentence: what failed, for which domain and address, and how to mend it
}

// Decide is the verdict of the first rule that matches; a message that none matches is accepted.
func (p *Policy) Decide(e *verify.Evaluation) Verdict {
	for i := range p.Rules {
		r := &p.Rules[i]
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
