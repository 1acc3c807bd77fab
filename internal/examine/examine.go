// Package examine verifies a message that lies before somebody, in a file or pasted into a page, and says in words what came of it. The
// command line and the dashboard say the same for that reason.
//
//	o, err := examine.Message(ctx, verify.New(options), file, examine.Query{Client: client})
//	o.Verdict = rules.Decide(o.Evaluation)
//	for _, row := range o.Rows(note) { … }
package examine

import (
	"context"
	"errors"
	"io"

	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/verify"
	"github.com/gatepost-mail/gatepost/message"
)

// A Query says who handed the message over, as far as that is known.
type Query struct {
	Client   verify.Client
	Received bool // take what is not given from the topmost Received field and Return-Path
	Given    struct{ Helo, MailFrom bool }
	Partial  bool // it may be a header alone
}

// A Note is what is to be said about the client.
type Note int

// The notes.
const (
	NoNote       Note = iota
	NoClient          // no address is known: SPF was not evaluated
	NoDomain          // neither HELO nor MAIL FROM is
	NoMailFrom        // HELO stands for MAIL FROM
	NoReturnPath      // likewise, since the header has none
)

// An Outcome is what became of one message.
type Outcome struct {
	From, Subject string // as written, unfolded
	Header        message.Header
	HeaderOnly    bool // there is no body, and signatures over one: of these nothing is known
	Known         bool // SPF was evaluated
	Note          Note
	Evaluation    *verify.Evaluation
	Verdict       policy.Verdict // of whoever decides
}

// Message verifies one message, in memory that does not grow with it.
func Message(ctx context.Context, v *verify.Verifier, r io.Reader, q Query) (*Outcome, error) {
	o := &Outcome{}
	m, err := Read(r, message.Limits{})
	var tooLarge *message.LimitError
	if errors.As(err, &tooLarge) {
		return o, o.unread(ctx, v, err, q)
	}
	if err != nil {
		return nil, err
	}
	o.Header = m.Header
	if f, ok := m.Header.First("From"); ok {
		o.From = decodeAddress(Unfold(f.Value()))
	}
	if f, ok := m.Header.First("Subject"); ok {
		o.Subject = decodeWords(Unfold(f.Value()))
	}
	client, note, err := q.ClientOf(m.Header)
	if err != nil {
		return nil, err
	}
	o.Note, o.Known = note, client.IP.IsValid()
	s := v.Begin(ctx, client)
	defer s.Close()
	s.Header(m.Header)
	n, err := io.Copy(s, io.LimitReader(m.Body, maxBody))
	if err != nil {
		return nil, err
	}
	o.Evaluation = s.End()
	o.HeaderOnly = q.Partial && n == 0 && unseen(o.Evaluation)
	return o, nil
}

// unseen tells whether there are signatures of which none is good for no body at all.
func unseen(e *verify.Evaluation) bool {
	for i := range e.DKIM {
		if e.DKIM[i].Result == "pass" {
			return false
		}
	}
	return len(e.DKIM) > 0 || e.ARC.Instances > 0
}

// maxBody is one byte more than a message may have, so that the session sees that there is more.
const maxBody = 256<<20 + 1

// unread evaluates what is known of a message whose header is too large to be read: who sent it.
func (o *Outcome) unread(ctx context.Context, v *verify.Verifier, why error, q Query) error {
	if q.Received {
		return &ClientError{Text: why.Error() + ", and no client is found in it"}
	}
	client, note, err := q.ClientOf(nil)
	if err != nil {
		return err
	}
	o.Note, o.Known = note, client.IP.IsValid()
	s := v.Begin(ctx, client)
	defer s.Close()
	s.HeaderError(why)
	o.Evaluation = s.End()
	return nil
}

// ClientOf tells who handed a message over: as the query says, and by the Received field where it says so.
func (q *Query) ClientOf(h message.Header) (verify.Client, Note, error) {
	c, note := q.Client, NoNote
	switch {
	case q.Received:
		found, err := clientOf(h)
		if err != nil && !c.IP.IsValid() {
			return c, note, err
		}
		if !c.IP.IsValid() {
			c.IP = found.IP
		}
		if !q.Given.Helo {
			c.Helo = found.Helo
		}
		if !q.Given.MailFrom {
			c.MailFrom = found.MailFrom
			if _, ok := h.First("Return-Path"); !ok {
				note = NoReturnPath
			}
		}
	case !c.IP.IsValid():
		note = NoClient
	case !q.Given.MailFrom && !q.Given.Helo:
		note = NoDomain
	case !q.Given.MailFrom:
		note = NoMailFrom
	}
	return c, note, nil
}
