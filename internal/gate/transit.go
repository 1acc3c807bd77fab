package gate

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/d--j/go-milter"

	"github.com/gatepost-mail/gatepost/authres"
	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/verify"
	"github.com/gatepost-mail/gatepost/message"
)

// A transit is one message on its way through the gate.
type transit struct {
	*Settings
	client      verify.Client
	begun       time.Time
	routes      []*Route        // of the recipients, each once
	unremovable bool            // a recipient that the mail server may not find by the name that we have
	forgotten   int             // recipients that are not in client
	trust       string          // the rule by which it is not verified; empty if it is
	verify      *verify.Session // nil if it is not

	signing  *dkim.Signing // of mail of our own; nil where it is not signed
	unsigned error         // why it is not, though it should be
	signed   []message.Field

	exception *store.Exception // that let the message in; nil for none

	bytes       int64 // of header and body
	header      message.Header
	headerBytes int
	headerErr   error
	headerEnded bool
	forged      []forgery      // in the order of the header
	tooForged   bool           // there are more
	count       map[string]int // fields so far of each name that we write
}

// A forgery is a field that only we may write: the nth of its name, from 1.
type forgery struct {
	name  string
	index int
}

// The fields that we write.
const (
	resultsField = "Authentication-Results"
	verdictField = "X-Gatepost-Verdict"
)

// begin starts the look-ups that the envelope allows.
func (s *session) begin(from string, m milter.Modifier) *transit {
	t := &transit{
		Settings: s.gate.settings.Load(),
		client:   verify.Client{IP: s.ip, Helo: s.helo, MailFrom: from},
		begun:    time.Now(),
	}
	switch {
	case t.TrustAuthenticated && m.Get(milter.MacroAuthAuthen) != "":
		t.trust = policy.RuleAuthenticated
	case t.own(s.ip):
		t.trust = policy.RuleOwnNetwork
	default:
		t.verify = t.Verifier.Begin(context.Background(), t.client)
	}
	return t
}

func (s *Settings) own(ip netip.Addr) bool {
	for _, n := range s.OwnNetworks {
		if n.Contains(ip) {
			return true
		}
	}
	return false
}

// field takes in a header field, as long as there is room, and notes whether it is one that only we may write.
func (t *transit) field(name, value string) {
	name = strings.TrimRight(name, " \t") // RFC 5322 4.5.8: white space before the colon
	t.bytes += int64(len(name) + len(value) + len(":\r\n"))
	t.watch(name, value)
	if t.headerErr != nil || t.headerEnded || t.verify == nil && t.Signers == nil {
		return
	}
	f := message.NewField(name, value)
	t.headerBytes += len(f.Raw)
	switch {
	case t.headerBytes > t.Limits.HeaderBytes:
		t.headerErr = &message.LimitError{What: "bytes", Limit: t.Limits.HeaderBytes}
	case len(t.header) == t.Limits.Fields:
		t.headerErr = &message.LimitError{What: "fields", Limit: t.Limits.Fields}
	default:
		t.header = append(t.header, f)
		return
	}
	t.header = nil
}

// watch finds forged fields, beyond the limits of the header too (RFC 8601 5).
func (t *transit) watch(name, value string) {
	at := slices.IndexFunc(t.written, func(ours string) bool { return len(ours) == len(name) && strings.EqualFold(ours, name) })
	if at < 0 {
		return
	}
	written := t.written[at]
	if t.count == nil {
		t.count = map[string]int{}
	}
	t.count[written]++
	if written == resultsField && len(authres.Forged(message.Header{message.NewField(name, value)}, t.AuthservID)) == 0 {
		return // somebody else's
	}
	if len(t.forged) < maxForged {
		t.forged = append(t.forged, forgery{written, t.count[written]})
	} else {
		t.tooForged = true
	}
}

// maxForged bounds the fields that are taken away: it takes a mail server time that grows with their square.
const maxForged = 200

// writes are the names of the fields that we write, each once: what comes with such a name was not written by us.
func (s *Settings) writes() []string {
	var names []string
	add := func(name string) {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
			names = append(names, name)
		}
	}
	add(resultsField)
	add(verdictField)
	for _, r := range slices.Concat(s.Routes, []Route{s.byDefault}) {
		if r.Policy == nil {
			continue
		}
		for _, name := range r.Policy.Fields() {
			add(name)
		}
	}
	return names
}

// endHeader starts the look-ups that the header allows.
func (t *transit) endHeader() {
	if t.headerEnded {
		return
	}
	t.headerEnded = true
	switch {
	case t.verify == nil:
		t.startSigning()
	case t.headerErr != nil:
		t.verify.HeaderError(t.headerErr)
	default:
		t.verify.Header(t.header)
		t.startSealing()
	}
}

func (t *transit) body(chunk []byte) {
	t.bytes += int64(len(chunk))
	t.endHeader() // a mail server that does not tell where the header ends
	switch {
	case t.verify != nil:
		t.verify.Write(chunk)
	case t.signing != nil:
		t.signing.Write(chunk)
	}
}

// judge ends the message.
func (t *transit) judge(canAdd bool) (*verify.Evaluation, policy.Verdict) {
	t.endHeader()
	if t.verify != nil {
		e := t.verify.End()
		e.Client.Recipients = t.client.Recipients
		decided := t.decide(e)
		v, used := t.Exceptions.Apply(decided, e, time.Now())
		if t.exception = used; used != nil {
			v.Monitor, v.Watched = decided.Monitor, decided.Watched
		}
		return e, v
	}
	t.signed = t.sign(canAdd)
	e := &verify.Evaluation{Client: t.client, Authenticated: true}
	return e, t.ownVerdict(e)
}

func (t *transit) close() {
	if t.verify != nil {
		t.verify.Close()
	}
}
