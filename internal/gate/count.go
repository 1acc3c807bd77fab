package gate

import (
	"time"

	"github.com/gatepost-mail/gatepost/internal/metrics"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

// count adds a message to what is counted.
func (g *Gate) count(t *transit, r *record) {
	g.messages.Add(1)
	if r.refused {
		g.refused.Add(1)
	}
	if g.metrics == nil {
		return
	}
	now := time.Now()
	e := r.evaluation
	m := metrics.Message{
		Verdict: string(r.verdict.Action), Rule: r.verdict.Rule, Monitor: r.verdict.Monitor, Refused: r.refused,
		Bytes: t.bytes, Duration: now.Sub(r.begun), Wait: now.Sub(r.ended),
	}
	if !e.Authenticated {
		m.SPF, m.DKIM, m.ARC, m.DMARC = spfWord(e), bestSignature(e), e.ARC.Result, e.DMARC.Result
	}
	g.metrics.Message(m)
	if t.exception != nil {
		g.metrics.ExceptionUsed()
	}
	if t.signing != nil || t.unsigned != nil {
		g.metrics.Signed(len(t.signed))
	}
	for _, l := range e.Reached {
		g.metrics.LimitReached(limits[l])
	}
}

var limits = map[verify.Limit]metrics.Limit{
	verify.LimitHeader: metrics.LimitHeader, verify.LimitBody: metrics.LimitBody, verify.LimitQueries: metrics.LimitQueries,
	verify.LimitTime: metrics.LimitTime, verify.LimitSignatures: metrics.LimitSignatures,
}

// bestSignature is pass where one passes, and else the result of the first.
func bestSignature(e *verify.Evaluation) string {
	if len(e.DKIM) == 0 {
		return "none"
	}
	for i := range e.DKIM {
		if e.DKIM[i].Result == "pass" {
			return "pass"
		}
	}
	return e.DKIM[0].Result
}
