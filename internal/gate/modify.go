package gate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/d--j/go-milter"

	"github.com/gatepost-mail/gatepost/authres"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/verify"
	"github.com/gatepost-mail/gatepost/spf"
)

// modify changes the message as the verdict wants it, and gives what did not work.
//
// Fields are deleted from the last to the first, since each deletion shifts those behind it. Ours go on top, above the Received
// field of our own server: the one inserted last stands first.
func (t *transit) modify(m milter.Modifier, e *verify.Evaluation, v policy.Verdict) error {
	var failed []error
	try := func(err error) {
		if err != nil && !errors.Is(err, milter.ErrModificationNotAllowed) {
			failed = append(failed, err)
		}
	}
	for _, f := range slices.Backward(t.forged) {
		try(m.ChangeHeader(f.index, f.name, ""))
	}
	insert := func(name, value string) {
		value = strings.TrimPrefix(value, " ")
		if m.Protocol()&milter.OptHeaderLeadingSpace != 0 {
			value = " " + value
		}
		try(m.InsertHeader(0, name, value))
	}
	for _, f := range slices.Backward(t.sealed(e)) {
		insert(f.Name, f.Value())
	}
	for _, f := range slices.Backward(t.signed) {
		insert(f.Name, f.Value())
	}
	if name, value := verdictFieldOf(v); name != "" {
		insert(name, value)
	}
	if t.ReceivedSPF && len(e.SPF) > 0 {
		insert("Received-SPF", t.receivedSPF(&e.SPF[0]))
	}
	if results := t.results(e); results != "" {
		insert(resultsField, results)
	}
	if v.Action == policy.Quarantine && !v.Monitor {
		t.hold(m, v, try)
	}
	return errors.Join(failed...)
}

// hold keeps a message from its recipients.
func (t *transit) hold(m milter.Modifier, v policy.Verdict, try func(error)) {
	switch v.Holding {
	case policy.Header: // which is for the mailbox to sort out
	case policy.Redirect:
		for _, r := range t.client.Recipients {
			try(m.DeleteRecipient(r))
		}
		try(m.AddRecipient(v.Redirect, ""))
	default:
		try(m.Quarantine(v.Rule + ": " + v.Reason))
	}
}

// results is the value of our Authentication-Results field; empty where nothing was verified.
//
// The login name of a user of our own is nobody's business but ours, and what he sends leaves the house: it is not in there.
func (t *transit) results(e *verify.Evaluation) string {
	switch t.trust {
	case policy.RuleAuthenticated: // RFC 8601 2.7.4
		f := authres.Field{AuthservID: t.AuthservID, Results: []authres.Result{{Method: "auth", Value: "pass"}}}
		return f.Format()
	case policy.RuleOwnNetwork:
		return ""
	}
	return e.AuthenticationResults(t.AuthservID)
}

// receivedSPF is the value of the other field that SPF knows (RFC 7208 9.1).
func (t *transit) receivedSPF(s *verify.SPF) string {
	r := spf.Result{Code: spf.Code(s.Result), Domain: s.Domain, Term: s.Term}
	if s.Reason != "" {
		r.Err = errors.New(s.Reason)
	}
	return r.ReceivedSPF(spf.Query{IP: t.client.IP, Helo: t.client.Helo, MailFrom: t.client.MailFrom, Receiver: t.AuthservID})
}

// verdictFieldOf is the field that says what was decided, or would have been by a rule that only watches. There is none where a
// message is simply accepted.
func verdictFieldOf(v policy.Verdict) (name, value string) {
	switch {
	case v.Action != policy.Accept && !v.Monitor && v.Field != "":
		name = v.Field
	case v.Action != policy.Accept || len(v.Watched) > 0:
		name = verdictField
	default:
		return "", ""
	}
	if value = v.Value; value == "" || name == verdictField {
		value = verdictValue(v)
	}
	return name, fold(value, len(name)+len(": "))
}

// verdictValue is "mark; rule=spf-softfail; reason=…", and of what is only watched "reject; rule=spf-softfail; mode=monitor; reason=…".
func verdictValue(v policy.Verdict) string {
	action, rule, mode, reason := v.Action, v.Rule, "", v.Reason
	if v.Action == policy.Accept {
		w := v.Watched[0]
		action, rule, reason = w.Action, w.Rule, w.Reason
	}
	if v.Monitor || v.Action == policy.Accept {
		mode = "; mode=monitor"
	}
	return fmt.Sprintf(`%s; rule=%s%s; reason="%s"`, action, rule, mode, quoted.Replace(reason))
}

var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

const lineLength = 78 // RFC 5322 2.1.1

// fold breaks a text of words into lines, of which the first has so many octets already.
func fold(text string, used int) string {
	var b strings.Builder
	for i, word := range strings.Fields(text) { // no line of white space alone (RFC 5322 3.2.2)
		switch {
		case i == 0:
		case used+1+len(word) > lineLength:
			b.WriteString("\n ")
			used = 1
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += len(word)
	}
	return b.String()
}
