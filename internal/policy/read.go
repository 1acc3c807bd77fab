package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/gatepost-mail/gatepost/internal/nearest"
)

var (
	ruleName  = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
	replyCode = regexp.MustCompile(`^([245][0-5][0-9]) ([245]\.[0-9]{1,3}\.[0-9]{1,3}) `)
	fieldName = regexp.MustCompile(`^[!-9;-~]{1,64}$`) // RFC 5322 2.2
	mailbox   = regexp.MustCompile(`^[!#-'*+\-/-9=?A-Z^-~.]{1,64}@[A-Za-z0-9.-]{1,253}$`)
)

// actions are all actions, for messages.
var actions = []Action{Accept, Mark, Quarantine, Reject, Defer}

// rule checks and compiles one rule.
func (d *document) rule(i int, w *written) (*rule, error) {
	if !ruleName.MatchString(w.Name) {
		if w.Name == "" {
			return nil, d.failKey(i, "name", errors.New("a rule needs a name, for the log and the header: small letters, digits and hyphens"))
		}
		return nil, d.failKey(i, "name", fmt.Errorf("%q: a name is of small letters, digits and hyphens, 64 at most", clipped(w.Name)))
	}
	r := &rule{name: w.Name, source: strings.TrimSpace(w.When), action: w.Action, field: w.Field}
	if !slices.Contains(actions, w.Action) {
		return nil, d.failKey(i, "action", wrongWord(string(w.Action), words(actions)))
	}
	switch w.Mode {
	case "monitor":
		r.monitor = true
	case "", "enforce":
	default:
		return nil, d.failKey(i, "mode", wrongWord(w.Mode, []string{"enforce", "monitor"}))
	}
	if _, ok := d.keys[place{i, "when"}]; !ok && w.When == "" {
		return nil, d.failKey(i, "when", errors.New(`a rule needs a condition; write "true" for every message`))
	}
	x, f := compile(w.When)
	if f == nil && !x.typ.IsExactType(cel.BoolType) {
		f = &fault{0, fmt.Errorf(`the condition gives a %s; it must be true or false, such as spf.result == "fail"`, x.typ)}
	}
	if f != nil {
		return nil, d.failAt(i, "when", f)
	}
	r.when = x
	for _, step := range []func(int, *written, *rule) error{d.sentence, d.mark, d.quarantine} {
		if err := step(i, w, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// sentence reads reply or reason, whichever the action takes.
func (d *document) sentence(i int, w *written, r *rule) error {
	refuses := r.action == Reject || r.action == Defer
	switch {
	case refuses && w.Reason != "":
		return d.failKey(i, "reason", fmt.Errorf("%s says why in its reply; write reply", r.action))
	case !refuses && w.Reply != "":
		return d.failKey(i, "reply", fmt.Errorf("%s gives no reply; write reason", r.action))
	case refuses && w.Reply == "":
		return d.failKey(i, "reply", fmt.Errorf(`%s needs a reply, such as "%s"`, r.action, exampleReply(r.action)))
	case !refuses:
		text := w.Reason
		if text == "" && r.action != Accept {
			text = "the rule " + r.name + " matches"
		}
		t, f := parseTemplate(text)
		if f != nil {
			return d.failAt(i, "reason", f)
		}
		r.sentence = t
		return nil
	}
	code, f := checkCode(w.Reply, r.action)
	if f != nil {
		return d.failAt(i, "reply", f)
	}
	t, f := parseTemplate(w.Reply[len(code)+1:])
	if f != nil {
		f.at += len(code) + 1
		return d.failAt(i, "reply", f)
	}
	r.code, r.sentence = code, t
	return nil
}

func exampleReply(a Action) string {
	if a == Defer {
		return "451 4.7.1 {client.ip} cannot be let in now: ..."
	}
	return "550 5.7.1 {client.ip} is not let in: ..."
}

// checkCode reads the two codes before the sentence (RFC 5321 4.2, RFC 3463 2): both of the class that the action is.
func checkCode(reply string, a Action) (string, *fault) {
	m := replyCode.FindStringSubmatch(reply + " ")
	if m == nil {
		return "", &fault{0, fmt.Errorf(`a reply begins with its code and its enhanced code, as in "%s" (RFC 5321 4.2, RFC 3463 2)`, exampleReply(a))}
	}
	class := byte('5')
	if a == Defer {
		class = '4'
	}
	for n, at := range []int{0, len(m[1]) + 1} {
		if m[n+1][0] != class {
			return "", &fault{at, fmt.Errorf("%s: the codes of %s begin with %c (RFC 3463 3)", m[n+1], a, class)}
		}
	}
	code := m[1] + " " + m[2]
	if strings.TrimSpace(reply[min(len(code), len(reply)):]) == "" {
		return "", &fault{0, errors.New("a reply says in a sentence what is wrong and how to mend it")}
	}
	return code, nil
}

// standard are fields that a mark must not be: they say something already, or others act upon them.
var standard = []string{"from", "sender", "reply-to", "to", "cc", "bcc", "subject", "date", "message-id", "in-reply-to", "references",
	"received", "return-path", "delivered-to", "mime-version", "content-type", "content-transfer-encoding", "content-disposition",
	"dkim-signature", "authentication-results", "received-spf", "arc-seal", "arc-message-signature", "arc-authentication-results",
	"list-id", "list-unsubscribe", "list-unsubscribe-post"}

// mark reads what is written into the header.
func (d *document) mark(i int, w *written, r *rule) error {
	marks := r.action == Mark || r.action == Quarantine
	switch {
	case w.Field == "" && w.Value == "":
		return nil
	case !marks:
		key := "field"
		if w.Field == "" {
			key = "value"
		}
		return d.failKey(i, key, fmt.Errorf("%s writes no header field; mark and quarantine do", r.action))
	case w.Field == "":
		return d.failKey(i, "value", errors.New(`a value needs a field to stand in; write field = "X-..."`))
	case !fieldName.MatchString(w.Field):
		return d.failKey(i, "field", fmt.Errorf(`%q is no name of a header field; write it like "X-External"`, clipped(w.Field)))
	case slices.Contains(standard, lower(w.Field)):
		return d.failKey(i, "field", fmt.Errorf(`%s has a meaning of its own; write a name like "X-External"`, w.Field))
	case w.Value == "":
		return nil
	}
	t, f := parseTemplate(w.Value)
	if f != nil {
		return d.failAt(i, "value", f)
	}
	r.value = t
	return nil
}

// quarantine reads how a message is held.
func (d *document) quarantine(i int, w *written, r *rule) error {
	if r.action != Quarantine {
		switch {
		case w.Hold != "":
			return d.failKey(i, "quarantine", fmt.Errorf("%s holds nothing; write action = \"quarantine\"", r.action))
		case w.Redirect != "":
			return d.failKey(i, "redirect", fmt.Errorf("%s redirects nothing; write action = \"quarantine\"", r.action))
		}
		return nil
	}
	r.holding = Holding(w.Hold)
	if w.Hold == "" && w.Redirect != "" {
		r.holding = Redirect
	}
	switch r.holding {
	case "":
		r.holding = Hold
	case Hold, Header:
		if w.Redirect != "" {
			return d.failKey(i, "redirect", fmt.Errorf("it goes with quarantine = \"redirect\", not %q", w.Hold))
		}
	case Redirect:
		if !mailbox.MatchString(w.Redirect) {
			return d.failKey(i, "redirect", fmt.Errorf(`%q is no address; write it like "quarantine@example.org"`, clipped(w.Redirect)))
		}
		r.redirect = w.Redirect
	default:
		return d.failKey(i, "quarantine", wrongWord(w.Hold, []string{string(Hold), string(Header), string(Redirect)}))
	}
	return nil
}

func wrongWord(typed string, known []string) error {
	if guess := nearest.Word(typed, known); guess != "" && typed != "" {
		return fmt.Errorf("%q: there is no such; did you mean %s?", clipped(typed), guess)
	}
	return fmt.Errorf("%q: there are %s", clipped(typed), strings.Join(known, ", "))
}

func words[T ~string](all []T) []string {
	plain := make([]string, len(all))
	for i, w := range all {
		plain[i] = string(w)
	}
	return plain
}
