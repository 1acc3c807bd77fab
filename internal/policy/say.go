package policy

// Say gives a verdict that no rule of a policy reached: what the gate decides by itself. The sentence may hold what a sender wrote; the
// code, such as "550 5.7.1", is for reject and defer.
func Say(action Action, rule, code, sentence string) Verdict {
	v := Verdict{Action: action, Rule: rule, Reason: line(sentence, maxReply-len(code)-len(" \r\n"))}
	if action == Reject || action == Defer {
		v.Reply = code + " " + v.Reason
	}
	return v
}
