package gate

import (
	"errors"
	"slices"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/verify"
	"github.com/gatepost-mail/gatepost/message"
)

// Signers know with which keys to sign for an Author Domain. The error says why there are none, in words that its user understands.
type Signers interface {
	Signers(authorDomain string) ([]dkim.Signer, error)
}

// RuleUnsigned is the rule for mail of our own that could not be signed.
const RuleUnsigned = "unsigned"

var errCannotAdd = errors.New("the mail server does not let a field be added")

// startSigning begins to sign mail of our own when its header is there.
func (t *transit) startSigning() {
	if t.Signers == nil {
		return
	}
	t.signing, t.unsigned = t.newSigning()
}

func (t *transit) newSigning() (*dkim.Signing, error) {
	if t.headerErr != nil {
		return nil, t.headerErr
	}
	author := t.header.Author()
	if author.Err != nil {
		return nil, author.Err
	}
	signers, err := t.Signers.Signers(author.Domain)
	if err != nil {
		return nil, err
	}
	return dkim.NewSigning(t.header, signers...)
}

// sign ends the signing.
func (t *transit) sign(canAdd bool) []message.Field {
	if t.signing == nil {
		return nil
	}
	if !canAdd {
		t.unsigned = errCannotAdd
		return nil
	}
	fields, err := t.signing.Fields()
	t.unsigned = err
	return fields
}

// ownVerdict is the verdict on mail of our own: it is let in, unless a rule for such mail says otherwise, or it should have been signed
// and was not. The severer of the two counts.
func (t *transit) ownVerdict(e *verify.Evaluation) policy.Verdict {
	v := t.decide(e)
	if v.Action == policy.Accept {
		v.Rule = t.trust
	}
	if t.unsigned == nil || slices.Index(severities, v.Action) > slices.Index(severities, t.Unsigned) {
		return v
	}
	code := "550 5.7.1"
	if t.Unsigned == policy.Defer {
		code = "451 4.7.0"
	}
	u := policy.Say(t.Unsigned, RuleUnsigned, code, "This message cannot be signed: "+t.unsigned.Error())
	u.Monitor, u.Watched = v.Monitor, v.Watched
	return u
}
