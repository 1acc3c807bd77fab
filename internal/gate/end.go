package gate

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/d--j/go-milter"

	"github.com/gatepost-mail/gatepost/internal/metrics"
	"github.com/gatepost-mail/gatepost/internal/policy"
)

// end gives the verdict on the message under way, and carries it out.
func (s *session) end(m milter.Modifier) *milter.Response {
	t := s.transit
	if max := s.gate.settings.Load().MaxMessages; s.count > max {
		s.gate.metrics.LimitReached(metrics.LimitMessages)
		s.gate.log().Warn("too many messages in one session", "client_ip", addr(s.ip), "limit", max)
		return tooMany
	}
	if t == nil {
		s.gate.log().Warn("a message without MAIL FROM", "client_ip", addr(s.ip))
		return sorry
	}
	ended := time.Now()
	e, v := t.judge(s.actions&milter.OptAddHeader != 0)
	r := record{evaluation: e, verdict: v, queueID: m.Get(milter.MacroQueueId), begun: t.begun, ended: ended, exception: t.exception}
	r.reference = cmp.Or(r.queueID, newReference())
	refusal := s.refusal(t, v, r.reference)
	if refusal == nil {
		r.failed = t.modify(m, e, v)
	}
	r.forged, r.refused = len(t.forged), refusal != nil
	r.write(t.Log)
	s.gate.count(t, &r)
	if s.gate.recorder != nil {
		s.gate.recorder.Record(t.decision(&r))
	}
	if refusal == nil {
		return milter.RespAccept
	}
	return refusal
}

// newReference names a message to which the mail server gave no name.
func newReference() string { return strings.ToLower(rand.Text()[:10]) }

// refusal is the answer to a message that is not let in, or nil.
//
// What we cannot do to a message, since the mail server did not offer it, must not let the message in as it is.
func (s *session) refusal(t *transit, v policy.Verdict, reference string) *milter.Response {
	say := func(v policy.Verdict) *milter.Response { return reply(v.WithReference(reference, t.HelpURL).Reply) }
	switch {
	case t.tooForged:
		return say(policy.Say(policy.Reject, v.Rule, "550 5.7.1", fmt.Sprintf(
			"The header has more than %d fields that only %s may write; send the message without them", maxForged, t.AuthservID)))
	case v.Monitor:
		return nil
	case v.Action == policy.Reject || v.Action == policy.Defer:
		return say(v)
	case v.Action == policy.Quarantine && !s.canHold(t, v):
		return say(policy.Say(policy.Reject, v.Rule, "550 5.7.1", v.Reason))
	case len(t.forged) > 0 && s.actions&milter.OptChangeHeader == 0:
		return say(policy.Say(policy.Reject, v.Rule, "550 5.7.1", fmt.Sprintf(
			"The header has a field %s that only %s may write; send the message without it", t.forged[0].name, t.AuthservID)))
	}
	return nil
}

// canHold tells whether a message can be quarantined as the policy wants it.
func (s *session) canHold(t *transit, v policy.Verdict) bool {
	wanted := milter.OptQuarantine
	switch v.Holding {
	case policy.Header:
		wanted = milter.OptAddHeader
	case policy.Redirect:
		wanted = milter.OptAddRcpt | milter.OptRemoveRcpt
		if t.forgotten > 0 || t.unremovable {
			return false // those would get the message
		}
	}
	return s.actions&wanted == wanted
}

// sorry is the answer where we failed.
var sorry = reply("451 4.3.0 Gatepost failed on this message; send it again later")

// tooMany ends an SMTP session (RFC 5321 3.8).
var tooMany = reply("421 4.7.0 Too many messages in one session; connect again for the rest")

// reply hands an SMTP reply to the mail server as it is: the library doubles the % that mail servers halve.
func reply(text string) *milter.Response {
	if len(text) < len("550 ") {
		return milter.RespTempFail
	}
	code, err := strconv.ParseUint(text[:3], 10, 16)
	if err != nil {
		return milter.RespTempFail
	}
	resp, err := milter.RejectWithCodeAndReason(uint16(code), text[4:])
	if err != nil {
		return milter.RespTempFail
	}
	return resp
}
