package gate

import (
	"strings"

	"github.com/gatepost-mail/gatepost/internal/observe"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// decision is what is remembered of a message.
func (t *transit) decision(r *record) *store.Decision {
	v := r.verdict
	d := observe.Decision(r.evaluation, v)
	d.Time, d.Reference, d.QueueID = r.ended, r.reference, r.queueID
	if f, ok := t.header.First("Message-ID"); ok {
		d.MessageID = strings.TrimSpace(f.Value())
	}
	d.Recipients, d.MoreRecipients = t.client.Recipients, int64(t.forgotten)
	d.Mode, d.Done = "enforce", d.Verdict
	switch {
	case v.Monitor:
		d.Mode, d.Done = "monitor", string(policy.Accept)
	case r.refused && v.Action != policy.Defer:
		d.Done = string(policy.Reject)
	}
	if t.exception != nil {
		d.Exception = t.exception.ID
	}
	for _, w := range v.Watched {
		d.Watched = append(d.Watched, store.Watched{Rule: w.Rule, Action: string(w.Action)})
	}
	return d
}
