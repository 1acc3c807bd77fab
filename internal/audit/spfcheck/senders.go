package spfcheck

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/spf"
)

// A sender is one to a person: the addresses of a service, or an address of which no more is known, that fare alike.
type sender struct {
	name     string
	own      bool
	addrs    []netip.Addr
	messages int64 // those that the record decides of; all of one that it never does
	fate     fate
}

// A fate is what becomes of a sender where the record ends in -all.
type fate int

const (
	touched    fate = iota // it fails, by that alone
	passes                 // as it did
	decided                // as it did, by a term before
	answerless             // as it did: the record gives no answer
	unasked                // its envelope has another domain, whose record is asked
	untold                 // DNS did not say
	allFates   = iota
)

func fateOf(a *facts.SourceAnswer) fate {
	switch {
	case a.AtEnd():
		return touched
	case a.Code == spf.Pass:
		return passes
	case a.Code == spf.TempError:
		return untold
	case a.Code == spf.PermError || a.Code == spf.None:
		return answerless
	}
	return decided
}

// fates are the senders that were seen, by what becomes of them, those with the most messages first.
func fates(f *facts.Facts) [allFates][]sender {
	var by [allFates][]sender
	add := func(s *facts.Source, to fate) {
		name, messages := "", s.Messages
		if s.Asked > 0 {
			messages = s.Asked
		}
		word := map[senders.Kind]string{senders.Forwarded: "a forwarder", senders.Abuse: "likely abuse", senders.Unclear: "unknown"}[s.Class]
		if s.Own() {
			word = "yours"
		}
		switch {
		case s.Service != "":
			name = s.Service
		case s.IP.IsValid():
			name = s.IP.String()
		default:
			name = "no address given"
		}
		if word != "" {
			name += " (" + word + ")"
		}
		i := slices.IndexFunc(by[to], func(k sender) bool { return k.name == name })
		if i < 0 {
			i, by[to] = len(by[to]), append(by[to], sender{name: name, own: s.Own(), fate: to})
		}
		k := &by[to][i]
		k.messages += messages
		if s.IP.IsValid() && s.Service != "" {
			k.addrs = append(k.addrs, s.IP)
		}
	}
	for i := range f.SPF.Answers {
		add(f.SPF.Answers[i].Source, fateOf(&f.SPF.Answers[i]))
	}
	for i := range f.Options.Seen.Sources {
		if s := &f.Options.Seen.Sources[i]; s.Asked == 0 {
			add(s, unasked)
		}
	}
	for _, all := range by {
		slices.SortStableFunc(all, func(a, b sender) int { return cmp.Compare(b.messages, a.messages) })
	}
	return by
}

// String says it: "Example Mail (yours), 7 messages from 198.51.100.1".
func (s *sender) String() string {
	text := s.name + ", " + plural(int(s.messages), "message", "messages")
	switch n := len(s.addrs); {
	case n == 1:
		text += " from " + s.addrs[0].String()
	case n > 1:
		text += fmt.Sprintf(" from %d addresses, %v the first", n, s.addrs[0])
	}
	return text
}

func toldSenders(all []sender) string {
	var texts []string
	for i := range all[:min(len(all), mostTold)] {
		texts = append(texts, all[i].String())
	}
	if n := len(all) - mostTold; n > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(texts, "; ")
}

const beforeDMARC = " A receiver may refuse for -all before it looks at DMARC (RFC 9989 7.1), forwarded mail too."

// weigh says which of the senders that were seen, if any were, an end in -all would turn away, and tells whether one is the domain's own.
func weigh(f *facts.Facts, seen *check.Seen) (own bool) {
	if len(f.Options.Seen.Sources) == 0 {
		return false
	}
	by, n := fates(f), 0
	for _, all := range by {
		n += len(all)
	}
	for i := range by[touched] {
		own = own || by[touched][i].own
	}
	if len(by[touched]) > 0 {
		seen.Detail += fmt.Sprintf(" Of %s that were seen, -all would touch %d, whose mail fails SPF then: %s.", plural(n, "sender", "senders"),
			len(by[touched]), toldSenders(by[touched]))
	} else {
		seen.Detail += fmt.Sprintf(" Of %s that were seen, -all would touch none.", plural(n, "sender", "senders"))
	}
	for _, rest := range []struct {
		of   fate
		text string
	}{
		{passes, "Let in as before"}, {decided, "Decided by an earlier term, as before"}, {unasked, "Not touched, since their envelope has another domain"},
		{answerless, "Without an answer, as before"}, {untold, "Not known, since DNS did not answer"},
	} {
		if all := by[rest.of]; len(all) > 0 {
			seen.Detail += fmt.Sprintf(" %s: %s.", rest.text, toldSenders(all))
		}
	}
	switch {
	case own:
		seen.Advice = "Add first those that are yours, and end the record in -all after that."
	case len(by[touched]) > 0:
		seen.Advice = "None of them is known to be yours; look at them before the change."
	case len(by[untold]) > 0:
		seen.Advice = "Ask again before the change, for those of which DNS did not say."
	default:
		seen.Advice = "No sender that was seen is in the way of it."
	}
	seen.Advice += beforeDMARC
	return own
}
