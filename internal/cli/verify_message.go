package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/verify"
	"github.com/gatepost-mail/gatepost/message"
)

// An outcome is what became of one message, or why nothing did.
type outcome struct {
	name          string
	from, subject string // as written, unfolded
	envelope      envelope
	evaluation    *verify.Evaluation
	verdict       policy.Verdict
	err           error
}

// An envelope says where the client was taken from.
type envelope struct {
	known bool   // SPF was evaluated
	note  string // what is to be said about that
}

// message verifies one message, in memory that does not grow with it.
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
	if err := j.evaluate(ctx, v, r, o); err != nil {
		o.err = named(display(in.name), err)
		return o
	}
	o.verdict = j.policy.DecideAt(o.evaluation, j.options.Now)
	return o
}

func (j *verifyJob) evaluate(ctx context.Context, v *verify.Verifier, r io.Reader, o *outcome) error {
	m, err := readMessage(r, message.Limits{})
	var tooLarge *message.LimitError
	if errors.As(err, &tooLarge) {
		return j.unread(ctx, v, err, o)
	}
	if err != nil {
		return err
	}
	if f, ok := m.Header.First("From"); ok {
		o.from = decodeAddress(unfold(f.Value()))
	}
	if f, ok := m.Header.First("Subject"); ok {
		o.subject = decodeWords(unfold(f.Value()))
	}
	client, err := j.clientFor(m.Header, o)
	if err != nil {
		return err
	}
	s := v.Begin(ctx, client)
	defer s.Close()
	s.Header(m.Header)
	if _, err := io.Copy(s, io.LimitReader(m.Body, maxBody)); err != nil {
		return err
	}
	o.evaluation = s.End()
	return nil
}

// maxBody is one byte more than a message may have, so that the session sees that there is more.
const maxBody = 256<<20 + 1

// unread evaluates what is known of a message whose header is too large to be read: who sent it.
func (j *verifyJob) unread(ctx context.Context, v *verify.Verifier, why error, o *outcome) error {
	if j.received {
		return fmt.Errorf("%w, and --received finds no client", why)
	}
	client, err := j.clientFor(nil, o)
	if err != nil {
		return err
	}
	s := v.Begin(ctx, client)
	defer s.Close()
	s.HeaderError(why)
	o.evaluation = s.End()
	return nil
}

// clientFor tells who handed the message over: by the flags, and by the Received field where they say so.
func (j *verifyJob) clientFor(h message.Header, o *outcome) (verify.Client, error) {
	c := j.client
	switch {
	case j.received:
		found, err := clientOf(h)
		if err != nil && !c.IP.IsValid() {
			return c, err
		}
		if !c.IP.IsValid() {
			c.IP = found.IP
		}
		if !j.given.helo {
			c.Helo = found.Helo
		}
		if !j.given.mailFrom {
			c.MailFrom = found.MailFrom
			if _, ok := h.First("Return-Path"); !ok {
				o.envelope.note = "no Return-Path: HELO stands for MAIL FROM"
			}
		}
	case !c.IP.IsValid():
		o.envelope.note = "not evaluated: give --ip, --helo and --mail-from, or --received"
	case !j.given.mailFrom && !j.given.helo:
		o.envelope.note = "neither --mail-from nor --helo is given: there is no domain to ask about"
	case !j.given.mailFrom:
		o.envelope.note = "no --mail-from: HELO stands for MAIL FROM"
	}
	o.envelope.known = c.IP.IsValid()
	return c, nil
}

// maxSubject bounds what is decoded and shown.
const maxSubject = 500

// decodeWords makes a Subject with encoded words (RFC 2047) readable. One that cannot be decoded stays as it is.
func decodeWords(s string) string {
	s = clip(s, maxSubject)
	if !strings.Contains(s, "=?") {
		return s
	}
	var d mime.WordDecoder
	decoded, err := d.DecodeHeader(s)
	if err != nil {
		return s
	}
	return decoded
}

// decodeAddress makes the names beside addresses readable, unless a name would then look like an address.
func decodeAddress(s string) string {
	s = clip(s, maxSubject)
	decoded := decodeWords(s)
	for _, c := range "<>@;:" {
		if strings.Count(decoded, string(c)) != strings.Count(s, string(c)) {
			return s
		}
	}
	return decoded
}
