package cli

import (
	"context"

	"github.com/gatepost-mail/gatepost/internal/examine"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

// An outcome is what became of one message, or why nothing did.
type outcome struct {
	*examine.Outcome // nil where there is an error
	name             string
	err              error
}

// message verifies one message.
func (j *verifyJob) message(ctx context.Context, v *verify.Verifier, in input) *outcome {
	o := &outcome{name: in.name, err: in.err}
	if in.err != nil {
		return o
	}
	r, err := in.open()
	if err != nil {
		o.err = err
		return o
	}
	defer r.Close()
	if o.Outcome, err = examine.Message(ctx, v, r, j.query); err != nil {
		o.Outcome, o.err = nil, named(display(in.name), err)
		return o
	}
	o.Verdict = j.policy.DecideAt(o.Evaluation, j.options.Now)
	return o
}
