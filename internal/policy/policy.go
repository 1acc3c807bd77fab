// Package policy turns an Evaluation into a Verdict by a list of rules, of which the first that matches decides.
//
//	p, err := policy.Named("strict") // or the path of a file
//	verdict := p.Decide(evaluation)
//
// A policy is a TOML file, and a preset is one that comes with the program. What a rule asks of a message is an expression in CEL
// (https://cel.dev), compiled and checked when the file is read, so that a policy that loads has no slip of the pen in it. A rule sees
// the Evaluation and the time and nothing else: the same message gets the same verdict from the gate and from the command line.
package policy

import (
	"time"

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

// A Holding is how a message is quarantined.
type Holding string

// The ways to quarantine.
const (
	Hold     Holding = "hold"     // in the mail server's queue, until somebody lets it go (milter quarantine)
	Header   Holding = "header"   // delivered with a header field, for the mailbox to sort it out
	Redirect Holding = "redirect" // to a mailbox, in place of its recipients
)

// A Verdict is what we do about a message, and why.
type Verdict struct {
	Action Action `json:"action"`
	Rule   string `json:"rule"`  // the rule that decided; empty if none did
	Reply  string `json:"reply"` // the whole SMTP reply, for reject and defer: "550 5.7.23 …"; printable ASCII
	Reason string `json:"-"`     // the reply's sentence, for the log and the header field, whatever the action

	Field    string  `json:"field,omitempty"`    // mark, quarantine: the header field to write; X-Gatepost-Verdict if empty
	Value    string  `json:"value,omitempty"`    // what to write in it; the verdict with its reason if empty
	Holding  Holding `json:"holding,omitempty"`  // quarantine: how
	Redirect string  `json:"redirect,omitempty"` // the mailbox, where it is redirected

	// Monitor says that nothing is done of what Action says. Decide leaves it false: a rule that only watches never decides. The gate
	// sets it where its mode is monitor for all.
	Monitor bool `json:"monitor,omitempty"`

	// Watched are the rules with mode = "monitor" that matched before this verdict: the first would have decided in its place.
	Watched []Watched `json:"watched,omitempty"`

	err error // why the rule that decided could not be applied
}

// Watched is what a rule would have done that only watches.
type Watched struct {
	Action Action `json:"action"`
	Rule   string `json:"rule"`
	Reply  string `json:"reply,omitempty"`
	Reason string `json:"-"`
}

// maxWatched bounds what one message leaves behind.
const maxWatched = 8

// Err is why the rule that decided could not be applied to this message; the verdict is then to defer.
func (v Verdict) Err() error { return v.err }

// A Policy is a list of rules. It does not change and is safe for concurrent use.
type Policy struct {
	Name  string
	rules []rule
}

// Rules are the names of the rules, in order.
func (p *Policy) Rules() []string {
	all := make([]string, len(p.rules))
	for i := range p.rules {
		all[i] = p.rules[i].name
	}
	return all
}

// Fields are the header fields that the policy writes by names of its own, each once: whoever lets a message in must take away
// those that it brought along.
func (p *Policy) Fields() []string {
	var all []string
	seen := map[string]bool{"": true}
	for i := range p.rules {
		if f := p.rules[i].field; !seen[lower(f)] {
			seen[lower(f)] = true
			all = append(all, f)
		}
	}
	return all
}

// Decide is the verdict of the first rule that matches; a message that none matches is accepted.
//
// Of what our own users send nothing was verified, and a rule written with mail from outside in mind would take that for a failure. So
// only a rule that names authenticated is asked about it.
func (p *Policy) Decide(e *verify.Evaluation) Verdict { return p.DecideAt(e, time.Time{}) }

// DecideAt decides as at this time; the present if zero.
func (p *Policy) DecideAt(e *verify.Evaluation, now time.Time) Verdict {
	s := subjects.Get().(*subject)
	defer s.release()
	s.Evaluation, s.now = e, now
	var watched []Watched
	for i := range p.rules {
		r := &p.rules[i]
		if !r.concerns(e) {
			continue
		}
		holds, err := r.when.holds(s)
		if err == nil && !holds {
			continue
		}
		v := r.verdict(s, err)
		if !r.monitor {
			v.Watched = watched
			return v
		}
		if len(watched) < maxWatched {
			watched = append(watched, Watched{v.Action, v.Rule, v.Reply, v.Reason})
		}
	}
	return Verdict{Action: Accept, Watched: watched}
}

// A Step is what one rule said of a message.
type Step struct {
	Rule    string `json:"rule"`
	When    string `json:"when"`
	Matches bool   `json:"matches"`
	Monitor bool   `json:"monitor,omitempty"`
	Decides bool   `json:"decides,omitempty"`
	Skipped bool   `json:"skipped,omitempty"` // it was not asked: the message is from our own users, of whom it does not speak
	Error   string `json:"error,omitempty"`
}

// Trace says what each rule says of a message, those behind the one that decides too.
func (p *Policy) Trace(e *verify.Evaluation, now time.Time) []Step {
	s := subjects.Get().(*subject)
	defer s.release()
	s.Evaluation, s.now = e, now
	decided := false
	steps := make([]Step, 0, len(p.rules))
	for i := range p.rules {
		r := &p.rules[i]
		step := Step{Rule: r.name, When: r.source, Monitor: r.monitor}
		if !r.concerns(e) {
			step.Skipped = true
			steps = append(steps, step)
			continue
		}
		holds, err := r.when.holds(s)
		step.Matches = holds
		if err != nil {
			step.Error = err.Error()
		}
		step.Decides = !decided && !r.monitor && (holds || err != nil)
		decided = decided || step.Decides
		steps = append(steps, step)
	}
	return steps
}

func (s *subject) release() {
	*s = subject{}
	subjects.Put(s)
}
