package policy

import (
	"fmt"

	"github.com/gatepost-mail/gatepost/internal/verify"
)

// A rule is one of a policy, ready to be asked.
type rule struct {
	name     string
	source   string // of when, as written
	when     *expression
	action   Action
	code     string // of the SMTP reply, for reject and defer: "550 5.7.23"
	sentence *template
	monitor  bool

	field    string
	value    *template
	holding  Holding
	redirect string
}

// concerns tells whether the rule is to be asked about a message at all.
func (r *rule) concerns(e *verify.Evaluation) bool { return !e.Authenticated || r.when.own }

// verdict is what the rule does about a message that it matches, or that it could not be asked about.
func (r *rule) verdict(s *subject, err error) Verdict {
	if err != nil {
		return r.broken(err)
	}
	v := Verdict{Action: r.action, Rule: r.name, Field: r.field, Holding: r.holding, Redirect: r.redirect}
	v.Reason = r.sentence.render(s, maxReply-len(r.code)-len(" \r\n"))
	if r.value != nil {
		v.Value = r.value.render(s, maxValue)
	}
	if r.action == Reject || r.action == Defer {
		v.Reply = r.code + " " + v.Reason
	}
	return v
}

// maxValue bounds the value of a header field (RFC 5322 2.1.1 allows a line of 998).
const maxValue = 500

// broken defers: a rule that cannot be applied might have refused the message, and the sender will try again.
func (r *rule) broken(err error) Verdict {
	const code = "451 4.3.5" // RFC 3463 3.4: system incorrectly configured
	why := line(fmt.Sprintf("The rule %s of this server's policy cannot be applied to this message: %v", r.name, err), 300)
	v := Verdict{Action: Defer, Rule: r.name, Reason: why + "; send it again later, its administrator has been told in the log", err: err}
	v.Reply = code + " " + v.Reason
	return v
}
